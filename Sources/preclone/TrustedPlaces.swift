import Precloning
import Remotes

/// Which hosts may be at private addresses: those that the operator named, and AWS's own, which VPC endpoints bring
/// into the network. Every other name came from outside and must be a public one.
enum TrustedPlaces {
    static func addressGuard(settings: Settings, aws: AWSSettings) -> AddressGuard {
        let overrides = Set(
            ["ECR", "OMICS", "STS", "SQS", "SECRETS MANAGER", "S3"]
                .compactMap { aws.override(of: $0).flatMap { WebAddress($0)?.origin.host } }
        )
        // Endpoints of services, such as api.ecr.REGION.SUFFIX; machines and load balancers have other suffixes.
        let suffixes = [".\(aws.region).\(aws.suffix)", ".\(aws.region).api.aws", ".\(aws.region).on.aws"]
        let networks = settings.current.network.trustedNetworks.compactMap(Network.init)
        return AddressGuard(trustedNetworks: networks) { host, port in
            if overrides.contains(host) || suffixes.contains(where: host.hasSuffix) { return true }
            let configuration = settings.current
            let name = "\(host):\(port)"
            if configuration.network.trustedHosts.contains(where: { $0.matches(host) || $0.matches(name) }) {
                return true
            }
            return configuration.registries.hosts.contains { registry, entry in
                let override = entry.endpoint.flatMap { $0 }
                guard let endpoint = try? RegistryEndpoint(registry: registry, override: override, insecure: true)
                else { return false }
                let isImplied = override == nil && !registry.contains(":")
                return endpoint.origin.host == host && (endpoint.origin.port == port || (isImplied && port == 443))
            }
        }
    }
}
