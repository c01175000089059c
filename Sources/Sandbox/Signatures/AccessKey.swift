import Foundation

/// A credential the sandbox knows.
struct AccessKey: Sendable, Hashable {
    var secret: String
    /// The ARN that GetCallerIdentity tells.
    var principal: String
    var userID: String
    /// Temporary credentials must send it.
    var sessionToken: String?
    /// Temporary credentials end.
    var expires: Date?
}

/// Who signed a request.
struct Caller: Sendable, Hashable {
    var accessKeyID: String
    var principal: String
    var userID: String
    /// The service named in the credential scope.
    var service: String
}
