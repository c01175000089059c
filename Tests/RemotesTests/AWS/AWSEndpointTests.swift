import Names
import Remotes
import Testing

/// Where services are. The table is what the endpoint rules of botocore 1.44 come to, with HealthOmics' host prefix.
@Suite("AWS endpoints")
struct AWSEndpointTests {
    private static let table = """
        omics us-east-1 - - workflows-omics.us-east-1.amazonaws.com
        omics us-east-1 - dual workflows-omics.us-east-1.api.aws
        omics us-east-1 fips - workflows-omics-fips.us-east-1.amazonaws.com
        omics us-east-1 fips dual workflows-omics-fips.us-east-1.api.aws
        omics us-gov-west-1 - - workflows-omics.us-gov-west-1.amazonaws.com
        omics us-gov-west-1 - dual workflows-omics.us-gov-west-1.api.aws
        omics us-gov-west-1 fips - workflows-omics-fips.us-gov-west-1.amazonaws.com
        omics us-gov-west-1 fips dual workflows-omics-fips.us-gov-west-1.api.aws
        ecr us-east-1 - - api.ecr.us-east-1.amazonaws.com
        ecr us-east-1 - dual ecr.us-east-1.api.aws
        ecr us-east-1 fips - api.ecr-fips.us-east-1.amazonaws.com
        ecr us-east-1 fips dual ecr-fips.us-east-1.api.aws
        ecr cn-northwest-1 - - api.ecr.cn-northwest-1.amazonaws.com.cn
        ecr cn-northwest-1 - dual ecr.cn-northwest-1.api.amazonwebservices.com.cn
        ecr cn-northwest-1 fips - api.ecr-fips.cn-northwest-1.amazonaws.com.cn
        ecr cn-northwest-1 fips dual ecr-fips.cn-northwest-1.api.amazonwebservices.com.cn
        ecr us-gov-west-1 - - api.ecr.us-gov-west-1.amazonaws.com
        ecr us-gov-west-1 - dual ecr.us-gov-west-1.api.aws
        ecr us-gov-west-1 fips - api.ecr-fips.us-gov-west-1.amazonaws.com
        ecr us-gov-west-1 fips dual ecr-fips.us-gov-west-1.api.aws
        ecr eusc-de-east-1 - - api.ecr.eusc-de-east-1.amazonaws.eu
        ecr eusc-de-east-1 - dual ecr.eusc-de-east-1.api.amazonwebservices.eu
        ecr eusc-de-east-1 fips - api.ecr-fips.eusc-de-east-1.amazonaws.eu
        ecr eusc-de-east-1 fips dual ecr-fips.eusc-de-east-1.api.amazonwebservices.eu
        ecr us-iso-east-1 - - api.ecr.us-iso-east-1.c2s.ic.gov
        ecr us-iso-east-1 - dual ecr.us-iso-east-1.api.aws.ic.gov
        ecr us-iso-east-1 fips - api.ecr-fips.us-iso-east-1.c2s.ic.gov
        ecr us-iso-east-1 fips dual ecr-fips.us-iso-east-1.api.aws.ic.gov
        ecr us-isob-east-1 - - api.ecr.us-isob-east-1.sc2s.sgov.gov
        ecr us-isob-east-1 - dual ecr.us-isob-east-1.api.aws.scloud
        ecr us-isob-east-1 fips - api.ecr-fips.us-isob-east-1.sc2s.sgov.gov
        ecr us-isob-east-1 fips dual ecr-fips.us-isob-east-1.api.aws.scloud
        ecr eu-isoe-west-1 - - api.ecr.eu-isoe-west-1.cloud.adc-e.uk
        ecr eu-isoe-west-1 - dual ecr.eu-isoe-west-1.api.cloud-aws.adc-e.uk
        ecr eu-isoe-west-1 fips - api.ecr-fips.eu-isoe-west-1.cloud.adc-e.uk
        ecr eu-isoe-west-1 fips dual ecr-fips.eu-isoe-west-1.api.cloud-aws.adc-e.uk
        ecr us-isof-south-1 - - api.ecr.us-isof-south-1.csp.hci.ic.gov
        ecr us-isof-south-1 - dual ecr.us-isof-south-1.api.aws.hci.ic.gov
        ecr us-isof-south-1 fips - api.ecr-fips.us-isof-south-1.csp.hci.ic.gov
        ecr us-isof-south-1 fips dual ecr-fips.us-isof-south-1.api.aws.hci.ic.gov
        sts us-east-1 - - sts.us-east-1.amazonaws.com
        sts us-east-1 - dual sts.us-east-1.api.aws
        sts us-east-1 fips - sts-fips.us-east-1.amazonaws.com
        sts us-east-1 fips dual sts-fips.us-east-1.api.aws
        sts cn-northwest-1 - - sts.cn-northwest-1.amazonaws.com.cn
        sts cn-northwest-1 - dual sts.cn-northwest-1.api.amazonwebservices.com.cn
        sts cn-northwest-1 fips - sts-fips.cn-northwest-1.amazonaws.com.cn
        sts cn-northwest-1 fips dual sts-fips.cn-northwest-1.api.amazonwebservices.com.cn
        sts us-gov-west-1 - - sts.us-gov-west-1.amazonaws.com
        sts us-gov-west-1 - dual sts.us-gov-west-1.api.aws
        sts us-gov-west-1 fips - sts.us-gov-west-1.amazonaws.com
        sts us-gov-west-1 fips dual sts-fips.us-gov-west-1.api.aws
        sts eusc-de-east-1 - - sts.eusc-de-east-1.amazonaws.eu
        sts eusc-de-east-1 - dual sts.eusc-de-east-1.api.amazonwebservices.eu
        sts eusc-de-east-1 fips - sts-fips.eusc-de-east-1.amazonaws.eu
        sts eusc-de-east-1 fips dual sts-fips.eusc-de-east-1.api.amazonwebservices.eu
        sqs us-east-1 - - sqs.us-east-1.amazonaws.com
        sqs us-east-1 - dual sqs.us-east-1.api.aws
        sqs us-east-1 fips - sqs-fips.us-east-1.amazonaws.com
        sqs us-east-1 fips dual sqs-fips.us-east-1.api.aws
        sqs cn-northwest-1 - - sqs.cn-northwest-1.amazonaws.com.cn
        sqs cn-northwest-1 - dual sqs.cn-northwest-1.api.amazonwebservices.com.cn
        sqs cn-northwest-1 fips - sqs-fips.cn-northwest-1.amazonaws.com.cn
        sqs cn-northwest-1 fips dual sqs-fips.cn-northwest-1.api.amazonwebservices.com.cn
        sqs us-gov-west-1 - - sqs.us-gov-west-1.amazonaws.com
        sqs us-gov-west-1 - dual sqs.us-gov-west-1.api.aws
        sqs us-gov-west-1 fips - sqs.us-gov-west-1.amazonaws.com
        sqs us-gov-west-1 fips dual sqs-fips.us-gov-west-1.api.aws
        sqs eusc-de-east-1 - - sqs.eusc-de-east-1.amazonaws.eu
        sqs eusc-de-east-1 - dual sqs.eusc-de-east-1.api.amazonwebservices.eu
        sqs eusc-de-east-1 fips - sqs-fips.eusc-de-east-1.amazonaws.eu
        sqs eusc-de-east-1 fips dual sqs-fips.eusc-de-east-1.api.amazonwebservices.eu
        secrets_manager us-east-1 - - secretsmanager.us-east-1.amazonaws.com
        secrets_manager us-east-1 - dual secretsmanager.us-east-1.amazonaws.com
        secrets_manager us-east-1 fips - secretsmanager-fips.us-east-1.amazonaws.com
        secrets_manager us-east-1 fips dual secretsmanager-fips.us-east-1.amazonaws.com
        secrets_manager cn-northwest-1 - - secretsmanager.cn-northwest-1.amazonaws.com.cn
        secrets_manager cn-northwest-1 - dual secretsmanager.cn-northwest-1.amazonaws.com.cn
        secrets_manager cn-northwest-1 fips - secretsmanager-fips.cn-northwest-1.amazonaws.com.cn
        secrets_manager cn-northwest-1 fips dual secretsmanager-fips.cn-northwest-1.api.amazonwebservices.com.cn
        secrets_manager us-gov-west-1 - - secretsmanager.us-gov-west-1.amazonaws.com
        secrets_manager us-gov-west-1 - dual secretsmanager.us-gov-west-1.amazonaws.com
        secrets_manager us-gov-west-1 fips - secretsmanager-fips.us-gov-west-1.amazonaws.com
        secrets_manager us-gov-west-1 fips dual secretsmanager-fips.us-gov-west-1.amazonaws.com
        secrets_manager eusc-de-east-1 - - secretsmanager.eusc-de-east-1.amazonaws.eu
        secrets_manager eusc-de-east-1 - dual secretsmanager.eusc-de-east-1.api.amazonwebservices.eu
        secrets_manager eusc-de-east-1 fips - secretsmanager-fips.eusc-de-east-1.amazonaws.eu
        secrets_manager eusc-de-east-1 fips dual secretsmanager-fips.eusc-de-east-1.api.amazonwebservices.eu
        secrets_manager us-iso-east-1 - - secretsmanager.us-iso-east-1.c2s.ic.gov
        secrets_manager us-iso-east-1 - dual secretsmanager.us-iso-east-1.api.aws.ic.gov
        secrets_manager us-iso-east-1 fips - secretsmanager-fips.us-iso-east-1.c2s.ic.gov
        secrets_manager us-iso-east-1 fips dual secretsmanager-fips.us-iso-east-1.api.aws.ic.gov
        secrets_manager us-isob-east-1 - - secretsmanager.us-isob-east-1.sc2s.sgov.gov
        secrets_manager us-isob-east-1 - dual secretsmanager.us-isob-east-1.api.aws.scloud
        secrets_manager us-isob-east-1 fips - secretsmanager-fips.us-isob-east-1.sc2s.sgov.gov
        secrets_manager us-isob-east-1 fips dual secretsmanager-fips.us-isob-east-1.api.aws.scloud
        secrets_manager eu-isoe-west-1 - - secretsmanager.eu-isoe-west-1.cloud.adc-e.uk
        secrets_manager eu-isoe-west-1 - dual secretsmanager.eu-isoe-west-1.api.cloud-aws.adc-e.uk
        secrets_manager eu-isoe-west-1 fips - secretsmanager-fips.eu-isoe-west-1.cloud.adc-e.uk
        secrets_manager eu-isoe-west-1 fips dual secretsmanager-fips.eu-isoe-west-1.api.cloud-aws.adc-e.uk
        secrets_manager us-isof-south-1 - - secretsmanager.us-isof-south-1.csp.hci.ic.gov
        secrets_manager us-isof-south-1 - dual secretsmanager.us-isof-south-1.api.aws.hci.ic.gov
        secrets_manager us-isof-south-1 fips - secretsmanager-fips.us-isof-south-1.csp.hci.ic.gov
        secrets_manager us-isof-south-1 fips dual secretsmanager-fips.us-isof-south-1.api.aws.hci.ic.gov
        iam us-east-1 - - iam.amazonaws.com
        iam us-east-1 - dual iam.global.api.aws
        iam us-east-1 fips - iam-fips.amazonaws.com
        iam us-east-1 fips dual iam-fips.global.api.aws
        iam cn-northwest-1 - - iam.cn-north-1.amazonaws.com.cn
        iam cn-northwest-1 - dual iam.global.api.amazonwebservices.com.cn
        iam cn-northwest-1 fips - iam-fips.amazonaws.com.cn
        iam cn-northwest-1 fips dual iam-fips.api.amazonwebservices.com.cn
        iam us-gov-west-1 - - iam.us-gov.amazonaws.com
        iam us-gov-west-1 - dual iam.us-gov.api.aws
        iam us-gov-west-1 fips - iam.us-gov.amazonaws.com
        iam us-gov-west-1 fips dual iam.us-gov.api.aws
        iam eusc-de-east-1 - - iam.eusc-de-east-1.amazonaws.eu
        iam eusc-de-east-1 - dual iam.global.api.amazonwebservices.eu
        iam eusc-de-east-1 fips - iam-fips.amazonaws.eu
        iam eusc-de-east-1 fips dual iam-fips.api.amazonwebservices.eu
        iam us-iso-east-1 - - iam.us-iso-east-1.c2s.ic.gov
        iam us-iso-east-1 - dual iam.api.aws.ic.gov
        iam us-iso-east-1 fips - iam-fips.us-iso-east-1.c2s.ic.gov
        iam us-iso-east-1 fips dual iam-fips.api.aws.ic.gov
        iam us-isob-east-1 - - iam.us-isob-east-1.sc2s.sgov.gov
        iam us-isob-east-1 - dual iam.api.aws.scloud
        iam us-isob-east-1 fips - iam-fips.us-isob-east-1.sc2s.sgov.gov
        iam us-isob-east-1 fips dual iam-fips.api.aws.scloud
        iam eu-isoe-west-1 - - iam.eu-isoe-west-1.cloud.adc-e.uk
        iam eu-isoe-west-1 - dual iam.api.cloud-aws.adc-e.uk
        iam eu-isoe-west-1 fips - iam-fips.cloud.adc-e.uk
        iam eu-isoe-west-1 fips dual iam-fips.api.cloud-aws.adc-e.uk
        iam us-isof-south-1 - - iam.us-isof-south-1.csp.hci.ic.gov
        iam us-isof-south-1 - dual iam.api.aws.hci.ic.gov
        iam us-isof-south-1 fips - iam-fips.csp.hci.ic.gov
        iam us-isof-south-1 fips dual iam-fips.api.aws.hci.ic.gov
        sso us-east-1 - - portal.sso.us-east-1.amazonaws.com
        sso us-east-1 - dual portal.sso.us-east-1.api.aws
        sso us-east-1 fips - portal.sso-fips.us-east-1.amazonaws.com
        sso us-east-1 fips dual portal.sso-fips.us-east-1.api.aws
        sso us-gov-west-1 - - portal.sso.us-gov-west-1.amazonaws.com
        sso us-gov-west-1 - dual portal.sso.us-gov-west-1.api.aws
        sso us-gov-west-1 fips - portal.sso.us-gov-west-1.amazonaws.com
        sso us-gov-west-1 fips dual portal.sso-fips.us-gov-west-1.api.aws
        """

