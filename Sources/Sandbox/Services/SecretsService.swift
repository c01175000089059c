import Foundation

/// A secret of Secrets Manager.
struct SandboxSecret: Sendable {
    var arn: String
    var name: String
    var value: String
    var createdAt: Date
}

extension WorldState {
    /// Keeps a secret.
    ///
    /// - Returns: its ARN, which ends in a dash and six characters.
    mutating func putSecret(_ name: String, _ value: String) -> String {
        let known = secrets[name]?.arn
        let arn = known ?? "arn:aws:secretsmanager:\(configuration.region):\(accountID):secret:\(name)-\(token(6))"
        secrets[name] = SandboxSecret(arn: arn, name: name, value: value, createdAt: now)
        return arn
    }

    /// The Secrets Manager API (JSON 1.1).
    mutating func secretsManager(_ operation: String, _ input: SandboxJSON) throws -> SandboxJSON {
        switch operation {
        case "CreateSecret":
            guard let name = input["Name"]?.string, let value = input["SecretString"]?.string else {
                throw AWSFailure.missing("SecretString")
            }
            guard secrets[name] == nil else {
                throw AWSFailure("ResourceExistsException", "The secret \(name) already exists.")
            }
            let arn = putSecret(name, value)
            return ["ARN": .string(arn), "Name": .string(name), "VersionId": .string(uuid())]
        case "GetSecretValue":
            guard let id = input["SecretId"]?.string else { throw AWSFailure.missing("SecretId") }
            guard let secret = secrets[id] ?? secrets.values.first(where: { $0.arn == id }) else {
                throw AWSFailure(
                    "ResourceNotFoundException",
                    "Secrets Manager can't find the specified secret.",
                    status: 400
                )
            }
            return [
                "ARN": .string(secret.arn), "Name": .string(secret.name), "SecretString": .string(secret.value),
                "VersionId": .string(uuid()), "VersionStages": ["AWSCURRENT"], "CreatedDate": .epoch(secret.createdAt),
            ]
        default: throw AWSFailure("InvalidRequestException", "The sandbox has no operation \(operation).")
        }
    }
}
