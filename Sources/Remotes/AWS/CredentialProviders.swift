package import Foundation

/// Asks the providers in the order of the SDKs: environment, profile with a role, web identity, IAM Identity Center,
/// keys of a profile, its process, container, instance metadata.
package struct CredentialProviders: Sendable {
    /// Runs a program with arguments, without a shell, and returns what it wrote to standard output.
    package typealias ProcessRunner = @Sendable (_ words: [String]) async throws -> Data

    let environment: [String: String]
    let profiles: AWSProfiles
    let profileName: String
    /// Named by an argument, not by the environment: then the environment's own keys do not count.
    let isExplicit: Bool
    let settings: AWSSettings?
    let readFile: @Sendable (String) -> Data?
    let transport: any HTTPTransport
    let serviceTransport: any HTTPTransport
    let runProcess: ProcessRunner?
    /// Replaces a file; false where that is not possible.
    let writeFile: @Sendable (String, Data) -> Bool
    let timeline: Timeline
    let logins = RenewedLogins()

    func find() async throws -> AWSCredentials? {
        if !isExplicit, let keys = try fromEnvironment() { return keys }
        let profile = profiles.profile(profileName)
        if let profile, profile["role_arn"] != nil, profile["web_identity_token_file"] == nil,
            let found = try await fromProfile(profileName, visited: [])
        {
            return found
        }
        if !isExplicit, let found = try await fromWebIdentity(environment) { return found }
        if let found = try await fromProfile(profileName, visited: []) { return found }
        if isExplicit, let found = try await fromWebIdentity(environment) { return found }
        if let keys = try await fromContainer() { return keys }
        return try await fromInstance()
    }

    func fromEnvironment() throws -> AWSCredentials? {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            guard HeaderText.isToken(environment[name] ?? "") else {
                throw failure(name, "has a blank, a line break or another character that no key has")
            }
        }
        guard let id = environment["AWS_ACCESS_KEY_ID"], !id.isEmpty,
            let secret = environment["AWS_SECRET_ACCESS_KEY"], !secret.isEmpty
        else { return nil }
        return AWSCredentials(
            accessKeyID: id,
            secretAccessKey: secret,
            sessionToken: environment["AWS_SESSION_TOKEN"].flatMap { $0.isEmpty ? nil : $0 },
            provider: "environment"
        )
    }

    // MARK: Profiles

    /// What a profile gives: a role of another source, a web identity, IAM Identity Center, keys, a process.
    private func fromProfile(_ name: String, visited: [String]) async throws -> AWSCredentials? {
        guard let profile = profiles.profile(name) else {
            if visited.isEmpty { return nil }
            throw failure(visited.last ?? name, "names `\(name)` as source_profile, which no file has")
        }
        // A profile may be its own source: then its keys are meant.
        if let role = profile["role_arn"], visited.last != name {
            guard !visited.contains(name) else {
                throw failure(name, "is its own source: \((visited + [name]).joined(separator: " → "))")
            }
            if let token = profile["web_identity_token_file"] {
                return try await webIdentity(
                    role: role,
                    tokenFile: token,
                    session: profile["role_session_name"],
                    duration: profile["duration_seconds"],
                    provider: "profile \(name), web identity"
                )
            }
            return try await assumeRole(role, profile, name, visited: visited + [name])
        }
        if profile["sso_account_id"] != nil, profile["sso_role_name"] != nil {
            return try await fromIdentityCenter(profile, name: name)
        }
        if let id = profile["aws_access_key_id"], let secret = profile["aws_secret_access_key"] {
            for key in ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"] {
                guard HeaderText.isToken(profile[key] ?? "") else {
                    throw failure(name, "has a character in \(key) that no key has")
                }
            }
            return AWSCredentials(
                accessKeyID: id,
                secretAccessKey: secret,
                sessionToken: profile["aws_session_token"],
                provider: "profile \(name)"
            )
        }
        if let command = profile["credential_process"] { return try await fromProcess(command, name: name) }
        if !visited.isEmpty { throw failure(name, "is a source_profile but has no credentials") }
        return nil
    }

    private func assumeRole(
        _ role: String,
        _ profile: [String: String],
        _ name: String,
        visited: [String]
    ) async throws -> AWSCredentials {
        if profile["mfa_serial"] != nil {
            throw failure(name, "needs a code of an MFA device, which a service cannot enter; use a role without")
        }
        let source: AWSCredentials?
        switch (profile["source_profile"], profile["credential_source"]) {
        case (let other?, nil): source = try await fromProfile(other, visited: visited)
        case (nil, "Environment"?): source = try fromEnvironment()
        case (nil, "EcsContainer"?): source = try await fromContainer()
        case (nil, "Ec2InstanceMetadata"?): source = try await fromInstance()
        case (nil, let unknown?):
            throw failure(
                name,
                "has credential_source `\(unknown)`; Environment, EcsContainer and Ec2InstanceMetadata are known"
            )
        case (_?, _?): throw failure(name, "has both source_profile and credential_source; keep one")
        case (nil, nil): throw failure(name, "has a role_arn but neither source_profile nor credential_source")
        }
        guard let source else {
            throw failure(name, "assumes a role, but its credential_source has no credentials")
        }
        return try await sts(name, credentials: source).assumeRole(
            roleARN: role,
            sessionName: sessionName(profile["role_session_name"]),
            externalID: profile["external_id"],
            duration: try duration(profile["duration_seconds"], name),
            provider: "profile \(name), role of \(source.provider)"
        )
    }

    // MARK: Web identity

    /// The variables that EKS sets for a service account.
    private func fromWebIdentity(_ environment: [String: String]) async throws -> AWSCredentials? {
        guard let file = environment["AWS_WEB_IDENTITY_TOKEN_FILE"], !file.isEmpty else { return nil }
        guard let role = environment["AWS_ROLE_ARN"], !role.isEmpty else {
            throw failure("environment", "has AWS_WEB_IDENTITY_TOKEN_FILE but no AWS_ROLE_ARN")
        }
        return try await webIdentity(
            role: role,
            tokenFile: file,
            session: environment["AWS_ROLE_SESSION_NAME"],
            duration: nil,
            provider: "web identity"
        )
    }

    private func webIdentity(
        role: String,
        tokenFile: String,
        session: String?,
        duration seconds: String?,
        provider: String
    ) async throws -> AWSCredentials {
        // Read anew every time: the kubelet replaces it.
        guard let data = readFile(tokenFile) else {
            throw failure(provider, "cannot read the token file \(tokenFile)")
        }
        let token = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return try await sts(provider, credentials: nil).assumeRoleWithWebIdentity(
            roleARN: role,
            sessionName: sessionName(session),
            webIdentityToken: token,
            duration: try duration(seconds, provider),
            provider: provider
        )
    }

    // MARK: Process

    private func fromProcess(_ command: String, name: String) async throws -> AWSCredentials {
        guard let runProcess else { throw failure(name, "has a credential_process, which is not run here") }
        let words = Self.words(command)
        guard !words.isEmpty else { throw failure(name, "has an empty credential_process") }
        let output = try await runProcess(words)
        guard let members = try? JSONDecoder().decode([String: JSONValue].self, from: output),
            members["Version"] == .number("1")
        else {
            throw failure(name, "has a credential_process that did not write a JSON document with `\"Version\": 1`")
        }
        return try CredentialDocument.credentials(output, provider: "profile \(name), process")
    }

    /// Splits a command as a shell does, without expansion: blanks separate, quotes and backslashes protect.
    package static func words(_ command: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isOpen = false
        var quote: Character?
        var rest = Substring(command)
        while let character = rest.popFirst() {
            if character == "\\", quote != "'", let next = rest.first {
                rest.removeFirst()
                if quote == "\"", next != "\"", next != "\\" { word.append(character) }
                word.append(next)
                isOpen = true
            } else if let open = quote {
                if character == open { quote = nil } else { word.append(character) }
            } else if character == "\"" || character == "'" {
                quote = character
                isOpen = true
            } else if character.isWhitespace {
                if isOpen { words.append(word) }
                (word, isOpen) = ("", false)
            } else {
                word.append(character)
                isOpen = true
            }
        }
        if isOpen { words.append(word) }
        return words
    }

    // MARK: Words

    func sts(_ name: String, credentials: AWSCredentials?) throws -> STSClient {
        guard let settings else { throw failure(name, "assumes a role, but no Region is set to find STS in") }
        return STSClient(
            client: AWSClient(
                endpoint: AWSClient.Endpoint(
                    service: "sts",
                    signingName: "sts",
                    url: settings.endpoint(of: .sts)
                ),
                region: settings.region,
                transport: serviceTransport,
                credentials: { _ in credentials },
                timeline: timeline,
                attempts: 3
            )
        )
    }

    private func sessionName(_ text: String?) -> String {
        STSClient.sessionName(text ?? "preclone-\(Int(timeline.now().timeIntervalSince1970))")
    }

    private func duration(_ text: String?, _ name: String) throws -> Int? {
        guard let text else { return nil }
        guard let seconds = Int(text), (900...43_200).contains(seconds) else {
            throw failure(name, "has duration_seconds `\(text)`; 900 to 43200 are allowed")
        }
        return seconds
    }

    func failure(_ name: String, _ message: String) -> AWSError {
        AWSError(
            operation: "credentials",
            code: "BrokenProfile",
            message: "`\(name)` \(message)",
            kind: .noCredentials
        )
    }
}

/// The JSON that container, instance metadata and processes answer with.
struct CredentialDocument: Decodable {
    var accessKeyID: String
    var secretAccessKey: String
    var token: String?
    var sessionToken: String?
    var expiration: Date?

    enum CodingKeys: String, CodingKey {
        case accessKeyID = "AccessKeyId"
        case secretAccessKey = "SecretAccessKey"
        case token = "Token"
        case sessionToken = "SessionToken"
        case expiration = "Expiration"
    }

    static func credentials(_ data: Data, provider: String) throws -> AWSCredentials {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom(AWSDates.decode)
        guard let document = try? decoder.decode(CredentialDocument.self, from: data),
            [document.accessKeyID, document.secretAccessKey, document.token ?? "", document.sessionToken ?? ""]
                .allSatisfy(HeaderText.isToken)
        else {
            throw AWSError(
                operation: "credentials from \(provider)",
                code: "BrokenAnswer",
                message: "the answer holds no credentials",
                kind: .brokenAnswer
            )
        }
        return AWSCredentials(
            accessKeyID: document.accessKeyID,
            secretAccessKey: document.secretAccessKey,
            sessionToken: document.token ?? document.sessionToken,
            expiration: document.expiration,
            provider: provider
        )
    }
}
