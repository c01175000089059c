import Crypto
import Foundation

/// The providers that answer over HTTP: IAM Identity Center, container, instance metadata.
extension CredentialProviders {
    // MARK: IAM Identity Center

    /// Role credentials for a login that `aws sso login` left in its cache. A service cannot renew the login itself.
    func fromIdentityCenter(_ profile: [String: String], name: String) async throws -> AWSCredentials {
        let session = profile["sso_session"].map { ($0, profiles.profile("sso-session \($0)") ?? [:]) }
        guard let region = session?.1["sso_region"] ?? profile["sso_region"],
            let key = session?.0 ?? profile["sso_start_url"],
            let account = profile["sso_account_id"], let role = profile["sso_role_name"]
        else { throw failure(name, "uses sso, but sso_region or its sso_session is missing") }
        let digest = Insecure.SHA1.hash(data: Data(key.utf8)).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
        let mend = "run `aws sso login --profile \(name)` as the user that preclone runs as"
        struct Login: Decodable {
            var accessToken: String
            var expiresAt: String
        }
        guard let data = readFile("\(environment["HOME"] ?? "")/.aws/sso/cache/\(digest).json"),
            let login = try? JSONDecoder().decode(Login.self, from: data)
        else { throw failure(name, "has no sso login in the cache; \(mend)") }
        guard let end = AWSDates.date(login.expiresAt), end > timeline.now() else {
            throw failure(name, "has an sso login that ended at \(login.expiresAt); \(mend)")
        }
        var place = settings ?? AWSSettings(region: region, environment: environment)
        place.region = region
        let client = AWSClient(
            endpoint: AWSClient.Endpoint(service: "sso", signingName: "sso", url: place.endpoint(of: .sso)),
            region: region,
            transport: serviceTransport,
            credentials: { _ in nil },
            timeline: timeline,
            attempts: 3
        )
        let answer = try await client.call(
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
            guard !token.contains(where: \.isNewline) else {
                throw failure("the container's authorization token", "has a line break")
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
