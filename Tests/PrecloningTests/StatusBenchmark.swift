import Foundation
import GRDB
import Testing

@testable import Model
@testable import Precloning
@testable import Record

/// Fills a record and times what readers ask of it. Runs only for `Tests/Benchmarks/status.sh`, which names the file and
/// the number of images; figures are printed, since a limit in a test would depend on the machine.
@Suite struct StatusBenchmark {
    private static let environment = ProcessInfo.processInfo.environment
    private static var path: String? { environment["PRECLONE_BENCHMARK_RECORD"] }
    private static var images: Int { environment["PRECLONE_BENCHMARK_IMAGES"].flatMap(Int.init) ?? 100_000 }

    @Test(.enabled(if: path != nil))
    func readersOfALargeRecord() throws {
        let path = try #require(Self.path)
        let ledger = try Ledger(path: path)
        let filled = ContinuousClock().measure { #expect(throws: Never.self) { try fill(ledger, Self.images) } }
        print("filled \(Self.images) images, \(Self.images * 10) digests in \(filled)")
        let reader = try RecordReader(path: path)
        for (name, filter) in [
            ("status", nil), ("status --run", StatusReport.Filter.run(id: "7")),
            ("status --workflow", .workflow("3/v3")),
            ("status --image", .image("docker.io/bench/image:5")),
        ] {
            print(name, try best { try StatusReport.read(from: reader, filter: filter, now: Date()) { _ in true } })
        }
        print("history", try best { try TagHistory.read("docker.io/bench/image:5", from: reader) })
        print("audit --since", try best { try reader.audit(since: Date(), after: 0) })
    }

    /// The best of five: what the work costs, without what else the machine does.
    private func best<Value>(_ body: () throws -> Value) throws -> Duration {
        try (0..<5).map { _ in
            var value: Value?
            let time = try ContinuousClock().measure { value = try body() }
            #expect(value != nil)
            return time
        }.min() ?? .zero
    }

    private func fill(_ ledger: Ledger, _ images: Int) throws {
        let count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
        let now = Date().milliseconds
        try ledger.database.write { database in
            func insert(_ sql: String, _ number: Int) throws {
                try database.execute(
                    sql: sql.replacing("NUMBERS", with: count),
                    arguments: ["count": number]
                )
            }
            try insert(
                """
                NUMBERS INSERT INTO image (source, destination, registry, state, reason, mend, dueAt, urgency,
                    createdAt, updatedAt)
                SELECT 'docker.io/bench/image:' || i, '1.dkr.ecr.x.amazonaws.com/bench/image:' || i,
                    CASE i % 4 WHEN 0 THEN 'docker.io' WHEN 1 THEN 'quay.io' WHEN 2 THEN 'ghcr.io' ELSE 'gcr.io' END,
                    CASE i % 100 WHEN 1 THEN 'pending' WHEN 2 THEN 'retrying' WHEN 3 THEN 'blocked' ELSE 'ready' END,
                    'a reason in words', 'what to do', \(now) + i, 3, \(now) - i, \(now) - i FROM n
                """,
                images
            )
            try insert(
                """
                NUMBERS INSERT INTO digest (source, location, digest, firstSeenAt, lastSeenAt)
                SELECT 'docker.io/bench/image:' || (1 + i % (:count / 10)), CASE i % 2 WHEN 0 THEN 'upstream' ELSE 'ecr' END,
                    'sha256:' || hex(randomblob(32)), \(now) - i, \(now) - i FROM n
                """,
                images * 10
            )
            try insert(
                """
                NUMBERS INSERT INTO attempt (imageID, startedAt, endedAt, route, result, message)
                SELECT 1 + i % (:count / 2), \(now) - i, \(now) - i, 'copy', 'failed', 'a message' FROM n
                """,
                images * 2
            )
            try insert(
                """
                NUMBERS INSERT INTO demand (imageID, kind, subject, certainty, mention, places, tasks, createdAt)
                SELECT i, 'version', (i % 1000) || '/v' || (i % 7), 'certain', 'm', '[]', '[]', 1 FROM n
                """,
                images
            )
            // Runs do not grow with the record: 200 live ones with 20 images each, and those that ended.
            try insert(
                """
                NUMBERS INSERT INTO run (key, id, status, workflowID, createdAt, seenAt, surveyedAt, endedAt)
                SELECT i || '@1', i, 'RUNNING', '3', \(now) - i, 1, 1, CASE WHEN i > 200 THEN \(now) END FROM n
                """,
                images / 10
            )
            try insert(
                """
                NUMBERS INSERT INTO demand (imageID, kind, subject, certainty, mention, places, tasks, createdAt, endedAt)
                SELECT 1 + (i * 37) % \(images), 'run', (1 + i / 20) || '@1', 'certain', 'm', '[]', '[]', 1,
                    CASE WHEN i >= 4000 THEN \(now) END FROM n
                """,
                images
            )
            try database.execute(
                sql: """
                    INSERT INTO daemon (id, pid, version, mode, startedAt, beatAt) VALUES (1, 1, '1', 'run', 1, \(now))
                    """
            )
        }
        try ledger.database.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
    }
}
