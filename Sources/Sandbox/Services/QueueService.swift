import Crypto
import Foundation
import Remotes

/// A queue and its messages.
struct SandboxQueue: Sendable {
    struct Message: Sendable {
        var id: String
        var body: String
        var sentAt: Date
        var visibleAt: Date
        var receives = 0
        var firstReceivedAt: Date?
        /// The newest receipt handle; older ones no longer count.
        var receipt: String?
    }

    var name: String
    var createdAt: Date
    var visibility: TimeInterval = 30
    /// After so many receives a message goes to the dead-letter queue of this name.
    var maxReceives: Int?
    var deadLetterName: String?
    var messages: [Message] = []
}

/// The SQS API (JSON 1.0).
struct QueueService: Sendable {
    let world: World

    func answer(_ operation: String, _ input: SandboxJSON) async throws -> SandboxJSON {
        guard operation == "ReceiveMessage" else {
            return try world.with { state in
                switch operation {
                case "CreateQueue": try state.createQueue(input)
                case "GetQueueUrl": try state.queueURL(input)
                case "ListQueues": state.listQueues()
                case "DeleteQueue": try state.deleteQueue(input)
                case "PurgeQueue": try state.purgeQueue(input)
                case "SendMessage": try state.sendMessage(input)
                case "DeleteMessage": try state.settle([input], input, deleting: true).first.map { try $0.get() } ?? [:]
                case "ChangeMessageVisibility":
                    try state.settle([input], input, deleting: false).first.map { try $0.get() } ?? [:]
                case "DeleteMessageBatch": try state.settleBatch(input, deleting: true)
                case "ChangeMessageVisibilityBatch": try state.settleBatch(input, deleting: false)
                case "GetQueueAttributes": try state.queueAttributes(input)
                default: throw AWSFailure("InvalidAction", "The sandbox has no operation \(operation).")
                }
            }
        }
        let wait = input["WaitTimeSeconds"]?.integer ?? 0
        guard (0...20).contains(wait) else {
            throw AWSFailure("InvalidParameterValue", "WaitTimeSeconds must be from 0 to 20.")
        }
        let timeline = world.configuration.timeline
        let end = timeline.elapsed() + .seconds(wait)
        while true {
            let messages = try world.with { try $0.receive(input) }
            if !messages.isEmpty { return ["Messages": .array(messages)] }
            // An empty answer has no Messages at all.
            if timeline.elapsed() >= end { return [:] }
            try await timeline.sleep(.milliseconds(50))
        }
    }
}

extension WorldState {
    mutating func send(_ body: String, to name: String, delay: TimeInterval) {
        let message = SandboxQueue.Message(
            id: uuid(),
            body: body,
            sentAt: now,
            visibleAt: now.addingTimeInterval(delay)
        )
        queues[name]?.messages.append(message)
    }

    /// Makes a queue, or gives the address of the one there is.
    mutating func queue(named name: String) -> String {
        if queues[name] == nil { queues[name] = SandboxQueue(name: name, createdAt: now) }
        return queueAddress(name)
    }

    private func queueAddress(_ name: String) -> String {
        "https://sqs.\(configuration.region).amazonaws.com/\(accountID)/\(name)"
    }

    /// The queue's name from the body's QueueUrl, whatever host it has.
    private func name(_ input: SandboxJSON) throws -> String {
        guard let address = input["QueueUrl"]?.string, let name = address.split(separator: "/").last.map(String.init),
            queues[name] != nil
        else { throw AWSFailure("QueueDoesNotExist", "The specified queue does not exist.") }
        return name
    }

