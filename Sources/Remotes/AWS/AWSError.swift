/// A call to an AWS service that did not succeed: what was called, what the service said, and whether another try helps.
package struct AWSError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is; decided once, here.
    package enum Kind: Sendable, Hashable {
        case throttled, transient, expiredCredentials, clockSkew, accessDenied, notFound, permanent
        /// No credentials were found at all.
        case noCredentials
        /// The answer could not be understood.
        case brokenAnswer
        /// There is no way to the service: its certificate, its address or the proxy is not acceptable. Nothing was asked.
        case unreachable
    }

    /// `ecr:CreateRepository`.
    package var operation: String
    /// The service's code, such as `RepositoryNotFoundException`.
    package var code: String
    package var message: String
    package var status: Int?
    package var requestID: String?
    package var kind: Kind
    /// What the service asked us to wait, at most an hour. Waits of up to 20 s were kept before this was thrown.
    package var retryAfter: Duration?
    /// Whole numbers of the answer's body by name, such as `lastValidByteReceived` of ECR's InvalidLayerPartException.
    package var numbers: [String: Int64]

    package init(
        operation: String,
        code: String,
        message: String,
        status: Int? = nil,
        requestID: String? = nil,
        kind: Kind,
        retryAfter: Duration? = nil,
        numbers: [String: Int64] = [:]
    ) {
        self.operation = operation
        self.code = code
        self.message = message
        self.status = status
        self.requestID = requestID
        self.kind = kind
        self.retryAfter = retryAfter
        self.numbers = numbers
    }

    /// A transport's failure, in the middle of a call.
    init(_ error: TransportError, in operation: String) {
        self.init(
            operation: operation,
            code: "",
            message: error.description,
            kind: error.isWorthRetrying ? .transient : .unreachable
        )
    }

    /// Whether a call succeeded and its answer is not what it should be.
    var isUnreadable: Bool { kind == .brokenAnswer && status.map((200..<300).contains) == true }
    package var isWorthRetrying: Bool { kind == .throttled || kind == .transient || kind == .brokenAnswer }
    package var isNotFound: Bool { kind == .notFound }
    package var isAccessDenied: Bool { kind == .accessDenied }
    /// It says nothing of what was asked for: our keys, our clock or our way to the service are not right.
    package var isOfCredentials: Bool {
        [.noCredentials, .expiredCredentials, .clockSkew, .unreachable].contains(kind)
    }
    /// Whoever answers for AWS here does not have this operation.
    package var isUnknownOperation: Bool {
        status == 501 || ["UnknownOperationException", "UnknownOperation", "NotImplemented"].contains(code)
    }

    package var description: String {
        var text = "\(operation): \(code.isEmpty ? "failed" : code)"
        if !message.isEmpty { text += ": \(message)" }
        if let status { text += " (HTTP \(status)" + (requestID.map { ", request \($0))" } ?? ")") }
        return text
    }

    private static let throttling: Set<String> = [
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
        "TooManyRequestsException", "ProvisionedThroughputExceededException", "TransactionInProgressException",
        "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "RequestThrottled", "SlowDown",
        "PriorRequestNotComplete", "EC2ThrottledException",
        // Of SQS: as many messages in flight as a queue may have; it takes more when some are done.
        "OverLimit",
    ]
    private static let transient: Set<String> = [
        "RequestTimeout", "RequestTimeoutException", "InternalServerException", "ServerException", "InternalError",
        "ServiceUnavailable", "IDPCommunicationError", "KmsThrottled",
    ]
    private static let expired: Set<String> = ["ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException"]
    private static let skewed: Set<String> = [
        "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "InvalidSignatureException",
        "SignatureDoesNotMatch", "AuthFailure",
    ]

    /// The kind that a service, a code and a status stand for. ECR's `LimitExceededException` means a quota is reached,
    /// not that we were too fast.
    static func kind(service: String, code: String, status: Int) -> Kind {
        if code == "LimitExceededException", service == "ecr" { return .permanent }
        if throttling.contains(code) { return .throttled }
        if transient.contains(code) { return .transient }
        if expired.contains(code) { return .expiredCredentials }
        if skewed.contains(code) { return .clockSkew }
        if code.hasPrefix("AccessDenied") || code == "NotAuthorized" { return .accessDenied }
        if code.hasSuffix("NotFoundException") || code.hasSuffix("NotFound") || code.contains("NonExistentQueue")
            || code == "QueueDoesNotExist"
        {
            return .notFound
        }
        switch status {
        case 429, 509: return .throttled
        case 408, 500, 502, 503, 504: return .transient
        // AWS names what it refuses; an answer without a name is of something in between.
        case 400...499 where code.isEmpty: return .brokenAnswer
        case 403: return .accessDenied
        case 404: return .notFound
        default: return .permanent
        }
    }
}
