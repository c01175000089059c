import Foundation
import Glibc
import Logging
import Names
import Remotes
import Synchronization
import TestSupport
import Testing

@testable import Precloning

/// A datagram socket that a test listens on, in a folder of its own or in the abstract namespace.
private final class Listener: Sendable {
    let path: String
    private let descriptor: Int32

    init(abstract: Bool = false) throws {
        let name = "preclone-test-\(UUID().uuidString)"
        path = abstract ? "@" + name : NSTemporaryDirectory() + "/" + name
        descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        if abstract { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + (abstract ? 0 : 1))
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        try #require(bound == 0)
    }

    deinit {
        close(descriptor)
        if !path.hasPrefix("@") { unlink(path) }
    }

    /// The next datagram that has arrived; nil when there is none.
    func receive() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : Array(buffer.prefix(count))
    }

    func text() -> String? { receive().map { String(decoding: $0, as: UTF8.self) } }
}

@Suite("SystemdNotifier")
struct SystemdNotifierTests {
    @Test("speaks the protocol to a path and to an abstract name", arguments: [false, true])
    func protocolWords(abstract: Bool) throws {
        let listener = try Listener(abstract: abstract)
        let notifier = SystemdNotifier(environment: ["NOTIFY_SOCKET": listener.path])
        #expect(notifier.isConnected)
        notifier.ready(status: "Watching")
        #expect(listener.text() == "READY=1\nSTATUS=Watching")
        notifier.status("3 images\nREADY=1 wait")
        #expect(listener.text() == "STATUS=3 images\u{FFFD}READY=1 wait")
        notifier.reloading()
        let reloading = try #require(listener.text())
        let parts = reloading.split(separator: "\n")
        #expect(parts.first == "RELOADING=1")
        #expect(parts.last?.hasPrefix("MONOTONIC_USEC=") == true)
        #expect(Int64(parts.last?.dropFirst(15) ?? "").map { $0 > 0 } == true)
        notifier.stopping(status: "Draining", within: .seconds(90))
        #expect(listener.text() == "STOPPING=1\nSTATUS=Draining\nEXTEND_TIMEOUT_USEC=90000000")
        notifier.alive()
        #expect(listener.text() == "WATCHDOG=1")
        #expect(listener.text() == nil)
    }

    @Test("without a manager nothing happens")
    func absent() {
        let notifier = SystemdNotifier(environment: ["WATCHDOG_USEC": "1000000"])
        #expect(!notifier.isConnected)
        #expect(notifier.watchdog == nil)
        notifier.ready(status: "")
        #expect(!SystemdNotifier(environment: ["NOTIFY_SOCKET": "/nonexistent/socket"]).isConnected)
        #expect(!SystemdNotifier(environment: ["NOTIFY_SOCKET": String(repeating: "a", count: 300)]).isConnected)
    }

    @Test("the watchdog's time counts for the process it names")
    func watchdog() throws {
        let listener = try Listener()
        let base = ["NOTIFY_SOCKET": listener.path, "WATCHDOG_USEC": "30000000"]
        #expect(SystemdNotifier(environment: base).watchdog == .seconds(30))
        let mine = base.merging(["WATCHDOG_PID": String(getpid())]) { $1 }
        #expect(SystemdNotifier(environment: mine).watchdog == .seconds(30))
        let other = base.merging(["WATCHDOG_PID": "1"]) { $1 }
        #expect(SystemdNotifier(environment: other).watchdog == nil)
        let bad = base.merging(["WATCHDOG_USEC": "soon"]) { $1 }
        #expect(SystemdNotifier(environment: bad).watchdog == nil)
    }
}

@Suite("LoopPulse")
struct LoopPulseTests {
    private final class Count: Sendable {
        let value = Mutex(0)
        var number: Int { value.withLock { $0 } }
    }

    @Test("one silent loop silences the watchdog although the others go on")
    func silentLoop() {
        let clock = ManualClock()
        let count = Count()
        let pulse = LoopPulse(watchdog: .seconds(30), timeline: clock.timeline()) { count.value.withLock { $0 += 1 } }
        pulse.beat("poll")
        pulse.beat("dispatch")
        #expect(count.number == 1)
        clock.advance(by: .seconds(10))
        pulse.beat("poll")
        #expect(count.number == 2)
        clock.advance(by: .seconds(11))
        pulse.beat("poll")
        #expect(count.number == 2)
        #expect(pulse.overdue == ["dispatch"])
        pulse.beat("dispatch")
        #expect(count.number == 3)
        #expect(pulse.overdue.isEmpty)
    }

    @Test("a loop that has ended is waited for no longer")
    func endedLoop() {
        let clock = ManualClock()
        let count = Count()
        let pulse = LoopPulse(watchdog: .seconds(30), timeline: clock.timeline()) { count.value.withLock { $0 += 1 } }
        pulse.beat("poll")
        pulse.beat("once")
        pulse.ended("once")
        clock.advance(by: .seconds(60))
        pulse.beat("poll")
        #expect(count.number == 2)
    }

