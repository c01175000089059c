package import Foundation

/// Amazon ECR Public, as far as a login goes. Source: the service model `ecr-public/2020-10-30`.
package struct ECRPublicClient: Sendable {
    private let client: AWSClient

    /// The only Region that has the service's API.
    package static let region = "us-east-1"
    package static let endpoint = "https://api.ecr-public.us-east-1.amazonaws.com"

    package init(client: AWSClient) { self.client = client }

    /// A login for public.ecr.aws, which its token endpoint takes, and when it ends.
    ///
    /// - Throws: `AWSError`.
    package func credential() async throws -> (credential: RegistryCredential, expires: Date?) {
        struct Nothing: Encodable {}
        struct Output: Decodable {
            struct Datum: Decodable {
                var authorizationToken: String?
                var expiresAt: Date?
            }
            var authorizationData: Datum?
        }
        let output: Output = try await client.json(
            "GetAuthorizationToken",
            target: "SpencerFrontendService",
            Nothing()
        )
        guard let token = output.authorizationData?.authorizationToken,
            let credential = RegistryCredential(basicToken: token)
        else {
            throw AWSError(
                operation: "ecr-public:GetAuthorizationToken",
                code: "BrokenAnswer",
                message: "the answer has no token that is user:password",
                kind: .brokenAnswer
            )
        }
        return (credential, output.authorizationData?.expiresAt)
    }
}

extension RegistryCredential {
    /// What AWS calls an authorization token: the base64 of user:password; nil when it is none.
    package init?(basicToken token: String) {
        guard let data = Data(base64Encoded: token), let colon = data.firstIndex(of: UInt8(ascii: ":")) else {
            return nil
        }
        self = .basic(
            user: String(decoding: data[..<colon], as: UTF8.self),
            password: String(decoding: data[data.index(after: colon)...], as: UTF8.self)
        )
    }
}
