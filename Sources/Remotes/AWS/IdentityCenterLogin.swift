import Foundation
import Synchronization

/// A login that `aws sso login` left in its cache, renewed as the SDKs renew it.
///
/// Source: AWS SDKs and Tools reference, "IAM Identity Center credential provider"; service model `sso-oidc/2019-06-10`.
struct IdentityCenterLogin: Codable, Sendable {
    var startUrl: String?
    var region: String?
    var accessToken: String
    var expiresAt: String
    var clientId: String?
    var clientSecret: String?
    var registrationExpiresAt: String?
    var refreshToken: String?

    /// The SDKs renew a login when less than this is left.
    static let renewedAhead: TimeInterval = 15 * 60

    func holds(at now: Date, ahead: TimeInterval = 0) -> Bool {
        AWSDates.date(expiresAt).map { $0 > now.addingTimeInterval(ahead) } ?? false
    }

    /// Whether it can be renewed without a person.
    func isRenewable(at now: Date) -> Bool {
        guard clientId != nil, clientSecret != nil, refreshToken != nil else { return false }
        return registrationExpiresAt.flatMap(AWSDates.date).map { $0 > now } ?? true
    }

    /// A new one for the refresh token.
    ///
    /// - Throws: `AWSError`.
    func renewed(by client: AWSClient, now: () -> Date) async throws -> IdentityCenterLogin {
        struct Input: Encodable {
            var clientId: String?
            var clientSecret: String?
            var grantType = "refresh_token"
            var refreshToken: String?
        }
        struct Output: Decodable {
            var accessToken: String
            var expiresIn: Double
            var refreshToken: String?
        }
        let input = Input(clientId: clientId, clientSecret: clientSecret, refreshToken: refreshToken)
        let answer = try await client.call(
            "CreateToken",
            method: "POST",
            path: "/token",
            headers: [(name: "Content-Type", value: "application/json")],
            body: CallBody(try JSONEncoder().encode(input)),
            isSigned: false
        )
        guard let output = try? JSONDecoder().decode(Output.self, from: answer.body),
            HeaderText.isToken(output.accessToken), (0...864_000).contains(output.expiresIn)
        else {
            throw AWSError(
                operation: "sso-oidc:CreateToken",
                code: "BrokenAnswer",
                message: "the answer holds no login",
                status: answer.status,
                kind: .brokenAnswer
            )
        }
        var login = self
        login.accessToken = output.accessToken
        login.expiresAt = now().addingTimeInterval(output.expiresIn).formatted(.iso8601)
        login.refreshToken = output.refreshToken ?? refreshToken
        return login
    }
}

/// Logins that were renewed, by their file: it may be that of another user, who will not have us write it.
final class RenewedLogins: Sendable {
    private let state = Mutex([String: IdentityCenterLogin]())

    /// The later one of what the file says and what we know.
    func latest(_ path: String, _ written: IdentityCenterLogin?) -> IdentityCenterLogin? {
        let known = state.withLock { $0[path] }
        guard let known, let written else { return written ?? known }
        func end(_ login: IdentityCenterLogin) -> Date { AWSDates.date(login.expiresAt) ?? .distantPast }
        return end(known) > end(written) ? known : written
    }

    func keep(_ login: IdentityCenterLogin, _ path: String) { state.withLock { $0[path] = login } }
}
