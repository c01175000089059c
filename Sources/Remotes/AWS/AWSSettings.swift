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
}
