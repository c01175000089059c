package import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What kind of place an IP address is, whichever of the notations for IPv4 inside IPv6 it is written in.
///
/// Sources: the IANA special-purpose registries (RFC 6890), RFC 4193, RFC 6052 and RFC 8215 for NAT64, RFC 3056 for 6to4,
/// and the AWS guide for the metadata addresses.
package enum AddressKind: String, Sendable, Hashable {
    case `public`
    case loopback
    /// Networks of one's own: private, shared (carrier) and unique local addresses.
    case `private`
    /// Link-local addresses and the metadata services of clouds: these hand out credentials.
    case metadata
    /// No host is there: unspecified, multicast, reserved.
    case unusable

    package init(_ address: SocketAddress) {
        let bytes = address.networkOrderBytes
        self = bytes.count == 4 ? AddressKind(ipv4: bytes) : AddressKind(ipv6: bytes)
    }

    /// - Parameter bytes: four, in network order.
    package init(ipv4 bytes: [UInt8]) {
        guard bytes.count == 4 else {
            self = .unusable
            return
        }
        switch (bytes[0], bytes[1]) {
        case (127, _): self = .loopback
        case (169, 254): self = .metadata
        // Alibaba's and Azure's metadata services; Oracle's below.
        case (100, 100) where bytes[2] == 100 && bytes[3] == 200: self = .metadata
        case (168, 63) where bytes[2] == 129 && bytes[3] == 16: self = .metadata
        case (192, 0) where bytes[2] == 0 && bytes[3] == 192: self = .metadata
        case (10, _), (172, 16...31), (192, 168), (100, 64...127), (198, 18...19): self = .private
        case (0, _), (224..., _): self = .unusable
        case (192, 0) where bytes[2] == 0 || bytes[2] == 2: self = .private
        case (198, 51) where bytes[2] == 100: self = .private
        case (203, 0) where bytes[2] == 113: self = .private
        default: self = .public
        }
    }

    /// - Parameter bytes: sixteen, in network order.
    package init(ipv6 bytes: [UInt8]) {
        guard bytes.count == 16 else {
            self = .unusable
            return
        }
        let isZero = { (range: Range<Int>) in bytes[range].allSatisfy { $0 == 0 } }
        if isZero(0..<15), bytes[15] == 1 {
            self = .loopback
        } else if isZero(0..<16) {
            self = .unusable
        } else if isZero(0..<10), bytes[10] == 0xff, bytes[11] == 0xff {
            self = AddressKind(ipv4: Array(bytes[12...]))
        } else if isZero(0..<12) {
            self = AddressKind(ipv4: Array(bytes[12...]))
        } else if isZero(0..<8), bytes[8] == 0xff, bytes[9] == 0xff, bytes[10] == 0, bytes[11] == 0 {
            // Stateless translation (RFC 7915's predecessor): ::ffff:0:a.b.c.d.
            self = AddressKind(ipv4: Array(bytes[12...]))
        } else if bytes[0...3] == [0x00, 0x64, 0xff, 0x9b] {
            self = AddressKind(translation: bytes)
        } else if bytes[0] == 0x20, bytes[1] == 0x02 {
            self = AddressKind(ipv4: Array(bytes[2..<6]))
        } else if bytes[0...3] == [0x20, 0x01, 0x00, 0x00] {
            self = AddressKind(ipv4: bytes[12...].map { ~$0 })
        } else if bytes[0] == 0xfe, bytes[1] & 0xc0 == 0x80 {
            self = .metadata
        } else if bytes[0...3] == [0xfd, 0x00, 0x0e, 0xc2] || bytes[0...3] == [0xfd, 0x20, 0x00, 0xce] {
            // AWS's and Google's.
            self = .metadata
        } else if bytes[0] & 0xfe == 0xfc || (bytes[0] == 0xfe && bytes[1] & 0xc0 == 0xc0) {
            self = .private
        } else if bytes[0] == 0xff {
            self = .unusable
        } else if bytes[0...3] == [0x20, 0x01, 0x0d, 0xb8] {
            self = .private
        } else {
            self = .public
        }
    }

    /// An address below 64:ff9b::/32. The well-known prefix ends before the last four bytes, which embed an address; the
    /// local one (64:ff9b:1::/48) is a network of one's own at best, and embeds at one of four places (RFC 6052 section
    /// 2.2), of which the worst counts.
    private init(translation bytes: [UInt8]) {
        let last = AddressKind(ipv4: Array(bytes[12...]))
        if bytes[4..<12].allSatisfy({ $0 == 0 }) {
            self = last
            return
        }
        let places = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12]]
        let kinds = [last] + places.map { place in AddressKind(ipv4: place.map { bytes[$0] }) }
        // Zeros are the padding of the other places.
        self = kinds.contains(.metadata) ? .metadata : last == .public || last == .unusable ? .private : last
    }
}

