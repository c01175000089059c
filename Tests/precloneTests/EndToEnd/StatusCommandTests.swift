import Foundation
import GRDB
import Precloning
import Sandbox
import Testing

#if canImport(Glibc)
import Glibc
import Model
#endif

/// `preclone status` as a person sees it, beside a daemon that works, rests, hangs or is gone.
@Suite("preclone status, end to end")
struct StatusCommandTests {
    @Test("idle, healthy, stuck, dead and stopped are told apart, in words and by exit code")
    func lives() async throws {
        try await RunningSandbox.with { world in
            let before = try await world.run("status")
            #expect(before.code == 3)
            #expect(before.standardError.contains("there is no record at \(world.record)"))
            let nothing = try await world.status()
            #expect(nothing.code == 3)
            #expect(nothing.report.daemon.life == .never)

            let image = "quay.io/org/tool:1"
            try world.put(image, size: 4 << 20)
            world.sandbox.add(Fault(.slow, operation: "GetBlob", registry: "quay.io", bytes: 1 << 16))
            let daemon = try world.start("run")
            try await world.until("idle") { try await self.headline(world).hasPrefix("idle: nothing to do") }
            #expect(try await world.run("status").code == 0)

            try world.startRun("one", of: [image])
            try await world.until([image: "cloning"])
            try await world.until("healthy") { try await self.headline(world).hasPrefix("healthy: ") }
            #expect(try await world.run("status").code == 0)

            daemon.signal(SIGSTOP)
            let silent = Date(timeIntervalSinceNow: -600)
            try world.change("UPDATE daemon SET beatAt = ?", [silent.milliseconds])
            let stuck = try await world.run("status")
            #expect(stuck.standardOutput.hasPrefix("stuck: "))
            #expect(stuck.standardOutput.contains("last sign of life 10 min ago"))
            #expect(stuck.code == 4)

            daemon.signal(SIGKILL)
            _ = await daemon.end()
            let dead = try await world.run("status")
            #expect(dead.standardOutput.hasPrefix("dead: process \(daemon.id) is gone"))
            #expect(dead.code == 3)

            world.sandbox.clearFaults()
            try await world.withDaemon { _ in try await world.until([image: "ready"]) }
            let stopped = try await world.run("status")
            #expect(stopped.standardOutput.hasPrefix("stopped: the daemon was stopped"))
            #expect(stopped.code == 3)
        }
    }

    private func headline(_ world: RunningSandbox) async throws -> String {
        try await world.run("status").standardOutput
    }

    /// What `preclone status` writes to a terminal of 100 columns, for as long as `isEnough` wants more of it.
    private func onTerminal(
        _ world: RunningSandbox,
        _ arguments: String,
        environment: [String: String] = [:],
        until isEnough: (String) -> Bool
    ) async throws -> String {
        // util-linux's script gives it a terminal and writes what it shows to its own output.
        let inner =
            "stty cols 100; exec '\(BuiltProgram.executable.path)' status \(arguments) --config '\(world.config)'"
        let program = try RunningProgram(
            ["--quiet", "--flush", "--return", "--command", inner, "/dev/null"],
            program: URL(filePath: "/usr/bin/script"),
            environment: ["TERM": "xterm", "HOME": world.folder.path].merging(environment) { $1 }
        )
        try await world.until("enough on the terminal") { !program.isRunning || isEnough(program.standardOutput) }
        program.signal(SIGTERM)
        _ = await program.end()
        return program.standardOutput
    }

    @Test("on a terminal it has colour and redraws; with NO_COLOR the words alone say it")
    func terminal() async throws {
        try await RunningSandbox.with { world in
            try await world.withDaemon { _ in
                try await world.until("idle") { try await self.headline(world).hasPrefix("idle: nothing to do") }
                let coloured = try await onTerminal(world, "", until: { _ in false })
                #expect(coloured.hasPrefix("\u{1B}[32midle\u{1B}[0m: nothing to do"), "\(coloured)")
                let plain = try await onTerminal(world, "", environment: ["NO_COLOR": "1"], until: { _ in false })
                #expect(plain.hasPrefix("idle: nothing to do"), "\(plain)")
                #expect(!plain.contains("\u{1B}"))
                let home = "\u{1B}[H"
                let watched = try await onTerminal(world, "--watch") { $0.ranges(of: home).count >= 2 }
                #expect(watched.hasPrefix(home))
                #expect(watched.ranges(of: "nothing to do").count >= 2)
            }
        }
    }

    @Test("watched without a terminal it is printed again, with nothing for a screen in it")
    func watched() async throws {
        try await RunningSandbox.with { world in
            #expect(try await world.run("run", "--once").code == 0)
            let program = try world.start("status", "--watch")
            try await world.until("a second report") { program.standardOutput.ranges(of: "stopped: ").count >= 2 }
            #expect(program.isRunning)
            program.signal(SIGINT)
            #expect(await program.end().code == -SIGINT)
            #expect(!program.standardOutput.contains("\u{1B}"))
        }
    }

    /// Whether another user can start the program that was built here.
    private static let canBeAnother =
        geteuid() == 0
        && (try? FaultTests.tool(
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            BuiltProgram.executable.path,
            "--version"
        )) == true

    @Test("who may not read the record is told the group", .enabled(if: canBeAnother, "needs root, to be another user"))
    func group() async throws {
        try await RunningSandbox.with { world in
            #expect(try await world.run("run", "--once").code == 0)
            let folder = URL(filePath: world.record).deletingLastPathComponent()
            for path in [world.folder, folder] {
                try FileManager.default.setAttributes(
                    [.posixPermissions: path == folder ? 0o2770 : 0o755],
                    ofItemAtPath: path.path
                )
            }
            let program = try RunningProgram(
                [
                    "--reuid=65534", "--regid=65534", "--clear-groups", BuiltProgram.executable.path, "status",
                    "--config",
                    world.config,
                ],
                program: URL(filePath: "/usr/bin/setpriv")
            )
            let answer = await program.end()
            #expect(answer.code == 1)
            #expect(answer.standardError.contains("may be read by members of group `preclone` only"))
            #expect(answer.standardError.contains("usermod --append --groups preclone"))
        }
    }
}
