import Foundation
import Model
import Precloning
import Sandbox
import Testing

/// The daemon as a process against a sandbox: what it is for.
@Suite("The daemon, end to end")
struct DaemonTests {
    @Test("a run that appears gets its images, readable by HealthOmics, in tagged repositories")
    func run() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0", platforms: ["linux/amd64", "linux/arm64"])
            try world.put("docker.io/library/ubuntu:24.04")
            let stopped = try await world.withDaemon { daemon in
                try await world.until("the first poll") {
                    try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
                }
                #expect(try world.states().isEmpty)
                let id = try world.startRun("first", of: ["quay.io/org/tool:1.0", "ubuntu:24.04"])
                let second = try world.startRun("second", of: ["quay.io/org/tool:1.0", "quay.io/org/missing:9"])
                try await world.until([
                    "quay.io/org/tool:1.0": "ready", "docker.io/library/ubuntu:24.04": "ready",
                    "quay.io/org/missing:9": "blocked",
                ])
                for repository in ["quay/org/tool", "docker-hub/library/ubuntu"] {
                    #expect(try world.granted(repository) == RunningSandbox.omicsActions)
                    let arn = "arn:aws:ecr:us-east-1:123456789012:repository/\(repository)"
                    let tags = try world.sandbox.ecr("ListTagsForResource", ["resourceArn": .string(arn)])
                    #expect(tags["tags"] == [["Key": "created-by", "Value": "preclone"]])
                }
                #expect(world.sandbox.isWhole("quay/org/tool", "1.0"))
                #expect(world.sandbox.isWhole("docker-hub/library/ubuntu", "24.04"))
                #expect(world.sandbox.privateTags("quay/org/missing") == nil)

                let run = try await world.status("--run", id)
                #expect(run.code == 0)
                #expect(run.report.focus?.isReady == true)
                #expect(run.report.focus?.images.map(\.state) == ["ready", "ready"])
                #expect(run.report.focus?.images.map(\.access) == ["accessible", "accessible"])
                #expect(run.report.focus?.images.map(\.route) == ["copy", "copy"])
                let other = try await world.status("--run", second)
                #expect(other.code == 4)
                let blocked = try #require(other.report.focus?.images.first { $0.state == "blocked" })
                #expect(blocked.source == "quay.io/org/missing:9")
                #expect(blocked.mend?.isEmpty == false)
                let all = try await world.status()
                #expect(all.code == 4, "\(all.report.health)")
                #expect(all.report.daemon.life == .running)
                #expect(all.report.daemon.pid == daemon.id)
                #expect(all.report.images.ready == 2)
                #expect(all.report.images.blocked == 1)
            }
            #expect(!stopped.standardError.contains("critical"))
            let after = try await world.status()
            #expect(after.code == 3)
            #expect(after.report.daemon.life == .stopped)
            #expect(after.report.images.ready == 2)
        }
    }

    @Test("killed in mid-copy, it goes on where it was: every image ready, none cloned twice")
    func killed() async throws {
        try await RunningSandbox.with { world in
            let large = "quay.io/org/large:1"
            try world.put(large, size: 24 << 20)
            let small = (0..<3).map { "quay.io/org/small\($0):1" }
            for image in small { try world.put(image) }
            world.sandbox.add(
                Fault(.slow, operation: "GetBlob", registry: "quay.io", repository: "org/large", bytes: 1 << 20)
            )
            try world.startRun("all", of: [large] + small)
            let daemon = try world.start("run")
            try await world.until(Dictionary(uniqueKeysWithValues: small.map { ($0, "ready") } + [(large, "cloning")]))
            try await world.until("a part of the large image") {
                try !world.rows("SELECT 1 FROM progress WHERE bytesDone > 0").isEmpty
            }
            daemon.signal(SIGKILL)
            #expect(await daemon.end().code == -SIGKILL)
            let dead = try await world.status()
            #expect(dead.code == 3)
            #expect(dead.report.daemon.life == .dead)
            world.sandbox.clearFaults()
            try await world.withDaemon { _ in
                try await world.until(Dictionary(uniqueKeysWithValues: (small + [large]).map { ($0, "ready") }))
            }
            for image in small + [large] {
                let name = try #require(image.split(separator: "/").last).dropLast(2)
                #expect(world.sandbox.isWhole("quay/org/\(name)", "1"))
                #expect(world.count("PutManifest", registry: "ecr", repository: "quay/org/\(name)") == 1, "\(image)")
                let ready = try world.rows("SELECT id FROM attempts WHERE source = '\(image)' AND result = 'ready'")
                #expect(ready.count == 1, "\(image)")
            }
            for image in small {
                #expect(try world.rows("SELECT id FROM attempts WHERE source = '\(image)'").count == 1)
            }
        }
    }

    @Test("a repository made by an attempt that was killed does not outlive the image's failure")
    func leftOver() async throws {
        try await RunningSandbox.with { world in
            let image = "quay.io/org/tool:1"
            try world.put(image, size: 8 << 20)
            let slow = Fault(.slow, operation: "GetBlob", registry: "quay.io", bytes: 1 << 20)
            world.sandbox.add(slow)
            try world.startRun("one", of: [image])
            let daemon = try world.start("run")
            try await world.until("the repository and a part of the image") {
                try !world.rows("SELECT 1 FROM progress WHERE bytesDone > 0").isEmpty
            }
            daemon.signal(SIGKILL)
            #expect(await daemon.end().code == -SIGKILL)
            #expect(world.sandbox.privateRepositories == ["quay/org/tool"])
            world.sandbox.clearFaults()
            world.sandbox.add(Fault(.error, operation: "HeadManifest", registry: "quay.io", status: 404))
            world.sandbox.add(Fault(.error, operation: "GetManifest", registry: "quay.io", status: 404))
            #expect(try await world.run("run", "--once").code == 4)
            #expect(world.sandbox.privateRepositories == [])
            let told = try world.rows("SELECT action FROM audit WHERE request_id <> '' ORDER BY id").map {
                $0["action"]
            }
            #expect(told.last == "repositoryDeleted")
        }
    }

    @Test("a restart does not shorten the wait of an image that failed, nor forget its attempts")
    func backOff() async throws {
        let keys: [String: SandboxJSON] = ["retry": ["image": ["base": "50m", "ceiling": "1h"]]]
        try await RunningSandbox.with(keys: keys) { world in
            let image = "quay.io/org/tool:1"
            try world.put(image)
            world.sandbox.add(Fault(.corrupt, operation: "GetManifest", registry: "quay.io"))
            try world.startRun("one", of: [image])
            #expect(try await world.run("run", "--once").code == 75)
            let before = try world.rows("SELECT state, due_at, attempts FROM images")
            #expect(before.first?["attempts"] == "1")
            world.sandbox.clearFaults()
            for _ in 0..<2 { #expect(try await world.run("run", "--once").code == 75) }
            #expect(try world.rows("SELECT state, due_at, attempts FROM images") == before)
            // A person may.
            _ = try await world.run("retry", image)
            #expect(try await world.run("run", "--once").code == 0)
        }
    }

    @Test("told to stop, it ends after its drain, and what was cut goes on at the next start")
    func stopped() async throws {
        try await RunningSandbox.with(keys: ["clone": ["drain": "1s"]]) { world in
            try world.put("quay.io/org/large:1", size: 16 << 20)
            world.sandbox.add(Fault(.slow, operation: "GetBlob", registry: "quay.io", bytes: 1 << 17))
            try world.startRun("one", of: ["quay.io/org/large:1"])
            try await world.withDaemon { _ in
                try await world.until("bytes") {
                    try !world.rows("SELECT 1 FROM progress WHERE bytesDone > 0").isEmpty
                }
            }
            #expect(try world.states() == ["quay.io/org/large:1": "pending"])
            #expect(world.count("PutManifest", registry: "ecr") == 0)
            world.sandbox.clearFaults()
            #expect(try await world.run("run", "--once").code == 0)
            #expect(world.sandbox.isWhole("quay/org/large", "1"))
        }
    }

    @Test("told to stop, a copy that is too long for the drain ends at its next blobs, and moves none of them twice")
    func stoppedBetweenBlobs() async throws {
        try await RunningSandbox.with(keys: ["clone": ["drain": "9s"]]) { world in
            let layers = (0..<80).map { ImageRecipe.Layer("layer \($0)", size: 1 << 19) }
            try world.sandbox.putImage(
                ImageRecipe("long", layers: layers),
                registry: "quay.io",
                repository: "org/long",
                tags: ["1"]
            )
            // Six at a time, two seconds each: half a minute in all.
            world.sandbox.add(Fault(.slow, operation: "GetBlob", registry: "quay.io", bytes: 1 << 18))
            try world.startRun("one", of: ["quay.io/org/long:1"])
            try await world.withDaemon { _ in
                try await world.until("bytes") {
                    try !world.rows("SELECT 1 FROM progress WHERE bytesDone > 0").isEmpty
                }
            }
            #expect(try world.states() == ["quay.io/org/long:1": "pending"])
            let reason = try world.rows("SELECT reason FROM images").first?["reason"]
            #expect(reason?.contains("stopped with the daemon") == true)
            let moved = world.count("GetBlob", registry: "quay.io")
            #expect((1..<80).contains(moved))
            world.sandbox.clearFaults()
            #expect(try await world.run("run", "--once").code == 0)
            #expect(world.sandbox.isWhole("quay/org/long", "1"))
            // The configuration, which names the platform, is read by each attempt; what was cut at the drain's end, again.
            #expect((82...86).contains(world.count("GetBlob", registry: "quay.io")), "each layer once")
        }
    }

    @Test("a large copy under way holds up no run that starts meanwhile")
    func largeCopy() async throws {
        try await RunningSandbox.with { world in
            let large = "quay.io/org/large:1"
            try world.put(large, size: 48 << 20)
            let small = (0..<6).map { "quay.io/org/small\($0):1" }
            for image in small { try world.put(image) }
            world.sandbox.add(
                Fault(.slow, operation: "GetBlob", registry: "quay.io", repository: "org/large", bytes: 1 << 18)
            )
            try world.startRun("large", of: [large])
            try await world.withDaemon { _ in
                try await world.until([large: "cloning"])
                let id = try world.startRun("small", of: small)
                try await world.until(Dictionary(uniqueKeysWithValues: small.map { ($0, "ready") }))
                #expect(try world.states()[large] == "cloning")
                // Ready for the workflow that was just registered; the run itself may be noticed a moment later.
                try await world.until("the run") { try await world.status("--run", id).code == 0 }
                #expect(try await world.status().report.copying.shown.map(\.source) == [large])
                world.sandbox.clearFaults()
                try await world.until([large: "ready"])
            }
            #expect(world.sandbox.isWhole("quay/org/large", "1"))
            #expect(try world.rows("SELECT id FROM attempts WHERE source = '\(large)'").count == 1)
        }
    }

    @Test("an image and a policy that vanish behind its back are mended")
    func mends() async throws {
        try await RunningSandbox.with { world in
            let (first, second) = ("quay.io/org/first:1", "quay.io/org/second:1")
            try world.put(first)
            try world.put(second)
            try await world.withDaemon { _ in
                try world.startRun("one", of: [first, second])
                try await world.until([first: "ready", second: "ready"])
                try world.sandbox.ecr(
                    "BatchDeleteImage",
                    ["repositoryName": "quay/org/first", "imageIds": [["imageTag": "1"]]]
                )
                try world.sandbox.ecr("DeleteRepositoryPolicy", ["repositoryName": "quay/org/second"])
                #expect(!world.sandbox.isWhole("quay/org/first", "1"))
                // A run that comes to need them has them looked at again at once.
                try world.startRun("two", of: [first, second])
                try await world.until("the image again") { world.sandbox.isWhole("quay/org/first", "1") }
                try await world.until("the policy again") {
                    try world.granted("quay/org/second") == RunningSandbox.omicsActions
                }
                try await world.until([first: "ready", second: "ready"])
            }
            #expect(try world.rows("SELECT id FROM attempts WHERE source = '\(first)' AND result = 'ready'").count == 2)
            #expect(world.count("PutManifest", registry: "ecr", repository: "quay/org/second") == 1)
        }
    }
}
