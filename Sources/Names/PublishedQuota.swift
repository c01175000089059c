/// Published call rates by operation, per account and Region.
///
/// Source: HealthOmics user guide, API quotas; Amazon ECR user guide, service quotas. Where AWS publishes nothing, the
/// figure is ours, and throttling corrects it.
package enum PublishedQuota {
    /// Calls of one operation at one time: AWS publishes no figure, this is ours.
    package static let concurrentCalls = 16

    package static func callsPerSecond(_ service: String, _ operation: String) -> Double {
        switch (service, operation) {
        case ("omics", _): 10
        case ("ecr", "BatchGetImage"): 2000
        case ("ecr", "GetDownloadUrlForLayer"): 3000
        case ("ecr", "BatchCheckLayerAvailability"): 1000
        case ("ecr", "UploadLayerPart"), ("ecr", "GetAuthorizationToken"): 500
        case ("ecr", "InitiateLayerUpload"), ("ecr", "CompleteLayerUpload"): 100
        case ("ecr", "PutImage"): 10
        default: 100
        }
    }
}
