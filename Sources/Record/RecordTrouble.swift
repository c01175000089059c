import GRDB

/// That the record itself failed: a full or broken disk, a file that was damaged or taken away.
package struct RecordTrouble: Error, Sendable, CustomStringConvertible {
    package var description: String

    /// Nil for an error of anything else.
    package init?(_ error: any Error) {
        guard let error = error as? DatabaseError else { return nil }
        description = "the record: \(error.message ?? "\(error.resultCode)")"
    }
}
