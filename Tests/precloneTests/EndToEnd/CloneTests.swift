import Foundation
import Model
import Precloning
import Sandbox
import Testing

/// `preclone clone` as a process: alone, beside a daemon, and after one that was killed.
@Suite("preclone clone, end to end")
struct CloneTests {
    private struct Output: Decodable {
        var schemaVersion: Int
        var results: [CloneResult]
    }

    private func results(_ answer: BuiltProgram.Answer) throws -> [CloneResult] {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(Output.self, from: Data(answer.standardOutput.utf8)).results
    }

    @Test("alone it clones, says what it did, and ends with the code of what became of the images")
    func alone() async throws {
        try await RunningSandbox.with { world in
            let image = try world.put("quay.io/org/tool:1.0")
            let first = try await world.run("clone", "quay.io/org/tool:1.0", "--format", "json")
            #expect(first.code == 0, "\(first.standardError)")
            let done = try #require(try results(first).first)
            #expect(done.success)
            #expect(done.repositoryCreated)
            #expect(done.healthOmicsAccessible == .accessible)
            #expect(done.ecrDigest == image.root)
            #expect(done.sourceDigest == image.root)
            #expect(done.ecrURI == "\(world.sandbox.addresses.ecrName)/quay/org/tool:1.0")
            #expect(try world.granted("quay/org/tool") == RunningSandbox.omicsActions)
            let again = try #require(
                try results(try await world.run("clone", "quay.io/org/tool:1.0", "--format", "json")).first
            )
            #expect(again.success)
            #expect(!again.repositoryCreated)
            #expect(world.count("PutManifest", registry: "ecr") == 1)

            let missing = try await world.run("clone", "quay.io/org/tool:1.0", "quay.io/org/missing:1")
            #expect(missing.code == 4)
            #expect(missing.standardOutput.contains("ready    quay.io/org/tool:1.0"))
            #expect(missing.standardOutput.contains("blocked  quay.io/org/missing:1"))
            #expect(world.sandbox.privateTags("quay/org/missing") == nil)

            world.sandbox.add(Fault(.throttle, service: "registry", registry: "quay.io", retryAfter: 3600))
            try world.put("quay.io/org/later:1")
            let waits = try await world.run("clone", "quay.io/org/later:1")
            #expect(waits.code == 75, "\(waits.standardError)")
            #expect(waits.standardOutput.hasPrefix("waits    quay.io/org/later:1"))
            #expect(waits.standardOutput.contains("next try 20"))
            #expect(world.sandbox.privateTags("quay/org/later") == nil)
        }
    }

    @Test("what stays behind of a signed index is said when it is cloned, and by status")
    func leftBehind() async throws {
        try await RunningSandbox.with(keys: ["clone": ["referrers": "all"]]) { world in
            let index = try world.put("quay.io/org/signed:1", platforms: ["linux/amd64", "linux/arm64"])
            try world.sandbox.putReferrer(to: index.root, .bundle, registry: "quay.io", repository: "org/signed")
            let done = try await world.run("clone", "quay.io/org/signed:1")
            #expect(done.code == 0)
            let said = "1 signature or attestation of its index stayed behind"
            #expect(done.standardOutput.contains("\n         \(said)"), "\(done.standardOutput)")
            let status = try await world.run("status", "--image", "quay.io/org/signed:1")
            #expect(status.standardOutput.contains(said), "\(status.standardOutput)")
        }
    }

    @Test("an explicit target is where it goes")
    func target() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0")
            let answer = try await world.run(
                "clone",
                "quay.io/org/tool:1.0",
                "--target-repository",
                "mine/tool",
                "--target-tag",
                "stable"
            )
            #expect(answer.code == 0, "\(answer.standardError)")
            #expect(world.sandbox.privateRepositories == ["mine/tool"])
            #expect(world.sandbox.isWhole("mine/tool", "stable"))
        }
    }

    @Test("beside a daemon it asks, follows to the end, and ends with the same codes")
    func beside() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0")
            try await world.withDaemon { daemon in
                try await world.until("the daemon") {
                    try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
                }
                let ready = try await world.run("clone", "quay.io/org/tool:1.0", "--format", "json")
                #expect(ready.code == 0, "\(ready.standardError)")
                #expect(try results(ready).map(\.success) == [true])
                #expect(try await world.run("clone", "quay.io/org/missing:1").code == 4)
                #expect(try await world.run("clone", "https://quay.io/org/tool:1.0").code == 4)
                let requests = try world.rows("SELECT state, userID, userName, imageID FROM request ORDER BY id")
                #expect(requests.map { $0["state"] } == ["done", "done", "done"])
                #expect(requests.allSatisfy { $0["userID"] == "\(getuid())" && $0["userName"]?.isEmpty == false })
                // The daemon did the work: its own process is the only one that ever held the record.
                #expect(try world.rows("SELECT pid FROM daemon") == [["pid": "\(daemon.id)"]])
                let callers = try world.rows("SELECT DISTINCT caller FROM audit WHERE action = 'repositoryCreated'")
                #expect(callers.allSatisfy { $0["caller"]?.hasPrefix("user ") == true }, "\(callers)")

                let second = try await world.run("run")
                #expect(second.code == 75)
                #expect(second.standardError.contains("preclone run, process \(daemon.id)"))
                let once = try await world.run("run", "--once")
                #expect(once.code == 75)
                #expect(daemon.isRunning)
            }
        }
    }

    @Test("a daemon that is killed leaves no lock, and who asked it goes on alone")
    func afterKill() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/large:1", size: 16 << 20)
            world.sandbox.add(Fault(.slow, operation: "GetBlob", registry: "quay.io", bytes: 1 << 17))
            let daemon = try world.start("run")
            try await world.until("the daemon") {
                try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
            }
            let follower = try world.start("clone", "quay.io/org/large:1")
            try await world.until("bytes") {
                try !world.rows("SELECT 1 FROM progress WHERE bytesDone > 0").isEmpty
            }
            daemon.signal(SIGKILL)
            _ = await daemon.end()
            world.sandbox.clearFaults()
            // Who asked goes on alone.
            let answer = await follower.end()
            #expect(answer.code == 0, "\(answer.standardError)")
            let again = try await world.run("clone", "quay.io/org/large:1")
            #expect(again.code == 0, "\(again.standardError)")
            #expect(world.sandbox.isWhole("quay/org/large", "1"))
            #expect(world.count("PutManifest", registry: "ecr") == 1)
            // The daemon's own state says that it is gone, though another process worked since.
            #expect(try await world.status().code == 3)
        }
    }
}
