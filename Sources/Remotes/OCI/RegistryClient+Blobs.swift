import NIOCore
import NIOHTTP1
package import Names

/// The bytes of a blob from some offset on, as they arrive.
package struct BlobStream: Sendable {
    package let body: HTTPClientResponse.Body
    /// Where the first byte of `body` is: what was asked for, or 0 when the registry does not know ranges.
    package let offset: Int64
    /// What the registry says the length of the whole blob is.
    package let length: Int64?
    /// Where it ends before the blob does, when that was asked for.
    var end: Int64?
    /// Where it comes from, after redirects.
    let address: WebAddress
    /// It calls itself a web page, which it may be in spite of all.
    let isPage: Bool
    var permit: Permit

    /// The same bytes, after their place among the host's requests was given back.
    func withoutPermit() async -> BlobStream {
        await permit.release()
        var stream = self
        stream.permit.pacer = nil
        return stream
    }

    /// Gives the blob up after its first bytes: asking for it was all that was wanted.
    package func discard() async {
        var iterator = body.makeAsyncIterator()
        _ = try? await iterator.next()
        await permit.release()
    }
}

/// Where a started upload goes on.
package struct UploadSession: Sendable, Hashable {
    let address: WebAddress
    package let repository: String
}

/// What came of asking to take a blob over from another repository.
package enum MountOutcome: Sendable {
    case mounted
    /// Not possible, but an upload is open now.
    case upload(UploadSession)
}

extension RegistryClient {
    /// Whether a repository is known to have a blob; false too where looking is refused, so that it is sent.
    ///
    /// - Throws: `RegistryError`, `CancellationError`.
    package func blobExists(_ repository: String, _ digest: Digest) async throws -> Bool {
        let request = RegistryRequest(
            method: .HEAD,
            address: address(repository, "blobs/\(digest)"),
            kind: .blob,
            scope: RegistryScope(repository: repository, access: .pull),
            what: "looking for the blob \(digest.short) in \(repository)"
        )
        do {
            return try await perform(request, accepting: [200, 404]) { $0.status == 200 }
        } catch let error as RegistryError
            where error.leavesOpen && (error.kind == .storeFault || [400, 405, 501].contains(error.status))
        {
            return false
        }
    }

    /// Opens a blob for reading; release the stream's permit when done.
    ///
    /// - Parameters:
    ///   - offset: the first byte wanted; the stream may begin at 0 all the same.
    ///   - last: the last byte wanted; the stream may have more all the same.
    ///   - store: where the registry led to before; nil: it is asked.
    ///   - isPaced: false where a request under way has a place among the host's, and this one serves it.
    ///   - isNamed: whether a manifest of the registry names it: then its absence is the registry's fault.
    ///   - attempts: how often in all; nil: as the client's rule says.
    package func openBlob(
        _ repository: String,
        _ digest: Digest,
        from offset: Int64 = 0,
        through last: Int64? = nil,
        at store: WebAddress? = nil,
        isPaced: Bool = true,
        isNamed: Bool = false,
        attempts: Int? = nil
    ) async throws -> BlobStream {
        var request = blobRequest(repository, digest)
        request.isPaced = isPaced
        request.isNamed = isNamed
        request.attempts = attempts
        request.isStream = true
        if let store { request.address = store }
        let isPart = offset > 0 || last != nil
        if isPart { request.headers.add(name: "range", value: "bytes=\(offset)-\(last.map(String.init) ?? "")") }
        return try await perform(request, accepting: isPart ? [200, 206, 416] : [200]) { answer in
            if answer.status == 416 {
                throw RegistryError(
                    .digestMismatch,
                    host: host,
                    status: 416,
                    detail: "the blob \(digest.short) of \(repository) ends before byte \(offset)",
                    digests: .init(found: nil, wanted: digest)
                )
            }
            var start: Int64 = 0
            var end: Int64?
            var length = answer.header("content-length").flatMap { Int64($0) }
            if answer.status == 206 {
                guard let range = answer.header("content-range").flatMap(Self.contentRange), range.first == offset
                else {
                    throw RegistryError(
                        .brokenAnswer,
                        host: host,
                        detail: "\(request.what): not the range that was asked for"
                    )
                }
                start = offset
                length = range.total
                if range.last + 1 != length { end = range.last + 1 }
            }
            return BlobStream(
                body: answer.response.body,
                offset: start,
                length: length,
                end: end,
                address: answer.address,
                isPage: WebPage.isNamed(by: answer.header("content-type")),
                permit: answer.permit
            )
        }
    }

    private func blobRequest(_ repository: String, _ digest: Digest) -> RegistryRequest {
        RegistryRequest(
            method: .GET,
            address: address(repository, "blobs/\(digest)"),
            kind: .blob,
            scope: RegistryScope(repository: repository, access: .pull),
            what: "reading the blob \(digest.short) of \(repository)"
        )
    }

