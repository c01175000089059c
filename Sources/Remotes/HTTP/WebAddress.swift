/// An `http:` or `https:` URL, taken apart strictly: what we connect to must be exactly what we judged.
///
/// User information, blanks, control characters and other schemes are refused; the target is passed on untouched,
/// because signed URLs break when anybody re-encodes them (RFC 3986; RFC 9112 section 3.2).
package struct WebAddress: Hashable, Sendable, CustomStringConvertible {
    package enum Scheme: String, Sendable, Hashable {
        case http
        case https

        package var defaultPort: Int { self == .https ? 443 : 80 }
    }

    /// Scheme, host and port: what credentials belong to.
    package struct Origin: Hashable, Sendable, CustomStringConvertible {
        package var scheme: Scheme
        /// Lower case; an IPv6 address without brackets.
        package var host: String
        package var port: Int

        package init(scheme: Scheme, host: String, port: Int) {
            self.scheme = scheme
            self.host = host
            self.port = port
        }

        /// `host` or `host:port`, for the Host header and for messages.
        package var authority: String {
            let name = host.contains(":") ? "[\(host)]" : host
            return port == scheme.defaultPort ? name : "\(name):\(port)"
        }

        /// `host:port`, always with the port.
        package var hostAndPort: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

        package var description: String { "\(scheme.rawValue)://\(authority)" }
    }

    package var origin: Origin
    /// Path and query, beginning with `/`.
    package var target: String

    package init(origin: Origin, target: String) {
        self.origin = origin
        self.target = target
    }

    /// Parses an absolute URL; nil when it is none that we would use.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count <= 16_384, text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { return nil }
        let bytes = Array(text.utf8)
        let scheme: Scheme
        var index: Int
        if Self.begins(bytes, with: "https://") {
            scheme = .https
            index = 8
        } else if Self.begins(bytes, with: "http://") {
            scheme = .http
            index = 7
        } else {
            return nil
        }
        let start = index
        while index < bytes.count, ![0x2f, 0x3f, 0x23, 0x5c].contains(bytes[index]) { index += 1 }
        guard index == bytes.count || bytes[index] != 0x5c else { return nil }
        guard let origin = Self.origin(scheme: scheme, authority: bytes[start..<index]) else { return nil }
        var rest = bytes[index...]
        if let fragment = rest.firstIndex(of: 0x23) { rest = rest[..<fragment] }
        var target = String(decoding: rest, as: UTF8.self)
        if !target.hasPrefix("/") { target = "/" + target }
        self.origin = origin
        self.target = target
    }

    /// Resolves a `Location`: absolute, scheme-relative, absolute path, or relative path (RFC 3986 section 5).
    package func resolving(_ location: String) -> WebAddress? {
        if location.contains("://"), let absolute = WebAddress(location) { return absolute }
        guard !location.isEmpty, location.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f && $0 != 0x5c }) else { return nil }
        if location.hasPrefix("//") { return WebAddress("\(origin.scheme.rawValue):\(location)") }
        let colon = location.firstIndex(of: ":")
        let slash = location.firstIndex(where: { "/?#".contains($0) })
        if let colon, slash.map({ colon < $0 }) ?? true { return nil }
        let path = target.prefix { $0 != "?" }
        if location.hasPrefix("/") { return WebAddress("\(origin)\(location)") }
        if location.hasPrefix("?") { return WebAddress("\(origin)\(path)\(location)") }
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "/"
        return WebAddress("\(origin)\(folder)\(location)")
    }

    /// The same address with one more query item; name and value must need no escaping beyond what is done here.
    package func appending(query name: String, _ value: String) -> WebAddress {
        var copy = self
        copy.target += (target.contains("?") ? "&" : "?") + name + "=" + Self.escape(value)
        return copy
    }

    package var description: String { "\(origin)\(target)" }

    /// Percent-encodes everything but the unreserved characters of RFC 3986, and slashes where they divide a path.
    package static func escape(_ text: String, keepingSlashes: Bool = false) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: out.append(byte)
            case 0x2f where keepingSlashes: out.append(byte)
            default: out += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func begins(_ bytes: [UInt8], with text: String) -> Bool {
        let wanted = Array(text.utf8)
        return bytes.count > wanted.count && zip(bytes, wanted).allSatisfy { $0 == $1 || ($0 | 0x20) == $1 }
    }

    private static func origin(scheme: Scheme, authority: ArraySlice<UInt8>) -> Origin? {
        guard !authority.isEmpty, !authority.contains(0x40) else { return nil }
        var host: ArraySlice<UInt8>
        var rest: ArraySlice<UInt8>
        if authority.first == 0x5b {
            guard let end = authority.firstIndex(of: 0x5d) else { return nil }
            host = authority[authority.startIndex.advanced(by: 1)..<end]
            rest = authority[(end + 1)...]
            guard host.contains(0x3a) else { return nil }
            guard host.allSatisfy({ $0 == 0x3a || $0 == 0x2e || isHexadecimal($0) }) else { return nil }
        } else {
            let end = authority.firstIndex(of: 0x3a) ?? authority.endIndex
            host = authority[..<end]
            rest = authority[end...]
            guard host.allSatisfy({ isAlphanumeric($0) || $0 == 0x2d || $0 == 0x2e || $0 == 0x5f }) else { return nil }
            // A trailing dot is the root of the same name; two spellings of one host must not be two hosts.
            if host.last == 0x2e { host = host.dropLast() }
            guard host.last != 0x2e else { return nil }
        }
        guard !host.isEmpty, host.count <= 253 else { return nil }
        var port = scheme.defaultPort
        if rest.first == 0x3a {
            rest = rest.dropFirst()
            guard (1...5).contains(rest.count), rest.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            port = rest.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            guard (1...65535).contains(port) else { return nil }
        } else if !rest.isEmpty {
            return nil
        }
        return Origin(scheme: scheme, host: String(decoding: host, as: UTF8.self).lowercased(), port: port)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }
}
