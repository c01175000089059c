package import struct Foundation.Date

/// Keys of an AWS principal. Its text never shows them.
package struct AWSCredentials: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible {
    package let accessKeyID: String
    package let secretAccessKey: String
    package let sessionToken: String?
    /// When they end; nil: they do not.
    package let expiration: Date?
    /// Which provider gave them, for `preclone check` and logs.
    package let provider: String

    package init(
        accessKeyID: String,
        secretAccessKey: String,
        sessionToken: String? = nil,
        expiration: Date? = nil,
        provider: String
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
        self.provider = provider
    }

    package var description: String { "<redacted credentials from \(provider)>" }
    package var debugDescription: String { description }
}
