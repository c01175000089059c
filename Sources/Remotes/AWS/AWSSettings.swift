package import Names

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

    /// The partition that the Region is in.
    package var partition: AWSPartition { AWSPartition(region: region) }

    /// The partition's DNS suffix.
    package var suffix: String { partition.suffix }

    /// What follows the account in a private registry's name.
    package var registrySuffix: String { "dkr.ecr.\(region).\(suffix)" }

    /// An endpoint the operator put in place of AWS's own. A variable that is set and empty is not set.
    ///
    /// Source: AWS SDKs reference, service-specific endpoints: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, the
    /// profile's services section, the profile's `endpoint_url`; `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` or the profile's
    /// `ignore_configured_endpoint_urls` turns all off.
    package func override(of service: String) -> String? {
        if isSet("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls") { return nil }
        let key = service.uppercased().replacing(" ", with: "_").replacing("-", with: "_")
        let found = [
            environment["AWS_ENDPOINT_URL_\(key)"], environment["AWS_ENDPOINT_URL"],
            services[key.lowercased()]?["endpoint_url"], profile["endpoint_url"],
        ]
        return found.lazy.compactMap(\.self).first { !$0.isEmpty }
    }

    /// Checks what would otherwise fail at the first call, and there for every image alike.
    ///
    /// - Throws: `TransportError` whose host is the variable or key to correct.
    package func validate() throws(TransportError) {
        guard !region.isEmpty,
            region.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2d })
        else {
            throw TransportError(
                kind: .invalidRequest,
                host: "the AWS Region",
                detail: "it has characters that no Region has; correct aws.region or AWS_REGION"
            )
        }
        for service in Service.allCases {
            guard let own = override(of: service.rawValue) else { continue }
            let address = WebAddress(own)
            guard address == nil || address?.target.contains("?") == true else { continue }
            let names = ["AWS_ENDPOINT_URL_\(service.rawValue.uppercased())", "AWS_ENDPOINT_URL"]
            throw TransportError(
                kind: .invalidRequest,
                host: names.first { environment[$0] == own } ?? "endpoint_url of the profile",
                detail: "it is no URL of http or https without user and query"
            )
        }
    }

    /// A service of AWS as far as its address goes; the raw value is its id in variables and profiles.
    package enum Service: String, Sendable, Hashable, CaseIterable {
        case omics, ecr, sts, sqs
        case secretsManager = "secrets_manager"
        case sso, iam
        case ssoOIDC = "sso_oidc"
        case ecrPublic = "ecr_public"
        case sns
        case events = "eventbridge"
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
        var isDual = usesDualStack
        // GovCloud's plain endpoints of these are FIPS endpoints.
        let isGov = partition == .usGov && !isDual
        let (plain, fips): (String, String)
        switch service {
        case .omics:
            (plain, fips) =
                isSet("AWS_DISABLE_HOST_PREFIX_INJECTION", "disable_host_prefix_injection")
                ? ("omics", "omics-fips") : ("workflows-omics", "workflows-omics-fips")
        // Dual stack drops the `api.`.
        case .ecr: (plain, fips) = isDual ? ("ecr", "ecr-fips") : ("api.ecr", "api.ecr-fips")
        case .sts: (plain, fips) = ("sts", isGov ? "sts" : "sts-fips")
        case .sqs: (plain, fips) = ("sqs", isGov ? "sqs" : "sqs-fips")
        case .secretsManager:
            (plain, fips) = ("secretsmanager", "secretsmanager-fips")
            // Where these partitions have both, it is under one name.
            if [.standard, .usGov].contains(partition) || (partition == .china && !usesFIPS) { isDual = false }
        case .sso: (plain, fips) = ("portal.sso", isGov ? "portal.sso" : "portal.sso-fips")
        case .ssoOIDC: (plain, fips) = ("oidc", isGov ? "oidc" : "oidc-fips")
        case .ecrPublic: return ECRPublicClient.endpoint
        case .sns: (plain, fips) = ("sns", isGov ? "sns" : "sns-fips")
        case .events: (plain, fips) = ("events", isGov ? "events" : "events-fips")
        case .iam: return "https://\(partition.identityHost(fips: usesFIPS, dualStack: isDual))"
        }
        return "https://\(usesFIPS ? fips : plain).\(region).\(isDual ? partition.dualStackSuffix : suffix)"
    }

    /// The Region that a service's signatures name. IAM is one service for a partition, ECR Public one for all.
    package func signingRegion(of service: Service) -> String {
        switch service {
        case .iam: partition.identityRegion
        case .ecrPublic: ECRPublicClient.region
        default: region
        }
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

    private func isSet(_ variable: String, _ key: String) -> Bool {
        (environment[variable] ?? profile[key])?.lowercased() == "true"
    }
}
