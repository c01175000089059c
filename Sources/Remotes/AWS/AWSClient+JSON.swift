package import Foundation

extension AWSClient {
    /// A REST-JSON read (HealthOmics). An answer that cannot be read is asked for again, since asking changes nothing.
    package func rest<Output: Decodable>(
        _ operation: String,
        method: String = "GET",
        path: String,
        query: [(name: String, value: String)] = [],
        as type: Output.Type = Output.self
    ) async throws -> Output {
        try await restWithText(operation, method: method, path: path, query: query).value
    }

    /// The same, with the answer's text: a decoder does not tell `1.0` from `1`, and a parameter may need to.
    package func restWithText<Output: Decodable>(
        _ operation: String,
        method: String = "GET",
        path: String,
        query: [(name: String, value: String)] = [],
        as type: Output.Type = Output.self
    ) async throws -> (value: Output, text: Data) {
        try await call(operation, method, path, query, [], CallBody()) { (try decode(operation, $0), $0.body) }
    }

    /// An AWS JSON operation (ECR, SQS, Secrets Manager) that may be sent twice: a read, or one whose repetition changes
    /// nothing. An answer that cannot be read is asked for again.
    package func json<Output: Decodable>(
        _ operation: String,
        target: String,
        version: String = "1.1",
        _ input: some Encodable,
        patience: Patience = Patience(idle: .seconds(35)),
        as type: Output.Type = Output.self
    ) async throws -> Output {
        let body = CallBody(try Self.encoded(input))
        return try await post(operation, target, version, body, patience) { try decode(operation, $0) }
    }

    /// An AWS JSON operation that changes something, with the request's id: AWS's name for what was done, for CloudTrail
    /// and support.
    package func jsonWithID<Output: Decodable>(
        _ operation: String,
        target: String,
        version: String = "1.1",
        _ input: some Encodable,
        patience: Patience = Patience(idle: .seconds(35)),
        as type: Output.Type = Output.self
    ) async throws -> (value: Output, requestID: String?) {
        try await jsonWithID(
            operation,
            target: target,
            version: version,
            body: CallBody(try Self.encoded(input)),
            patience: patience
        )
    }

    /// An AWS JSON operation whose input is a document already.
    package func jsonWithID<Output: Decodable>(
        _ operation: String,
        target: String,
        version: String = "1.1",
        body: CallBody,
        patience: Patience = Patience(idle: .seconds(35)),
        as type: Output.Type = Output.self
    ) async throws -> (value: Output, requestID: String?) {
        let answer = try await post(operation, target, version, body, patience) { $0 }
        return (try decode(operation, answer), answer.requestID)
    }

    private func post<Value>(
        _ operation: String,
        _ target: String,
        _ version: String,
        _ body: CallBody,
        _ patience: Patience,
        _ read: (Answer) throws -> Value
    ) async throws -> Value {
        let headers = [
            (name: "Content-Type", value: "application/x-amz-json-\(version)"),
            (name: "X-Amz-Target", value: "\(target).\(operation)"),
        ]
        return try await call(operation, "POST", "/", [], headers, body, true, patience, read)
    }

    private static func encoded(_ input: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(input)
    }

    private func decode<Output: Decodable>(_ operation: String, _ answer: Answer) throws -> Output {
        guard JSONBounds.holds(answer.body, values: Self.mostValues) else {
            throw AWSError(
                operation: "\(endpoint.service):\(operation)",
                code: "AnswerTooLarge",
                message: "the answer has more than \(Self.mostValues) values",
                status: answer.status,
                requestID: answer.requestID,
                kind: .brokenAnswer
            )
        }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom(AWSDates.decode)
        do {
            return try decoder.decode(Output.self, from: answer.body.isEmpty ? Data("{}".utf8) : answer.body)
        } catch {
            throw AWSError(
                operation: "\(endpoint.service):\(operation)",
                code: "BrokenAnswer",
                message: "the answer cannot be read: \(Self.words(error))",
                status: answer.status,
                requestID: answer.requestID,
                kind: .brokenAnswer
            )
        }
    }

    private static func words(_ error: any Error) -> String {
        func path(_ context: DecodingError.Context) -> String {
            context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
        }
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            return "`\(key.stringValue)` is missing at `\(path(context))`"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            return "`\(path(context))`: \(context.debugDescription)"
        case DecodingError.dataCorrupted(let context): return context.debugDescription
        default: return "\(error)"
        }
    }

    /// All pages of a list. Stops with an error when the service gives a token twice, so that it never turns in circles.
    func pages<Item>(
        _ operation: String,
        _ page: (_ token: String?) async throws -> (items: [Item], next: String?)
    ) async throws -> [Item] {
        var items: [Item] = []
        try await eachPage(operation, page) { items += $0 }
        return items
    }

    /// The same, handing each page on as it comes: the first need not wait for the last.
    func eachPage<Item>(
        _ operation: String,
        _ page: (_ token: String?) async throws -> (items: [Item], next: String?),
        _ take: ([Item]) throws -> Void
    ) async throws {
        var token: String?
        var seen: Set<String> = []
        repeat {
            let answer = try await page(token)
            try take(answer.items)
            token = answer.next.flatMap { $0.isEmpty ? nil : $0 }
            if let token, !seen.insert(token).inserted {
                throw AWSError(
                    operation: "\(endpoint.service):\(operation)",
                    code: "RepeatedToken",
                    message: "the service gave the same page token twice",
                    kind: .permanent
                )
            }
        } while token != nil
    }
}
