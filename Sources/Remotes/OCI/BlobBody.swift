import NIOCore
import Names
import Synchronization

/// The bytes of a blob on their way from one registry to another: taken up again after a cut, counted, hashed, and
/// checked before the last of them is handed on, so that an upload of wrong bytes is never completed.
struct BlobBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let client: RegistryClient
    /// Where the bytes go: they take their time by its limit too.
    let destination: RegistryClient
    let repository: String
    let descriptor: Descriptor
    let progress: TransferProgress
    /// Whether the bytes come from upstream or back from the destination.
    let isReread: Bool
    let report: Report
    /// The first byte wanted; beyond 0 nothing is hashed, and whoever takes the bytes has to check them.
    var start: Int64 = 0
    /// The stream to begin with, where it had to be opened before.
    var opened: BlobStream?
    /// False where the upload that the bytes are for has a place among the host's requests: then reading takes none.
    var isPaced = true
    /// Reads the same bytes over several connections, as far as that goes.
    var ahead: BlobRanges?

    /// What happened on the reading side, for whoever sees only that the upload failed.
    final class Report: Sendable {
        struct State {
            var failure: (any Error)?
            var bytes: Int64 = 0
            var permit: Permit?
        }
        private let state = Mutex(State())

        var failure: (any Error)? { state.withLock { $0.failure } }
        var bytes: Int64 { state.withLock { $0.bytes } }

        func fail(_ error: any Error) { state.withLock { $0.failure = error } }
        fileprivate func add(_ count: Int) { state.withLock { $0.bytes += Int64(count) } }
        func opened(_ permit: Permit) { state.withLock { $0.permit = permit } }

        /// Gives the host its slot back; whoever drops the bytes before their end calls it.
        func close() async {
            let permit = state.withLock { state in
                defer { state.permit = nil }
                return state.permit
            }
            await permit?.release()
        }
    }

    fileprivate func count(_ count: Int) {
        report.add(count)
        let isReread = isReread
        progress.update {
            $0.bytesDone += Int64(count)
            if isReread { $0.bytesReread += Int64(count) } else { $0.bytesMoved += Int64(count) }
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(blob: self) }

    struct Iterator: AsyncIteratorProtocol {
        private let blob: BlobBody
        private var hasher: Digest.Hasher
        private var received: Int64 = 0
        /// Handed on only when something came after it, or all of it was checked.
        private var held: ByteBuffer?
        private var isChecked = false
        private var chunks: HTTPClientResponse.Body.AsyncIterator?
        /// Bytes of a stream that began at 0 although we asked for more.
        private var surplus: Int64 = 0
        /// Bytes that were there when the current stream was opened.
        private var atOpening: Int64 = 0
        private var failures = 0
        private var unread: BlobStream?
        private var ahead: BlobRanges?
        private var end: Int64?

        fileprivate init(blob: BlobBody) {
            self.blob = blob
            hasher = Digest.Hasher(blob.descriptor.digest.algorithm)
            received = blob.start
            unread = blob.opened
            ahead = blob.ahead
        }

        mutating func next() async throws -> ByteBuffer? {
            do {
                return try await advance()
            } catch {
                blob.report.fail(error)
                await closeStream()
                throw error
            }
        }

        private mutating func advance() async throws -> ByteBuffer? {
            while received < blob.descriptor.size {
                guard var chunk = try await pull() else { continue }
                if surplus > 0 {
                    let skipped = Int(Swift.min(surplus, Int64(chunk.readableBytes)))
                    chunk.moveReaderIndex(forwardBy: skipped)
                    surplus -= Int64(skipped)
                }
                let count = chunk.readableBytes
                guard count > 0 else { continue }
                received += Int64(count)
                guard received <= blob.descriptor.size else {
                    throw mismatch("longer than the \(blob.descriptor.size) bytes of its manifest", found: nil)
                }
                failures = 0
                chunk.withUnsafeReadableBytes { hasher.update($0) }
                blob.count(count)
                try await blob.client.pacer.pass(bytes: count, host: blob.client.host)
                try await blob.destination.pacer.pass(bytes: count, host: blob.destination.host)
                let ready = held
                held = chunk
                if let ready { return ready }
            }
            if !isChecked {
                try check()
                isChecked = true
                await closeStream()
            }
            defer { held = nil }
            return held
        }

        /// The next piece of the current stream; nil when a new stream has to be opened, or was.
        private mutating func pull() async throws -> ByteBuffer? {
            if let ahead {
                if let piece = await ahead.piece() { return piece }
                try Task.checkCancellation()
                self.ahead = nil
                blob.progress.update { $0.resumed += 1 }
            }
            do {
                if chunks == nil {
                    let opened = try await nextStream()
                    blob.report.opened(opened.permit)
                    if let length = opened.length, length != blob.descriptor.size {
                        if opened.isPage {
                            throw RegistryError(
                                .serverFault,
                                host: blob.client.host,
                                detail: "a web page answered in the place of the blob \(blob.descriptor.digest.short)"
                            )
                        }
                        throw mismatch("\(length) bytes long, not \(blob.descriptor.size)", found: nil)
                    }
                    surplus = received - opened.offset
                    atOpening = received
                    end = opened.end
                    chunks = opened.body.makeAsyncIterator()
                }
                if let chunk = try await chunks?.next(isolation: #isolation) { return chunk }
                if received == end {
                    await closeStream()
                    return nil
                }
                // The registry means this to be all: it ended in order, and the last time brought nothing more.
                guard received > atOpening else { throw mismatch("only \(received) bytes long", found: nil) }
                throw TransportError(
                    kind: .cut,
                    host: blob.client.host,
                    detail: "the blob ended after \(received) bytes"
                )
            } catch {
                await closeStream()
                try await waitToResume(after: error)
                return nil
            }
        }

        private mutating func nextStream() async throws -> BlobStream {
            if let first = unread {
                unread = nil
                return first
            }
            return try await blob.client.openBlob(
                blob.repository,
                blob.descriptor.digest,
                from: received,
                isPaced: blob.isPaced,
                isNamed: !blob.isReread,
                // What to repeat, and how often, is decided here alone.
                attempts: 1
            )
        }

        private mutating func waitToResume(after error: any Error) async throws {
            let client = blob.client
            failures += 1
            guard let seen = client.translate(error) as? RegistryError else { throw error }
            try await client.retry.pause(after: seen, attempt: failures, on: client.timeline) {
                $0.isWorthRepeating(after: $1)
            }
            blob.progress.update { $0.resumed += 1 }
        }

        private mutating func closeStream() async {
            chunks = nil
            await blob.report.close()
        }

        private func check() throws {
            guard blob.start == 0 else { return }
            let found = hasher.finalize()
            guard found == blob.descriptor.digest else {
                throw mismatch("of other content than its digest says", found: found)
            }
        }

        private func mismatch(_ what: String, found: Digest?) -> RegistryError {
            RegistryError(
                .digestMismatch,
                host: blob.client.host,
                detail: "the blob \(blob.descriptor.digest.short) of \(blob.repository) is \(what)",
                digests: .init(found: found, wanted: blob.descriptor.digest)
            )
        }
    }
}
