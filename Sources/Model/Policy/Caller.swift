/// Who asks: the user whose process it is, as the kernel says, and the agent it speaks for where policy lets it.
package struct Caller: Sendable, Hashable, Codable, CustomStringConvertible {
    package var userID: UInt32
    package var userName: String
    /// Only where policy says that the user may speak for it.
    package var agent: String?

    package init(userID: UInt32, userName: String, agent: String? = nil) {
        self.userID = userID
        self.userName = userName
        self.agent = agent
    }

    /// `user NAME`, or `agent NAME of user USER`: what stands in record and audit, and what policy's globs are over.
    package var description: String { agent.map { "agent \($0) of user \(userName)" } ?? "user \(userName)" }

    /// Whether a caller as it stands in the record is a person's program, and not the daemon by itself.
    package static func isPerson(_ caller: String) -> Bool { caller.hasPrefix("user ") || caller.hasPrefix("agent ") }

    /// Whether a text can be an agent's name: one that cannot be mistaken for more than a name where it is shown.
    package static func isAgentName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