    @Test("every partition, with FIPS and dual stack, as the SDKs have them")
    func table() throws {
        let rows = Self.table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(rows.count == 144)
        for row in rows {
            let service = try #require(AWSSettings.Service(rawValue: row[0]))
            var environment: [String: String] = [:]
            if row[2] == "fips" { environment["AWS_USE_FIPS_ENDPOINT"] = "true" }
            if row[3] == "dual" { environment["AWS_USE_DUALSTACK_ENDPOINT"] = "true" }
            let settings = AWSSettings(region: row[1], environment: environment)
            #expect(settings.endpoint(of: service) == "https://\(row[4])", "\(row)")
        }
    }

    @Test(
        "partitions have their own names, suffixes and first Regions",
        arguments: [
            ("eu-central-1", "aws", "amazonaws.com", "us-east-1"),
            ("mx-central-1", "aws", "amazonaws.com", "us-east-1"),
            ("cn-northwest-1", "aws-cn", "amazonaws.com.cn", "cn-north-1"),
            ("us-gov-east-1", "aws-us-gov", "amazonaws.com", "us-gov-west-1"),
            ("eusc-de-east-1", "aws-eusc", "amazonaws.eu", "eusc-de-east-1"),
            ("us-iso-west-1", "aws-iso", "c2s.ic.gov", "us-iso-east-1"),
            ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov", "us-isob-east-1"),
            ("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk", "eu-isoe-west-1"),
            ("us-isof-east-1", "aws-iso-f", "csp.hci.ic.gov", "us-isof-south-1"),
        ]
    )
    func partitions(region: String, name: String, suffix: String, identityRegion: String) {
        let settings = AWSSettings(region: region)
        #expect(settings.partition.rawValue == name && settings.suffix == suffix)
        #expect(settings.registrySuffix == "dkr.ecr.\(region).\(suffix)")
        #expect(settings.signingRegion(of: .iam) == identityRegion && settings.signingRegion(of: .ecr) == region)
    }

