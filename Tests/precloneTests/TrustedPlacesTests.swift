import NIOCore
import Testing

@testable import Configuring
@testable import Model
@testable import Precloning
@testable import Remotes
@testable import preclone

/// Whom a configuration lets be at a private address.
@Suite("TrustedPlaces")
struct TrustedPlacesTests {
    private let settings: Settings
    private let aws: AWSSettings

    init() {
        var configuration = Configuration.defaults
        configuration.registries.hosts["harbor.example"] = .init()
        configuration.registries.hosts["quay.io", default: .init()].endpoint = "http://127.0.0.1:5001"
        configuration.network.trustedHosts = ["auth.example:8443"].compactMap { Glob($0) }
        settings = Settings(configuration)
        aws = AWSSettings(region: "eu-central-1", environment: ["AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:4566"])
    }

    @Test(
        "AWS's own endpoints of the Region, overrides at their port, and what is listed; no neighbour of theirs",
        arguments: [
            ("api.ecr.eu-central-1.amazonaws.com", 443, true), ("ecr.eu-central-1.api.aws", 443, true),
            ("111122223333.dkr.ecr.eu-central-1.amazonaws.com", 443, true),
            ("111122223333.dkr-ecr.eu-central-1.on.aws", 443, true),
            ("prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com", 443, true),
            ("b.s3.dualstack.eu-central-1.amazonaws.com", 443, true), ("sts.eu-central-1.amazonaws.com", 443, true),
            ("api.ecr.eu-central-1.amazonaws.com", 8080, false), ("sts.us-east-1.amazonaws.com", 443, false),
            ("b-1.brokers.kafka.eu-central-1.amazonaws.com", 443, false),
            ("fs-1.efs.eu-central-1.amazonaws.com", 443, false), ("x.dualstack.eu-central-1.amazonaws.com", 443, false),
            ("eu-central-1.amazonaws.com", 443, false), ("evilecr.eu-central-1.amazonaws.com", 443, false),
            ("127.0.0.1", 4566, true), ("127.0.0.1", 4567, false), ("127.0.0.1", 5001, false),
            ("auth.example", 8443, true), ("auth.example", 443, false), ("harbor.example", 443, false),
        ]
    )
    func everybody(host: String, port: Int, isTrusted: Bool) throws {
        let guardian = TrustedPlaces.addressGuard(settings: settings, aws: aws)
        let address = try SocketAddress(ipAddress: "10.0.0.1", port: port)
        #expect((guardian.objection(to: address, host: host, port: port, isOwn: false) == nil) == isTrusted)
    }

    @Test(
        "a registry's requests may lead to itself when the operator named it, and to nobody else",
        arguments: [
            ("harbor.example", nil, "https://harbor.example", true), ("harbor.example", nil, "https://quay.io", false),
            ("harbor.example", nil, "https://harbor.example:8443", false),
            ("quay.io", "http://127.0.0.1:5001", "http://127.0.0.1:5001", true),
            ("quay.io", "http://127.0.0.1:5001", "http://127.0.0.1:5002", false),
            ("evil.example", nil, "https://evil.example", false),
            ("evil.example", nil, "https://harbor.example", false),
            ("111122223333.dkr.ecr.eu-central-1.amazonaws.com", "http://127.0.0.1:6001", "http://127.0.0.1:6002", true),
            ("111122223333.dkr.ecr.eu-central-1.amazonaws.com", "http://127.0.0.1:6001", "http://localhost:6002", true),
            ("111122223333.dkr.ecr.eu-central-1.amazonaws.com", "http://127.0.0.1:6001", "http://10.0.0.1:6001", false),
            ("111122223333.dkr.ecr.eu-central-1.amazonaws.com", nil, "https://10.0.0.1", false),
        ] as [(String, String?, String, Bool)]
    )
    func registries(name: String, override: String?, place: String, isOwn: Bool) throws {
        let endpoint = try RegistryEndpoint(registry: name, override: override)
        let origin = try #require(WebAddress(place)?.origin)
        #expect(TrustedPlaces.isOwn(endpoint, settings: settings)(origin) == isOwn)
    }

    @Test(
        "definitions may be beside HealthOmics' stand-in on this machine, by any name of this machine",
        arguments: [
            ("http://localhost:4566", "http://127.0.0.1:9000", true), ("http://[::1]:4566", "http://localhost:9", true),
            ("http://127.0.0.1:4566", "http://10.0.0.1:4566", false),
            ("http://10.0.0.9:4566", "http://10.0.0.9:9000", true),
            ("http://10.0.0.9:4566", "http://127.0.0.1:9000", false),
        ]
    )
    func definitions(override: String, place: String, isTrusted: Bool) throws {
        let aws = AWSSettings(region: "eu-central-1", environment: ["AWS_ENDPOINT_URL_OMICS": override])
        let origin = try #require(WebAddress(place)?.origin)
        #expect(TrustedPlaces.isDefinitionStore(aws: aws)(origin) == isTrusted)
    }

    @Test("the dual-stack names of a partition are its own")
    func partitions() throws {
        let guardian = TrustedPlaces.addressGuard(settings: settings, aws: AWSSettings(region: "cn-north-1"))
        let address = try SocketAddress(ipAddress: "10.0.0.1", port: 443)
        for (host, isTrusted) in [
            ("ecr.cn-north-1.api.amazonwebservices.com.cn", true), ("api.ecr.cn-north-1.amazonaws.com.cn", true),
            ("ecr.cn-north-1.api.aws", false),
        ] {
            #expect((guardian.objection(to: address, host: host, port: 443, isOwn: false) == nil) == isTrusted)
        }
    }

    @Test("networks that a reload adds or removes count at once")
    func reload() throws {
        let guardian = TrustedPlaces.addressGuard(settings: settings, aws: aws)
        let address = try SocketAddress(ipAddress: "10.0.0.1", port: 443)
        #expect(guardian.objection(to: address, host: "x.example", port: 443, isOwn: false) != nil)
        var configuration = settings.current
        configuration.network.trustedNetworks = ["10.0.0.0/8"]
        settings.replace(with: configuration)
        #expect(guardian.objection(to: address, host: "x.example", port: 443, isOwn: false) == nil)
    }
}
