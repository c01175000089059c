/// What goes wrong with the record itself.
package struct LedgerError: Error, Sendable, CustomStringConvertible {
    /// What, where and the mend.
    package var description: String

    package init(_ description: String) { self.description = description }
}