    private struct SlowLoop: WorkLoop {
        let name = "slow"
        let bell = Bell()
        let clock: ManualClock

        func pass() async throws -> Duration {
            for _ in 0..<10 {
                clock.advance(by: .seconds(19))
                LoopPulse.progress()
            }
            return .seconds(1)
        }
    }

    @Test("a pass of many requests is no silence")
    func progress() async {
        let clock = ManualClock()
        let count = Count()
        let pulse = LoopPulse(watchdog: .seconds(30), timeline: clock.timeline()) { count.value.withLock { $0 += 1 } }
        let runner = LoopRunner(
            timeline: clock.timeline(),
            pulse: pulse,
            logger: Logger(label: "test") { _ in
                SwiftLogNoOpLogHandler()
            }
        )
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await runner.run(SlowLoop(clock: clock)) }
            await clock.waitForSleepers()
            group.cancelAll()
        }
        #expect(count.number >= 11)
        let before = count.number
        clock.advance(by: .seconds(60))
        LoopPulse.progress()
        #expect(count.number == before, "outside of a pass nothing is said")
    }

    @Test("a long sleep is cut into steps that keep the promise")
    func longSleep() async throws {
        let clock = ManualClock()
        let count = Count()
        let pulse = LoopPulse(watchdog: .seconds(30), timeline: clock.timeline()) { count.value.withLock { $0 += 1 } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pulse.sleep(.seconds(25), loop: "poll") }
            for _ in 0..<3 {
                await clock.waitForSleepers()
                _ = await clock.advanceToNextDeadline()
            }
            try await group.waitForAll()
        }
        #expect(clock.requestedSleeps == [.seconds(10), .seconds(10), .seconds(5)])
        #expect(count.number == 4)
    }
}

@Suite("RestartBackOff")
struct RestartBackOffTests {
    private func with(_ body: (RestartBackOff, ManualClock) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let clock = ManualClock()
        try body(RestartBackOff(environment: ["RUNTIME_DIRECTORY": folder.path], timeline: clock.timeline()), clock)
    }

    @Test("the wait doubles up to five minutes, of which the unit waits five seconds itself")
    func delays() {
        let seconds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 1000].map { RestartBackOff.delay(after: $0).components.seconds }
        #expect(seconds == [0, 0, 5, 15, 35, 75, 155, 295, 295, 295])
    }

    @Test("starts that no end in good order follows are counted")
    func counts() throws {
        try with { backOff, clock in
            for failures in 0..<4 {
                #expect(backOff.takeFailures() == failures)
                backOff.begins(after: failures)
                clock.advance(by: .seconds(30))
            }
            backOff.ended()
            #expect(backOff.takeFailures() == 0)
        }
    }

    @Test("whoever ends the wait does not wait again")
    func taken() throws {
        try with { backOff, _ in
            backOff.begins(after: 6)
            #expect(backOff.takeFailures() == 7)
            #expect(backOff.takeFailures() == 0)
        }
    }

    @Test("a failure after a long good run is the first")
    func goodRun() throws {
        try with { backOff, clock in
            backOff.begins(after: 6)
            clock.advance(by: .seconds(600))
            #expect(backOff.takeFailures() == 1)
        }
    }

    @Test("without a runtime directory nothing is counted")
    func absent() {
        let backOff = RestartBackOff(environment: [:], timeline: ManualClock().timeline())
        backOff.begins(after: 3)
        #expect(backOff.takeFailures() == 0)
    }
}

@Suite("Log sinks")
struct LogSinkTests {
    private let entry = LogEntry(
        level: .warning,
        message: "Image blocked",
        metadata: [("error", "no \"amd64\"\nREADY"), ("image.ref", "quay.io/a/b:1")],
        label: "preclone",
        file: "Module/File.swift",
        function: "f()",
        line: 7,
        date: Date(timeIntervalSince1970: 1_790_000_000.25)
    )

