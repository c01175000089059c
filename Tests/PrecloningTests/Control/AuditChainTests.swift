import Foundation
import GRDB
import Model
import Testing

@testable import Record

@Suite("The audit's chain of hashes")
struct AuditChainTests {
    fileprivate let start = Date(timeIntervalSince1970: 1_700_000_000)

    /// An audit of some rows, whose guards are taken away: whoever can write the file can do so.
    fileprivate func ledger(rows: Int) throws -> Ledger {
        let ledger = try Ledger()
        for number in 0..<rows {
            var entry = AuditEntry(
                [.decided, .imagePushed, .retried][number % 3],
                caller: number % 2 == 0 ? "daemon" : "user ann",
                at: start.addingTimeInterval(Double(number))
            )
            entry.source = number % 4 == 0 ? nil : "quay.io/org/tool:\(number)"
            entry.detail = number % 5 == 0 ? "" : "detail \(number)"
            try ledger.audit(entry)
        }
        try ledger.database.write {
            try $0.execute(sql: "DROP TRIGGER auditIsNotChanged; DROP TRIGGER auditIsKept")
        }
        return ledger
    }

    @Test("is whole as it is written, and when what is old goes")
    func whole() throws {
        let ledger = try ledger(rows: 40)
        let reader = RecordReader(ledger)
        let verdict = try reader.verifyAudit()
        #expect(verdict.isWhole && verdict.rows == 40)
        #expect(try verdict.head == ledger.auditHead())
        let keep = RetentionPeriods(
            attempts: .seconds(86_400),
            events: .seconds(86_400),
            audit: .seconds(86_400)
        )
        while try ledger.prune(keep, batch: 3, now: start.addingTimeInterval(86_400 + 25)) {}
        let later = try reader.verifyAudit()
        #expect(later.isWhole && later.rows == 15, "\(later)")
        try ledger.audit(AuditEntry(.retried, caller: "user ann", at: start))
        #expect(try reader.verifyAudit().isWhole)
    }

    @Test("an empty one is whole")
    func empty() throws {
        #expect(try RecordReader(Ledger()).verifyAudit() == AuditVerdict.empty)
    }

    @Test("any single edit is found")
    func edits() throws {
        let rows = 12
        let ledger = try ledger(rows: rows)
        let reader = RecordReader(ledger)
        let columns = [
            "at", "caller", "action", "source", "destination", "rule", "before", "after", "requestID", "detail", "hash",
        ]
        var edits: [String] = []
        for row in 1...rows {
            for column in columns {
                // Each to another text, to none, and to an empty one.
                for value in column == "at" ? ["at + 1", "0"] : ["'x' || COALESCE(\(column), '')", "NULL", "''"] {
                    edits.append("UPDATE auditEntry SET \(column) = \(value) WHERE id = \(row)")
                }
            }
            edits.append("DELETE FROM auditEntry WHERE id = \(row)")
            edits.append("UPDATE auditEntry SET id = id + 100 WHERE id = \(row)")
            for other in 1...rows where other > row {
                edits.append(
                    """
                    UPDATE auditEntry SET id = -1 WHERE id = \(row); UPDATE auditEntry SET id = \(row) WHERE id = \(other);
                    UPDATE auditEntry SET id = \(other) WHERE id = -1
                    """
                )
                edits.append("DELETE FROM auditEntry WHERE id BETWEEN \(row) AND \(other)")
            }
            edits.append(
                """
                INSERT INTO auditEntry (id, at, caller, action, hash) SELECT 500 + id, at, caller, action, hash
                FROM auditEntry WHERE id = \(row)
                """
            )
        }
        edits.append("DELETE FROM auditEntry")
        edits.append("UPDATE setting SET value = 'x' WHERE key = 'auditHead'")
        edits.append("UPDATE setting SET value = 'x' WHERE key = 'auditAnchor'")
        var found = 0
        var silent = 0
        for edit in edits {
            struct Undone: Error {}
            do {
                try ledger.database.write { database in
                    let before = try Row.fetchAll(database, sql: "SELECT * FROM auditEntry").description
                    do { try database.execute(sql: edit) } catch is DatabaseError {
                        // A column that takes no NULL.
                        silent += 1
                        throw Undone()
                    }
                    let after = try Row.fetchAll(database, sql: "SELECT * FROM auditEntry").description
                    if before == after, !edit.contains("setting") {
                        silent += 1
                        throw Undone()
                    }
                    let verdict = try RecordReader.verifyAudit(in: database)
                    #expect(!verdict.isWhole, "\(edit)")
                    found += 1
                    throw Undone()
                }
            } catch is Undone {}
        }
        #expect(found > 400 && silent < edits.count / 3, "\(found) of \(edits.count), \(silent) changed nothing")
        #expect(try reader.verifyAudit().isWhole)
    }
}

