import Foundation

/// Who we are. STS speaks the Query protocol: a form in, XML out.
package struct STSClient: Sendable {
    let client: AWSClient

    package init(client: AWSClient) { self.client = client }

    package struct Identity: Sendable, Hashable {
        package var account: String
        package var arn: String
    }

    /// The account and ARN behind the credentials; needs no permission.
    package func getCallerIdentity() async throws -> Identity {
        let answer = try await client.call(
            "GetCallerIdentity",
            method: "POST",
            path: "/",
            headers: [(name: "Content-Type", value: "application/x-www-form-urlencoded; charset=utf-8")],
            body: Data("Action=GetCallerIdentity&Version=2011-06-15".utf8)
        )
        guard let account = XMLText.first("Account", in: answer.body), let arn = XMLText.first("Arn", in: answer.body)
        else {
            throw AWSError(
                operation: "sts:GetCallerIdentity",
                code: "BrokenAnswer",
                message: "the answer names no account",
                status: answer.status,
                requestID: answer.requestID,
                kind: .brokenAnswer
            )
        }
        return Identity(account: account, arn: arn)
    }
}
