import Foundation
import Precloning
import Sandbox
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// Output that goes nowhere: a full disk, a closed stream, a reader that has gone.
@Suite("Output that cannot be written")
struct OutputTests {
    /// Runs `preclone` through bash, which lays its streams: `$0` is the program.
    private func start(_ world: RunningSandbox, _ script: String) throws -> RunningProgram {
        try RunningProgram(
            ["-c", script, BuiltProgram.executable.path, world.config],
            program: URL(filePath: "/bin/bash"),
            environment: world.sandbox.addresses.environment.merging(["HOME": world.folder.path, "NO_PROXY": "*"]) {
                $1
            }
        )
    }

    private static let commands = [
        "--version", "--help", "status --help", "--generate-completion-script bash", "status --config $1",
        "status --format json --config $1", "audit --config $1", "audit --format json --config $1",
        "history quay.io/org/tool:1 --config $1", "retry --all --config $1", "check --config $1", "plan --config $1",
        "clone quay.io/org/tool:1 --config $1", "clone quay.io/org/tool:1 --format json --config $1",
    ]

    @Test("a command whose output the disk has no room for ends with an error that says so")
    func full() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1")
            _ = try await world.run("clone", "quay.io/org/tool:1")
            for command in Self.commands {
                let answer = try await start(world, "exec $0 \(command) >/dev/full").end()
                #expect(answer.code == 1, "\(command): \(answer.code) \(answer.standardError)")
                #expect(
                    answer.standardError.contains("error: standard output: No space left on device"),
                    "\(command): \(answer.standardError)"
                )
                let closed = try await start(world, "exec $0 \(command) >&-").end()
                #expect(closed.code == 1, "\(command): \(closed.code) \(closed.standardError)")
                #expect(
                    closed.standardError.contains("error: standard output: "),
                    "\(command): \(closed.standardError)"
                )
            }
            // Its message has nowhere to go either; the code says it.
            for command in ["status --run", "no-such-command", "status --config /nonexistent/config.json"] {
                let answer = try await start(world, "exec $0 \(command) >/dev/full 2>/dev/full").end()
                #expect(answer.code == 2, "\(command)")
            }
        }
    }

    @Test("a command whose reader has gone ends as others do, without a word")
    func gone() async throws {
        try await RunningSandbox.with { world in
            _ = try await world.run("run", "--once")
            for command in ["--help", "status --config $1", "status --watch --config $1"] {
                // The reader is a process that has ended before the program begins.
                let script = "exec 3> >(:); wait $!; exec $0 \(command) >&3"
                let answer = try await start(world, script).end()
                #expect(answer.code == -SIGPIPE, "\(command): \(answer.code)")
                #expect(answer.standardError.isEmpty, "\(command): \(answer.standardError)")
            }
        }
    }

    @Test("a daemon works on without its log", arguments: ["2>/dev/full", "2>&-", "2>&- >&- <&-", "2>&3"])
    func daemon(streams: String) async throws {
        try await RunningSandbox.with { world in
            let image = "quay.io/org/tool:1"
            try world.put(image)
            let daemon = try start(world, "exec 3> >(:); wait $!; exec $0 run --config $1 \(streams)")
            try world.startRun("one", of: [image])
            try await world.until([image: "ready"])
            #expect(daemon.isRunning)
            // No line went to a file that took the place of the stream.
            let lock = try String(contentsOfFile: world.record + ".lock", encoding: .utf8)
            #expect(lock.trimmingCharacters(in: .newlines) == "preclone run, process \(daemon.id)")
            daemon.signal(SIGTERM)
            #expect(await daemon.end().code == 0)
        }
    }
}