extension AuditChainTests {
    /// How many: PRECLONE_AUDIT_EDITS names another number.
    private static let count = ProcessInfo.processInfo.environment["PRECLONE_AUDIT_EDITS"].flatMap(Int.init) ?? 200

    private static let texts = [
        "caller", "action", "source", "destination", "rule", "before", "after", "requestID", "detail",
    ]

    /// One edit by chance, as who can write the file may make it.
    private func edit(_ rows: Int64, _ chance: inout SystemRandomNumberGenerator) -> (sql: String, hashed: Int64?) {
        let row = Int64.random(in: 1...rows, using: &chance)
        let column = Self.texts.randomElement(using: &chance) ?? "detail"
        let text = String((0..<Int.random(in: 0...20, using: &chance)).map { _ in "abc 1:-".randomElement() ?? "a" })
        let change = "UPDATE auditEntry SET \(column) = '\(text)' WHERE id = \(row)"
        switch Int.random(in: 0..<8, using: &chance) {
        case 0:
            return (
                "UPDATE auditEntry SET at = \(Int.random(in: 0...2_000_000, using: &chance)) WHERE id = \(row)", nil
            )
        case 1: return ("DELETE FROM auditEntry WHERE id = \(row)", nil)
        case 2:
            let other = Int64.random(in: 1...rows, using: &chance)
            return (
                """
                UPDATE auditEntry SET id = -1 WHERE id = \(row); UPDATE auditEntry SET id = \(row) WHERE id = \(other);
                UPDATE auditEntry SET id = \(other) WHERE id = -1
                """, nil
            )
        case 3:
            return (
                """
                INSERT INTO auditEntry (id, at, caller, action, detail, hash)
                SELECT \(rows) + 1, at, caller, action, '\(text)', hash FROM auditEntry WHERE id = \(row)
                """, nil
            )
        case 4: return ("UPDATE auditEntry SET hash = '\(text)' WHERE id = \(row)", nil)
        // With a hash made anew for the row, as if it had been written so.
        case 5: return (change, row)
        default: return (change, nil)
        }
    }

    @Test("edits by chance are all found, also of a row whose own hash is made anew")
    func chance() throws {
        let rows: Int64 = 30
        let ledger = try ledger(rows: Int(rows))
        var chance = SystemRandomNumberGenerator()
        var found = 0
        struct Undone: Error {}
        while found < Self.count {
            let edit = edit(rows, &chance)
            do {
                try ledger.database.write { database in
                    let all = "SELECT * FROM auditEntry ORDER BY id"
                    let before = try Row.fetchAll(database, sql: all)
                    try database.execute(sql: edit.sql)
                    guard try Row.fetchAll(database, sql: all) != before else { throw Undone() }
                    if let row = edit.hashed {
                        let previous = try String.fetchOne(
                            database,
                            sql: "SELECT hash FROM auditEntry WHERE id < ? ORDER BY id DESC LIMIT 1",
                            arguments: [row]
                        )
                        let now = try #require(
                            try Row.fetchOne(database, sql: "SELECT * FROM auditEntry WHERE id = ?", arguments: [row])
                        )
                        let hash = AuditChain.hash(
                            after: previous ?? "",
                            id: row,
                            at: now["at"],
                            Self.texts.map { now[$0] as String? }
                        )
                        try database.execute(
                            sql: "UPDATE auditEntry SET hash = ? WHERE id = ?",
                            arguments: [hash, row]
                        )
                    }
                    #expect(try !RecordReader.verifyAudit(in: database).isWhole, "\(edit)")
                    found += 1
                    throw Undone()
                }
            } catch is Undone {}
        }
        #expect(try RecordReader(ledger).verifyAudit().isWhole)
    }
}

extension AuditVerdict {
    fileprivate static var empty: AuditVerdict {
        var verdict = AuditVerdict()
        verdict.head = ""
        return verdict
    }
}
