import Crypto
import Foundation

/// The digest of some content, `algorithm:hex`, as the OCI image specification writes it (descriptor.md, "Digests").
///
/// Only the two registered algorithms are accepted: content under an algorithm that we cannot compute could not be
/// verified, so it must not be copied.
package struct Digest: Hashable, Sendable, CustomStringConvertible, Comparable {
    /// The registered algorithms.
    package enum Algorithm: String, Sendable, Hashable, CaseIterable {
        case sha256
        case sha512

        /// Length of the encoded part, in lower-case hexadecimal digits.
        package var encodedLength: Int {
            switch self {
            case .sha256: 64
            case .sha512: 128
            }
        }
    }

    package let algorithm: Algorithm
    /// Lower-case hexadecimal.
    package let encoded: String

    /// Parses `sha256:…` or `sha512:…`.
    package init(_ text: String) throws(DigestError) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw DigestError(text: text, reason: "it has no `algorithm:` in front")
        }
        let name = String(text[..<colon])
        guard let algorithm = Algorithm(rawValue: name) else {
            throw DigestError(text: text, reason: "the algorithm is not sha256 or sha512")
        }
        let encoded = text[text.index(after: colon)...]
        guard encoded.utf8.count == algorithm.encodedLength else {
            throw DigestError(
                text: text,
                reason: "\(name) has \(algorithm.encodedLength) hexadecimal digits, this has \(encoded.utf8.count)"
            )
        }
        guard encoded.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else {
            throw DigestError(text: text, reason: "it must be lower-case hexadecimal")
        }
        self.algorithm = algorithm
        self.encoded = String(encoded)
    }

    private init(algorithm: Algorithm, encoded: String) {
        self.algorithm = algorithm
        self.encoded = encoded
    }

    /// The digest of bytes in memory.
    package static func of(_ bytes: some Sequence<UInt8>, algorithm: Algorithm = .sha256) -> Digest {
        var hasher = Hasher(algorithm)
        let contiguous: Void? = bytes.withContiguousStorageIfAvailable { hasher.update(UnsafeRawBufferPointer($0)) }
        if contiguous == nil {
            let copy = Array(bytes)
            copy.withUnsafeBytes { hasher.update($0) }
        }
        return hasher.finalize()
    }

    package var description: String { "\(algorithm.rawValue):\(encoded)" }

    /// The first twelve digits, for tables.
    package var short: String { String(encoded.prefix(12)) }

    package static func < (left: Digest, right: Digest) -> Bool { left.description < right.description }
}

extension Digest {
    /// Computes a digest while bytes pass.
    package struct Hasher: Sendable {
        private enum State: Sendable {
            case sha256(SHA256)
            case sha512(SHA512)
        }

        private var state: State

        package init(_ algorithm: Algorithm) {
            switch algorithm {
            case .sha256: state = .sha256(SHA256())
            case .sha512: state = .sha512(SHA512())
            }
        }

        package mutating func update(_ bytes: UnsafeRawBufferPointer) {
            switch state {
            case .sha256(var function):
                function.update(bufferPointer: bytes)
                state = .sha256(function)
            case .sha512(var function):
                function.update(bufferPointer: bytes)
                state = .sha512(function)
            }
        }

        /// The digest of everything seen so far.
        package func finalize() -> Digest {
            switch state {
            case .sha256(let function):
                Digest(algorithm: .sha256, encoded: Digest.hexadecimal(function.finalize()))
            case .sha512(let function):
                Digest(algorithm: .sha512, encoded: Digest.hexadecimal(function.finalize()))
            }
        }
    }
}

extension Digest: Codable {
    package init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Digest {
    /// Lower-case hexadecimal of any bytes.
    package static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// A text that is no digest we can verify. Not worth another try.
package struct DigestError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was given, shortened to at most 160 characters.
    package let text: String
    package let reason: String

    package init(text: String, reason: String) {
        self.text = String(text.prefix(160))
        self.reason = reason
    }

    package var description: String { "`\(text)` is not a digest: \(reason)" }
}
