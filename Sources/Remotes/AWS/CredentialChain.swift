import AsyncHTTPClient
package import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// Finds credentials in the order of the SDKs: environment, profile, web identity, container, instance metadata.
/// Refreshed ahead of expiry by one caller; a failed refresh keeps the old ones until they end.
///
/// Source: AWS SDKs and Tools reference, "Standardized credential providers".
package actor CredentialChain {
    /// Refreshed when less than this is left.
    private static let refreshAhead: TimeInterval = 900

    private let environment: [String: String]
    private let profiles: AWSProfiles
    private let profileName: String
    private let isExplicit: Bool
    private let readFile: @Sendable (String) -> Data?
    /// Of its own: metadata and container endpoints are link-local, which the guard of every other request refuses.
    private let transport: any HTTPTransport
    private let timeline: Timeline
    private var held: AWSCredentials?
    private var fetching: [CheckedContinuation<Void, Never>]?

    /// - Parameters:
    ///   - profile: named on the command line or in the configuration; switches the environment's keys off.
    ///   - readFile: reads a token file; nil when it cannot be read.
    package init(
        environment: [String: String],
        profiles: AWSProfiles,
        profile: String?,
        readFile: @escaping @Sendable (String) -> Data?,
        transport: any HTTPTransport,
        timeline: Timeline
    ) {
        self.environment = environment
        self.profiles = profiles
        isExplicit = profile != nil
        profileName = profile ?? environment["AWS_PROFILE"] ?? environment["AWS_DEFAULT_PROFILE"] ?? "default"
        self.readFile = readFile
        self.transport = transport
        self.timeline = timeline
    }

    /// Credentials that hold for a while; nil when no provider has any.
    ///
    /// - Parameter refresh: the service said that those in use have ended.
    package func credentials(refresh: Bool = false) async throws -> AWSCredentials? {
        while fetching != nil {
            if let held, !refresh, !isOver(held) { return held }
            await withCheckedContinuation { fetching?.append($0) }
        }
        if let held, !refresh, !isNearEnd(held) { return held }
        fetching = []
        defer {
            let waiters = fetching ?? []
            fetching = nil
            for waiter in waiters { waiter.resume() }
        }
        do {
            let found = try await find()
            held = found ?? held
            return held
        } catch {
            if let held, !isOver(held) { return held }
            throw error
        }
    }

    private func isNearEnd(_ credentials: AWSCredentials) -> Bool {
        credentials.expiration.map { $0.timeIntervalSince(timeline.now()) < Self.refreshAhead } ?? false
    }

    private func isOver(_ credentials: AWSCredentials) -> Bool {
        credentials.expiration.map { $0 <= timeline.now() } ?? false
    }

    private func find() async throws -> AWSCredentials? {
        if !isExplicit, let keys = fromEnvironment() { return keys }
        if let keys = fromProfile() { return keys }
        if let keys = try await fromContainer() { return keys }
        return try await fromInstance()
    }

    private func fromEnvironment() -> AWSCredentials? {
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

    private func fromProfile() -> AWSCredentials? {
        guard let profile = profiles.profile(profileName), let id = profile["aws_access_key_id"],
            let secret = profile["aws_secret_access_key"]
        else { return nil }
        return AWSCredentials(
            accessKeyID: id,
            secretAccessKey: secret,
            sessionToken: profile["aws_session_token"],
            provider: "profile \(profileName)"
        )
    }

    // MARK: Container and instance

    private struct Document: Decodable {
        var accessKeyID: String
        var secretAccessKey: String
        var token: String?
        var expiration: Date?

        enum CodingKeys: String, CodingKey {
            case accessKeyID = "AccessKeyId"
            case secretAccessKey = "SecretAccessKey"
            case token = "Token"
            case expiration = "Expiration"
        }
    }

    private func fromContainer() async throws -> AWSCredentials? {
        let url: String
        if let relative = environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"], relative.hasPrefix("/") {
            url = "http://169.254.170.2" + relative
        } else if let full = environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"], Self.isContainerHost(full) {
            url = full
        } else {
            return nil
        }
        var headers: [(String, String)] = []
        var token = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
        if let file = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], let data = readFile(file) {
            token = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
        if let token, !token.contains(where: \.isNewline) { headers.append(("Authorization", token)) }
        let data = try await get(url, headers: headers)
        return try Self.credentials(data, provider: "container")
    }

    /// Plain HTTP only to loopback and the two addresses of ECS and EKS.
    private static func isContainerHost(_ url: String) -> Bool {
        guard let components = URLComponents(string: url), let host = components.host else { return false }
        if components.scheme == "https" { return true }
        let plain = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        return components.scheme == "http"
            && (["localhost", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"].contains(plain)
                || plain.hasPrefix("127."))
    }

    private func fromInstance() async throws -> AWSCredentials? {
        if environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() == "true" { return nil }
        let base = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] ?? "http://169.254.169.254"
        let token: Data
        do {
            token = try await get(
                base + "/latest/api/token",
                method: .PUT,
                headers: [("x-aws-ec2-metadata-token-ttl-seconds", "21600")]
            )
        } catch is TransportError {
            // No metadata service: not on EC2.
            return nil
        }
        let header = [("x-aws-ec2-metadata-token", String(decoding: token, as: UTF8.self))]
        let path = "/latest/meta-data/iam/security-credentials/"
        let role = String(decoding: try await get(base + path, headers: header), as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        guard !role.isEmpty, !role.contains("<") else { return nil }
        let data = try await get(base + path + SigV4.encoded(role), headers: header)
        return try Self.credentials(data, provider: "instance metadata")
    }

    private static func credentials(_ data: Data, provider: String) throws -> AWSCredentials {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom(AWSDates.iso8601)
        guard let document = try? decoder.decode(Document.self, from: data) else {
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
            sessionToken: document.token,
            expiration: document.expiration,
            provider: provider
        )
    }

    private func get(_ url: String, method: HTTPMethod = .GET, headers: [(String, String)] = []) async throws -> Data {
        var request = HTTPClientRequest(url: url)
        request.method = method
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        let patience = Patience(connect: .seconds(2), idle: .seconds(2), head: .seconds(2))
        let response = try await transport.send(request, patience: patience)
        let body = Data(buffer: try await response.body.collect(upTo: 1 << 20))
        guard response.status == .ok else {
            throw AWSError(
                operation: "credentials",
                code: "HTTP\(response.status.code)",
                message: "the credential endpoint answered \(response.status.code)",
                status: Int(response.status.code),
                kind: AWSError.kind(service: "credentials", code: "", status: Int(response.status.code))
            )
        }
        return body
    }
}
