import Foundation

/// Who we are, and roles to be. STS speaks the Query protocol: a form in, XML out.
package struct STSClient: Sendable {
    let client: AWSClient

    package init(client: AWSClient) { self.client = client }

    package struct Identity: Sendable, Hashable {
        package var account: String
        package var arn: String
    }

    /// The account and ARN behind the credentials; needs no permission.
    package func getCallerIdentity() async throws -> Identity {
        let answer = try await call("GetCallerIdentity", [])
        guard let account = XMLText.first("Account", in: answer.body), let arn = XMLText.first("Arn", in: answer.body)
        else { throw broken("GetCallerIdentity", "the answer names no account", answer) }
        return Identity(account: account, arn: arn)
    }

    /// Credentials of a role.
    ///
    /// - Parameters:
    ///   - sessionName: 2 to 64 of `A-Z a-z 0-9 _ + = , . @ -`; see `sessionName(_:)`.
    ///   - duration: seconds, 900 to 43,200; nil: the service's hour.
    package func assumeRole(
        roleARN: String,
        sessionName: String,
        externalID: String? = nil,
        duration: Int? = nil,
        provider: String
    ) async throws -> AWSCredentials {
        var form = [("RoleArn", roleARN), ("RoleSessionName", sessionName)]
        if let externalID { form.append(("ExternalId", externalID)) }
        if let duration { form.append(("DurationSeconds", String(duration))) }
        return try credentials(try await call("AssumeRole", form), "AssumeRole", provider)
    }

    /// Credentials of a role for a token of an identity provider (EKS service accounts). The call is not signed.
    package func assumeRoleWithWebIdentity(
        roleARN: String,
        sessionName: String,
        webIdentityToken: String,
        duration: Int? = nil,
        provider: String
    ) async throws -> AWSCredentials {
        var form = [("RoleArn", roleARN), ("RoleSessionName", sessionName), ("WebIdentityToken", webIdentityToken)]
        if let duration { form.append(("DurationSeconds", String(duration))) }
        let answer = try await call("AssumeRoleWithWebIdentity", form, isSigned: false)
        return try credentials(answer, "AssumeRoleWithWebIdentity", provider)
    }

    /// A name STS accepts: other characters become `-`, short ones are lengthened, long ones cut.
    package static func sessionName(_ text: String) -> String {
        let fitting = text.unicodeScalars.map { scalar -> Character in
            let isPlain =
                ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
            return isPlain || "_+=,.@-".unicodeScalars.contains(scalar) ? Character(scalar) : "-"
        }
        let name = String(fitting.prefix(64))
        return name.count < 2 ? "preclone" : name
    }

    private func call(
        _ action: String,
        _ fields: [(String, String)],
        isSigned: Bool = true
    ) async throws -> AWSClient.Answer {
        let form = [("Action", action), ("Version", "2011-06-15")] + fields
        return try await client.call(
            action,
            method: "POST",
            path: "/",
            headers: [(name: "Content-Type", value: "application/x-www-form-urlencoded; charset=utf-8")],
            body: CallBody(Data(form.map { "\($0.0)=\(SigV4.encoded($0.1))" }.joined(separator: "&").utf8)),
            isSigned: isSigned
        )
    }

    private func credentials(
        _ answer: AWSClient.Answer,
        _ action: String,
        _ provider: String
    ) throws -> AWSCredentials {
        guard let id = XMLText.first("AccessKeyId", in: answer.body),
            let secret = XMLText.first("SecretAccessKey", in: answer.body),
            let token = XMLText.first("SessionToken", in: answer.body),
            let expiration = XMLText.first("Expiration", in: answer.body).flatMap(AWSDates.date)
        else { throw broken(action, "the answer holds no credentials with an expiration", answer) }
        return AWSCredentials(
            accessKeyID: id,
            secretAccessKey: secret,
            sessionToken: token,
            expiration: expiration,
            provider: provider
        )
    }

    private func broken(_ action: String, _ message: String, _ answer: AWSClient.Answer) -> AWSError {
        AWSError(
            operation: "sts:\(action)",
            code: "BrokenAnswer",
            message: message,
            status: answer.status,
            requestID: answer.requestID,
            kind: .brokenAnswer
        )
    }
}
