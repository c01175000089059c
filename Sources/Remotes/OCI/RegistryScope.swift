/// What a token is asked for: actions on repositories (distribution specification, token scope).
package struct RegistryScope: Hashable, Sendable, CustomStringConvertible {
    package enum Access: String, Sendable, Hashable, Comparable {
        case pull
        case pushAndPull = "pull,push"

        package static func < (left: Access, right: Access) -> Bool { left == .pull && right == .pushAndPull }
    }

    package var repository: String
    package var access: Access
    /// A second repository that a mount reads from.
    package var mountSource: String?

    package init(repository: String, access: Access, mountSource: String? = nil) {
        self.repository = repository
        self.access = access
        self.mountSource = mountSource == repository ? nil : mountSource
    }

    /// The `scope` items of a token request.
    package var items: [String] {
        ["repository:\(repository):\(access.rawValue)"] + (mountSource.map { ["repository:\($0):pull"] } ?? [])
    }

    package var description: String { items.joined(separator: " ") }
}
