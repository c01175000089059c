import Foundation
import Precloning
import Sandbox
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// The daemon with a record that it cannot use: it says what, where and the mend, and spoils nothing.
@Suite("Faults of the record")
struct RecordFaultTests {
    /// Whether file systems can be mounted here: as root, and not in a container that forbids it.
    static let canMount = geteuid() == 0 && (try? FaultTests.tool("unshare", "--mount", "true")) == true

    /// A file system in memory where the record is, for as long as `body` takes.
    private func withSmallDisk(_ world: RunningSandbox, mebibytes: Int, _ body: (String) async throws -> Void)
        async throws
    {
        let folder = URL(filePath: world.record).deletingLastPathComponent().path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try #require(try FaultTests.tool("mount", "-t", "tmpfs", "-o", "size=\(mebibytes)m,mode=2770", "tmpfs", folder))
        defer { _ = try? FaultTests.tool("umount", "--lazy", folder) }
        try await body(folder)
    }

    /// Fills a disk to its last byte with one file.
    private func fill(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let zeros = [UInt8](repeating: 0, count: 4096)
        while zeros.withUnsafeBytes({ write(descriptor, $0.baseAddress, $0.count) }) > 0 {}
    }

    @Test("the disk is full for a while", .enabled(if: canMount, "needs root, to mount a small disk"))
    func diskFull() async throws {
        try await RunningSandbox.with { world in
            let first = ["quay.io/org/first:1"]
            let more = (0..<8).map { "quay.io/org/more\($0):1" }
            for image in first + more { try world.put(image) }
            try await withSmallDisk(world, mebibytes: 8) { folder in
                try await world.withDaemon { daemon in
                    try world.startRun("first", of: first)
                    try await world.until([first[0]: "ready"])
                    let ballast = folder + "/ballast"
                    try fill(ballast)
                    try world.startRun("more", of: more)
                    try await world.until("word of the full disk") { daemon.standardError.contains("disk is full") }
                    #expect(daemon.isRunning)
                    let status = try await world.run("status")
                    #expect(status.standardOutput.hasPrefix("degraded: disk full: "), "\(status.standardOutput)")
                    #expect(status.code == 4)
                    try await world.until("the daemon's own word") {
                        try await world.run("status").standardOutput.contains("database or disk is full")
                    }
                    // What was ready can still be read.
                    #expect(try world.states()[first[0]] == "ready")
                    try FileManager.default.removeItem(atPath: ballast)
                    try await world.until(Dictionary(uniqueKeysWithValues: (first + more).map { ($0, "ready") }))
                }
                try world.expectOnce(first + more)
            }
        }
    }

    @Test("the disk is full in the middle of copying", .enabled(if: canMount, "needs root, to mount a small disk"))
    func diskFullWhileCopying() async throws {
        try await RunningSandbox.with { world in
            let images = (0..<4).map { "quay.io/org/tool\($0):1" }
            for image in images { try world.put(image, size: 1 << 20) }
            world.sandbox.add(Fault(.slow, operation: "GetBlob", registry: "quay.io", bytes: 1 << 17))
            try await withSmallDisk(world, mebibytes: 8) { folder in
                try await world.withDaemon { daemon in
                    try world.startRun("all", of: images)
                    try await world.until("copying") { try world.states().values.contains("cloning") }
                    let ballast = folder + "/ballast"
                    try fill(ballast)
                    world.sandbox.clearFaults()
                    try await world.until("word of the full disk") { daemon.standardError.contains("disk is full") }
                    #expect(daemon.isRunning)
                    try FileManager.default.removeItem(atPath: ballast)
                    try await world.until(Dictionary(uniqueKeysWithValues: images.map { ($0, "ready") }))
                }
                try world.expectOnce(images)
            }
        }
    }

