import Foundation

/// How a service writes its errors, and which codes it uses for the faults that every service has.
enum Wire: Sendable, Hashable {
    /// HealthOmics.
    case restJSON
    /// ECR, Secrets Manager.
    case json11
    /// SQS.
    case json10
    /// STS, IAM.
    case query
    /// Presigned objects.
    case storage
    /// A registry of the distribution specification.
    case registry

    func reply(_ failure: AWSFailure) -> Reply {
        var reply: Reply
        var members = failure.members
        switch self {
        case .restJSON:
            members["message"] = .string(failure.message)
            reply = .json(.object(members), status: failure.status)
            reply.headers.append(("x-amzn-errortype", failure.code))
        case .json11:
            members["__type"] = .string(failure.code)
            members["message"] = .string(failure.message)
            reply = .json(.object(members), status: failure.status, type: "application/x-amz-json-1.1")
        case .json10:
            members["__type"] = .string("com.amazonaws.sqs#" + failure.code)
            members["message"] = .string(failure.message)
            reply = .json(.object(members), status: failure.status, type: "application/x-amz-json-1.0")
            let fault = failure.status < 500 ? "Sender" : "Receiver"
            reply.headers.append(("x-amzn-query-error", "\(Self.legacyCode(failure.code));\(fault)"))
        case .query:
            reply = .xml(
                """
                <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>\
                <Type>\(failure.status < 500 ? "Sender" : "Receiver")</Type><Code>\(XML.escape(failure.code))</Code>\
                <Message>\(XML.escape(failure.message))</Message></Error>\
                <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>
                """,
                status: failure.status
            )
        case .storage:
            reply = .xml(
                "<Error><Code>\(XML.escape(failure.code))</Code><Message>\(XML.escape(failure.message))</Message></Error>",
                status: failure.status,
                type: "application/xml"
            )
        case .registry:
            reply = .json(
                ["errors": [["code": .string(failure.code), "message": .string(failure.message)]]],
                status: failure.status
            )
        }
        for (name, value) in failure.headers.sorted(by: { $0.key < $1.key }) { reply.headers.append((name, value)) }
        return reply
    }

    /// SQS keeps the codes of its older protocol in a header.
    private static func legacyCode(_ code: String) -> String {
        switch code {
        case "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue"
        case "BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"
        case "EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest"
        case "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
        default: code
        }
    }

    func throttled(retryAfter: Int?) -> AWSFailure {
        var failure =
            switch self {
            case .restJSON: AWSFailure("ThrottlingException", "Rate exceeded", status: 429)
            case .json11: AWSFailure("ThrottlingException", "Rate exceeded")
            case .json10: AWSFailure("RequestThrottled", "Rate exceeded", status: 403)
            case .query: AWSFailure("Throttling", "Rate exceeded")
            case .storage: AWSFailure("SlowDown", "Please reduce your request rate.", status: 503)
            case .registry: AWSFailure("TOOMANYREQUESTS", "Rate exceeded", status: 429)
            }
        if let retryAfter { failure.headers["Retry-After"] = String(retryAfter) }
        return failure
    }

    var expired: AWSFailure {
        let text = "The security token included in the request is expired"
        return switch self {
        case .restJSON: AWSFailure("ExpiredTokenException", text, status: 403)
        case .json11, .json10: AWSFailure("ExpiredTokenException", text)
        case .query: AWSFailure("ExpiredToken", text, status: 403)
        case .storage: AWSFailure("AccessDenied", "Request has expired", status: 403)
        case .registry:
            AWSFailure(
                "DENIED",
                "Your authorization token has expired. Reauthenticate and try again.",
                status: 403
            )
        }
    }

    func broken(status: Int, code: String?, message: String?) -> AWSFailure {
        let usual =
            switch self {
            case .restJSON: "InternalServerException"
            case .json11: "ServerException"
            case .json10, .query: "InternalFailure"
            case .storage: "InternalError"
            case .registry: "UNKNOWN"
            }
        return AWSFailure(code ?? usual, message ?? "The sandbox was told to fail here.", status: status)
    }
}

/// The little XML that the Query protocol and storage errors need.
enum XML {
    static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
