import Synchronization

/// Where a copy is; written by many blobs at once, read by whoever shows it.
package final class TransferProgress: Sendable {
    package struct Snapshot: Hashable, Sendable {
        /// Bytes of all blobs of the image; nil until the manifest is known.
        package var bytesTotal: Int64?
        /// Bytes that are at the destination: moved, mounted, or there before.
        package var bytesDone: Int64 = 0
        /// Bytes read from the source.
        package var bytesMoved: Int64 = 0
        /// Bytes that the destination took over from another of its repositories.
        package var bytesMounted: Int64 = 0
        /// Bytes that were read back from another repository of the destination.
        package var bytesReread: Int64 = 0
        /// Bytes that were there before.
        package var bytesSkipped: Int64 = 0
        package var blobsTotal = 0
        package var blobsDone = 0
        /// Downloads that were taken up again after a cut, and blobs that were started anew.
        package var resumed = 0
        package var restarted = 0

        package init() {}
    }

    private let state = Mutex(Snapshot())

    package init() {}

    package var snapshot: Snapshot { state.withLock { $0 } }

    func update(_ change: (inout Snapshot) -> Void) { state.withLock { change(&$0) } }
}
