/// The forms of addresses that the configuration accepts; it only checks them, nothing is resolved.
package enum AddressText {
    /// `HOST:PORT` or `[IPV6]:PORT`, split; nil for anything else.
    package static func hostAndPort(_ text: String) -> (host: String, port: Int)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard let port = Int(digits), (0...65_535).contains(port), digits.allSatisfy(\.isNumber) else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            return ipv6(host) == nil ? nil : (host, port)
        }
        return isHostName(host) ? (host, port) : nil
    }

    /// An `http:` or `https:` URL with a host, and neither user, query nor fragment.
    static func isEndpoint(_ text: String) -> Bool {
        guard let rest = afterScheme(text, ["https://", "http://"]) else { return false }
        let authority = rest.prefix { $0 != "/" }
        return isAuthority(String(authority)) && !rest.contains { "?#@ ".contains($0) }
    }

    /// `http://HOST:PORT`, the one kind of proxy that is spoken to.
    static func isProxy(_ text: String) -> Bool {
        guard var rest = afterScheme(text, ["http://"]) else { return false }
        if rest.hasSuffix("/") { rest.removeLast() }
        return hostAndPort(rest) != nil
    }

    /// Whether the URL's host is an address or a name of this machine.
    static func isLoopback(_ url: String) -> Bool {
        guard let rest = afterScheme(url, ["https://", "http://"]) else { return false }
        var host = String(rest.prefix { $0 != "/" })
        if host.hasPrefix("[") {
            host = String(host.dropFirst().prefix { $0 != "]" })
        } else {
            host = String(host.prefix { $0 != ":" })
        }
        return host == "localhost" || host.hasSuffix(".localhost") || host == "::1"
            || (host.hasPrefix("127.") && ipv4(host) != nil)
    }

    /// A host name or an address, with a port if there is one.
    static func isRegistryHost(_ text: String) -> Bool { isAuthority(text) }

    /// `ADDRESS/LENGTH`; a bare address is a network of one.
    static func isNetwork(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count) else { return false }
        let bits: Int
        if ipv4(parts[0]) != nil { bits = 32 } else if ipv6(parts[0]) != nil { bits = 128 } else { return false }
        guard parts.count == 2 else { return true }
        guard let length = Int(parts[1]), parts[1].allSatisfy(\.isNumber) else { return false }
        return (0...bits).contains(length)
    }

    private static func afterScheme(_ text: String, _ schemes: [String]) -> String? {
        schemes.first { text.hasPrefix($0) }.map { String(text.dropFirst($0.count)) }
    }

    private static func isAuthority(_ text: String) -> Bool {
        if hostAndPort(text) != nil { return true }
        if text.hasPrefix("["), text.hasSuffix("]") { return ipv6(String(text.dropFirst().dropLast())) != nil }
        return isHostName(text)
    }

    private static func isHostName(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 253 else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.utf8.count <= 63 && label.first != "-" && label.last != "-"
                && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        }
    }

    private static func ipv4(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts.allSatisfy({ $0.allSatisfy(\.isNumber) && ($0 == "0" || $0.first != "0") }) else {
            return nil
        }
        let bytes = parts.compactMap { UInt8($0) }
        return bytes.count == 4 ? bytes : nil
    }

    /// The number of 16-bit groups written, if the text has the form of an IPv6 address.
    private static func ipv6(_ text: String) -> Int? {
        guard text.contains(":"), !text.contains(":::") else { return nil }
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard halves.count <= 2 else { return nil }
        var groups = 0
        for half in halves where !half.isEmpty {
            for group in half.split(separator: ":", omittingEmptySubsequences: false) {
                guard (1...4).contains(group.count), group.allSatisfy(\.isHexDigit) else { return nil }
                groups += 1
            }
        }
        return halves.count == 2 ? (groups <= 7 ? groups : nil) : (groups == 8 ? groups : nil)
    }
}

extension JSONNode {
    /// A path from the root, without `..`.
    var absolutePath: String? {
        text.flatMap { text in
            text.hasPrefix("/") && !text.split(separator: "/").contains("..") ? text : nil
        }
    }

    /// A name without a folder in it.
    var fileName: String? {
        text.flatMap { text in
            text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) } && text.first != "."
                && text.first != "-" ? text : nil
        }
    }

    /// `os/architecture` with an optional variant, or `all`.
    var platformOrAll: String? {
        text.flatMap { text in
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            let words = parts.allSatisfy { part in
                !part.isEmpty && part.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || "._-".contains($0)) }
            }
            return text == "all" || ((2...3).contains(parts.count) && words) ? text : nil
        }
    }

    /// Two names of environment variables.
    var variablePair: (String, String)? {
        guard case .array(let elements) = value, elements.count == 2 else { return nil }
        let names = elements.compactMap(\.text).filter { name in
            name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") } && name.first?.isNumber == false
        }
        return names.count == 2 ? (names[0], names[1]) : nil
    }

    /// `arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME`.
    var secretArn: String? {
        text.flatMap { text in
            let parts = text.split(separator: ":", maxSplits: 6, omittingEmptySubsequences: false)
            return parts.count == 7 && parts[0] == "arn" && parts[1].hasPrefix("aws") && parts[2] == "secretsmanager"
                && parts[4].count == 12 && parts[4].allSatisfy(\.isNumber) && parts[5] == "secret" && !parts[6].isEmpty
                ? text : nil
        }
    }
}
