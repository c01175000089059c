import Crypto
import Foundation
import NIOCore
import Names

/// The bytes of a blob: kept, or made up on the way out so that a layer of gigabytes costs no memory.
package enum BlobContent: Sendable, Hashable {
    case bytes([UInt8])
    case generated(GeneratedBytes)
    /// Bytes that came in and were only hashed, since nobody kept a copy; they cannot be read back.
    case discarded(size: Int64)

    package var size: Int64 {
        switch self {
        case .bytes(let bytes): Int64(bytes.count)
        case .generated(let generated): generated.size
        case .discarded(let size): size
        }
    }

    /// At most `atMost` bytes from `offset`; a block's end may cut it shorter, never to nothing before the end.
    func piece(at offset: Int64, atMost: Int) -> ByteBuffer {
        switch self {
        case .bytes(let bytes):
            ByteBuffer(bytes: bytes[Int(offset)..<min(bytes.count, Int(offset) + atMost)])
        case .generated(let generated):
            generated.piece(at: offset, atMost: atMost)
        case .discarded:
            ByteBuffer(repeating: 0, count: atMost)
        }
    }

    /// `sha256:` and 64 hexadecimal digits.
    package var digest: String {
        switch self {
        case .bytes(let bytes):
            return SandboxDigest.of(bytes)
        case .generated(let generated):
            var hash = SHA256()
            var position: Int64 = 0
            while position < generated.size {
                let piece = generated.piece(at: position, atMost: GeneratedBytes.blockSize)
                piece.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
                position += Int64(piece.readableBytes)
            }
            return SandboxDigest.text(hash.finalize())
        case .discarded:
            return "sha256:" + String(repeating: "0", count: 64)
        }
    }
}

/// Bytes that follow from a seed: one pseudo-random block of a mebibyte, repeated, each time behind a head of sixteen
/// bytes that holds the seed and the number of the block.
package struct GeneratedBytes: Sendable, Hashable {
    static let blockSize = 1 << 20
    private static let headSize = 16

    /// Made once: making it is slow where nothing is optimized.
    private static let block: ByteBuffer = {
        var generator = SplitMix(state: 0x6C61_7965_7220_6F66)
        let words = [UInt64](unsafeUninitializedCapacity: blockSize / 8) { words, count in
            count = blockSize / 8
            for index in 0..<count { words.initializeElement(at: index, to: generator.next()) }
        }
        return words.withUnsafeBytes { ByteBuffer(bytes: $0) }
    }()

    package let seed: UInt64
    package let size: Int64

    package init(seed: UInt64, size: Int64) {
        self.seed = seed
        self.size = size
    }

    func piece(at offset: Int64, atMost: Int) -> ByteBuffer {
        let number = offset / Int64(Self.blockSize)
        let within = Int(offset % Int64(Self.blockSize))
        let count = min(atMost, Self.blockSize - within, Int(size - offset))
        // Only a piece that reaches into the head needs bytes of its own.
        if within >= Self.headSize { return Self.block.getSlice(at: within, length: count) ?? ByteBuffer() }
        var piece = ByteBuffer()
        piece.reserveCapacity(Self.headSize + count)
        piece.writeInteger(seed)
        piece.writeInteger(UInt64(number))
        // Tools that sniff a layer take it for gzip, as its media type says, and leave it as it is.
        if number == 0 { piece.setBytes([0x1F, 0x8B, 0x08], at: 0) }
        if var rest = Self.block.getSlice(at: Self.headSize, length: max(0, within + count - Self.headSize)) {
            piece.writeBuffer(&rest)
        }
        return piece.getSlice(at: within, length: count) ?? ByteBuffer()
    }
}

/// A small generator whose sequence never changes between releases (Steele, Lea and Flood, "Fast Splittable
/// Pseudorandom Number Generators").
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Digests as registries write them.
enum SandboxDigest {
    static func of(_ bytes: some DataProtocol) -> String { text(SHA256.hash(data: bytes)) }

    static func text(_ digest: SHA256.Digest) -> String { "sha256:" + hex(digest) }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var out: [UInt8] = []
        for byte in bytes {
            out.append(digits[Int(byte >> 4)])
            out.append(digits[Int(byte & 15)])
        }
        return String(decoding: out, as: UTF8.self)
    }

    static func isValid(_ text: String) -> Bool {
        text.hasPrefix("sha256:") && text.utf8.count == 71
            && text.utf8.dropFirst(7).allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }
}