/// A network in CIDR notation.
package struct Network: Sendable, Hashable {
    private let bytes: [UInt8]
    private let prefix: Int

    /// Parses `10.0.0.0/8` or `fd00::/8`, and a bare address as a network of one; nil when it is none of them.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = try? SocketAddress(ipAddress: String(parts[0]), port: 0) else {
            return nil
        }
        let bytes = address.networkOrderBytes
        let length = parts.count == 1 ? "\(bytes.count * 8)" : String(parts[1])
        guard length.utf8.count <= 3, let prefix = Int(length), (0...bytes.count * 8).contains(prefix) else {
            return nil
        }
        self.bytes = bytes
        self.prefix = prefix
    }

    package func contains(_ address: SocketAddress) -> Bool {
        var other = address.networkOrderBytes
        if other.count == 16, bytes.count == 4, other[0..<10].allSatisfy({ $0 == 0 }), other[10] == 0xff,
            other[11] == 0xff
        {
            other = Array(other[12...])
        }
        guard other.count == bytes.count else { return false }
        for index in 0..<prefix where (bytes[index / 8] ^ other[index / 8]) & (0x80 >> (index % 8)) != 0 {
            return false
        }
        return true
    }
}

extension SocketAddress {
    /// Four bytes for IPv4, sixteen for IPv6, none for anything else.
    fileprivate var networkOrderBytes: [UInt8] {
        let family: Int32
        var bytes: [UInt8]
        switch self {
        case .v4: (family, bytes) = (AF_INET, [UInt8](repeating: 0, count: 4))
        case .v6: (family, bytes) = (AF_INET6, [UInt8](repeating: 0, count: 16))
        case .unixDomainSocket: return []
        }
        guard let text = ipAddress, inet_pton(family, text, &bytes) == 1 else { return [] }
        return bytes
    }
}

/// Says which addresses may be connected to. Names come from outside (references, redirects, realms); without this
/// they could lead to the metadata service, which hands out the machine's credentials.
package struct AddressGuard: Sendable {
    private let networks: @Sendable () -> [Network]
    private let isTrustedHost: @Sendable (_ host: String, _ port: Int) -> Bool

    /// - Parameters:
    ///   - trustedNetworks: networks of one's own that may be connected to; asked for at every connection.
    ///   - isTrustedHost: hosts that may be at loopback and private addresses.
    package init(
        trustedNetworks: @autoclosure @escaping @Sendable () -> [Network] = [],
        isTrustedHost: @escaping @Sendable (_ host: String, _ port: Int) -> Bool = { _, _ in false }
    ) {
        networks = trustedNetworks
        self.isTrustedHost = isTrustedHost
    }

    /// Why an address must not be connected to; nil when it may.
    ///
    /// - Parameter isOwn: whether host and port are those of the registry itself, as the operator named it.
    package func objection(to address: SocketAddress, host: String, port: Int, isOwn: Bool) -> String? {
        let kind = AddressKind(address)
        let shown = address.ipAddress ?? "an address"
        switch kind {
        case .public: return nil
        case .metadata: return "\(host) is at \(shown), a link-local or metadata address; that is never connected to"
        case .unusable: return "\(host) is at \(shown), where no host can be"
        case .loopback, .private:
            if isOwn || isTrustedHost(host, port) || networks().contains(where: { $0.contains(address) }) { return nil }
            return "\(host) is at \(shown), a \(kind.rawValue) address; "
                + "if that is right, list \(host):\(port) in network.trustedHosts or its network in network.trustedNetworks"
        }
    }
}
