/// Whether a registry's name says that it is not on the public internet.
///
/// Image names come from workflow definitions, so a name must not lead the daemon to a private service or to the
/// metadata service. The name alone decides here; what a public name resolves to is the address guard's affair.
package enum PrivateRegistry {
    /// Why the host counts as private; nil for a public name.
    ///
    /// - Parameter host: the registry of a canonical reference, `HOST` or `HOST:PORT`, IPv6 in brackets.
    package static func reason(_ host: String) -> String? {
        let name = bareHost(host).lowercased()
        if host.hasPrefix("[") || name.contains(":") { return "an IPv6 address" }
        if isIPv4(name) { return ipv4Words(name) }
        if name == "localhost" || name.hasSuffix(".localhost") || name.hasSuffix(".localdomain") {
            return "a loopback name"
        }
        if !name.contains(".") { return "a name without a domain" }
        for suffix in privateSuffixes where name.hasSuffix(suffix) { return "a name below \(suffix.dropFirst())" }
        return nil
    }

    /// Names of private networks: RFC 6762 (`local`), RFC 8375 (`home.arpa`), and those that ICANN keeps out of the
    /// public DNS for private use.
    private static let privateSuffixes = [
        ".local", ".internal", ".home.arpa", ".lan", ".intranet", ".corp", ".home", ".private",
    ]

    /// The host without its port, without a root dot.
    package static func bareHost(_ host: String) -> String {
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            return String(host[host.index(after: host.startIndex)..<end])
        }
        let colons = host.filter { $0 == ":" }.count
        var name = colons == 1 ? String(host.prefix { $0 != ":" }) : host
        while name.hasSuffix(".") { name.removeLast() }
        return name
    }

    /// Anything that an address parser may take for IPv4: inet_aton also reads one to four parts, octal and hex.
    private static func isIPv4(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...4).contains(parts.count) else { return false }
        return parts.allSatisfy { part in
            if part.hasPrefix("0x") { return part.dropFirst(2).allSatisfy(\.isHexDigit) }
            return !part.isEmpty && part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        }
    }

    private static func ipv4Words(_ name: String) -> String {
        let parts = name.split(separator: ".").compactMap { UInt8($0) }
        guard parts.count == 4, name.split(separator: ".").count == 4 else { return "an IP address" }
        switch (parts[0], parts[1]) {
        case (127, _): return "a loopback address"
        case (169, 254): return "a link-local address"
        case (10, _), (172, 16...31), (192, 168), (100, 64...127): return "a private address"
        default: return "an IP address"
        }
    }
}
