import Foundation

/// The SQS calls that receiving events needs, on one queue. Source: the service model `sqs/2012-11-05`, JSON protocol.
package struct SQSClient: Sendable {
    /// Most entries of one batch call.
    package static let batchSize = 10

    let client: AWSClient
    /// The queue, named in every body.
    package let queueURL: String

    package init(client: AWSClient, queueURL: String) {
        self.client = client
        self.queueURL = queueURL
    }

    /// The Region in a queue's address, `https://sqs.REGION.…/ACCOUNT/NAME`; nil for another form.
    package static func region(ofQueue url: String) -> String? {
        guard let host = URLComponents(string: url)?.host else { return nil }
        let labels = host.split(separator: ".")
        guard labels.count >= 4, labels[0] == "sqs" || labels[0] == "sqs-fips" else { return nil }
        return String(labels[1])
    }

    /// A message as received; the handle is new at each receive.
    package struct Message: Codable, Sendable {
        package var messageID: String
        package var receiptHandle: String
        package var body: String
        package var attributes: [String: String]?

        enum CodingKeys: String, CodingKey {
            case messageID = "MessageId"
            case receiptHandle = "ReceiptHandle"
            case body = "Body"
            case attributes = "Attributes"
        }

        /// How often it was received, this time counted; nil when the queue did not say.
        package var receiveCount: Int? { attributes?["ApproximateReceiveCount"].flatMap(Int.init) }
    }

    /// An entry of a batch that did not succeed, though the call did.
    package struct BatchFailure: Codable, Sendable, Hashable {
        package var id: String
        package var isSenderFault: Bool?
        package var code: String?
        package var message: String?

        enum CodingKeys: String, CodingKey {
            case id = "Id"
            case isSenderFault = "SenderFault"
            case code = "Code"
            case message = "Message"
        }
    }

    /// Waits for messages, at most 20 s; none is an answer as well.
    package func receiveMessages(
        maximum: Int = 10,
        waitSeconds: Int = 20,
        visibilitySeconds: Int? = nil
    ) async throws -> [Message] {
        struct Output: Decodable {
            var messages: [Message]?
            enum CodingKeys: String, CodingKey { case messages = "Messages" }
        }
        var input: [String: JSONValue] = [
            "QueueUrl": .string(queueURL),
            "MaxNumberOfMessages": Self.number(maximum, in: 1...10),
            "WaitTimeSeconds": Self.number(waitSeconds, in: 0...20),
            "MessageSystemAttributeNames": .array([.string("ApproximateReceiveCount"), .string("SentTimestamp")]),
        ]
        if let visibilitySeconds {
            input["VisibilityTimeout"] = Self.number(visibilitySeconds, in: 0...43_200)
        }
        // The connection is quiet for as long as the queue is empty.
        let patience = Patience(idle: .seconds(waitSeconds + 15))
        return try await call("ReceiveMessage", input, patience: patience, as: Output.self).messages ?? []
    }

    /// Deletes messages by handle.
    ///
    /// - Returns: the handles that were not deleted, with the reason.
    package func deleteMessages(_ handles: [String]) async throws -> [String: BatchFailure] {
        try await batch("DeleteMessageBatch", handles, [:])
    }

    /// Hides messages for so many seconds from now; 0 shows them again.
    ///
    /// - Returns: the handles for which it failed, with the reason.
    package func changeVisibility(_ handles: [String], seconds: Int) async throws -> [String: BatchFailure] {
        try await batch(
            "ChangeMessageVisibilityBatch",
            handles,
            ["VisibilityTimeout": Self.number(seconds, in: 0...43_200)]
        )
    }

    /// Attributes of the queue, such as `ApproximateNumberOfMessages`, `VisibilityTimeout`, `RedrivePolicy`.
    package func queueAttributes(_ names: [String] = ["All"]) async throws -> [String: String] {
        struct Output: Decodable {
            var attributes: [String: String]?
            enum CodingKeys: String, CodingKey { case attributes = "Attributes" }
        }
        let input: [String: JSONValue] = [
            "QueueUrl": .string(queueURL), "AttributeNames": .array(names.map(JSONValue.string)),
        ]
        return try await call("GetQueueAttributes", input, as: Output.self).attributes ?? [:]
    }

    private static func number(_ value: Int, in range: ClosedRange<Int>) -> JSONValue {
        .number(String(min(max(value, range.lowerBound), range.upperBound)))
    }

    private func batch(
        _ operation: String,
        _ handles: [String],
        _ more: [String: JSONValue]
    ) async throws -> [String: BatchFailure] {
        struct Output: Decodable {
            var failed: [BatchFailure]?
            enum CodingKeys: String, CodingKey { case failed = "Failed" }
        }
        var failed: [String: BatchFailure] = [:]
        for part in handles.chunks(of: Self.batchSize) {
            let entries = part.enumerated().map { index, handle in
                JSONValue.object(
                    more.merging(["Id": .string("m\(index)"), "ReceiptHandle": .string(handle)]) { $1 }
                )
            }
            let input: [String: JSONValue] = ["QueueUrl": .string(queueURL), "Entries": .array(entries)]
            for failure in try await call(operation, input, as: Output.self).failed ?? [] {
                guard failure.id.hasPrefix("m"), let index = Int(failure.id.dropFirst()), part.indices.contains(index)
                else { continue }
                failed[part[index]] = failure
            }
        }
        return failed
    }

    private func call<Output: Decodable>(
        _ operation: String,
        _ input: [String: JSONValue],
        patience: Patience = Patience(idle: .seconds(35)),
        as type: Output.Type
    ) async throws -> Output {
        try await client.json(
            operation,
            target: "AmazonSQS",
            version: "1.0",
            input,
            patience: patience,
            as: type
        )
    }
}
