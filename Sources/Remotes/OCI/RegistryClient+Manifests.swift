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
    /// Whether there is a manifest at all; false: looking was refused in a way that says nothing of it, and a GET tells.
    package var isCertain = true
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
            attempts: isInsistent ? nil : 1,
            what: "looking for \(reference) in \(repository)"
        )
        do {
            return try await perform(request, accepting: [200, 404]) { answer in
                guard answer.status == 200 else { return nil }
                return ManifestHead(
                    digest: try contentDigest(answer),
                    mediaType: answer.header("content-type").map { MediaType(rawValue: $0) },
                    size: answer.header("content-length").flatMap { Int64($0) }
                )
            }
        } catch let error as RegistryError where error.leavesOpen {
            return ManifestHead(isCertain: false)
        }
    }

    /// The digest that a reference has now, by a HEAD, or by a GET where that leaves it open; nil when nothing is there.
    ///
    /// - Parameter budget: counts the GET, if there is one.
    /// - Throws: `RegistryError`, `CancellationError`.
    package func digest(
        of reference: ManifestReference,
        in repository: String,
        budget: (any PullBudget)? = nil
    ) async throws -> Digest? {
        guard let head = try await headManifest(repository, reference) else { return nil }
        if let digest = head.digest ?? (head.isCertain ? reference.digest : nil) { return digest }
        do {
            return try await getManifest(repository, reference, budget: budget).digest
        } catch let error as RegistryError where error.kind == .notFound {
            return nil
        }
    }

    /// Reads a manifest and checks it against the digest it was asked for, or the one the registry names.
    ///
    /// - Parameters:
    ///   - budget: counts the request, each time that it is sent; nil: it is not counted.
    ///   - descriptor: where another manifest names it, what that says: no more bytes are read, and its absence is the
    ///     registry's fault.
    /// - Throws: `RegistryError`, `CancellationError`.
    package func getManifest(
        _ repository: String,
        _ reference: ManifestReference,
        budget: (any PullBudget)? = nil,
        descriptor: Descriptor? = nil
    ) async throws -> ManifestDocument {
        try await readManifest(repository, reference, budget: budget, descriptor: descriptor).document
    }

    /// The same, with the request's id, where the registry names one.
    package func readManifest(
        _ repository: String,
        _ reference: ManifestReference,
        budget: (any PullBudget)? = nil,
        descriptor: Descriptor? = nil
    ) async throws -> (document: ManifestDocument, requestID: String?) {
        let request = RegistryRequest(
            method: .GET,
            address: address(repository, "manifests/\(reference)"),
            kind: .manifestGet,
            scope: RegistryScope(repository: repository, access: .pull),
            headers: Self.acceptHeaders,
            what: "reading the manifest \(reference) of \(repository)",
            budget: budget,
            isNamed: descriptor != nil
        )
        let limit = descriptor.map { Int($0.size) } ?? ManifestDocument.maximumBytes
        do {
            return try await perform(request, accepting: [200]) { answer in
                let bytes = try await answer.bytes(atMost: limit, host: host)
                return (try document(bytes, of: answer, reference, repository), answer.requestID)
            }
        } catch let error as RegistryError where error.kind == .tooLarge {
            throw RegistryError(
                descriptor == nil ? .unsupported : .digestMismatch,
                host: host,
                detail: "the manifest \(reference) of \(repository) is larger than the \(limit) bytes "
                    + (descriptor == nil ? "that are read" : "of its descriptor")
            )
        } catch let error as RegistryError where error.isSchema1 {
            throw await advised(error, repository, reference)
        }
    }

    /// What the bytes of an answer are. They may be held against the image only when they are known to be the image's:
    /// by the digest that was asked for, or that the registry names.
    private func document(
        _ bytes: [UInt8],
        of answer: RegistryResponse,
        _ reference: ManifestReference,
        _ repository: String
    ) throws -> ManifestDocument {
        let expected = try reference.digest ?? contentDigest(answer)
        let contentType = answer.header("content-type")
        do {
            return try ManifestDocument(bytes: bytes, contentType: contentType, expected: expected)
        } catch {
            let body = ErrorBody(bytes: bytes, contentType: contentType)
            throw fault(error, isProven: expected != nil, body, "\(reference) of \(repository)")
        }
    }

    private func fault(_ error: ManifestError, isProven: Bool, _ body: ErrorBody, _ which: String) -> RegistryError {
        if body.isPage, !isProven || error.reason == .digestMismatch {
            return RegistryError.classify(
                host: host,
                status: 200,
                body: body,
                retryAfter: nil,
                authenticated: false,
                what: "reading the manifest \(which)"
            )
        }
        return switch error.reason {
        case .digestMismatch: RegistryError(.digestMismatch, host: host, detail: "\(which): \(error)")
        case .malformed where !isProven: RegistryError(.brokenAnswer, host: host, detail: "\(which): \(error)")
        case .schema1:
            RegistryError(.unsupported, host: host, codes: [RegistryError.schema1], detail: "\(which): \(error)")
        default: RegistryError(.unsupported, host: host, detail: "\(which): \(error)")
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
        let (found, requestID): (Digest?, String?)
        do {
            (found, requestID) = try await perform(request, accepting: [200, 201, 202]) { answer in
                await answer.discard()
                return (try contentDigest(answer), answer.requestID)
            }
        } catch var error as RegistryError where error.kind == .tagImmutable {
            error.digests = .init(found: nil, wanted: document.digest)
            throw error
        }
        if let found, found.algorithm == document.digest.algorithm, found != document.digest {
            throw RegistryError(
                .digestMismatch,
                host: host,
                detail: "the registry stored \(reference) of \(repository) as \(found), not as \(document.digest)",
                digests: .init(found: found, wanted: document.digest)
            )
        }
        return requestID
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