    fileprivate mutating func createQueue(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let name = input["QueueName"]?.string, name.wholeMatch(of: /[A-Za-z0-9_-]{1,80}/) != nil else {
            throw AWSFailure("InvalidParameterValue", "QueueName is 1 to 80 letters, digits, - and _.")
        }
        let url = queue(named: name)
        let attributes = input["Attributes"]
        if let text = attributes?["VisibilityTimeout"]?.string, let seconds = Double(text) {
            queues[name]?.visibility = seconds
        }
        if let text = attributes?["RedrivePolicy"]?.string, let policy = try? SandboxJSON(json: Data(text.utf8)) {
            queues[name]?.maxReceives =
                policy["maxReceiveCount"]?.integer
                ?? policy["maxReceiveCount"]?.string.flatMap { Int($0) }
            queues[name]?.deadLetterName = policy["deadLetterTargetArn"]?.string?.split(separator: ":").last
                .map(String.init)
        }
        return ["QueueUrl": .string(url)]
    }

    fileprivate func queueURL(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let name = input["QueueName"]?.string, queues[name] != nil else {
            throw AWSFailure("QueueDoesNotExist", "The specified queue does not exist.")
        }
        return ["QueueUrl": .string(queueAddress(name))]
    }

    fileprivate func listQueues() -> SandboxJSON {
        ["QueueUrls": .array(queues.keys.sorted().map { .string(queueAddress($0)) })]
    }

    fileprivate mutating func deleteQueue(_ input: SandboxJSON) throws -> SandboxJSON {
        queues[try name(input)] = nil
        return [:]
    }

    fileprivate mutating func purgeQueue(_ input: SandboxJSON) throws -> SandboxJSON {
        queues[try name(input)]?.messages = []
        return [:]
    }

    fileprivate mutating func sendMessage(_ input: SandboxJSON) throws -> SandboxJSON {
        let name = try name(input)
        guard let body = input["MessageBody"]?.string, !body.isEmpty else {
            throw AWSFailure("MissingParameter", "MessageBody is required.")
        }
        send(body, to: name, delay: TimeInterval(input["DelaySeconds"]?.integer ?? 0))
        return ["MessageId": .string(queues[name]?.messages.last?.id ?? ""), "MD5OfMessageBody": .string(md5(body))]
    }

    private func md5(_ text: String) -> String {
        SandboxDigest.hex(Insecure.MD5.hash(data: Data(text.utf8)))
    }

    fileprivate mutating func receive(_ input: SandboxJSON) throws -> [SandboxJSON] {
        let name = try name(input)
        let most = input["MaxNumberOfMessages"]?.integer ?? 1
        guard (1...10).contains(most) else {
            throw AWSFailure("InvalidParameterValue", "MaxNumberOfMessages must be from 1 to 10.")
        }
        let attributes =
            (input["MessageSystemAttributeNames"]?.strings ?? []) + (input["AttributeNames"]?.strings ?? [])
        let timeout = input["VisibilityTimeout"]?.double ?? queues[name]?.visibility ?? 30
        var received: [SandboxJSON] = []
        for index in (queues[name]?.messages ?? []).indices.reversed() {
            guard let queue = queues[name], let limit = queue.maxReceives, let target = queue.deadLetterName else {
                break
            }
            let message = queue.messages[index]
            guard message.receives >= limit, message.visibleAt <= now else { continue }
            queues[name]?.messages.remove(at: index)
            send(message.body, to: target, delay: 0)
        }
        for index in (queues[name]?.messages ?? []).indices where received.count < most {
            guard var message = queues[name]?.messages[index], message.visibleAt <= now else { continue }
            let receipt = token(48)
            message.receives += 1
            message.firstReceivedAt = message.firstReceivedAt ?? now
            message.visibleAt = now.addingTimeInterval(timeout)
            message.receipt = receipt
            queues[name]?.messages[index] = message
            func milliseconds(_ date: Date?) -> SandboxJSON? {
                date.map { .string(String(Int64($0.timeIntervalSince1970 * 1000))) }
            }
            let all: [String: SandboxJSON?] = [
                "ApproximateReceiveCount": .string(String(message.receives)),
                "SentTimestamp": milliseconds(message.sentAt),
                "ApproximateFirstReceiveTimestamp": milliseconds(message.firstReceivedAt),
            ]
            let shown = all.filter { attributes.contains($0.key) || attributes.contains("All") }
            received.append(
                .compact([
                    "MessageId": .string(message.id), "ReceiptHandle": .string(receipt),
                    "MD5OfBody": .string(md5(message.body)), "Body": .string(message.body),
                    "Attributes": shown.isEmpty ? nil : .compact(shown),
                ])
            )
        }
        return received
    }

