package import Foundation
import GRDB
package import Model
import Names

extension Ledger {
    /// Takes images out of the record that nobody wants; their history and audit stay. A wish of `clone` whose answer was
    /// given holds nobody back: whoever asked has gone.
    ///
    /// - Parameter images: references as people write them, or ECR URIs.
    /// - Returns: each image of these names, and why it was kept if it was.
    /// - Throws: `LedgerError` for a name that is not in the record; nothing is forgotten then.
    package func forget(_ images: [String], caller: Caller, now: Date) throws -> [ForgottenImage] {
        try database.write { database in
            var answers: [ForgottenImage] = []
            for text in images {
                let names = [text, (try? ImageReference(text))?.description ?? text]
                let rows = try ImageRecord.fetchAll(
                    database,
                    sql: "SELECT * FROM image WHERE source IN (?, ?) OR destination IN (?, ?) ORDER BY id",
                    arguments: StatementArguments(names + names)
                )
                guard !rows.isEmpty else { throw LedgerError("\(names[1]) is not in the record") }
                for row in rows where !answers.contains(where: { $0.id == row.id }) {
                    answers.append(try Self.forget(row, in: database, caller: caller, now: now))
                }
            }
            return answers
        }
    }

    private static func forget(
        _ image: ImageRecord,
        in database: Database,
        caller: Caller,
        now: Date
    ) throws -> ForgottenImage {
        var answer = ForgottenImage(id: image.id, source: image.source, destination: image.destination)
        let wanted = try String.fetchAll(
            database,
            sql: """
                SELECT kind || ' ' || CASE kind WHEN 'run' THEN substr(subject, 1, instr(subject, '@') - 1)
                    ELSE subject END FROM demand WHERE imageID = ? AND endedAt IS NULL
                    AND NOT (kind = 'clone' AND EXISTS (SELECT 1 FROM request
                        WHERE request.id = CAST(demand.subject AS INTEGER) AND request.state = 'done')) ORDER BY 1
                """,
            arguments: [image.id]
        )
        if let why = ImageLife.whyKept(image.standing, wantedBy: wanted) {
            answer.kept = why
            return answer
        }
        // Requests, demands that ended and attempts are of the row; what was seen of the image's digests is not.
        try database.execute(sql: "UPDATE request SET imageID = NULL WHERE imageID = ?", arguments: [image.id])
        try database.execute(sql: "DELETE FROM image WHERE id = ?", arguments: [image.id])
        var entry = AuditEntry(.forgotten, by: caller, detail: image.reason, at: now)
        entry.source = image.source
        entry.destination = image.destination
        entry.before = image.state.rawValue
        try insert(entry, in: database)
        return answer
    }
}
