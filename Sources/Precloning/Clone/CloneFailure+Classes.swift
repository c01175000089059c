import Definitions
import Model
import Remotes

extension CloneFailure {
    /// What to do about an image without linux/amd64. Source: HealthOmics user guide, container images: x86_64 only.
    static let platformMend = "HealthOmics runs linux/amd64 only: name an image that has it"

    /// The class of an error, decided here from what the layer below said it is.
    package init(_ error: any Error) {
        switch error {
        case let failure as CloneFailure: self = failure
        case let error as RegistryError: self.init(registry: error)
        case let error as AWSError: self.init(aws: error)
        case let error as TransportError: self.init(registry: RegistryError(error, host: error.host))
        case let error as LedgerError:
            self.init(.disk, message: error.description, mend: "free space for the record, or mend it")
        case let error as any RecordFault:
            self.init(.disk, message: error.recordFault, mend: "free space for the record, or mend it")
        default:
            self.init(.ours, message: "\(error)", mend: "report it; preclone tries again")
        }
    }

    private init(registry error: RegistryError) {
        let failureClass: FailureClass =
            switch error.kind {
            case .notFound, .repositoryNotFound: .notFound
            case .denied, .addressRefused: .denied
            case .noCredentials: .noCredentials
            case .throttled: .throttled
            case .quotaExhausted: .quota
            case .unreachable, .serverFault: .unreachable
            case .brokenAnswer, .uploadGone, .storeFault, .incomplete, .tooLarge: .brokenAnswer
            case .digestMismatch: .digestMismatch
            case .unsupported: .unsupported
            case .platformMissing: .platform
            case .tagImmutable: .conflict
            case .refused: .denied
            }
        let mend = error.kind == .platformMissing ? Self.platformMend : error.mend
        self.init(failureClass, message: error.description, mend: mend)
        host = error.host
        status = error.status
        retryAfter = error.retryAfter
        isHeldBack = error.isHeldBack
    }

    private init(aws error: AWSError) {
        let failureClass: FailureClass
        let mend: String
        switch error.kind {
        case .throttled: (failureClass, mend) = (.throttled, "nothing: it is tried again")
        case .transient: (failureClass, mend) = (.unreachable, "nothing: it is tried again")
        case .unreachable:
            (failureClass, mend) = (
                .unreachable,
                "check AWS's certificate authority (network.caFile, AWS_CA_BUNDLE), the endpoint, the proxy and the clock"
            )
        case .accessDenied: (failureClass, mend) = (.denied, "give preclone's role \(error.operation)")
        case .expiredCredentials, .noCredentials, .clockSkew:
            (failureClass, mend) = (.noCredentials, "see `preclone check` for the credentials in use")
        case .notFound: (failureClass, mend) = (.notFound, "see the service's message")
        case .brokenAnswer: (failureClass, mend) = (.brokenAnswer, "nothing: it is tried again")
        case .permanent where error.code == "LimitExceededException":
            (failureClass, mend) = (.unsupported, "raise the account's ECR quota, or remove what is not used")
        case .permanent: (failureClass, mend) = (.unsupported, "see the service's message")
        }
        self.init(failureClass, message: error.description, mend: mend)
        status = error.status
        requestID = error.requestID
        retryAfter = error.retryAfter
        concernsAll = failureClass == .noCredentials
    }
}
