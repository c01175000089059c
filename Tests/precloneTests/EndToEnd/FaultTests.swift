import Foundation
import Precloning
import Sandbox
import Testing

#if canImport(Glibc)
import Glibc
import Model
#endif

/// The daemon as a process, killed, starved and doubled: nothing is lost and nothing is done twice.
@Suite("Faults of the process")
struct FaultTests {
    /// SplitMix64: the moments are random and the same in every run.
    private struct SeededGenerator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
            return value ^ value >> 31
        }
    }

    @Test("killed at twenty random moments of a busy cycle")
    func killed() async throws {
        try await RunningSandbox.with { world in
            var random = SeededGenerator(state: 20)
            let images = (0..<24).map { "quay.io/org/tool\($0):1" }
            for image in images { try world.put(image, size: .random(in: 4096...1 << 20, using: &random)) }
            // Each image is wanted by two of the runs.
            let runs = try (0..<6).map { run in
                try world.startRun("run \(run)", of: (0..<8).map { images[(run * 4 + $0) % images.count] })
            }
            for _ in 0..<20 {
                let daemon = try world.start("run")
                let moment = world.sandbox.requests.entries.count + .random(in: 1...36, using: &random)
                try await world.reach(request: moment)
                daemon.signal(SIGKILL)
                #expect(await daemon.end().code == -SIGKILL)
            }
            try await world.withDaemon { _ in
                try await world.until(Dictionary(uniqueKeysWithValues: images.map { ($0, "ready") }))
            }
            for run in runs { #expect(try await world.status("--run", run).report.focus?.isReady == true) }
            try world.expectOnce(images)
        }
    }

    @Test("a second daemon on the same record is refused and told who holds it")
    func second() async throws {
        try await RunningSandbox.with { world in
            try await world.withDaemon { daemon in
                try await world.until("the first poll") {
                    try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
                }
                for arguments in [["run"], ["run", "--once"]] {
                    let answer = try await world.start(arguments).end()
                    #expect(answer.code == 75)
                    #expect(answer.standardError.contains("is held by preclone run, process \(daemon.id);"))
                    #expect(answer.standardError.contains("hint: stop it"))
                }
                #expect(daemon.isRunning)
                #expect(try await world.status().report.daemon.pid == daemon.id)
            }
        }
    }

    @Test("with no file descriptor left it waits, or ends and is started again, and goes on when there are some")
    func descriptors() async throws {
        try await RunningSandbox.with { world in
            let images = (0..<3).map { "quay.io/org/tool\($0):1" }
            for image in images { try world.put(image) }
            let starved = try world.start("run")
            try await world.until("the first poll") {
                try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
            }
            let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(starved.id)/fd").compactMap(
                Int.init
            )
            let free = try #require((0...).first { !open.contains($0) })
            #expect(try Self.tool("prlimit", "--pid", "\(starved.id)", "--nofile=\(free):4096"))
            try world.startRun("starved", of: images)
            // Dispatch, which runs the program's threads, ends it when it cannot look at them; systemd starts it again.
            try await world.until("the want of descriptors") {
                !starved.isRunning || starved.standardError.contains("Too many open files")
                    || starved.standardError.contains("errno: 24")
            }
            let daemon = starved.isRunning ? starved : try world.start("run")
            if starved.isRunning {
                #expect(try Self.tool("prlimit", "--pid", "\(starved.id)", "--nofile=4096:4096"))
            } else {
                #expect(await starved.end().code == -SIGILL)
            }
            try await world.until(Dictionary(uniqueKeysWithValues: images.map { ($0, "ready") }))
            daemon.signal(SIGTERM)
            #expect(await daemon.end().code == 0)
            try world.expectOnce(images)
        }
    }

    @Test("two thousand runs at once: one definition is read, each image is cloned once")
    func batch() async throws {
        try await RunningSandbox.with { world in
            let images = ["quay.io/org/one:1", "docker.io/library/two:1"]
            for image in images { try world.put(image) }
            let workflow = world.sandbox.addWorkflow(RunningSandbox.wdl("batch", images))
            try await world.withDaemon { _ in
                try await world.until("the first poll") {
                    try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
                }
                world.sandbox.forgetRequests()
                try world.sandbox.startBatch(workflow: workflow, count: 2000)
                try await world.until(Dictionary(uniqueKeysWithValues: images.map { ($0, "ready") }))
                try await world.until("2000 runs surveyed") {
                    try world.rows("SELECT count(*) AS n FROM runs WHERE surveyed_at IS NOT NULL").first?["n"] == "2000"
                }
            }
            let wanted = try world.rows("SELECT count(DISTINCT subject) AS n FROM demands WHERE kind = 'run'")
            #expect(wanted.first?["n"] == "2000")
            // Layers and configurations are fetched from the storage too, by digest.
            let read = world.sandbox.requests.entries.filter {
                $0.call.operation == "GetObject" && $0.call.repository?.contains("sha256:") != true
            }
            #expect(read.count <= 1, "\(read)")
            #expect(world.count("GetRun") < 20, "\(world.count("GetRun")) runs were read one by one")
            try world.expectOnce(images)
        }
    }

    /// Runs a program of the system.
    ///
    /// - Returns: whether it ended with 0.
    @discardableResult
    static func tool(_ words: String...) throws -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}

extension RunningSandbox {
    /// Waits until so many requests have come, as closely as can be.
    func reach(request number: Int) async throws {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(60)
        while sandbox.requests.entries.count < number {
            guard clock.now < end else { throw NeverCame("request \(number) never came") }
            try await clock.sleep(for: .milliseconds(1))
        }
    }

    /// Expects that these images, of quay.io or Docker Hub, are whole and readable in ECR, that each was put there once,
    /// and that the record tells the same.
    func expectOnce(_ images: [String]) throws {
        for image in images {
            let parts = image.split(separator: "/", maxSplits: 1)
            let prefix = parts[0] == "docker.io" ? "docker-hub" : "quay"
            let repository = try #require(parts[1].split(separator: ":").first)
            let tag = try #require(image.split(separator: ":").last)
            let name = "\(prefix)/\(repository)"
            #expect(sandbox.isWhole(name, String(tag)), "\(image) is not whole")
            #expect(try granted(name) == Self.omicsActions, "\(image) is not readable")
            #expect(count("PutManifest", registry: "ecr", repository: name) == 1, "\(image) was not put once")
            let ready = try rows("SELECT id FROM attempts WHERE source = '\(image)' AND result = 'ready'")
            #expect(ready.count <= 1, "\(image) was cloned \(ready.count) times")
            #expect(try rows("SELECT id FROM images WHERE source = '\(image)'").count == 1)
        }
        #expect(try rows("PRAGMA integrity_check").first?["integrity_check"] == "ok")
    }
}
