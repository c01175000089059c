/// An error answer of a service or a registry.
package struct AWSFailure: Error, Sendable, CustomStringConvertible {
    /// The exception's name without a namespace, or a registry's error code.
    package var code: String
    package var message: String
    /// The HTTP status; 400 unless said otherwise, as for most faults of the caller.
    package var status: Int
    /// Further members of the error body, such as `lastValidByteReceived`.
    package var members: [String: SandboxJSON]
    /// Further header fields, such as Retry-After.
    package var headers: [String: String]

    package init(
        _ code: String,
        _ message: String,
        status: Int = 400,
        members: [String: SandboxJSON] = [:],
        headers: [String: String] = [:]
    ) {
        self.code = code
        self.message = message
        self.status = status
        self.members = members
        self.headers = headers
    }

    package var description: String { "\(code): \(message)" }

    static func missing(_ member: String) -> AWSFailure {
        AWSFailure("InvalidParameterException", "The parameter \(member) is missing or of the wrong type.")
    }
}
