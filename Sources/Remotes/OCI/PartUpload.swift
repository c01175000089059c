package import NIOCore
package import Names

/// A registry's own way to take a layer in parts, such as ECR's InitiateLayerUpload, UploadLayerPart and
/// CompleteLayerUpload.
package protocol LayerPartStore: Sendable {
    /// Begins an upload; the part size is in bytes.
    ///
    /// - Throws: `RegistryError`, as all of these.
    func initiate(repository: String) async throws -> (uploadID: String, partSize: Int)

    /// Sends the bytes from `first` on; returns how many bytes the registry has now.
    ///
    /// - Throws: `PartUploadError` where the registry's answer changes what is to be sent; `RegistryError` otherwise.
    func upload(part: ByteBuffer, first: Int64, uploadID: String, repository: String) async throws -> Int64

    /// Closes the upload; the registry checks the digest.
    ///
    /// - Throws: `RegistryError` of kind `digestMismatch` when it is another; `PartUploadError`.
    func complete(uploadID: String, digest: Digest, repository: String) async throws

    /// Which of these layers the repository has now (BatchCheckLayerAvailability).
    func available(_ digests: [Digest], repository: String) async throws -> Set<Digest>
}

/// Answers to a part that are no failures, only news.
package enum PartUploadError: Error, Sendable, Hashable {
    /// The upload is unknown: begin anew.
    case uploadNotFound
    /// The registry has this many bytes: go on there.
    case resumeAt(Int64)
    /// The layer is there already.
    case layerExists
}

