import Foundation

/// The forms of addresses that the configuration accepts; it only checks them, nothing is resolved.
package enum AddressText {
    /// `HOST:PORT` or `[IPV6]:PORT`, split; nil for anything else.
    package static func hostAndPort(_ text: String) -> (host: String, port: Int)? {
        guard let colon = text.lastIndex(of: ":"), let port = number(text[text.index(after: colon)...], 0...65_535)
        else { return nil }
        let host = String(text[..<colon])
        if let address = bracketed(host) { return isIPv6(address) ? (address, port) : nil }
        return isHostName(host) ? (host, port) : nil
    }

    /// An `http:` or `https:` URL with a host, and neither user, query nor fragment.
    static func isEndpoint(_ text: String) -> Bool {
        guard let rest = afterScheme(text, ["https://", "http://"]) else { return false }
        return isRegistryHost(String(rest.prefix { $0 != "/" })) && !rest.contains { "?#@ ".contains($0) }
    }

    /// An `https:` URL with a host, or an `http:` one on this machine; with a query, and without user or fragment.
    static func isWebhook(_ text: String) -> Bool {
        let address = String(text.prefix { $0 != "?" })
        return isEndpoint(address) && !text.contains { "# ".contains($0) }
            && (address.hasPrefix("https://") || isLoopback(address))
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
        let end: Set<Character> = rest.hasPrefix("[") ? ["]"] : [":", "/"]
        let host = rest.drop { $0 == "[" }.prefix { !end.contains($0) }
        return host == "localhost" || host.hasSuffix(".localhost") || host == "::1"
            || (host.hasPrefix("127.") && isIPv4(String(host)))
    }

    /// A host name or an address, with a port if there is one.
    static func isRegistryHost(_ text: String) -> Bool {
        hostAndPort(text) != nil || (bracketed(text).map(isIPv6) ?? isHostName(text))
    }

    /// `ADDRESS/LENGTH`; a bare address is a network of one.
    static func isNetwork(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let address = parts.first.map(String.init), isIPv4(address) || isIPv6(address) else { return false }
        return parts.count == 1 || (parts.count == 2 && number(parts[1], 0...(isIPv4(address) ? 32 : 128)) != nil)
    }

    private static func afterScheme(_ text: String, _ schemes: [String]) -> String? {
        schemes.first { text.hasPrefix($0) }.map { String(text.dropFirst($0.count)) }
    }

    private static func bracketed(_ text: String) -> String? {
        text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : nil
    }

    private static func number(_ text: Substring, _ range: ClosedRange<Int>) -> Int? {
        text.allSatisfy(\.isNumber) ? Int(text).flatMap { range.contains($0) ? $0 : nil } : nil
    }

    private static func isHostName(_ text: String) -> Bool {
        let labels: Pattern =
            "^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?([.][A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$"
        return text.utf8.count <= 253 && labels.isFound(in: text)
    }

    /// Four numbers without leading zeros.
    private static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    /// Without an IPv4 address at its end.
    private static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return !text.contains(".") && inet_pton(AF_INET6, text, &address) == 1
    }
}