    @Test("read-only", .enabled(if: canMount, "needs root, to mount a disk that may not be written"))
    func readOnly() async throws {
        try await RunningSandbox.with { world in
            try await withSmallDisk(world, mebibytes: 8) { folder in
                #expect(try await world.run("run", "--once").code == 0)
                try #require(try FaultTests.tool("mount", "-o", "remount,ro", folder))
                for arguments in [["run"], ["run", "--once"]] {
                    let answer = try await world.start(arguments).end()
                    #expect(answer.code == 1)
                    #expect(answer.standardError.contains("error: \(folder)/record.sqlite"))
                    #expect(
                        answer.standardError.contains("may be written") || answer.standardError.contains("may write it")
                    )
                }
                // Looking needs no writing.
                #expect(try await world.status().code == 3)
            }
        }
    }

    @Test("corrupt, or of another kind; the file is left as it is", arguments: ["text", "torn", "empty pages"])
    func corrupt(kind: String) async throws {
        try await RunningSandbox.with { world in
            #expect(try await world.run("run", "--once").code == 0)
            let file = URL(filePath: world.record)
            for name in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: world.record + name) }
            var bytes = try Data(contentsOf: file)
            switch kind {
            case "text": bytes = Data("This is not a record.\n".utf8) + bytes.dropFirst(22)
            case "torn": bytes = bytes.prefix(bytes.count / 2)
            default: bytes.replaceSubrange(4096..<bytes.count, with: Data(count: bytes.count - 4096))
            }
            try bytes.write(to: file)
            let answer = try await world.run("run")
            #expect(answer.code == 1, "\(answer.standardError)")
            #expect(answer.standardError.contains("error: \(world.record)"), "\(answer.standardError)")
            #expect(answer.standardError.contains("move it away"), "\(answer.standardError)")
            #expect(try Data(contentsOf: file) == bytes)
        }
    }

    @Test("of a newer version; the file is left as it is")
    func newer() async throws {
        try await RunningSandbox.with { world in
            #expect(try await world.run("run", "--once").code == 0)
            try world.change("PRAGMA user_version = 999")
            for command in ["run", "status"] {
                let answer = try await world.run(command)
                #expect(answer.code == 1)
                #expect(answer.standardError.contains("was written by a newer preclone (record version 999"))
                #expect(answer.standardError.contains("install that version again"))
            }
            #expect(try world.rows("PRAGMA user_version").first?["user_version"] == "999")
        }
    }

    @Test("locked by another program when it starts")
    func lockedAtStart() async throws {
        try await RunningSandbox.with { world in
            #expect(try await world.run("run", "--once").code == 0)
            let answer = try await holding(world.record) { try await world.run("run") }
            #expect(answer.code == 1)
            #expect(
                answer.standardError.contains("error: \(world.record): database is locked"),
                "\(answer.standardError)"
            )
            #expect(answer.standardError.contains("another program holds it"), "\(answer.standardError)")
        }
    }

    @Test("locked by another program for longer than it waits, while it works")
    func lockedMeanwhile() async throws {
        try await RunningSandbox.with { world in
            let images = (0..<4).map { "quay.io/org/tool\($0):1" }
            for image in images { try world.put(image) }
            try await world.withDaemon { daemon in
                try await world.until("the first poll") {
                    try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
                }
                try world.startRun("all", of: images)
                try await holding(world.record) {
                    try await world.until("word of the lock") { daemon.standardError.contains("database is locked") }
                }
                #expect(daemon.isRunning)
                try await world.until(Dictionary(uniqueKeysWithValues: images.map { ($0, "ready") }))
            }
            try world.expectOnce(images)
        }
    }

    /// Holds the record's write lock for as long as `body` takes, as a backup or a person with sqlite3 does.
    private func holding<Value>(_ path: String, _ body: () async throws -> Value) async throws -> Value {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            """
            import sqlite3, sys
            record = sqlite3.connect(sys.argv[1], isolation_level=None)
            record.execute("BEGIN IMMEDIATE")
            print("held", flush=True)
            sys.stdin.read()
            """, path,
        ]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        defer {
            try? input.fileHandleForWriting.close()
            process.waitUntilExit()
        }
        try #require(String(decoding: output.fileHandleForReading.availableData, as: UTF8.self).hasPrefix("held"))
        return try await body()
    }
}
