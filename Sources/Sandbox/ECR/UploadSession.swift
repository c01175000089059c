import Crypto
import Foundation
import NIOCore

/// The bytes of a blob on their way in: hashed as they come, kept when they are few.
struct UploadSession: Sendable {
    /// More than this is not kept: an upload of gigabytes must not need them in memory.
    static let keptAtMost = 64 << 20

    let repository: String
    private(set) var size: Int64 = 0
    /// Bytes of the last part, for uploads by parts.
    var lastPartSize = 0
    private var hash = SHA256()
    private var kept: [UInt8]? = []

    init(repository: String) { self.repository = repository }

    mutating func append(_ buffer: ByteBuffer) {
        var buffer = buffer
        buffer.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        size += Int64(buffer.readableBytes)
        if size > Self.keptAtMost {
            kept = nil
        } else if let bytes = buffer.readBytes(length: buffer.readableBytes) {
            kept?.append(contentsOf: bytes)
        }
    }

    mutating func append(_ data: Data) { append(ByteBuffer(bytes: data)) }

    var digest: String { SandboxDigest.text(hash.finalize()) }

    /// What is stored: the bytes, else a known source of the same ones, else only the fact.
    func content(known: BlobContent?) -> BlobContent {
        kept.map { .bytes($0) } ?? known ?? .discarded(size: size)
    }
}
