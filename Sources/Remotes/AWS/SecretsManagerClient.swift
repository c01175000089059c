import Foundation

/// The one thing asked of Secrets Manager: the login of an upstream registry. Source: the service model
/// `secretsmanager/2017-10-17`.
package struct SecretsManagerClient: Sendable {
    let client: AWSClient

    package init(client: AWSClient) { self.client = client }

    /// A secret's current value. Its text never shows it.
    package struct SecretValue: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
        package var arn: String
        package var text: String

        package var description: String { "<redacted secret \(arn)>" }
        package var debugDescription: String { description }
    }

    /// - Throws: `AWSError`; also when the secret is binary, since a registry's login is text.
    package func getSecretValue(secretId: String) async throws -> SecretValue {
        struct Output: Decodable {
            var arn: String?
            var text: String?

            enum CodingKeys: String, CodingKey {
                case arn = "ARN"
                case text = "SecretString"
            }
        }
        let output = try await client.json(
            "GetSecretValue",
            target: "secretsmanager",
            ["SecretId": secretId],
            as: Output.self
        )
        guard let text = output.text else {
            throw AWSError(
                operation: "secretsmanager:GetSecretValue",
                code: "BinarySecret",
                message: "`\(secretId)` holds no text; store the registry's login as JSON text",
                kind: .permanent
            )
        }
        return SecretValue(arn: output.arn ?? secretId, text: text)
    }
}
