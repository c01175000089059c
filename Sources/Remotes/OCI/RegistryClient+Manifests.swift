import AsyncHTTPClient
import NIOCore
import NIOHTTP1
package import Names

/// What names a manifest in a repository.
package enum ManifestReference: Hashable, Sendable, CustomStringConvertible {
    case tag(String)
    case digest(Digest)

    package var description: String {
        switch self {
        case .tag(let tag): tag
        case .digest(let digest): digest.description
        }
    }

    package var digest: Digest? {
        if case .digest(let digest) = self { digest } else { nil }
    }
}

/// What the head of a manifest answer tells, at no cost to pull quotas.
package struct ManifestHead: Hashable, Sendable {
    /// nil when the registry does not say; a GET tells then.
    package var digest: Digest?
    package var mediaType: MediaType?
    package var size: Int64?
}

extension RegistryClient {
    /// Looks at a manifest without reading it; nil when it is not there.
    ///
    /// - Parameter isInsistent: false where the answer is not worth another try.
    /// - Throws: `RegistryError`, `CancellationError`.
    package func headManifest(
        _ repository: String,
        _ reference: ManifestReference,
        isInsistent: Bool = true
    ) async throws -> ManifestHead? {
        let request = RegistryRequest(
            method: .HEAD,
            address: address(repository, "manifests/\(reference)"),
            kind: .manifestHead,
            scope: RegistryScope(repository: repository, access: .pull),
            headers: Self.acceptHeaders,
            isRepeatable: isInsistent,
            what: "looking for \(reference) in \(repository)"
        )
        let answer = try await perform(request, accepting: [200, 404])
        await answer.permit.release()
        guard answer.status == 200 else { return nil }
        return ManifestHead(
            digest: try contentDigest(answer),
            mediaType: answer.header("content-type").map { MediaType(rawValue: $0) },
            size: answer.header("content-length").flatMap { Int64($0) }
        )
    }

    /// Reads a manifest and checks it against the digest it was asked for, or the one the registry names.
    ///
    /// - Parameter budget: counts the GET against a pull quota, each time that it is sent: reserved before, committed,
    ///   released or left after.
    /// - Throws: `RegistryError` (`unsupported`, `digestMismatch` for what is refused), `CancellationError`.
    package func getManifest(
        _ repository: String,
        _ reference: ManifestReference,
        budget: (any PullBudget)? = nil
    ) async throws -> ManifestDocument {
        try await readManifest(repository, reference, budget: budget).document
    }

    /// As `getManifest`, with the id of the request, where the registry names one.
    package func readManifest(
        _ repository: String,
        _ reference: ManifestReference,
        budget: (any PullBudget)? = nil
    ) async throws -> (document: ManifestDocument, requestID: String?) {
        let request = RegistryRequest(
            method: .GET,
            address: address(repository, "manifests/\(reference)"),
            kind: .manifestGet,
            scope: RegistryScope(repository: repository, access: .pull),
            headers: Self.acceptHeaders,
            what: "reading the manifest \(reference) of \(repository)",
            budget: budget
        )
        let answer = try await perform(request, accepting: [200])
        let bytes: [UInt8]
        do {
            bytes = try await Self.collect(
                answer.response.body,
                limit: ManifestDocument.maximumBytes,
                host: host,
                length: answer.header("content-length")
            )
            await answer.permit.release()
        } catch let error as RegistryError {
            await answer.permit.release()
            throw RegistryError(
                .unsupported,
                host: host,
                detail: "the manifest \(reference) of \(repository) is larger than "
                    + "\(ManifestDocument.maximumBytes) bytes (\(error.detail))"
            )
        } catch {
            await answer.permit.release()
            throw translate(error)
        }
        do {
            let document = try ManifestDocument(
                bytes: bytes,
                contentType: answer.header("content-type"),
                expected: try reference.digest ?? contentDigest(answer)
            )
            return (document, answer.requestID)
        } catch let error as ManifestError {
            throw RegistryError(
                error.reason == .digestMismatch ? .digestMismatch : .unsupported,
                host: host,
                detail: "\(reference) of \(repository): \(error)"
            )
        }
    }

    /// Stores a manifest under a tag or its digest.
    ///
    /// - Returns: the request's id, where the registry names one.
    /// - Throws: `RegistryError`; `tagImmutable` when the tag may not move, `digestMismatch` when the registry names
    ///   another digest than ours.
    @discardableResult
    package func putManifest(
        _ repository: String,
        _ reference: ManifestReference,
        _ document: ManifestDocument
    ) async throws -> String? {
        var request = RegistryRequest(
            method: .PUT,
            address: address(repository, "manifests/\(reference)"),
            kind: .manifestPut,
            scope: RegistryScope(repository: repository, access: .pushAndPull),
            what: "storing the manifest \(reference) in \(repository)"
        )
        request.headers.add(name: "content-type", value: document.mediaType.rawValue)
        request.headers.add(name: "content-length", value: String(document.bytes.count))
        request.body = .bytes(ByteBuffer(bytes: document.bytes))
        let answer: RegistryResponse
        do {
            answer = try await perform(request, accepting: [200, 201, 202])
        } catch var error as RegistryError where error.kind == .tagImmutable {
            error.digests = .init(found: nil, wanted: document.digest)
            throw error
        }
        _ = try? await Self.collect(answer.response.body, limit: 65_536, host: host)
        await answer.permit.release()
        if let found = try contentDigest(answer), found.algorithm == document.digest.algorithm,
            found != document.digest
        {
            throw RegistryError(
                .digestMismatch,
                host: host,
                detail: "the registry stored \(reference) of \(repository) as \(found), not as \(document.digest)",
                digests: .init(found: found, wanted: document.digest)
            )
        }
        return answer.requestID
    }

    private static var acceptHeaders: HTTPHeaders {
        ["accept": MediaType.accepted.map(\.rawValue).joined(separator: ", ")]
    }

    private func contentDigest(_ answer: RegistryResponse) throws -> Digest? {
        guard let text = answer.header("docker-content-digest") else { return nil }
        do {
            return try Digest(text)
        } catch {
            throw RegistryError(.brokenAnswer, host: host, detail: "Docker-Content-Digest: \(error)")
        }
    }
}
