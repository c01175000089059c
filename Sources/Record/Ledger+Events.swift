package import Foundation
import GRDB
package import Model

extension Ledger {
    /// Notes events and what was done with them; a message that was noted before is not noted again.
    package func noted(_ events: [EventEntry], now: Date) throws {
        guard !events.isEmpty else { return }
        try database.write { database in
            for event in events {
                try database.execute(
                    sql: """
                        INSERT INTO event (at, kind, subject, status, outcome, messageID) SELECT ?, ?, ?, ?, ?, ?
                        WHERE NOT EXISTS (SELECT 1 FROM event WHERE messageID = ?)
                        """,
                    arguments: [
                        now.milliseconds, event.kind, event.subject, event.status, event.outcome, event.messageID,
                        event.messageID,
                    ]
                )
            }
            try database.execute(sql: "UPDATE daemon SET lastEventAt = ?", arguments: [now.milliseconds])
        }
    }

    /// Which of these messages were noted before: they are here again because deleting them failed.
    package func notedMessages(_ ids: [String]) throws -> Set<String> {
        try database.read { database in
            var found: Set<String> = []
            for id in ids
            where try Bool.fetchOne(database, sql: "SELECT 1 FROM event WHERE messageID = ?", arguments: [id]) != nil {
                found.insert(id)
            }
            return found
        }
    }

    /// What keeps events from arriving; nil when they arrive.
    package func eventTrouble(_ trouble: String?) throws {
        try database.write {
            try $0.execute(
                sql: "UPDATE daemon SET eventTrouble = :trouble WHERE eventTrouble IS NOT :trouble",
                arguments: ["trouble": trouble]
            )
        }
    }

    /// Whether a poll found a live run, between two moments, of which no event has told until now.
    package func pollFoundRunFirst(from start: Date, until end: Date) throws -> Bool {
        try database.read {
            try Bool.fetchOne(
                $0,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM run WHERE polledAt >= :start AND polledAt <= :end
                        AND NOT EXISTS (SELECT 1 FROM event WHERE event.subject = run.id
                            AND event.at >= COALESCE(run.createdAt, run.polledAt) - 60000))
                    """,
                arguments: ["start": start.milliseconds, "end": end.milliseconds]
            ) ?? false
        }
    }

    /// Whether an event told of a run that the service then knew, between two moments.
    package func eventToldOfRun(from start: Date, until end: Date) throws -> Bool {
        try database.read {
            try Bool.fetchOne(
                $0,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM event WHERE at >= :start AND at <= :end
                        AND EXISTS (SELECT 1 FROM run WHERE run.id = event.subject
                            AND event.at >= COALESCE(run.createdAt, run.seenAt) - 60000))
                    """,
                arguments: ["start": start.milliseconds, "end": end.milliseconds]
            ) ?? false
        }
    }

    package func hadEvents() throws -> Bool {
        try database.read {
            try Bool.fetchOne($0, sql: "SELECT EXISTS (SELECT 1 FROM daemon WHERE lastEventAt IS NOT NULL)") ?? false
        }
    }

    /// What was done with the last event of a subject since a moment; nil when none came.
    package func lastOutcome(of subject: String, since: Date) throws -> String? {
        try database.read {
            try String.fetchOne(
                $0,
                sql: "SELECT outcome FROM event WHERE subject = ? AND at >= ? ORDER BY at DESC, id DESC LIMIT 1",
                arguments: [subject, since.milliseconds]
            )
        }
    }

    /// Whether live runs of a batch are known.
    package func knowsRuns(ofBatch id: String) throws -> Bool {
        try database.read {
            try Bool.fetchOne(
                $0,
                sql: "SELECT EXISTS (SELECT 1 FROM run WHERE batchID = ? AND endedAt IS NULL)",
                arguments: [id]
            ) ?? false
        }
    }

    /// A workflow is about to be used: its versions are worked out before others.
    ///
    /// - Returns: whether it is known.
    package func workflowInUse(_ id: String, now: Date) throws -> Bool {
        try database.write { database in
            try database.execute(
                sql: "UPDATE workflow SET lastRunAt = MAX(COALESCE(lastRunAt, 0), ?) WHERE id = ?",
                arguments: [now.milliseconds, id]
            )
            return database.changesCount > 0
        }
    }

    package func knowsWorkflow(_ id: String) throws -> Bool {
        try database.read {
            try Bool.fetchOne(
                $0,
                sql: "SELECT EXISTS (SELECT 1 FROM workflow WHERE id = ? AND status <> 'DELETED')",
                arguments: [id]
            ) ?? false
        }
    }
}
