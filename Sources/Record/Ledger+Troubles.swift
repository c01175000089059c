package import Foundation
import GRDB
package import Model

extension Ledger {
    /// What keeps a part of the daemon from its work; since when is kept while it lasts.
    ///
    /// - Parameters:
    ///   - part: the loop, or what it depends on: `credentials`, a service.
    ///   - what: nil: nothing any more.
    package func trouble(of part: String, _ what: String?, now: Date) throws {
        try database.write { database in
            guard let what else {
                return try database.execute(cached: "DELETE FROM trouble WHERE part = ?", arguments: [part])
            }
            try database.execute(
                cached: """
                    INSERT INTO trouble (part, what, since) VALUES (?, ?, ?)
                    ON CONFLICT (part) DO UPDATE SET what = excluded.what
                    """,
                arguments: [part, what, now.milliseconds]
            )
        }
    }

    /// The process lives, whatever its loops do.
    package func alive(now: Date) throws {
        try database.write {
            try $0.execute(cached: "UPDATE daemon SET aliveAt = ?", arguments: [now.milliseconds])
        }
    }

}

extension RecordReader {
    /// The row of the process that works on the record, or did last.
    package func worker() throws -> DaemonRow? {
        try read { try DaemonRow.fetchOne($0, cached: "SELECT * FROM daemon") }
    }
}