    @Test("text, priority and JSON lines, with control characters taken out")
    func lines() {
        #expect(
            LineLogSink.line(entry, form: .text)
                == "2026-09-21T14:13:20.250Z warning Image blocked error=\"no \\\"amd64\\\"\u{FFFD}READY\" image.ref=quay.io/a/b:1\n"
        )
        #expect(LineLogSink.line(entry, form: .priority).hasPrefix("<4>Image blocked error="))
        #expect(
            LineLogSink.line(entry, form: .json) == """
                {"error":"no \\"amd64\\"\\nREADY","image.ref":"quay.io/a/b:1","level":"warning","logger":"preclone",\
                "message":"Image blocked","time":"2026-09-21T14:13:20.250Z"}

                """
        )
    }

    @Test("lines that could not be written are counted, and the count is written before the next", arguments: [0, 9])
    func lost(written: Int) {
        let isFull = Mutex(false)
        let text = Mutex("")
        let sink = LineLogSink(form: .priority) { line in
            if isFull.withLock({ $0 }) {
                text.withLock { $0 += line.prefix(written) }
                throw StandardStream.WriteFailure(stream: .error, code: 28, written: written)
            }
            text.withLock { $0 += line }
        }
        sink.write(entry)
        isFull.withLock { $0 = true }
        sink.write(entry)
        sink.write(entry)
        isFull.withLock { $0 = false }
        sink.write(entry)
        sink.write(entry)
        let line = LineLogSink.line(entry, form: .priority)
        let told = "<4>Lines of this log could not be written lines=2\n"
        let all = text.withLock { $0 }
        #expect(all.hasPrefix(line) && all.hasSuffix(told + line + line))
        #expect(all.components(separatedBy: told).count == 2)
        // What was torn is a line of its own.
        #expect(all.dropFirst(line.count).prefix(written) == line.prefix(written))
    }

    @Test(
        "facts become journal fields",
        arguments: [("image.ref", "IMAGE_REF"), ("aws.request_id", "AWS_REQUEST_ID"), ("_x", "F__X"), ("1st", "F_1ST")]
    )
    func fieldNames(key: String, name: String) {
        #expect(JournalSink.fieldName(key) == name)
    }

    @Test("the journal gets fields in its own protocol, multi-line values with their length")
    func journal() throws {
        let listener = try Listener()
        let sink = try #require(JournalSink(path: listener.path, otherwise: LineLogSink(form: .text) { _ in }))
        sink.write(entry)
        let bytes = try #require(listener.receive())
        let text = String(decoding: bytes, as: UTF8.self)
        let message = "MESSAGE=Image blocked error=\"no \\\"amd64\\\"\u{FFFD}READY\" image.ref=quay.io/a/b:1"
        #expect(text.hasPrefix(message + "\nPRIORITY=4\nSYSLOG_IDENTIFIER=preclone\nSENTENCE=Image blocked\n"))
        #expect(text.contains("\nIMAGE_REF=quay.io/a/b:1\n"))
        let value = "no \"amd64\"\nREADY"
        let length: [UInt8] = [UInt8(value.utf8.count), 0, 0, 0, 0, 0, 0, 0]
        let field = Array("ERROR\n".utf8) + length + Array(value.utf8) + [10]
        #expect(bytes.firstRange(of: field) != nil)
    }

    @Test("what the journal refuses goes to the other sink")
    func fallback() throws {
        let lines = Mutex<[String]>([])
        let path: String
        do {
            let listener = try Listener()
            path = listener.path
        }
        #expect(JournalSink(path: path, otherwise: LineLogSink(form: .text) { _ in }) == nil)
        lines.withLock { #expect($0.isEmpty) }
    }

    @Test("an entry stays within a datagram")
    func bounded() {
        var large = entry
        large.metadata = (0..<100).map { ("key\($0)", String(repeating: "x", count: 100_000)) }
        #expect(JournalSink.datagram(large).count < 120_000)
    }

    @Test("a field that is cut is still text, which journald would otherwise keep as binary")
    func cut() {
        var long = entry
        // Three bytes each: the cut goes through one of them.
        long.metadata = [("reason", String(repeating: "工", count: 10_000))]
        #expect(String(validating: JournalSink.datagram(long), as: UTF8.self) != nil)
    }

    @Test("stderr is the journal only if device and inode agree", arguments: [nil, "", "1", "x:y", "0:0"])
    func stream(value: String?) {
        #expect(!JournalSink.isStandardError(of: value))
    }

    @Test("the handler merges metadata, later over earlier, and obeys a threshold changed at run time")
    func handler() {
        let written = Written()
        let threshold = LogThreshold(.info)
        var logger = Logger(label: "test") { label in
            SinkLogHandler(label: label, sink: written, threshold: threshold, now: { Date(timeIntervalSince1970: 0) })
        }
        logger[metadataKey: "image.ref"] = "a"
        logger[metadataKey: "host"] = "h"
        logger.debug("Not yet")
        threshold.level = .debug
        logger.debug("Now", metadata: ["image.ref": "b", "retry": ["delay": "1s"]])
        let entries = written.entries.withLock { $0 }
        #expect(entries.map(\.message) == ["Now"])
        #expect(entries.first?.metadata.map { "\($0.key)=\($0.value)" } == ["host=h", "image.ref=b", "retry.delay=1s"])
    }

    private final class Written: LogSink {
        let entries = Mutex<[LogEntry]>([])
        func write(_ entry: LogEntry) { entries.withLock { $0.append(entry) } }
    }
}
