/// What may stand in the value of a header: text of ours goes there, and nothing that ends it.
enum HeaderText {
    /// Whether a key or a token may be sent: visible ASCII without blanks.
    static func isToken(_ text: some StringProtocol) -> Bool { text.utf8.allSatisfy { (0x21...0x7e).contains($0) } }

    /// Whether a value of several words may be sent.
    static func isValue(_ text: some StringProtocol) -> Bool { text.utf8.allSatisfy { (0x20...0x7e).contains($0) } }
}
