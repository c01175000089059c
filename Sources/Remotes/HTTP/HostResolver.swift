package import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Finds the addresses of a name.
package protocol HostResolver: Sendable {
    /// - Throws: `TransportError` of kind `nameResolution`.
    func addresses(of host: String, port: Int) async throws -> [SocketAddress]
}

/// The machine's own resolver, `getaddrinfo`, on threads that may block.
package struct SystemResolver: HostResolver {
    package init() {}

    package func addresses(of host: String, port: Int) async throws -> [SocketAddress] {
        if let literal = try? SocketAddress(ipAddress: host, port: port) { return [literal] }
        return try await NIOThreadPool.singleton.runIfActive { try Self.lookUp(host, port: port) }
    }

    private static func lookUp(_ host: String, port: Int) throws -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &list)
        guard result == 0 else {
            throw TransportError(
                kind: .nameResolution,
                host: "\(host):\(port)",
                detail: "the name cannot be resolved: \(String(cString: gai_strerror(result)))"
            )
        }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var entry = list
        while let current = entry {
            if let pointer = current.pointee.ai_addr {
                switch current.pointee.ai_family {
                case AF_INET:
                    pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                        found.append(SocketAddress($0.pointee, host: host))
                    }
                case AF_INET6:
                    pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                        found.append(SocketAddress($0.pointee, host: host))
                    }
                default: break
                }
            }
            entry = current.pointee.ai_next
        }
        guard !found.isEmpty else {
            throw TransportError(
                kind: .nameResolution,
                host: "\(host):\(port)",
                detail: "the name has no address"
            )
        }
        return found
    }
}
