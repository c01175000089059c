import Foundation
import NIOCore

/// Which proxy a request goes through: `network.proxy`, or the environment's `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
package struct ProxySettings: Sendable, Hashable {
    package struct Proxy: Sendable, Hashable, CustomStringConvertible {
        package var host: String
        package var port: Int
        /// The value of `Proxy-Authorization`; never printed.
        package var authorization: String?

        /// Parses `http://[user:password@]host[:port]`; nil when it is something else. The port is 3128 by default for a
        /// bare `host`, 80 for a URL.
        package init?(_ text: String) {
            var rest = Substring(text)
            var defaultPort = 3128
            if let mark = text.range(of: "://") {
                guard text[..<mark.lowerBound].lowercased() == "http" else { return nil }
                rest = text[mark.upperBound...]
                defaultPort = 80
            }
            while rest.hasSuffix("/") { rest = rest.dropLast() }
            if let at = rest.lastIndex(of: "@") {
                let user = rest[..<at].removingPercentEncoding ?? String(rest[..<at])
                authorization = "Basic " + Data(user.utf8).base64EncodedString()
                rest = rest[rest.index(after: at)...]
            }
            guard let address = WebAddress("http://\(rest)"), address.target == "/" else { return nil }
            host = address.origin.host
            let hasPort = rest.hasSuffix("]") ? false : rest.split(separator: "]").last?.contains(":") ?? false
            port = hasPort ? address.origin.port : defaultPort
        }

        package var description: String { "\(host):\(port)" }
    }

    private var secure: Proxy?
    private var plain: Proxy?
    private var exceptions: [String]

    /// No proxy at all.
    package static let none = ProxySettings(secure: nil, plain: nil, exceptions: [])

    private init(secure: Proxy?, plain: Proxy?, exceptions: [String]) {
        self.secure = secure
        self.plain = plain
        self.exceptions = exceptions
    }

    /// - Parameters:
    ///   - configured: `network.proxy`; it replaces what the environment says, but not `NO_PROXY`.
    ///   - environment: the process's environment.
    /// - Throws: `TransportError`, with the variable's name as its host, for a proxy of another kind than is spoken to:
    ///   going straight out instead would be what somebody forbade.
    package init(configured: String?, environment: [String: String]) throws(TransportError) {
        func read(_ text: String, _ name: String) throws(TransportError) -> Proxy {
            if let proxy = Proxy(text) { return proxy }
            let scheme = text.range(of: "://").map { String(text[..<$0.lowerBound].prefix(16)) }
            throw TransportError(
                kind: .invalidRequest,
                host: name,
                detail: (scheme.map { $0.lowercased() == "http" ? nil : "a proxy of `\($0)` is not spoken to" } ?? nil)
                    .map { "\($0); name one as http://HOST:PORT, or unset \(name)" }
                    ?? "it names no proxy; write http://HOST:PORT, or unset \(name)"
            )
        }
        func value(_ name: String) throws(TransportError) -> Proxy? {
            for name in [name.lowercased(), name] {
                guard let text = environment[name]?.trimmingCharacters(in: .whitespaces) else { continue }
                return text.isEmpty ? nil : try read(text, name)
            }
            return nil
        }
        if let configured {
            secure = try read(configured, "network.proxy")
            plain = secure
        } else {
            let all = try value("ALL_PROXY")
            secure = try value("HTTPS_PROXY") ?? all
            // In a CGI program HTTP_PROXY is a request's header, so upper case is not trusted there.
            if environment["REQUEST_METHOD"] != nil {
                plain = try environment["http_proxy"].map { text throws(TransportError) in try read(text, "http_proxy")
                }
            } else {
                plain = try value("HTTP_PROXY")
            }
            plain = plain ?? all
        }
        exceptions = (environment["no_proxy"] ?? environment["NO_PROXY"] ?? "")
            .split(whereSeparator: { $0 == "," || $0.isWhitespace })
            .map { $0.lowercased() }
    }

    /// The proxy for an origin; nil: straight.
    package func proxy(for origin: WebAddress.Origin) -> Proxy? {
        guard let proxy = origin.scheme == .https ? secure : plain else { return nil }
        if RegistryEndpoint.isLoopback(origin.host) { return nil }
        for exception in exceptions {
            if exception == "*" { return nil }
            var name = exception
            if let colon = name.lastIndex(of: ":"), let port = Int(name[name.index(after: colon)...]),
                name.filter({ $0 == ":" }).count == 1
            {
                guard port == origin.port else { continue }
                name = String(name[..<colon])
            }
            if name.hasPrefix("*.") { name.removeFirst() }
            if let network = Network(name) {
                if let address = try? SocketAddress(ipAddress: origin.host, port: origin.port),
                    network.contains(address)
                {
                    return nil
                }
                continue
            }
            let suffix = name.hasPrefix(".") ? name : "." + name
            if origin.host == name || origin.host.hasSuffix(suffix) { return nil }
        }
        return proxy
    }
}
