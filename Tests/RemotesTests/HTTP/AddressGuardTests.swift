import NIOCore
import Remotes
import Synchronization
import Testing

@Suite struct AddressGuardTests {
    @Test(arguments: [
        ("8.8.8.8", AddressKind.public), ("127.0.0.1", .loopback), ("127.255.0.9", .loopback),
        ("10.1.2.3", .private), ("172.16.0.1", .private), ("172.32.0.1", .public), ("192.168.1.1", .private),
        ("100.64.0.1", .private), ("100.100.100.200", .metadata), ("168.63.129.16", .metadata),
        ("192.0.0.192", .metadata), ("192.0.0.1", .private),
        ("169.254.169.254", .metadata),
        ("169.254.170.2", .metadata), ("0.0.0.0", .unusable), ("224.0.0.1", .unusable), ("255.255.255.255", .unusable),
        ("::1", .loopback), ("::", .unusable), ("2600:1f00::1", .public), ("fe80::1", .metadata),
        ("fd00:ec2::254", .metadata), ("fd00:ec2::23", .metadata), ("fd12::1", .private), ("fec0::1", .private),
        ("ff02::1", .unusable), ("::ffff:169.254.169.254", .metadata), ("::ffff:8.8.8.8", .public),
        ("::ffff:127.0.0.1", .loopback), ("64:ff9b::169.254.169.254", .metadata), ("64:ff9b::8.8.8.8", .public),
        ("64:ff9b::10.0.0.1", .private), ("64:ff9b:1::8.8.8.8", .private), ("64:ff9b:1::169.254.169.254", .metadata),
        ("2002:a9fe:a9fe::1", .metadata), ("2002:808:808::1", .public), ("::169.254.169.254", .metadata),
        ("2001:db8::1", .private), ("::ffff:0:169.254.169.254", .metadata), ("::ffff:0:8.8.8.8", .public),
        ("64:ff9b:1:a9fe:a9:fe00::", .metadata), ("64:ff9b:1:0:a9:fea9:fe00:0", .metadata), ("64:ff9b:1::1", .private),
        ("fd20:ce::254", .metadata),
    ])
    func knowsWhatAnAddressIs(_ text: String, _ kind: AddressKind) throws {
        #expect(AddressKind(try SocketAddress(ipAddress: text, port: 443)) == kind)
    }

    @Test func metadataIsNeverTrusted() throws {
        let everything = try ["0.0.0.0/0", "::/0"].map { try #require(Network($0)) }
        let guardian = AddressGuard(
            trustedNetworks: everything,
            isTrustedHost: { _, _ in true }
        )
        for text in ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0"] {
            let address = try SocketAddress(ipAddress: text, port: 80)
            #expect(guardian.objection(to: address, host: "x", port: 80, isOwn: true) != nil)
        }
        let loopback = try SocketAddress(ipAddress: "127.0.0.1", port: 80)
        #expect(guardian.objection(to: loopback, host: "x", port: 80, isOwn: false) == nil)
    }

    @Test func aBareAddressIsANetworkOfOne() throws {
        for (text, inside, outside) in [("10.20.3.4", "10.20.3.4", "10.20.3.5"), ("fd00::7", "fd00::7", "fd00::8")] {
            let network = try #require(Network(text))
            #expect(network.contains(try SocketAddress(ipAddress: inside, port: 1)))
            #expect(network.contains(try SocketAddress(ipAddress: outside, port: 1)) == false)
        }
    }

    @Test func trustsWhatIsListed() throws {
        let network = try #require(Network("10.20.0.0/16"))
        let guardian = AddressGuard(
            trustedNetworks: [network],
            isTrustedHost: { $0 == "harbor" && $1 == 443 }
        )
        func isAllowed(_ address: String, _ host: String, _ port: Int, own: Bool = false) throws -> Bool {
            guardian.objection(
                to: try SocketAddress(ipAddress: address, port: port),
                host: host,
                port: port,
                isOwn: own
            ) == nil
        }
        #expect(try isAllowed("10.20.3.4", "x", 443))
        #expect(try isAllowed("::ffff:10.20.3.4", "x", 443))
        #expect(try !isAllowed("10.21.3.4", "x", 443))
        #expect(try isAllowed("10.21.3.4", "harbor", 443))
        #expect(try !isAllowed("10.21.3.4", "harbor", 8443))
        #expect(try isAllowed("10.21.3.4", "x", 1, own: true))
        #expect(try isAllowed("8.8.8.8", "x", 1))
    }

    @Test(arguments: ["10.0.0.0/8/8", "10.0.0.0/33", "x/8", "fd00::/129", "10.0.0.0/-1", ""])
    func refusesWhatIsNoNetwork(_ text: String) { #expect(Network(text) == nil) }

    /// A resolver that says what a test wants, so that nothing leaves this machine.
    struct Substitute: HostResolver {
        var answers: [String: [String]]
        let asked: AskedNames

        func addresses(of host: String, port: Int) async throws -> [SocketAddress] {
            asked.add(host)
            return try (answers[host] ?? [host]).map { try SocketAddress(ipAddress: $0, port: port) }
        }
    }

    @Test(arguments: ["169.254.169.254", "fd00:ec2::254", "10.0.0.5", "127.0.0.1", "::ffff:169.254.169.254"])
    func aNameIsJudgedByWhereItLeads(_ address: String) async throws {
        let asked = AskedNames()
        let transport = try LiveTransport(
            .init(
                addressGuard: AddressGuard(),
                resolver: Substitute(answers: ["evil.example": [address]], asked: asked)
            )
        )
        await #expect {
            try await transport.send(HTTPClientRequest(url: "http://evil.example/latest/"), patience: Patience())
        } throws: { ($0 as? TransportError)?.kind == .addressRefused }
        #expect(asked.values == ["evil.example"])
    }

    @Test(arguments: ["http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://2130706433/", "http://0x7f.1/"])
    func anAddressIsJudgedInEveryNotation(_ url: String) async throws {
        let transport = try LiveTransport(.init(addressGuard: AddressGuard()))
        await #expect {
            try await transport.send(HTTPClientRequest(url: url), patience: Patience())
        } throws: { ($0 as? TransportError)?.kind == .addressRefused }
    }
}

final class AskedNames: Sendable {
    private let list = Mutex<[String]>([])
    var values: [String] { list.withLock { $0 } }
    func add(_ text: String) { list.withLock { $0.append(text) } }
}
