/// A partition of AWS: Regions that share accounts, names and certificates with each other and with no other Region.
///
/// Source: the partitions file and the endpoint rules of the AWS SDKs.
package enum AWSPartition: String, Sendable, Hashable, CaseIterable {
    case standard = "aws"
    case china = "aws-cn"
    case usGov = "aws-us-gov"
    case europeanSovereign = "aws-eusc"
    case iso = "aws-iso"
    case isoB = "aws-iso-b"
    case isoE = "aws-iso-e"
    case isoF = "aws-iso-f"

    /// The partition of a Region, by the Region's prefix; a prefix that is not known is one of the standard partition.
    package init(region: String) {
        let prefixes: [(String, AWSPartition)] = [
            ("cn-", .china), ("us-gov-", .usGov), ("eusc-", .europeanSovereign), ("us-iso-", .iso),
            ("us-isob-", .isoB), ("eu-isoe-", .isoE), ("us-isof-", .isoF), ("eu-isof-", .isoF),
        ]
        self = prefixes.first { region.hasPrefix($0.0) }?.1 ?? .standard
    }

    /// What hosts end with.
    package var suffix: String {
        switch self {
        case .standard, .usGov: "amazonaws.com"
        case .china: "amazonaws.com.cn"
        case .europeanSovereign: "amazonaws.eu"
        case .iso: "c2s.ic.gov"
        case .isoB: "sc2s.sgov.gov"
        case .isoE: "cloud.adc-e.uk"
        case .isoF: "csp.hci.ic.gov"
        }
    }

    /// What hosts end with that have IPv6 addresses as well.
    package var dualStackSuffix: String {
        switch self {
        case .standard, .usGov: "api.aws"
        case .china: "api.amazonwebservices.com.cn"
        case .europeanSovereign: "api.amazonwebservices.eu"
        case .iso: "api.aws.ic.gov"
        case .isoB: "api.aws.scloud"
        case .isoE: "api.cloud-aws.adc-e.uk"
        case .isoF: "api.aws.hci.ic.gov"
        }
    }

    /// The Region that signatures for IAM name.
    package var identityRegion: String {
        switch self {
        case .standard: "us-east-1"
        case .china: "cn-north-1"
        case .usGov: "us-gov-west-1"
        case .europeanSovereign: "eusc-de-east-1"
        case .iso: "us-iso-east-1"
        case .isoB: "us-isob-east-1"
        case .isoE: "eu-isoe-west-1"
        case .isoF: "us-isof-south-1"
        }
    }

    /// The host of IAM.
    package func identityHost(fips: Bool, dualStack: Bool) -> String {
        switch (self, fips, dualStack) {
        case (.usGov, _, _): "iam.us-gov.\(dualStack ? dualStackSuffix : suffix)"
        case (.standard, let fips, true): "\(fips ? "iam-fips" : "iam").global.\(dualStackSuffix)"
        case (.standard, let fips, false): "\(fips ? "iam-fips" : "iam").\(suffix)"
        case (.china, false, true), (.europeanSovereign, false, true): "iam.global.\(dualStackSuffix)"
        case (.iso, true, false), (.isoB, true, false): "iam-fips.\(identityRegion).\(suffix)"
        case (_, true, let dualStack): "iam-fips.\(dualStack ? dualStackSuffix : suffix)"
        case (_, false, true): "iam.\(dualStackSuffix)"
        case (_, false, false): "iam.\(identityRegion).\(suffix)"
        }
    }
}
