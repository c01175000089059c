/// Who asks: the user whose process it is, as the kernel says, and the agent it speaks for where policy lets it.
package struct Caller: Sendable, Hashable, Codable, CustomStringConvertible {
    package var userID: UInt32
    package var userName: String
    /// Only where policy says that the user may speak for it.
    package var agent: String?
    /// What the user's program says of itself: it stands in the audit, and decides nothing.
    package var program: String?

    package init(userID: UInt32, userName: String, agent: String? = nil) {
        self.userID = userID
        self.userName = userName
        self.agent = agent
    }

    /// The daemon by itself. No user is without a name.
    package static let daemon = Caller(userID: .max, userName: "")

    /// As people write it: `daemon`, `user NAME` or `agent NAME of user USER`; the user's number is not known then.
    package init?(_ text: String) {
        if text == Self.daemon.description {
            self = .daemon
            return
        }
        let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        switch words.count {
        case 2 where words[0] == "user" && !words[1].isEmpty: self.init(userID: .max, userName: words[1])
        case 5
        where words[0] == "agent" && words[2] == "of" && words[3] == "user" && Self.isAgentName(words[1])
            && !words[4].isEmpty:
            self.init(userID: .max, userName: words[4], agent: words[1])
        default: return nil
        }
    }

    /// `daemon`, `user NAME`, or `agent NAME of user USER`: what stands in record and audit, and what policy's globs are over.
    package var description: String {
        guard !userName.isEmpty else { return "daemon" }
        return agent.map { "agent \($0) of user \(userName)" } ?? "user \(userName)"
    }

    /// A text for the audit, with what the caller's program says of itself.
    package func detail(_ text: String?) -> String? {
        guard let program else { return text }
        return [text, "by a program that calls itself \(program)"].compactMap(\.self).joined(separator: "; ")
    }

    /// What a program says of itself, printable and no longer than is of use.
    package static func program(_ words: String?...) -> String? {
        let text = words.compactMap(\.self).filter { !$0.isEmpty }.map { $0.prefix(64) }.joined(separator: " ")
        return text.isEmpty ? nil : PrintableText.stripped(String(text.prefix(100)))
    }

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
