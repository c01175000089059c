import Foundation

/// The one thing asked of IAM: what the policies of a principal would permit. IAM speaks the Query protocol.
package struct IAMClient: Sendable {
    /// Longer lists are asked in several calls.
    private static let actionsPerCall = 50

    let client: AWSClient

    package init(client: AWSClient) { self.client = client }

    /// Whether each action would be allowed on all resources given.
    ///
    /// - Parameter principal: the ARN of a user or role, not of a session.
    /// - Throws: `AWSError`; `isAccessDenied` where simulating itself is not permitted.
    package func simulatePrincipalPolicy(
        principal: String,
        actions: [String],
        resources: [String]
    ) async throws -> [String: Bool] {
        var verdicts: [String: Bool] = [:]
        var rest = actions[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.actionsPerCall)
            rest = rest.dropFirst(part.count)
            var form = [
                ("Action", "SimulatePrincipalPolicy"), ("Version", "2010-05-08"), ("PolicySourceArn", principal),
            ]
            form += part.enumerated().map { ("ActionNames.member.\($0.offset + 1)", $0.element) }
            form += resources.enumerated().map { ("ResourceArns.member.\($0.offset + 1)", $0.element) }
            let decisions = try await client.pages("SimulatePrincipalPolicy") { marker in
                try await page(form + (marker.map { [("Marker", $0)] } ?? []))
            }
            for (action, isAllowed) in decisions { verdicts[action] = isAllowed && (verdicts[action] ?? true) }
        }
        return verdicts
    }

    private func page(_ form: [(String, String)]) async throws -> (items: [(String, Bool)], next: String?) {
        let answer = try await client.call(
            "SimulatePrincipalPolicy",
            method: "POST",
            path: "/",
            headers: [(name: "Content-Type", value: "application/x-www-form-urlencoded; charset=utf-8")],
            body: CallBody(Data(form.map { "\($0.0)=\(Self.encoded($0.1))" }.joined(separator: "&").utf8))
        )
        let text = String(decoding: answer.body, as: UTF8.self)
        let decisions = text.components(separatedBy: "<EvalActionName>").dropFirst().compactMap { member in
            let body = Data("<EvalActionName>\(member)".utf8)
            return XMLText.first("EvalActionName", in: body).flatMap { action in
                XMLText.first("EvalDecision", in: body).map { (action, $0 == "allowed") }
            }
        }
        let isTruncated = XMLText.first("IsTruncated", in: answer.body) == "true"
        return (decisions, isTruncated ? XMLText.first("Marker", in: answer.body) : nil)
    }

    /// The role or user behind a session's ARN: `…:assumed-role/ROLE/SESSION` is `…:role/ROLE`.
    ///
    /// A role's path is not in the session's ARN, so a role with a path is not found.
    package static func principal(ofSession arn: String) -> String {
        let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 6, parts[2] == "sts", parts[5].hasPrefix("assumed-role/") else { return arn }
        let role = parts[5].split(separator: "/")
        guard role.count >= 2 else { return arn }
        return "\(parts[0]):\(parts[1]):iam::\(parts[4]):role/\(role[1])"
    }

    private static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(
            withAllowedCharacters: CharacterSet(
                charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
            )
        ) ?? ""
    }
}
