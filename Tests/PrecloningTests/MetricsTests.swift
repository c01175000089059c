import Foundation
import GRDB
import Logging
import NIOCore
import NIOHTTP1
import Remotes
import Synchronization
import TestSupport
import Testing

@testable import Configuring
@testable import Model
@testable import Precloning
@testable import Record

@Suite("Metrics")
struct MetricsTests {
    private let now = Date(timeIntervalSince1970: 1_790_000_000)

    private func record() throws -> Ledger {
        let ledger = try Ledger()
        try ledger.database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO image (id, source, destination, registry, state, dueAt, createdAt, updatedAt) VALUES
                        (1, 'docker.io/library/a:1', 'x/a:1', 'docker.io', 'ready', NULL, 1, 1),
                        (2, 'quay.io/b:1', 'x/b:1', 'quay.io', 'pending', 1000, 1, 1789999000000),
                        (3, 'quay.io/c:1', 'x/c:1', 'quay.io', 'retrying', 1999999999999, 1, 1789999500000);
                    INSERT INTO host (host, credential, quotaLimit, quotaRemaining, quotaWindow, quotaSeenAt) VALUES
                        ('docker.io', '', 100, 42, 21600, 1789999999000), ('docker.io', 'a', 200, 7, 21600, 1789999999000),
                        ('docker.io', 'b', 200, 5, 21600, 1789999999000);
                    INSERT INTO host (host, countedLimit, countedWindow) VALUES ('wave.seqera.io', 100, 3600);
                    INSERT INTO pull (host, at, state) VALUES ('wave.seqera.io', 1789999999000, 'committed'),
                        ('wave.seqera.io', 1, 'committed');
                    INSERT INTO daemon (id, pid, version, mode, startedAt, beatAt, lastPollAt)
                        VALUES (1, 1, '0', 'run', 1789999000000, 1789999990500, 1789999980000);
                    INSERT INTO attempt (imageID, startedAt, endedAt, route, result, bytes)
                        VALUES (1, 1, 2, 'copy', 'ready', 5);
                    """
            )
        }
        return ledger
    }

    @Test("figures of the record, counters from the start of the process on")
    func figures() async throws {
        let ledger = try record()
        let metrics = try RecordMetrics(RecordReader(ledger))
        try await ledger.database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO attempt (imageID, startedAt, endedAt, route, result, failureClass, bytes) VALUES
                        (2, 1, 2, 'copy', 'failed', 'throttled', 10), (2, 1, 2, 'copy', 'ready', NULL, 1000),
                        (3, 1, 2, 'copy', 'failed', 'unreachable', 0);
                    """
            )
        }
        let expected = """
            # HELP preclone_images Images in the record, by state.
            # TYPE preclone_images gauge
            preclone_images{state="pending"} 1
            preclone_images{state="cloning"} 0
            preclone_images{state="ready"} 1
            preclone_images{state="retrying"} 1
            preclone_images{state="blocked"} 0
            preclone_images{state="unresolved"} 0
            # HELP preclone_queue_images Images that a worker could take now.
            # TYPE preclone_queue_images gauge
            preclone_queue_images 1
            # HELP preclone_oldest_waiting_timestamp_seconds Since when the image that waits longest has waited.
            # TYPE preclone_oldest_waiting_timestamp_seconds gauge
            preclone_oldest_waiting_timestamp_seconds 1789999000
            # HELP preclone_clone_attempts_total Attempts to clone an image, by source registry and result.
            # TYPE preclone_clone_attempts_total counter
            preclone_clone_attempts_total{registry="quay.io",result="failed"} 2
            preclone_clone_attempts_total{registry="quay.io",result="ready"} 1
            # HELP preclone_cloned_bytes_total Bytes moved by attempts to clone, by source registry.
            # TYPE preclone_cloned_bytes_total counter
            preclone_cloned_bytes_total{registry="quay.io"} 1010
            # HELP preclone_clone_failures_total Failed attempts to clone, by class of failure.
            # TYPE preclone_clone_failures_total counter
            preclone_clone_failures_total{class="throttled"} 1
            preclone_clone_failures_total{class="unreachable"} 1
            # HELP preclone_clone_retries_total Attempts to clone an image again, by class of the failure before.
            # TYPE preclone_clone_retries_total counter
            preclone_clone_retries_total{class="throttled"} 1
            # HELP preclone_clone_duration_seconds How long clones took that ended with a ready image.
            # TYPE preclone_clone_duration_seconds histogram
            preclone_clone_duration_seconds_bucket{le="1"} 1
            preclone_clone_duration_seconds_bucket{le="5"} 1
            preclone_clone_duration_seconds_bucket{le="15"} 1
            preclone_clone_duration_seconds_bucket{le="60"} 1
            preclone_clone_duration_seconds_bucket{le="300"} 1
            preclone_clone_duration_seconds_bucket{le="900"} 1
            preclone_clone_duration_seconds_bucket{le="3600"} 1
            preclone_clone_duration_seconds_bucket{le="14400"} 1
            preclone_clone_duration_seconds_bucket{le="+Inf"} 1
            preclone_clone_duration_seconds_sum 0.001
            preclone_clone_duration_seconds_count 1
            # HELP preclone_quota_limit_pulls Pulls that a registry grants in a window.
            # TYPE preclone_quota_limit_pulls gauge
            preclone_quota_limit_pulls{registry="docker.io",credential="no"} 100
            preclone_quota_limit_pulls{registry="docker.io",credential="yes"} 200
            preclone_quota_limit_pulls{registry="wave.seqera.io",credential="no"} 100
            # HELP preclone_quota_remaining_pulls Pulls left in a registry's window.
            # TYPE preclone_quota_remaining_pulls gauge
            preclone_quota_remaining_pulls{registry="docker.io",credential="no"} 42
            preclone_quota_remaining_pulls{registry="docker.io",credential="yes"} 5
            preclone_quota_remaining_pulls{registry="wave.seqera.io",credential="no"} 99
            # HELP preclone_build_info The version that is running; always 1.
            # TYPE preclone_build_info gauge
            preclone_build_info{version="0"} 1
            # HELP preclone_config_in_force Whether the configuration file is in force as it stands.
            # TYPE preclone_config_in_force gauge
            preclone_config_in_force 1
            # HELP preclone_start_timestamp_seconds When the process that works on the record started.
            # TYPE preclone_start_timestamp_seconds gauge
            preclone_start_timestamp_seconds 1789999000
            # HELP preclone_heartbeat_timestamp_seconds The last sign of life of the work loops.
            # TYPE preclone_heartbeat_timestamp_seconds gauge
            preclone_heartbeat_timestamp_seconds 1789999990.5
            # HELP preclone_last_poll_success_timestamp_seconds The last poll of HealthOmics that succeeded.
            # TYPE preclone_last_poll_success_timestamp_seconds gauge
            preclone_last_poll_success_timestamp_seconds 1789999980

            """
        #expect(MetricFamily.text(try metrics.families(now: now)) == expected)
        // A second look counts nothing twice.
        #expect(MetricFamily.text(try metrics.families(now: now)) == expected)
    }

    /// Prometheus's own checker, where `.ci/test` has put it.
    static let checker = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent(".venv/bin/promtool")

    @Test(
        "promtool has nothing to say",
        .enabled(if: FileManager.default.isExecutableFile(atPath: checker.path), "promtool is not installed")
    )
    func promtool() throws {
        let requests = RequestMetrics()
        requests.count(host: "quay.io", answer: "200")
        let record = try RecordMetrics(RecordReader(try record()))
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString).prom")
        defer { try? FileManager.default.removeItem(at: file) }
        let text = MetricFamily.text(try record.families(now: now) + requests.families)
        try Data(text.utf8).write(to: file)
        let process = Process()
        process.executableURL = Self.checker
        process.arguments = ["check", "metrics"]
        process.standardInput = try FileHandle(forReadingFrom: file)
        let said = Pipe()
        process.standardError = said
        process.standardOutput = said
        try process.run()
        process.waitUntilExit()
        let words = String(decoding: try said.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        #expect(process.terminationStatus == 0)
        #expect(words == "")
    }

    @Test("no image name is in any label")
    func labels() throws {
        let metrics = try RecordMetrics(RecordReader(try record()))
        let text = MetricFamily.text(try metrics.families(now: now))
        #expect(!text.contains("library"))
        #expect(!text.contains("x/a"))
    }

    @Test(
        "hosts are counted without anything else of a URL",
        arguments: [
            ("https://user:pass@Quay.io:443/v2/?token=secret", "quay.io"), ("http://[::1]:5000/v2/", "[::1]"),
            ("https://a.example?X-Amz-Signature=1", "a.example"), ("nonsense", "-"),
        ]
    )
    func hosts(url: String, host: String) {
        #expect(CountingTransport.host(of: url) == host)
    }

    @Test("the number of hosts in labels is bounded")
    func bounded() {
        let metrics = RequestMetrics()
        for number in 0..<1000 { metrics.count(host: "h\(number).example", answer: "200") }
        let samples = metrics.families.flatMap(\.samples)
        #expect(samples.count == RequestMetrics.mostHosts + 1)
        #expect(samples.reduce(0) { $0 + $1.value } == 1000)
    }

    @Test("label values are escaped")
    func escaping() {
        var family = MetricFamily("x", .gauge, help: "y")
        family.add(0.5, ["a": "\"\\\n\u{1B}"])
        #expect(MetricFamily.text([family]) == "# HELP x y\n# TYPE x gauge\nx{a=\"\\\"\\\\ \u{FFFD}\"} 0.5\n")
    }

    @Test(
        "alerts and dashboard ask for nothing that the exporter does not give",
        arguments: ["alerts.yml", "grafana-dashboard.json"]
    )
    func answered(file: String) throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../config/\(file)")
        let text = try String(contentsOf: path, encoding: .utf8)
        let fixture = try RecordFixture()
        try fixture.image("quay.io/a/b:1", state: "retrying", due: 5)
        try fixture.execute(
            """
            INSERT INTO daemon (id, pid, version, mode, startedAt, beatAt, lastPollAt) VALUES (1, 1, '1', 'run', 1, 1, 1)
            """
        )
        try fixture.execute("INSERT INTO host (host, countedLimit) VALUES ('docker.io', 100)")
        let record = try RecordMetrics(fixture.reader)
        let report = try StatusReport.read(from: fixture.reader, now: fixture.now, isAlive: { _ in true })
        let requests = RequestMetrics()
        requests.count(host: "quay.io", answer: "200")
        let families = try record.families(now: fixture.now) + record.families(of: report) + requests.families
        let given = Set(families.map(\.name))
        let asked = Set(text.matches(of: #/preclone_[a-z_]+/#).map { String($0.output) })
        #expect(asked.count > 8)
        for name in asked {
            let family = name.hasSuffix("_bucket") ? String(name.dropLast(7)) : name
            #expect(given.contains(family), "\(name)")
        }
        #expect(
            families.allSatisfy { !$0.samples.isEmpty || ["_total", "_seconds"].contains(where: $0.name.hasSuffix) }
        )
    }

    @Test("the listener answers /metrics and nothing else, and ends with its task")
    func listener() async throws {
        let health = Mutex(Health(state: .healthy, reasons: ["1 image being cloned"]))
        let exporter = MetricsExporter(
            try configuration(#"{"listen": "127.0.0.1:0"}"#),
            timeline: .system,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            text: { "x 1\n" },
            health: { health.withLock { $0 } }
        )
        let (ports, told) = AsyncStream.makeStream(of: Int.self)
        let transport = try LiveTransport()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await exporter.run { told.yield($0) } }
            let port = try #require(await ports.first { _ in true })
            for (method, path, status, body) in [
                ("GET", "/metrics", 200, "x 1\n"), ("GET", "/", 404, "try /metrics or /healthz\n"),
                ("GET", "/healthz", 200, "healthy\n1 image being cloned\n"),
                ("POST", "/metrics", 405, "only GET\n"),
                ("HEAD", "/metrics?x", 200, ""),
            ] {
                var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
                request.method = .init(rawValue: method)
                let response = try await transport.send(request, patience: Patience(whole: .seconds(120)))
                #expect(Int(response.status.code) == status)
                #expect(String(buffer: try await response.body.collect(upTo: 1000)) == body)
            }
            health.withLock { $0 = Health(state: .degraded, reasons: ["the record: disk full"]) }
            let response = try await transport.send(
                HTTPClientRequest(url: "http://127.0.0.1:\(port)/healthz"),
                patience: Patience(whole: .seconds(120))
            )
            #expect(response.status == .serviceUnavailable)
            #expect(String(buffer: try await response.body.collect(upTo: 1000)) == "degraded\nthe record: disk full\n")
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    @Test("an address that another program holds is tried again")
    func addressInUse() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let first = MetricsExporter(
            try configuration(#"{"listen": "127.0.0.1:0"}"#),
            timeline: .system,
            logger: logger,
            text: { "" },
            health: { Health(state: .idle, reasons: []) }
        )
        let clock = ManualClock()
        let (ports, told) = AsyncStream.makeStream(of: Int.self)
        let (again, toldAgain) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let holder = Task { await first.run { told.yield($0) } }
            let port = try #require(await ports.first { _ in true })
            let second = MetricsExporter(
                try configuration("{\"listen\": \"127.0.0.1:\(port)\"}"),
                timeline: clock.timeline(),
                logger: logger,
                text: { "" },
                health: { Health(state: .idle, reasons: []) }
            )
            group.addTask { await second.run { toldAgain.yield($0) } }
            await clock.waitForSleepers()
            #expect(clock.requestedSleeps == [MetricsExporter.listenPause])
            holder.cancel()
            await holder.value
            clock.advance(by: MetricsExporter.listenPause)
            #expect(await again.first { _ in true } == port)
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    @Test("the file is written at once and again, whole")
    func file() async throws {
        let path = NSTemporaryDirectory() + "/preclone-\(UUID().uuidString).prom"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let clock = ManualClock()
        let count = Mutex(0)
        let exporter = MetricsExporter(
            try configuration("{\"textFile\": \"\(path)\"}"),
            timeline: clock.timeline(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            text: {
                count.withLock { $0 += 1 }
                return "x \(count.withLock { $0 })\n"
            },
            health: { Health(state: .idle, reasons: []) }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await exporter.run() }
            await clock.waitForSleepers()
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "x 1\n")
            _ = await clock.advanceToNextDeadline()
            await clock.waitForSleepers()
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "x 2\n")
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o644, "node_exporter is another user")
            #expect(!FileManager.default.fileExists(atPath: path + ".new"))
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(clock.requestedSleeps == [.seconds(15), .seconds(15)])
    }

    private func configuration(_ metrics: String) throws -> Configuring.Configuration.Metrics {
        try Configuring.Configuration.parse(Array("{\"version\": 1, \"metrics\": \(metrics)}".utf8), file: "c").metrics
    }
}
