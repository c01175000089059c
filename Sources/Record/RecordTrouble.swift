import GRDB
import Model

extension DatabaseError: RecordFault {
    package var recordFault: String { "the record: \(message ?? "\(resultCode)")" }
}

/// That the record itself failed.
package struct RecordTrouble: Error, Sendable, CustomStringConvertible {
    package var description: String

    /// Nil for an error of anything else.
    package init?(_ error: any Error) {
        guard let error = error as? any RecordFault else { return nil }
        description = error.recordFault
    }
}
