import Foundation

/// Publishing to a topic. SNS speaks the Query protocol. Source: the service model `sns/2010-03-31`.
package struct SNSClient: Sendable {
    let client: AWSClient

    package init(client: AWSClient) { self.client = client }

    /// - Parameters:
    ///   - id: the same whenever the message is sent again; a FIFO topic takes it once within five minutes.
    ///   - subject: cut to the 100 characters that a subject may have, in ASCII.
    package func publish(topicARN: String, id: String, subject: String, message: String) async throws {
        var form = [
            ("Action", "Publish"), ("Version", "2010-03-31"), ("TopicArn", topicARN), ("Message", message),
            ("Subject", Self.subject(subject)), ("MessageAttributes.entry.1.Name", "id"),
            ("MessageAttributes.entry.1.Value.DataType", "String"), ("MessageAttributes.entry.1.Value.StringValue", id),
        ]
        if topicARN.hasSuffix(".fifo") { form += [("MessageGroupId", "preclone"), ("MessageDeduplicationId", id)] }
        _ = try await client.call(
            "Publish",
            method: "POST",
            path: "/",
            headers: [(name: "Content-Type", value: "application/x-www-form-urlencoded; charset=utf-8")],
            body: CallBody(Data(form.map { "\($0.0)=\(SigV4.encoded($0.1))" }.joined(separator: "&").utf8))
        )
    }

    static func subject(_ text: String) -> String {
        let plain = text.unicodeScalars.map { (0x20..<0x7f).contains($0.value) ? Character($0) : " " }
        let cut = String(plain.prefix(100)).trimmingCharacters(in: .whitespaces)
        return cut.isEmpty ? "preclone" : cut
    }
}

/// Putting events on a bus. Source: the service model `eventbridge/2015-10-07`.
package struct EventBridgeClient: Sendable {
    let client: AWSClient

    package init(client: AWSClient) { self.client = client }

    /// - Parameter bus: its name or ARN.
    /// - Throws: `AWSError`, also for an event that was not taken by a call that succeeded.
    package func putEvent(bus: String, source: String, detailType: String, detail: String) async throws {
        struct Output: Decodable {
            struct Entry: Decodable {
                var code: String?
                var message: String?

                enum CodingKeys: String, CodingKey {
                    case code = "ErrorCode"
                    case message = "ErrorMessage"
                }
            }
            var entries: [Entry]?

            enum CodingKeys: String, CodingKey { case entries = "Entries" }
        }
        let entry: [String: JSONValue] = [
            "Source": .string(source), "DetailType": .string(detailType), "Detail": .string(detail),
            "EventBusName": .string(bus),
        ]
        let output: Output = try await client.json(
            "PutEvents",
            target: "AWSEvents",
            ["Entries": JSONValue.array([.object(entry)])]
        )
        guard let refused = output.entries?.first(where: { $0.code != nil }) else { return }
        throw AWSError(
            operation: "events:PutEvents",
            code: refused.code ?? "Unknown",
            message: refused.message ?? "the event was not taken",
            kind: .permanent
        )
    }
}
