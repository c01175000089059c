/// What decides where and how AWS is called: environment and profile, given as values; nothing here looks at the process.
package struct AWSSettings: Sendable {
    package var region: String
    package var environment: [String: String]
    /// The settings of the profile in use, from the config file.
    package var profile: [String: String]
    /// The section that the profile's `services` names: service id to its settings.
    package var services: [String: [String: String]]

    package init(
        region: String,
        environment: [String: String] = [:],
        profile: [String: String] = [:],
        services: [String: [String: String]] = [:]
    ) {
        self.region = region
        self.environment = environment
        self.profile = profile
        self.services = services
    }

    /// The same settings in another Region; in this one where none is named.
    package func inRegion(_ region: String?) -> AWSSettings {
        var settings = self
        settings.region = region ?? self.region
        return settings
    }

    /// The partition's DNS suffix, by the Region's prefix. Source: AWS SDK endpoint rules.
    package var suffix: String {
        if region.hasPrefix("cn-") { return "amazonaws.com.cn" }
        if region.hasPrefix("eusc-") { return "amazonaws.eu" }
        if region.hasPrefix("us-iso-") { return "c2s.ic.gov" }
        if region.hasPrefix("us-isob-") { return "sc2s.sgov.gov" }
        if region.hasPrefix("eu-isoe-") { return "cloud.adc-e.uk" }
        if region.hasPrefix("us-isof-") || region.hasPrefix("eu-isof-") { return "csp.hci.ic.gov" }
        return "amazonaws.com"
    }

    /// The partition of ARNs.
    package var partition: String {
        if region.hasPrefix("cn-") { return "aws-cn" }
        if region.hasPrefix("us-gov-") { return "aws-us-gov" }
        if region.hasPrefix("eusc-") { return "aws-eusc" }
        return "aws"
    }

    /// What follows the account in a private registry's name.
    package var registrySuffix: String { "dkr.ecr.\(region).\(suffix)" }

    /// An endpoint the operator put in place of AWS's own.
    ///
    /// Source: AWS SDKs reference, service-specific endpoints: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, the
    /// profile's services section, the profile's `endpoint_url`; `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` turns all off.
    package func override(of service: String) -> String? {
        if environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]?.lowercased() == "true" { return nil }
        let key = service.uppercased().replacing(" ", with: "_").replacing("-", with: "_")
        let found =
            environment["AWS_ENDPOINT_URL_\(key)"] ?? environment["AWS_ENDPOINT_URL"]
            ?? services[key.lowercased()]?["endpoint_url"] ?? profile["endpoint_url"]
        return found.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A service of AWS as far as its address goes.
    package enum Service: String, Sendable, Hashable, CaseIterable {
        case omics, ecr, sts, sqs
        case secretsManager = "secrets_manager"
        case sso
    }

    /// Where a service is: the operator's endpoint, else AWS's own for the Region, with FIPS and dual stack as asked.
    ///
    /// Source: the endpoint rules of the service models. HealthOmics puts `workflows-` in front of its host, except on an
    /// endpoint of the operator's or with `AWS_DISABLE_HOST_PREFIX_INJECTION`.
    package func endpoint(of service: Service) -> String {
        if var own = override(of: service.rawValue) {
            while own.hasSuffix("/") { own.removeLast() }
            return own
        }
        let (plain, fips): (String, String) =
            switch service {
            case .omics:
                isSet("AWS_DISABLE_HOST_PREFIX_INJECTION", "disable_host_prefix_injection")
                    ? ("omics", "omics-fips") : ("workflows-omics", "workflows-omics-fips")
            // Dual stack drops the `api.`, FIPS does so in the two partitions that have it.
            case .ecr: (usesDualStack ? "ecr" : "api.ecr", usesDualStack || hasShortFIPS ? "ecr-fips" : "api.ecr-fips")
            // GovCloud's plain endpoints of these are FIPS endpoints.
            case .sts: ("sts", partition == "aws-us-gov" && !usesDualStack ? "sts" : "sts-fips")
            case .sqs: ("sqs", partition == "aws-us-gov" && !usesDualStack ? "sqs" : "sqs-fips")
            case .secretsManager: ("secretsmanager", "secretsmanager-fips")
            case .sso: ("portal.sso", "portal.sso-fips")
            }
        return "https://\(usesFIPS ? fips : plain).\(region).\(usesDualStack ? dualStackSuffix : suffix)"
    }

    /// `AWS_USE_FIPS_ENDPOINT` or the profile's `use_fips_endpoint`.
    package var usesFIPS: Bool { isSet("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint") }

    /// `AWS_USE_DUALSTACK_ENDPOINT` or the profile's `use_dualstack_endpoint`.
    package var usesDualStack: Bool { isSet("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint") }

    /// Attempts for a call, the first counted: `AWS_MAX_ATTEMPTS` or the profile's `max_attempts`; nil when neither is a
    /// positive number.
    package var maxAttempts: Int? {
        (environment["AWS_MAX_ATTEMPTS"] ?? profile["max_attempts"]).flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
    }

    /// `AWS_RETRY_MODE` or the profile's `retry_mode`; `legacy` and anything unknown is `standard`.
    package var retryMode: RetryMode {
        (environment["AWS_RETRY_MODE"] ?? profile["retry_mode"]).flatMap { RetryMode(rawValue: $0.lowercased()) }
            ?? .standard
    }

    private var hasShortFIPS: Bool { partition == "aws" || partition == "aws-us-gov" }

    private var dualStackSuffix: String {
        switch partition {
        case "aws-cn": "api.amazonwebservices.com.cn"
        case "aws-eusc": "api.amazonwebservices.eu"
        default: "api.aws"
        }
    }

    private func isSet(_ variable: String, _ key: String) -> Bool {
        (environment[variable] ?? profile[key])?.lowercased() == "true"
    }
}