    /// A small blob as a whole, checked against its digest.
    ///
    /// - Throws: `RegistryError`, `CancellationError`.
    package func readBlob(_ repository: String, _ descriptor: Descriptor) async throws -> [UInt8] {
        var request = blobRequest(repository, descriptor.digest)
        request.isNamed = true
        return try await perform(request, accepting: [200]) { answer in
            // Raw first: what a blob is called in transit does not matter where the digest holds.
            let raw = try await Self.collect(answer.response.body, limit: Int(descriptor.size), host: host)
            let found = Digest.of(raw, algorithm: descriptor.digest.algorithm)
            if found == descriptor.digest { return raw }
            if let plain = Inflation.inflated(raw, atMost: Int(descriptor.size)),
                Digest.of(plain, algorithm: descriptor.digest.algorithm) == descriptor.digest
            {
                return plain
            }
            throw RegistryError(
                .digestMismatch,
                host: host,
                detail: "the blob \(descriptor.digest.short) of \(repository) has other bytes",
                digests: .init(found: found, wanted: descriptor.digest)
            )
        }
    }

    /// Begins an upload, or takes the blob over from `mountingFrom` when the registry can.
    ///
    /// - Parameter attempts: how often in all; nil: as the client's rule says.
    /// - Throws: `RegistryError`; `repositoryNotFound` when the repository is to be created first.
    package func startUpload(
        _ repository: String,
        mounting digest: Digest? = nil,
        from mountSource: String? = nil,
        attempts: Int? = nil
    ) async throws -> MountOutcome {
        var address = address(repository, "blobs/uploads/")
        if let digest, let mountSource {
            address = WebAddress(
                origin: address.origin,
                target: address.target + "?mount=\(WebAddress.escape(digest.description))&from=\(mountSource)"
            )
        }
        var request = RegistryRequest(
            method: .POST,
            address: address,
            kind: .upload,
            scope: RegistryScope(repository: repository, access: .pushAndPull, mountSource: mountSource),
            what: "starting an upload to \(repository)"
        )
        request.headers.add(name: "content-length", value: "0")
        request.attempts = attempts
        let answer: RegistryResponse
        do {
            answer = try await perform(request, accepting: [201, 202]) { answer in
                await answer.discard()
                return answer
            }
        } catch var error as RegistryError where error.kind == .notFound {
            error.kind = .repositoryNotFound
            throw error
        }
        if answer.status == 201 {
            guard digest != nil else {
                throw RegistryError(.brokenAnswer, host: host, detail: "an upload was over before it began")
            }
            return .mounted
        }
        guard let location = answer.header("location"), let session = answer.address.resolving(location) else {
            throw RegistryError(.brokenAnswer, host: host, detail: "an upload without a usable Location")
        }
        guard session.origin.scheme == .https || endpoint.origin.scheme == .http else {
            throw RegistryError(
                .addressRefused,
                host: host,
                detail: "the upload is to go to \(session.origin), which is not https"
            )
        }
        return .upload(UploadSession(address: session, repository: repository))
    }

    /// Sends a whole blob to a session in one PUT, which closes it.
    ///
    /// - Parameter body: must give `size` bytes; it is read once, so nothing here is tried again.
    /// - Throws: `RegistryError`; whatever `body` throws.
    package func finishUpload(
        _ session: UploadSession,
        digest: Digest,
        size: Int64,
        body: HTTPClientRequest.Body
    ) async throws {
        var request = RegistryRequest(
            method: .PUT,
            address: session.address.appending(query: "digest", digest.description),
            kind: .upload,
            scope: RegistryScope(repository: session.repository, access: .pushAndPull),
            what: "uploading the blob \(digest.short) to \(session.repository)"
        )
        request.headers.add(name: "content-type", value: "application/octet-stream")
        request.headers.add(name: "content-length", value: String(size))
        request.body = body
        request.isRepeatable = false
        // Registries compare the digest, and some move the bytes to where they stay, before they answer.
        request.digestion = .milliseconds(size / (32 << 10))
        let stored: String?
        do {
            stored = try await perform(request, accepting: [200, 201, 204]) { answer in
                await answer.discard()
                return answer.header("docker-content-digest")
            }
        } catch var error as RegistryError where error.kind == .notFound {
            error.kind = .uploadGone
            throw error
        }
        if let text = stored, text != digest.description {
            throw RegistryError(
                .digestMismatch,
                host: host,
                detail: "the registry stored the blob \(digest.short) as `\(text.prefix(80))`",
                digests: .init(found: try? Digest(text), wanted: digest)
            )
        }
    }

    /// Tells the registry that an upload will not be finished; best effort.
    package func cancelUpload(_ session: UploadSession) async {
        var request = RegistryRequest(
            method: .DELETE,
            address: session.address,
            kind: .upload,
            scope: RegistryScope(repository: session.repository, access: .pushAndPull),
            what: "giving up an upload to \(session.repository)"
        )
        request.isRepeatable = false
        try? await perform(request, accepting: [200, 202, 204, 404, 405]) { await $0.discard() }
    }

    /// `bytes 10-99/100`; the total is nil for `*`.
    static func contentRange(_ text: String) -> (first: Int64, last: Int64, total: Int64?)? {
        guard text.lowercased().hasPrefix("bytes ") else { return nil }
        let parts = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let range = parts[0].split(separator: "-", omittingEmptySubsequences: false)
        guard range.count == 2, let first = Int64(range[0]), let last = Int64(range[1]), 0 <= first, first <= last
        else { return nil }
        if parts[1] == "*" { return (first, last, nil) }
        guard let total = Int64(parts[1]), last < total else { return nil }
        return (first, last, total)
    }
}