    @Test(
        "the operator's endpoints: the service's variable, the general one, the profile's services, the profile's own"
    )
    func overrides() {
        func ecr(
            _ environment: [String: String],
            profile: [String: String] = ["endpoint_url": "http://profile"],
            services: [String: [String: String]] = ["ecr": ["endpoint_url": "http://section"]]
        ) -> String {
            AWSSettings(region: "us-east-1", environment: environment, profile: profile, services: services)
                .endpoint(of: .ecr)
        }
        let own = "https://api.ecr.us-east-1.amazonaws.com"
        #expect(ecr(["AWS_ENDPOINT_URL_ECR": "http://one", "AWS_ENDPOINT_URL": "http://all"]) == "http://one")
        #expect(ecr(["AWS_ENDPOINT_URL": "http://all/"]) == "http://all")
        #expect(ecr([:]) == "http://section")
        #expect(ecr([:], services: [:]) == "http://profile")
        #expect(ecr([:], profile: [:], services: [:]) == own)
        #expect(
            ecr(["AWS_ENDPOINT_URL_ECR": "", "AWS_ENDPOINT_URL": "http://all"]) == "http://all",
            "empty is not set"
        )
        #expect(ecr(["AWS_ENDPOINT_URL": "http://all", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "True"]) == own)
        #expect(ecr([:], profile: ["endpoint_url": "http://p", "ignore_configured_endpoint_urls": "true"]) == own)
        let omics = AWSSettings(region: "us-east-1", environment: ["AWS_ENDPOINT_URL": "http://127.0.0.1:9/base/"])
        #expect(omics.endpoint(of: .omics) == "http://127.0.0.1:9/base", "no host prefix on it")
        let bare = AWSSettings(region: "us-east-1", environment: ["AWS_DISABLE_HOST_PREFIX_INJECTION": "true"])
        #expect(bare.endpoint(of: .omics) == "https://omics.us-east-1.amazonaws.com")
    }
}
