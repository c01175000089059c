import Foundation
import GRDB

@testable import Model
@testable import Precloning
@testable import Record

/// A record in memory, filled by plain SQL so that readers are tested against the tables and not against the verbs.
struct RecordFixture {
    let ledger: Ledger
    let now = Date(timeIntervalSince1970: 1_790_000_000)

    init() throws { ledger = try Ledger() }

    var reader: RecordReader { RecordReader(ledger) }

    func at(_ seconds: Double) -> Milliseconds { now.addingTimeInterval(seconds).milliseconds }

    func execute(_ sql: String, _ arguments: StatementArguments = []) throws {
        try ledger.database.write { try $0.execute(sql: sql, arguments: arguments) }
    }

    @discardableResult
    func image(
        _ source: String,
        state: String = "ready",
        destination: String = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/x:1",
        registry: String? = nil,
        reason: String? = nil,
        mend: String? = nil,
        failureClass: String? = nil,
        due: Double? = nil,
        urgency: Int = 3
    ) throws -> Int64 {
        try ledger.database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO image (source, destination, registry, state, reason, mend, failureClass, dueAt, urgency,
                        createdAt, updatedAt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    source, destination, registry ?? String(source.prefix { $0 != "/" }), state, reason, mend,
                    failureClass, due.map { at($0) }, urgency, at(-100), at(-50),
                ]
            )
            return database.lastInsertedRowID
        }
    }

    func run(
        _ id: String,
        images: [Int64],
        status: String = "PENDING",
        ended: Bool = false,
        certainty: String = "certain"
    )
        throws
    {
        let key = "\(id)@1"
        try execute(
            """
            INSERT OR IGNORE INTO run (key, id, name, status, workflowID, createdAt, seenAt, surveyedAt, endedAt)
            VALUES (?, ?, 'a run', ?, '9', ?, ?, ?, ?)
            """,
            [key, id, status, at(-1000), at(-900), at(-900), ended ? at(-10) : nil]
        )
        for image in images {
            try execute(
                """
                INSERT INTO demand (imageID, kind, subject, certainty, mention, places, tasks, createdAt, endedAt)
                VALUES (?, 'run', ?, ?, 'm', '[]', '[]', ?, ?)
                """,
                [image, key, certainty, at(-900), ended ? at(-10) : nil]
            )
        }
    }

    /// A version that wants images.
    func version(_ id: String, images: [Int64]) throws {
        for image in images {
            try execute(
                """
                INSERT INTO demand (imageID, kind, subject, certainty, mention, places, tasks, createdAt)
                VALUES (?, 'version', ?, 'certain', 'm', '[]', '[]', ?)
                """,
                [image, id, at(-900)]
            )
        }
    }

    func daemon(beat: Double = -1, stopped: Double? = nil, mode: String = "run") throws {
        try execute(
            """
            INSERT OR REPLACE INTO daemon (id, pid, version, mode, startedAt, beatAt, stoppedAt, lastPollAt)
            VALUES (1, 4711, '1.0', ?, ?, ?, ?, ?)
            """,
            [mode, at(-3600), at(beat), stopped.map { at($0) }, at(-12)]
        )
    }

    func report(_ filter: StatusReport.Filter? = nil, alive: Bool = true) throws -> StatusReport {
        try StatusReport.read(from: reader, filter: filter, now: now, isAlive: { $0 == 4711 && alive })
    }

    func text(_ report: StatusReport, width: Int? = nil, colour: Bool = false) -> String {
        StatusText(report, style: TextStyle(width: width, colour: colour)).text
    }
}
