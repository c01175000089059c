package import Foundation
import GRDB
package import Model
import Synchronization

/// What the record tells in figures. Counters start at 0 with the process, as Prometheus expects, and grow by the
/// attempts that were recorded since the last look.
package final class RecordMetrics: Sendable {
    /// Registries beyond this many are counted as `other`.
    static let mostRegistries = 50
    /// Seconds.
    static let durationBounds: [Double] = [1, 5, 15, 60, 300, 900, 3600, 14_400]

    private struct Clones: Hashable, Comparable {
        var registry: String
        var result: String

        static func < (left: Clones, right: Clones) -> Bool {
            (left.registry, left.result) < (right.registry, right.result)
        }
    }

    private struct State {
        /// The last attempt that is counted.
        var last: Int64
        var registries: Set<String> = []
        var clones: [Clones: Int] = [:]
        var bytes: [String: Int64] = [:]
        var failures: [String: Int] = [:]
        var retries: [String: Int] = [:]
        /// Clones that ended well, by how long they took.
        var durations = [Int](repeating: 0, count: RecordMetrics.durationBounds.count + 1)
        var seconds = 0.0

        mutating func label(_ registry: String) -> String {
            guard registries.contains(registry) || registries.count < RecordMetrics.mostRegistries else {
                return "other"
            }
            registries.insert(registry)
            return registry
        }
    }

    private let reader: RecordReader
    private let state: Mutex<State>

    /// - Throws: `LedgerError` when the record can't be read.
    package init(_ reader: RecordReader) throws {
        self.reader = reader
        let last = try reader.read { try Int64.fetchOne($0, sql: "SELECT MAX(id) FROM attempt") ?? 0 }
        state = Mutex(State(last: last))
    }

    /// All families, read in one transaction.
    package func families(now: Date) throws -> [MetricFamily] {
        try reader.read { database in
            try count(database)
            return try images(database, now: now) + counters() + quotas(database, now: now) + moments(database)
        }
    }

    private func count(_ database: Database) throws {
        let last = state.withLock { $0.last }
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT attempt.id, image.registry, result, attempt.failureClass AS class, attempt.bytes,
                    endedAt - startedAt AS lasted,
                    (SELECT failureClass FROM attempt AS former WHERE former.imageID = attempt.imageID
                        AND former.id < attempt.id ORDER BY former.id DESC LIMIT 1) AS formerClass
                FROM attempt JOIN image ON image.id = attempt.imageID WHERE attempt.id > ? ORDER BY attempt.id
                """,
            arguments: [last]
        )
        while let row = try rows.next() {
            state.withLock { state in
                let id: Int64 = row["id"]
                guard id > state.last else { return }
                state.last = id
                let registry = state.label(row["registry"])
                state.clones[Clones(registry: registry, result: row["result"]), default: 0] += 1
                state.bytes[registry, default: 0] += row["bytes"] as Int64
                if row["result"] == "ready", let lasted: Int64 = row["lasted"] {
                    let seconds = Double(max(0, lasted)) / 1000
                    state.seconds += seconds
                    state.durations[Self.durationBounds.firstIndex { seconds <= $0 } ?? Self.durationBounds.count] += 1
                }
                if let failure = row["class"] as String? { state.failures[failure, default: 0] += 1 }
                if let former = row["formerClass"] as String? { state.retries[former, default: 0] += 1 }
            }
        }
    }

    private func counters() -> [MetricFamily] {
        let state = state.withLock { $0 }
        var clones = MetricFamily(
            "preclone_clone_attempts_total",
            .counter,
            help: "Attempts to clone an image, by source registry and result."
        )
        for (key, count) in state.clones.sorted(by: { $0.key < $1.key }) {
            clones.add(Double(count), ["registry": key.registry, "result": key.result])
        }
        var bytes = MetricFamily(
            "preclone_cloned_bytes_total",
            .counter,
            help: "Bytes moved by attempts to clone, by source registry."
        )
        for (registry, count) in state.bytes.sorted(by: { $0.key < $1.key }) {
            bytes.add(Double(count), ["registry": registry])
        }
        var failures = MetricFamily(
            "preclone_clone_failures_total",
            .counter,
            help: "Failed attempts to clone, by class of failure."
        )
        for (failure, count) in state.failures.sorted(by: { $0.key < $1.key }) {
            failures.add(Double(count), ["class": failure])
        }
        var retries = MetricFamily(
            "preclone_clone_retries_total",
            .counter,
            help: "Attempts to clone an image again, by class of the failure before."
        )
        for (failure, count) in state.retries.sorted(by: { $0.key < $1.key }) {
            retries.add(Double(count), ["class": failure])
        }
        var durations = MetricFamily(
            "preclone_clone_duration_seconds",
            .histogram,
            help: "How long clones took that ended with a ready image."
        )
        durations.add(bounds: Self.durationBounds, counts: state.durations, sum: state.seconds)
        return [clones, bytes, failures, retries, durations]
    }

    private func images(_ database: Database, now: Date) throws -> [MetricFamily] {
        var images = MetricFamily("preclone_images", .gauge, help: "Images in the record, by state.")
        var counts: [String: Int] = [:]
        for row in try Row.fetchAll(database, sql: "SELECT state, SUM(images) AS images FROM tally GROUP BY state") {
            counts[row["state"]] = row["images"]
        }
        for state in ["pending", "cloning", "ready", "retrying", "blocked"] {
            images.add(Double(counts[state] ?? 0), ["state": state])
        }
        let unresolved =
            try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM unresolved WHERE endedAt IS NULL") ?? 0
        images.add(Double(unresolved), ["state": "unresolved"])
        var queue = MetricFamily("preclone_queue_images", .gauge, help: "Images that a worker could take now.")
        let due = try Int.fetchOne(
            database,
            sql: "SELECT COUNT(*) FROM image WHERE state IN ('pending', 'retrying') AND dueAt <= ?",
            arguments: [now.milliseconds]
        )
        queue.add(Double(due ?? 0))
        var oldest = MetricFamily(
            "preclone_oldest_waiting_timestamp_seconds",
            .gauge,
            help: "Since when the image that waits longest has waited."
        )
        let since = try Int64.fetchOne(
            database,
            sql: "SELECT MIN(COALESCE(firstAttemptAt, updatedAt)) FROM image WHERE state IN ('pending', 'retrying')"
        )
        if let since { oldest.add(Double(since) / 1000) }
        return [images, queue, oldest]
    }

    private func quotas(_ database: Database, now: Date) throws -> [MetricFamily] {
        var left = MetricFamily("preclone_quota_remaining_pulls", .gauge, help: "Pulls left in a registry's window.")
        var limits = MetricFamily(
            "preclone_quota_limit_pulls",
            .gauge,
            help: "Pulls that a registry grants in a window."
        )
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT host, credential, quotaLimit, quotaRemaining, quotaWindow, quotaSeenAt, countedLimit,
                    (SELECT COUNT(*) FROM pull WHERE pull.host = host.host AND pull.credential = host.credential
                        AND at > ? - COALESCE(countedWindow, 0) * 1000) AS counted
                FROM host ORDER BY host, credential LIMIT \(Self.mostRegistries)
                """,
            arguments: [now.milliseconds]
        )
        for row in rows {
            // A name of a credential is an operator's own business; only whether there is one is told.
            let labels: KeyValuePairs = [
                "registry": row["host"] as String, "credential": (row["credential"] as String).isEmpty ? "no" : "yes",
            ]
            let seen: Int64 = row["quotaSeenAt"] ?? 0
            let window: Int64 = row["quotaWindow"] ?? 21_600
            if let limit: Int = row["quotaLimit"], let remaining: Int = row["quotaRemaining"],
                now.milliseconds - seen < window * 1000
            {
                limits.add(Double(limit), labels)
                left.add(Double(remaining), labels)
            } else if let limit: Int = row["countedLimit"] {
                let counted: Int = row["counted"]
                limits.add(Double(limit), labels)
                left.add(Double(max(0, limit - counted)), labels)
            }
        }
        // One credential of several would make the same labels twice, which Prometheus refuses: the least counts.
        return [limits.keepingLeast(), left.keepingLeast()]
    }

    /// How the live runs stand and what the first line of `status` says, so that both can be alerted on.
    ///
    /// - Parameter report: of `now`.
    package func families(of report: StatusReport) -> [MetricFamily] {
        let counts = report.runCounts ?? StatusReport.RunCounts(report.runs.shown)
        var runs = MetricFamily(
            "preclone_live_runs",
            .gauge,
            help: "Live runs, by how they stand: blocked ones need a person."
        )
        for (state, count) in [
            ("ready", counts.ready), ("waiting", counts.waiting - counts.blocked - counts.unread),
            ("blocked", counts.blocked), ("unknown", counts.unread),
        ] {
            runs.add(Double(max(0, count)), ["state": state])
        }
        var health = MetricFamily(
            "preclone_healthy",
            .gauge,
            help: "1 while status says healthy or idle, 0 while it says degraded or worse."
        )
        health.add([.healthy, .idle].contains(report.health.state) ? 1 : 0)
        return [runs, health]
    }

    private func moments(_ database: Database) throws -> [MetricFamily] {
        guard let row = try Row.fetchOne(database, sql: "SELECT * FROM daemon WHERE id = 1") else { return [] }
        var build = MetricFamily("preclone_build_info", .gauge, help: "The version that is running; always 1.")
        build.add(1, ["version": row["version"] as String])
        let moments = [
            ("startedAt", "preclone_start_timestamp_seconds", "When the process that works on the record started."),
            ("beatAt", "preclone_heartbeat_timestamp_seconds", "The last sign of life of the work loops."),
            (
                "lastPollAt", "preclone_last_poll_success_timestamp_seconds",
                "The last poll of HealthOmics that succeeded."
            ),
            ("lastEventAt", "preclone_last_event_timestamp_seconds", "The last event received."),
            ("tokenExpiresAt", "preclone_token_expiry_timestamp_seconds", "When the ECR authorization token expires."),
        ]
        var reload = MetricFamily(
            "preclone_config_in_force",
            .gauge,
            help: "Whether the configuration file is in force as it stands."
        )
        reload.add(row["configTrouble"] as String? == nil ? 1 : 0)
        return [build, reload]
            + moments.compactMap { column, name, help in
                guard let at: Int64 = row[column] else { return nil }
                var family = MetricFamily(name, .gauge, help: help)
                family.add(Double(at) / 1000)
                return family
            }
    }
}

extension MetricFamily {
    fileprivate func keepingLeast() -> MetricFamily {
        var least: [[Label]: Double] = [:]
        for sample in samples { least[sample.labels] = min(sample.value, least[sample.labels] ?? .infinity) }
        var family = self
        family.samples = []
        for sample in samples {
            guard let value = least.removeValue(forKey: sample.labels) else { continue }
            family.samples.append(Sample(labels: sample.labels, value: value))
        }
        return family
    }
}