    /// Deletes messages, or changes when they are seen again; one result each.
    fileprivate mutating func settle(
        _ entries: [SandboxJSON],
        _ input: SandboxJSON,
        deleting: Bool
    ) throws -> [Result<SandboxJSON, AWSFailure>] {
        let name = try name(input)
        return entries.map { entry in
            guard let receipt = entry["ReceiptHandle"]?.string, receipt.utf8.count == 48 else {
                return .failure(
                    AWSFailure("ReceiptHandleIsInvalid", "The input receipt handle is not a valid receipt handle.")
                )
            }
            let index = queues[name]?.messages.firstIndex { $0.receipt == receipt }
            if deleting {
                // Deleting what is gone already is no error.
                if let index { queues[name]?.messages.remove(at: index) }
                return .success([:])
            }
            guard let timeout = entry["VisibilityTimeout"]?.integer, (0...43200).contains(timeout) else {
                return .failure(AWSFailure("InvalidParameterValue", "VisibilityTimeout must be from 0 to 43200."))
            }
            guard let index, let message = queues[name]?.messages[index], message.visibleAt > now else {
                return .failure(AWSFailure("MessageNotInflight", "The message is not in flight."))
            }
            let visibleAt = now.addingTimeInterval(TimeInterval(timeout))
            queues[name]?.messages[index].visibleAt = visibleAt
            return .success([:])
        }
    }

    fileprivate mutating func settleBatch(_ input: SandboxJSON, deleting: Bool) throws -> SandboxJSON {
        let entries = input["Entries"]?.array ?? []
        guard !entries.isEmpty else { throw AWSFailure("EmptyBatchRequest", "There are no entries.") }
        guard entries.count <= 10 else {
            throw AWSFailure("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10.")
        }
        guard Set(entries.map { $0["Id"]?.string ?? "" }).count == entries.count else {
            throw AWSFailure("BatchEntryIdsNotDistinct", "The ids of the entries are not distinct.")
        }
        var done: [SandboxJSON] = []
        var failed: [SandboxJSON] = []
        for (entry, result) in zip(entries, try settle(entries, input, deleting: deleting)) {
            let id = entry["Id"] ?? ""
            switch result {
            case .success: done.append(["Id": id])
            case .failure(let failure):
                failed.append([
                    "Id": id, "SenderFault": true, "Code": .string(failure.code), "Message": .string(failure.message),
                ])
            }
        }
        return ["Successful": .array(done), "Failed": .array(failed)]
    }

    fileprivate func queueAttributes(_ input: SandboxJSON) throws -> SandboxJSON {
        let name = try name(input)
        guard let queue = queues[name] else { return [:] }
        let seen = queue.messages.filter { $0.visibleAt <= now }.count
        let all: [String: SandboxJSON] = [
            "QueueArn": .string("arn:aws:sqs:\(configuration.region):\(accountID):\(name)"),
            "ApproximateNumberOfMessages": .string(String(seen)),
            "ApproximateNumberOfMessagesNotVisible": .string(String(queue.messages.count - seen)),
            "ApproximateNumberOfMessagesDelayed": "0",
            "VisibilityTimeout": .string(String(Int(queue.visibility))),
            "CreatedTimestamp": .string(String(Int(queue.createdAt.timeIntervalSince1970))),
        ]
        let wanted = input["AttributeNames"]?.strings ?? []
        return ["Attributes": .object(all.filter { wanted.contains($0.key) || wanted.contains("All") })]
    }
}
