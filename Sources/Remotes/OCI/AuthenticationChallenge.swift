/// One challenge of a `WWW-Authenticate` header (RFC 9110 section 11.6.1).
package struct AuthenticationChallenge: Hashable, Sendable {
    /// In lower case: `basic`, `bearer`.
    package var scheme: String
    /// Names in lower case; the first of a name counts.
    package var parameters: [String: String]

    package init(scheme: String, parameters: [String: String] = [:]) {
        self.scheme = scheme
        self.parameters = parameters
    }

    /// The challenges of one header line; what cannot be read ends the list. At most 16, from at most 8 KiB.
    package static func parse(_ header: String) -> [AuthenticationChallenge] {
        var scanner = Scanner(bytes: Array(header.utf8.prefix(8192)))
        var challenges: [AuthenticationChallenge] = []
        while challenges.count < 16 {
            scanner.skip { $0 == 0x20 || $0 == 0x09 || $0 == 0x2c }
            guard let scheme = scanner.token() else { break }
            var challenge = AuthenticationChallenge(scheme: scheme.lowercased())
            scanner.skip { $0 == 0x20 || $0 == 0x09 }
            while challenge.parameters.count < 32 {
                let mark = scanner.position
                scanner.skip { $0 == 0x20 || $0 == 0x09 || $0 == 0x2c }
                guard let name = scanner.token() else { break }
                scanner.skip { $0 == 0x20 || $0 == 0x09 }
                guard scanner.take(0x3d) else {
                    // No `=`: this is the scheme of the next challenge.
                    scanner.position = mark
                    break
                }
                scanner.skip { $0 == 0x20 || $0 == 0x09 }
                guard let value = scanner.quoted() ?? scanner.token() else { break }
                if challenge.parameters[name.lowercased()] == nil { challenge.parameters[name.lowercased()] = value }
            }
            challenges.append(challenge)
        }
        return challenges
    }

    private struct Scanner {
        var bytes: [UInt8]
        var position = 0

        mutating func skip(_ isSkipped: (UInt8) -> Bool) {
            while position < bytes.count, isSkipped(bytes[position]) { position += 1 }
        }

        mutating func take(_ byte: UInt8) -> Bool {
            guard position < bytes.count, bytes[position] == byte else { return false }
            position += 1
            return true
        }

        mutating func token() -> String? {
            let start = position
            skip { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                    || "!#$%&'*+-.^_`|~/:".utf8.contains(byte)
            }
            return position == start ? nil : String(decoding: bytes[start..<position], as: UTF8.self)
        }

        /// A quoted string; nil, without having moved, when it does not begin or end here.
        mutating func quoted() -> String? {
            guard position < bytes.count, bytes[position] == 0x22 else { return nil }
            var index = position + 1
            var out: [UInt8] = []
            while index < bytes.count {
                switch bytes[index] {
                case 0x22:
                    position = index + 1
                    return String(decoding: out, as: UTF8.self)
                case 0x5c where index + 1 < bytes.count:
                    out.append(bytes[index + 1])
                    index += 2
                default:
                    out.append(bytes[index])
                    index += 1
                }
            }
            return nil
        }
    }
}
