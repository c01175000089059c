import Foundation
import Remotes
import TestSupport
import Testing

/// Programs that give credentials, and what they leave behind.
@Suite struct ChildProgramTests {
    /// A folder with one program in it, gone with the test.
    private func with(
        _ name: String,
        _ script: String,
        _ body: (_ folder: String) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: name)
        try Data("#!/bin/sh\n\(script)\n".utf8).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
        try await body(folder.path)
    }

    /// A clock that does not sleep at all once a file is there: then the time is over.
    private func timeline(over file: String) -> Timeline {
        Timeline(
            elapsed: { .zero },
            sleep: { _ in
                while !FileManager.default.fileExists(atPath: file) { try await Task.sleep(for: .milliseconds(5)) }
            },
            now: { Date() },
            random: { 0 }
        )
    }

    @Test("the whole group of a program ends with its time, a grandchild that holds the pipe too")
    func group() async throws {
        try await with("slow", "sleep 4000 &\necho $! >\"$0.child\"\nmv \"$0.child\" \"$0.pid\"\nwait\necho late") {
            folder in
            let runner = CredentialProcess(searchPath: folder, timeline: timeline(over: "\(folder)/slow.pid"))
            let error = await #expect(throws: AWSError.self) { try await runner.run(["slow"]) }
            #expect(error?.message.contains("did not end within") == true)
            let text = try String(contentsOfFile: "\(folder)/slow.pid", encoding: .utf8)
            let child = try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
            // Killed; whoever inherits it reaps it when it comes to it.
            while isRunning(child) { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    private func isRunning(_ process: Int32) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
        return !status.contains(") Z ")
    }

    @Test("a program that has ended has ended, whatever it left running with its output open")
    func left() async throws {
        try await with("keys", "sleep 20 &\nprintf done") { folder in
            let runner = CredentialProcess(searchPath: folder, timeline: .system, timeout: .seconds(4000))
            let output = try await runner.run(["keys"])
            #expect(output == Data("done".utf8))
        }
    }

    @Test("a helper is asked on its input, and one that closes its output and goes on is waited for")
    func helper() async throws {
        let script = """
            read server
            printf '{"Username":"u","Secret":"%s"}' "$server"
            exec >&-
            sleep 0.1
            """
        try await with("docker-credential-own", script) { folder in
            let helper = CredentialHelper(searchPath: folder)
            let found = try await helper.credential(helper: "own", server: "quay.io", registry: "quay.io")
            #expect(found == .basic(user: "u", password: "quay.io"))
        }
    }

    @Test("much output is cut, and a signal is told as a shell tells it")
    func endings() async throws {
        try await with("much", "head -c 3000000 /dev/zero") { folder in
            let runner = CredentialProcess(searchPath: folder, timeline: .system)
            let output = try await runner.run(["much"])
            #expect(output.count == 1 << 20)
        }
        try await with("killed", "kill -TERM $$") { folder in
            let runner = CredentialProcess(searchPath: folder, timeline: .system)
            let error = await #expect(throws: AWSError.self) { try await runner.run(["killed"]) }
            #expect(error?.message.contains("ended with 143") == true)
        }
    }
}
