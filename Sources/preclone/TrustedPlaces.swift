import Configuring
import Model
import Names
import Precloning
import Remotes

/// Which hosts may be at private addresses: those that the operator named, and AWS's own, which VPC endpoints bring
/// into the network. Every other name came from outside and must be a public one.
enum TrustedPlaces {
    /// The judge of every connection.
    static func addressGuard(settings: Settings, aws: AWSSettings) -> AddressGuard {
        let overrides = Set((services + ["S3"]).compactMap { aws.override(of: $0).flatMap { WebAddress($0)?.origin } })
        return AddressGuard(
            trustedNetworks: settings.current.network.trustedNetworks.compactMap(Network.init)
        ) { host, port in
            if overrides.contains(where: { $0.host == host && $0.port == port }) { return true }
            if port == 443, isEndpoint(host, of: aws) { return true }
            return settings.current.network.trustedHosts.contains { $0.matches(host) || $0.matches("\(host):\(port)") }
        }
    }

    /// Where the requests of one registry may lead at private addresses: to the registry itself, if it is the account's
    /// ECR or the operator named it, and to nobody else who does not stand in the configuration's network section.
    static func isOwn(_ endpoint: RegistryEndpoint, settings: Settings) -> @Sendable (WebAddress.Origin) -> Bool {
        let own = endpoint.origin
        if (try? ImageReference("\(endpoint.name)/x/y")).flatMap(ECRLocation.init) != nil {
            // One that AWS's API or the operator put elsewhere keeps layers beside it.
            let isElsewhere = own.host != endpoint.name
            return { $0 == own || (isElsewhere && isOneMachine($0.host, own.host)) }
        }
        guard settings.current.registries.hosts[endpoint.name] != nil else { return { _ in false } }
        let realm = endpoint.tokenRealm
        return { $0 == own || $0 == realm }
    }

    /// Where exported definitions may be at private addresses: beside an endpoint of the operator's.
    static func isDefinitionStore(aws: AWSSettings) -> @Sendable (WebAddress.Origin) -> Bool {
        let hosts = Set(["OMICS", "S3"].compactMap { aws.override(of: $0).flatMap { WebAddress($0)?.origin.host } })
        return { origin in hosts.contains { isOneMachine($0, origin.host) } }
    }

    /// What stands in for AWS on this machine may name its parts by any name that this machine has for itself.
    private static func isOneMachine(_ one: String, _ other: String) -> Bool {
        one == other || (RegistryEndpoint.isLoopback(one) && RegistryEndpoint.isLoopback(other))
    }

    private static let services = AWSSettings.Service.allCases.map(\.rawValue)

    /// What stands before the Region in the names of the services that we call and of the buckets that they lead to.
    /// Brokers, file systems and databases of other people have other names there.
    private static let labels: Set<String> = [
        "ecr", "ecr-fips", "dkr-ecr", "dkr-ecr-fips", "omics", "omics-fips", "workflows-omics", "workflows-omics-fips",
        "sts", "sts-fips", "sqs", "sqs-fips", "sns", "sns-fips", "events", "events-fips", "secretsmanager",
        "secretsmanager-fips", "sso", "sso-fips", "s3",
        "s3-fips",
    ]

    private static func isEndpoint(_ host: String, of aws: AWSSettings) -> Bool {
        for suffix in [aws.suffix, aws.partition.dualStackSuffix, "on.aws"]
        where host.hasSuffix(".\(aws.region).\(suffix)") {
            let names = host.dropLast(aws.region.utf8.count + suffix.utf8.count + 2).split(separator: ".")
            // `BUCKET.s3.dualstack.REGION…`
            let last = names.last == "dualstack" ? names.dropLast().last : names.last
            if let last, labels.contains(String(last)) { return true }
        }
        return false
    }
}
