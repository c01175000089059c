import Crypto
import Foundation

/// The providers that answer over HTTP: IAM Identity Center, container, instance metadata.
extension CredentialProviders {
    // MARK: IAM Identity Center

    /// Role credentials for a login that `aws sso login` left in its cache, renewed while its refresh token lasts.
    func fromIdentityCenter(_ profile: [String: String], name: String) async throws -> AWSCredentials {
        let session = profile["sso_session"].map { ($0, profiles.profile("sso-session \($0)") ?? [:]) }
        guard let region = session?.1["sso_region"] ?? profile["sso_region"],
            let key = session?.0 ?? profile["sso_start_url"],
            let account = profile["sso_account_id"], let role = profile["sso_role_name"]
        else { throw failure(name, "uses sso, but sso_region or its sso_session is missing") }
        let login = try await login(key, region: region, name: name)
        let answer = try await unsigned(.sso, region).call(
            "GetRoleCredentials",
            method: "GET",
            path: "/federation/credentials",
            query: [(name: "role_name", value: role), (name: "account_id", value: account)],
            headers: [(name: "x-amz-sso_bearer_token", value: login.accessToken)],
            isSigned: false
        )
        struct Output: Decodable {
            struct Keys: Decodable {
                var accessKeyId: String
                var secretAccessKey: String
                var sessionToken: String
                /// Milliseconds.
                var expiration: Double
            }
            var roleCredentials: Keys
        }
        guard let keys = try? JSONDecoder().decode(Output.self, from: answer.body).roleCredentials else {
            throw failure(name, "got an answer of sso that holds no credentials")
        }
        return AWSCredentials(
            accessKeyID: keys.accessKeyId,
            secretAccessKey: keys.secretAccessKey,
            sessionToken: keys.sessionToken,
            expiration: Date(timeIntervalSince1970: keys.expiration / 1000),
            provider: "profile \(name), sso"
        )
    }

    /// The login of a session, or of an older profile's start URL, that holds now.
    private func login(_ key: String, region: String, name: String) async throws -> IdentityCenterLogin {
        let digest = Insecure.SHA1.hash(data: Data(key.utf8)).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
        let path = "\(environment["HOME"] ?? "")/.aws/sso/cache/\(digest).json"
        let mend = "run `aws sso login --profile \(name)` as the user that preclone runs as"
        let written = readFile(path).flatMap { try? JSONDecoder().decode(IdentityCenterLogin.self, from: $0) }
        guard let found = logins.latest(path, written) else {
            throw failure(name, "has no sso login in the cache; \(mend)")
        }
        guard HeaderText.isToken(found.accessToken) else { throw failure(name, "has a damaged sso login; \(mend)") }
        let now = timeline.now()
        if found.holds(at: now, ahead: IdentityCenterLogin.renewedAhead) { return found }
        guard found.isRenewable(at: now) else {
            if found.holds(at: now) { return found }
            throw failure(name, "has an sso login that ended at \(found.expiresAt); \(mend)")
        }
        do {
            let renewed = try await found.renewed(by: unsigned(.ssoOIDC, region), now: timeline.now)
            logins.keep(renewed, path)
            if let data = try? JSONEncoder().encode(renewed) { _ = writeFile(path, data) }
            return renewed
        } catch let error as AWSError {
            if found.holds(at: timeline.now()) { return found }
            guard !error.isWorthRetrying, error.kind != .unreachable else { throw error }
            throw failure(
                name,
                "has an sso login that ended at \(found.expiresAt) and is not renewed (\(error.code)); \(mend)"
            )
        }
    }

    /// A service of IAM Identity Center, which has tokens of its own in the place of signatures.
    private func unsigned(_ service: AWSSettings.Service, _ region: String) -> AWSClient {
        var place = settings ?? AWSSettings(region: region, environment: environment)
        place.region = region
        let name = service == .sso ? "sso" : "sso-oidc"
        return AWSClient(
            endpoint: AWSClient.Endpoint(service: name, signingName: name, url: place.endpoint(of: service)),
            region: region,
            transport: serviceTransport,
            credentials: { _ in nil },
            timeline: timeline,
            attempts: 3
        )
    }

    // MARK: Container and instance

    /// ECS and EKS Pod Identity.
    func fromContainer() async throws -> AWSCredentials? {
        let url: String
        if let relative = environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"], relative.hasPrefix("/") {
            url = "http://169.254.170.2" + relative
        } else if let full = environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"], !full.isEmpty {
            guard Self.isContainerHost(full) else {
                throw failure(
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    "is plain HTTP to a host that is neither loopback nor the container endpoint of ECS or EKS"
                )
            }
            url = full
        } else {
            return nil
        }
        var headers: [(String, String)] = []
        var token = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
        if let file = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], !file.isEmpty {
            guard let data = readFile(file) else {
                throw failure("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "names \(file), which cannot be read")
            }
            token = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
        if let token {
            guard HeaderText.isValue(token) else {
                let isOfFile = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"].map { !$0.isEmpty } ?? false
                throw failure(
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN" + (isOfFile ? "_FILE" : ""),
                    "has a line break or another character that no header has"
                )
            }
            headers.append(("Authorization", token))
        }
        var attempt = 0
        while true {
            attempt += 1
            do {
                return try CredentialDocument.credentials(
                    try await LocalEndpoint(transport: transport).get(url, headers: headers),
                    provider: "container"
                )
            } catch let error as TransportError where error.isWorthRetrying && attempt < 3 {
                try await timeline.sleep(.seconds(1))
            } catch let error as AWSError where error.isWorthRetrying && attempt < 3 {
                try await timeline.sleep(.seconds(1))
            }
        }
    }

    /// Plain HTTP only to loopback and the two addresses of ECS and EKS.
    static func isContainerHost(_ url: String) -> Bool {
        guard let components = URLComponents(string: url), let host = components.host else { return false }
        if components.scheme == "https" { return true }
        let plain = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        let octets = plain.split(separator: ".", omittingEmptySubsequences: false)
        let isLoopback = octets.count == 4 && octets[0] == "127" && octets.allSatisfy { UInt8($0) != nil }
        let known = ["localhost", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"]
        return components.scheme == "http" && (known.contains(plain) || isLoopback)
    }

    /// EC2, by version 2 of the metadata service alone.
    func fromInstance() async throws -> AWSCredentials? {
        try await InstanceMetadata(environment: environment, transport: transport)?.credentials()
    }
}
