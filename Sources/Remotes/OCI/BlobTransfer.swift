import NIOCore

/// Moves one blob into a repository of a destination, over cuts on either side.
struct BlobTransfer: Sendable {
    /// Where bytes are read from: upstream, or another repository of the destination.
    struct Origin: Sendable {
        var client: RegistryClient
        var repository: String
        var isReread: Bool
    }

    let descriptor: Descriptor
    let destination: ImageCopy.Destination
    let progress: TransferProgress
    /// What is read ahead; nil: nothing.
    var ahead: BlobRanges.Shape?

    /// Uploads the blob, starting anew as often as the destination's retry rule allows.
    ///
    /// - Parameter session: an upload that is open already; used for the first attempt.
    func upload(from origin: Origin, session: UploadSession?) async throws {
        let client = destination.client
        var session = session
        var attempt = 1
        while true {
            let report = BlobBody.Report()
            do {
                try await once(from: origin, session: &session, report: report)
                return
            } catch {
                session = nil
                takeBack(report.bytes, isReread: origin.isReread)
                // A failure to read is the reading side's, whatever the upload made of it.
                // Cancelled it is also when an answer came before the body's end; then the answer counts.
                let failure = report.failure.flatMap { $0 is CancellationError ? nil : $0 }
                let seen = failure.map(origin.client.translate) ?? client.translate(error)
                guard !(seen is CancellationError), let seen = seen as? RegistryError else { throw seen }
                try await client.retry.pause(after: seen, attempt: attempt, on: client.timeline) { seen, attempt in
                    failure == nil
                        ? seen.isBrief || seen.kind == .uploadGone
                        : seen.kind == .digestMismatch && attempt == 1
                }
                progress.update { $0.restarted += 1 }
                attempt += 1
                // The answer may have been all that was lost.
                if try await client.blobExists(destination.repository, descriptor.digest) {
                    progress.update { $0.bytesDone += descriptor.size }
                    return
                }
            }
        }
    }

    private func once(from origin: Origin, session: inout UploadSession?, report: BlobBody.Report) async throws {
        let client = destination.client
        let open: UploadSession
        if let session {
            open = session
        } else {
            guard case .upload(let started) = try await client.startUpload(destination.repository, attempts: 1) else {
                return
            }
            open = started
        }
        session = nil
        var body = BlobBody(
            client: origin.client,
            destination: client,
            repository: origin.repository,
            descriptor: descriptor,
            progress: progress,
            isReread: origin.isReread,
            report: report
        )
        do {
            if isWithinOneHost(origin), descriptor.size > 0 {
                // The upload takes a place among the host's requests, and so would the download: when all places are held
                // by uploads that wait for one, none ever gets it. So the download has its place first and gives it back.
                body.opened = try await origin.client.openBlob(
                    origin.repository,
                    descriptor.digest,
                    isNamed: !origin.isReread
                ).withoutPermit()
                body.isPaced = false
            } else if let ahead {
                try await readAhead(&body, from: origin, ahead)
            }
        } catch {
            await client.cancelUpload(open)
            report.fail(error)
            throw error
        }
        let send = { [body] in
            try await client.finishUpload(
                open,
                digest: descriptor.digest,
                size: descriptor.size,
                body: .stream(body, length: descriptor.size)
            )
        }
        do {
            if let ahead = body.ahead { try await ahead.run(send) } else { try await send() }
            await report.close()
        } catch {
            await report.close()
            if report.failure != nil, !(error is CancellationError) { await client.cancelUpload(open) }
            throw error
        }
    }

    /// Asks for the blob's first range, and has the others read in parallel where whoever has them sets no limits: a store
    /// that the registry leads to, or a registry that is not paced.
    private func readAhead(_ body: inout BlobBody, from origin: Origin, _ shape: BlobRanges.Shape) async throws {
        let first = try await origin.client.openBlob(
            origin.repository,
            descriptor.digest,
            through: shape.size - 1,
            isNamed: !origin.isReread
        )
        let isFree = first.permit.pacer == nil || first.permit.pacer is UnpacedRequests
        if isFree, first.end == shape.size, first.length == descriptor.size {
            body.ahead = BlobRanges(first, of: descriptor, in: origin.repository, at: origin.client, shape)
        } else {
            body.opened = first
            body.report.opened(first.permit)
        }
    }

    private func isWithinOneHost(_ origin: BlobTransfer.Origin) -> Bool {
        origin.client.endpoint.origin == destination.client.endpoint.origin
    }

    /// Uploads a small blob whose bytes are in memory.
    func upload(_ bytes: [UInt8]) async throws {
        let client = destination.client
        var isAgain = false
        try await client.retrying(isWorthIt: { error, _ in error.isBrief || error.kind == .uploadGone }) {
            if isAgain { progress.update { $0.restarted += 1 } }
            isAgain = true
            let outcome = try await client.startUpload(destination.repository, attempts: 1)
            guard case .upload(let session) = outcome else { return }
            try await client.finishUpload(
                session,
                digest: descriptor.digest,
                size: Int64(bytes.count),
                body: .bytes(ByteBuffer(bytes: bytes))
            )
            progress.update { $0.bytesDone += Int64(bytes.count) }
        }
    }

    private func takeBack(_ bytes: Int64, isReread: Bool) {
        progress.update {
            $0.bytesDone -= bytes
            if isReread { $0.bytesReread -= bytes }
        }
    }
}
