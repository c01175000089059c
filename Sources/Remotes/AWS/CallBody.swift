import Crypto
package import Foundation
package import NIOCore
import NIOFoundationCompat
import Names

/// The body of a call to an AWS service, as signing and sending need it: its SHA-256 first, its bytes afterwards, and
/// both again for each attempt.
package struct CallBody: Sendable {
    private enum Content: Sendable {
        case bytes(Data)
        case encoded(EncodedPart)
    }

    private let content: Content
    /// In bytes.
    let length: Int
    /// SHA-256 in hexadecimal digits.
    let hash: String

    package init(_ data: Data = Data()) {
        content = .bytes(data)
        length = data.count
        hash = data.isEmpty ? SigV4.emptyBodyHash : SigV4.hash(data)
    }

    /// `head`, then `part` in base64, then `tail`. The encoded form is made piece by piece, so that a part of many
    /// megabytes is in memory once.
    package init(head: String, base64 part: ByteBuffer, tail: String) {
        let encoded = EncodedPart(head: head, part: part, tail: tail)
        var hasher = SHA256()
        for piece in encoded { piece.withUnsafeReadableBytes { hasher.update(bufferPointer: $0) } }
        content = .encoded(encoded)
        length = head.utf8.count + (part.readableBytes + 2) / 3 * 4 + tail.utf8.count
        hash = Digest.hexadecimal(hasher.finalize())
    }

    /// What is sent; nil when there is nothing.
    var request: HTTPClientRequest.Body? {
        switch content {
        case .bytes(let data): data.isEmpty ? nil : .bytes(ByteBuffer(data: data))
        case .encoded(let encoded): .stream(encoded.async, length: Int64(length))
        }
    }
}

/// A text with a base64 value in its middle, in pieces.
private struct EncodedPart: Sequence, Sendable {
    /// Whole groups of three bytes, so that the pieces' base64 is the whole's.
    private static let step = 3 << 16

    let head: String
    let part: ByteBuffer
    let tail: String

    func makeIterator() -> AnyIterator<ByteBuffer> {
        var rest = part
        var isHeadSent = false
        var isTailSent = false
        return AnyIterator {
            if !isHeadSent {
                isHeadSent = true
                return ByteBuffer(string: head)
            }
            let count = Swift.min(Self.step, rest.readableBytes)
            if count > 0, let piece = rest.readData(length: count, byteTransferStrategy: .noCopy) {
                return ByteBuffer(bytes: piece.base64EncodedData())
            }
            guard !isTailSent else { return nil }
            isTailSent = true
            return ByteBuffer(string: tail)
        }
    }

    var async: Pieces { Pieces(encoded: self) }

    struct Pieces: AsyncSequence, Sendable {
        typealias Element = ByteBuffer
        let encoded: EncodedPart

        func makeAsyncIterator() -> Iterator { Iterator(pieces: encoded.makeIterator()) }

        struct Iterator: AsyncIteratorProtocol {
            let pieces: AnyIterator<ByteBuffer>
            mutating func next() async throws -> ByteBuffer? { pieces.next() }
        }
    }
}