/// Uploads layers in parts that are too large to risk in one PUT, and goes on after a restart where the registry is.
package struct PartUpload: Sendable {
    let store: any LayerPartStore
    private let journal: (any UploadJournal)?
    private let threshold: Int64
    private let maximumParts: Int64

    /// - Parameters:
    ///   - threshold: layers above this many bytes go in parts; 5 GiB.
    ///   - maximumParts: ECR takes 4,200 parts; a larger layer goes in one PUT.
    package init(
        store: any LayerPartStore,
        journal: (any UploadJournal)?,
        threshold: Int64 = 5 << 30,
        maximumParts: Int64 = 4_200
    ) {
        self.store = store
        self.journal = journal
        self.threshold = threshold
        self.maximumParts = maximumParts
    }

    /// What we are ready to hold in memory; ECR takes no larger ones.
    private static let partSizes = 1 << 20...20 << 20

    /// Whether a layer is worth asking for an upload in parts; how large they are the registry says then.
    func takes(_ blob: Descriptor) -> Bool {
        blob.size > threshold && blob.size <= maximumParts * Int64(Self.partSizes.upperBound)
    }

    /// Uploads a layer, from where a former process stopped if the journal knows of one.
    ///
    /// - Parameter goOn: called before each part; what it throws ends the upload, which the journal then knows of.
    /// - Returns: false when the registry's parts are too small to carry it; then it is to go in one PUT.
    func upload(
        _ blob: Descriptor,
        to destination: ImageCopy.Destination,
        from origin: BlobTransfer.Origin,
        progress: TransferProgress,
        goOn: @Sendable () throws -> Void
    ) async throws -> Bool {
        let client = destination.client
        let repository = destination.repository
        var record = await journal?.load(registry: client.host, repository: repository, digest: blob.digest)
        if let known = record, !Self.partSizes.contains(known.partSize) || !(0...blob.size).contains(known.bytesSent) {
            record = nil
        }
        var restarts = 0
        var wasDamaged = false
        while true {
            do {
                let current: UploadRecord
                if let record {
                    current = record
                } else if let begun = try await begin(blob, registry: client.host, repository: repository) {
                    current = begun
                } else {
                    return false
                }
                record = current
                try await send(blob, current, from: origin, to: client, progress: progress, goOn: goOn)
                break
            } catch PartUploadError.layerExists {
                progress.update { $0.bytesDone += blob.size }
                break
            } catch PartUploadError.resumeAt(let offset) where (0...blob.size).contains(offset) {
                record?.bytesSent = offset
            } catch is PartUploadError {
                record = nil
            } catch let error as RegistryError where error.kind == .digestMismatch {
                // Whatever was sent so far is worth nothing: neither we nor a later process goes on with it.
                await journal?.drop(registry: client.host, repository: repository, digest: blob.digest)
                guard !wasDamaged else { throw error }
                wasDamaged = true
                record = nil
            }
            restarts += 1
            progress.update { $0.restarted += 1 }
            guard restarts < client.retry.attempts else {
                throw RegistryError(
                    .uploadGone,
                    host: client.host,
                    detail: "the upload of \(blob.digest.short) is lost again and again"
                )
            }
            guard record == nil else { continue }
            await journal?.drop(registry: client.host, repository: repository, digest: blob.digest)
            try await client.timeline.sleep(client.retry.delay(after: restarts, random: client.timeline.random()))
        }
        try await confirm(blob, client, repository)
        await journal?.drop(registry: client.host, repository: repository, digest: blob.digest)
        return true
    }

    /// The registry's own word that it has the layer, which may take it a moment.
    private func confirm(_ blob: Descriptor, _ client: RegistryClient, _ repository: String) async throws {
        var attempt = 1
        while try await !store.available([blob.digest], repository: repository).contains(blob.digest) {
            guard attempt < client.retry.attempts else {
                await journal?.drop(registry: client.host, repository: repository, digest: blob.digest)
                throw RegistryError(
                    .brokenAnswer,
                    host: client.host,
                    detail: "\(blob.digest.short) is uploaded but not available"
                )
            }
            try await client.timeline.sleep(client.retry.delay(after: attempt, random: client.timeline.random()))
            attempt += 1
        }
    }

    /// Begins an upload; nil when its parts cannot carry the layer.
    private func begin(_ blob: Descriptor, registry: String, repository: String) async throws -> UploadRecord? {
        let (id, partSize) = try await store.initiate(repository: repository)
        guard Self.partSizes.contains(partSize), blob.size <= Int64(partSize) * maximumParts else { return nil }
        let record = UploadRecord(
            registry: registry,
            repository: repository,
            digest: blob.digest,
            uploadID: id,
            partSize: partSize,
            bytesSent: 0
        )
        await journal?.save(record)
        return record
    }

    /// Sends what is missing, one part in memory at a time, and closes the upload.
    private func send(
        _ blob: Descriptor,
        _ start: UploadRecord,
        from origin: BlobTransfer.Origin,
        to client: RegistryClient,
        progress: TransferProgress,
        goOn: @Sendable () throws -> Void
    ) async throws {
        var record = start
        // Hashing makes sense only over the whole; from the middle on the registry's own check stands alone.
        let report = BlobBody.Report()
        let body = BlobBody(
            client: origin.client,
            destination: client,
            repository: origin.repository,
            descriptor: blob,
            progress: progress,
            isReread: origin.isReread,
            report: report,
            start: record.bytesSent
        )
        progress.update { $0.bytesDone += start.bytesSent }
        var part = ByteBufferAllocator().buffer(capacity: record.partSize)
        do {
            try goOn()
            for try await var chunk in body {
                while let slice = chunk.readSlice(
                    length: min(chunk.readableBytes, record.partSize - part.readableBytes)
                ), slice.readableBytes > 0 {
                    part.writeImmutableBuffer(slice)
                    if part.readableBytes == record.partSize {
                        try await flush(&part, &record)
                        if record.bytesSent < blob.size { try goOn() }
                    }
                }
            }
            if part.readableBytes > 0 { try await flush(&part, &record) }
            try await store.complete(uploadID: record.uploadID, digest: blob.digest, repository: record.repository)
        } catch {
            await report.close()
            progress.update { $0.bytesDone -= start.bytesSent + report.bytes }
            throw error
        }
    }

    private func flush(_ part: inout ByteBuffer, _ record: inout UploadRecord) async throws {
        let sent = record.bytesSent + Int64(part.readableBytes)
        let confirmed = try await store.upload(
            part: part,
            first: record.bytesSent,
            uploadID: record.uploadID,
            repository: record.repository
        )
        guard confirmed == sent else { throw PartUploadError.resumeAt(confirmed) }
        record.bytesSent = sent
        await journal?.save(record)
        part.clear()
    }
}
