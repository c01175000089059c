/// Where a running sandbox listens; every address is `http://127.0.0.1:PORT`.
package struct SandboxAddresses: Sendable, Hashable, Codable {
    /// HealthOmics, the ECR API, STS, SQS, Secrets Manager and IAM (AWS_ENDPOINT_URL), and `/_sandbox/`.
    package var aws: String
    /// The registry of the account: the `proxyEndpoint` of GetAuthorizationToken.
    package var ecr: String
    /// The name that stands in image URIs: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
    package var ecrName: String
    /// Where presigned addresses point.
    package var storage: String
    /// Upstream registries, by host name (`registries.<host>.endpoint`).
    package var registries: [String: String]
    package var region: String
    package var accountID: String
    /// The credentials that sign; they open nothing outside this sandbox.
    package var accessKeyID: String
    package var secretAccessKey: String
    /// Queues by name; the events of HealthOmics go to `healthomics-events` when it exists.
    package var queues: [String: String]

    /// What a process needs in its environment to talk to this sandbox alone.
    package var environment: [String: String] {
        [
            "AWS_ENDPOINT_URL": aws,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ACCESS_KEY_ID": accessKeyID,
            "AWS_SECRET_ACCESS_KEY": secretAccessKey,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        ]
    }
}
