import Foundation
import Model
import Precloning
import Sandbox
import TestSupport
import Testing

/// Pull quotas, held against a registry that counts for itself.
@Suite("Pull quotas, end to end")
struct QuotaTests {
    private static func keys(pulls: Int, keep: Int = 0) -> [String: SandboxJSON] {
        [
            "registries": [
                "docker.io": ["quota": ["pulls": .number(Double(pulls)), "per": "6h", "keep": .number(Double(keep))]]
            ]
        ]
    }

    /// A sandbox whose Docker Hub allows so many pulls in six hours.
    private static func hub(_ limit: Int?) -> SandboxConfiguration {
        var configuration = SandboxConfiguration()
        let allowance = limit.map { PullAllowance(limit: $0, window: 21_600) }
        configuration.upstreams["registry-1.docker.io"] = UpstreamSettings(anonymousQuota: allowance)
        return configuration
    }

    /// The pulls that Docker Hub counted.
    private func pulls(_ world: RunningSandbox) -> Int {
        world.sandbox.requests.entries.filter {
            $0.call.operation == "GetManifest" && $0.call.registry == "registry-1.docker.io" && $0.status < 500
        }.count
    }

    @Test("what the registry allows is never exceeded, other registries go on, and the rest comes in the next window")
    func window() async throws {
        try await SteppedDaemon.with(Self.hub(3), keys: Self.keys(pulls: 100)) { running in
            let world = running.world
            let images = (0..<5).map { "docker.io/org/tool\($0):1" }
            let other = "quay.io/org/other:1"
            for image in images + [other] { try world.put(image) }
            let run = try world.startRun("all", of: images + [other])
            try await running.pass("three of five", within: .seconds(1800)) {
                let states = try world.states()
                return images.filter { states[$0] == "ready" }.count == 3 && states[other] == "ready"
                    && images.allSatisfy { states[$0] == "ready" || states[$0] == "retrying" }
            }
            try await running.pass(.seconds(3600))
            #expect(pulls(world) == 3, "the registry's own count overrules the 100 of the configuration")
            let status = try await world.status("--run", run)
            #expect(status.code == 4)
            let sentence = status.report.focus?.sentence ?? ""
            #expect(sentence.hasPrefix("4 of 6 images ready; 2 wait for Docker Hub until"), "\(sentence)")
            let waiting = try world.rows("SELECT reason FROM images WHERE state = 'retrying'")
            #expect(waiting.allSatisfy { $0["reason"]?.contains("quota") == true }, "\(waiting)")
            let hub = try #require(
                try await world.status().report.registries.first { $0.registry == "docker.io" }
            )
            #expect(hub.limit == 3)
            #expect(hub.left == 0)
            world.sandbox.advance(by: 22_000)
            try await running.pass("the others", step: .seconds(30), within: .seconds(22_000)) {
                try running.states(Dictionary(uniqueKeysWithValues: images.map { ($0, "ready") }))
            }
            #expect(pulls(world) == 5)
        }
    }

    @Test("killed between the reservation and the registry's answer, the pull stays counted")
    func killed() async throws {
        try await RunningSandbox.with(Self.hub(nil), keys: Self.keys(pulls: 2)) { world in
            let images = (0..<2).map { "docker.io/org/tool\($0):1" }
            for image in images { try world.put(image) }
            world.sandbox.add(
                Fault(.delay, operation: "GetManifest", registry: "registry-1.docker.io", times: 1, seconds: 600)
            )
            try world.startRun("one", of: [images[0]])
            let daemon = try world.start("run")
            try await world.until("the reservation") {
                try !world.rows("SELECT 1 FROM pull WHERE state = 'reserved'").isEmpty
            }
            daemon.signal(SIGKILL)
            #expect(await daemon.end().code == -SIGKILL)
            #expect(pulls(world) == 0, "nothing was answered yet")
            world.sandbox.clearFaults()
            #expect(try await world.run("run", "--once").code == 0)
            // Two of two: one that the registry may have counted, one that it did.
            try world.startRun("two", of: [images[1]])
            #expect(try await world.run("run", "--once").code == 75)
            #expect(try world.states() == [images[0]: "ready", images[1]: "retrying"])
        }
    }

    @Test("what clone asks for beside a daemon is counted with the daemon's")
    func beside() async throws {
        try await RunningSandbox.with(Self.hub(nil), keys: Self.keys(pulls: 2)) { world in
            let images = (0..<3).map { "docker.io/org/tool\($0):1" }
            for image in images { try world.put(image) }
            try world.startRun("one", of: [images[0]])
            try await world.withDaemon { _ in
                try await world.until([images[0]: "ready"])
                #expect(try await world.run("clone", images[1]).code == 0)
                let third = try await world.run("clone", images[2])
                #expect(third.code == 75, "\(third.standardError)")
                #expect((third.standardOutput + third.standardError).contains("quota"))
            }
            #expect(pulls(world) == 2)
        }
    }

    @Test("bytes a second hold on the way of a copy, where they come from and where they go", arguments: [true, false])
    func bytes(isSource: Bool) async throws {
        let host = isSource ? "ghcr.io" : "123456789012.dkr.ecr.us-east-1.amazonaws.com"
        let keys: [String: SandboxJSON] = [
            "registries": .object([host: ["bytesPerSecond": "64KiB", "requestsPerSecond": 1000]])
        ]
        try await SteppedDaemon.with(keys: keys) { running in
            let world = running.world
            let image = "ghcr.io/org/large:1"
            try world.put(image, size: 4 << 20)
            try world.startRun("one", of: [image])
            try await running.pass("the copy", within: .seconds(60)) { try running.states([image: "cloning"]) }
            let began = running.clock.elapsed
            try await running.pass("its end", step: .milliseconds(500), within: .seconds(600)) {
                try running.states([image: "ready"])
            }
            // 64 s for the layer, less what one piece of it may be ahead.
            let took = running.clock.elapsed - began
            #expect(took > .seconds(50), "\(took)")
        }
    }

    @Test("after the daemon is killed, clone alone goes on with what it counted")
    func alone() async throws {
        try await RunningSandbox.with(Self.hub(nil), keys: Self.keys(pulls: 2)) { world in
            let images = (0..<3).map { "docker.io/org/tool\($0):1" }
            for image in images { try world.put(image) }
            try world.startRun("one", of: [images[0]])
            let daemon = try world.start("run")
            try await world.until([images[0]: "ready"])
            daemon.signal(SIGKILL)
            #expect(await daemon.end().code == -SIGKILL)
            #expect(try await world.run("clone", images[1]).code == 0)
            let third = try await world.run("clone", images[2])
            #expect(third.code == 75, "\(third.standardError)")
            #expect(pulls(world) == 2)
        }
    }

    @Test("a registry that refuses our credentials stops nobody else, and comes back with others by a reload")
    func refusedCredentials() async throws {
        var sandbox = Self.hub(nil)
        sandbox.upstreams["registry-1.docker.io"] = UpstreamSettings(accounts: ["ann": "right"])
        try await RunningSandbox.with(sandbox) { world in
            // Far more than are begun before the second refusal is known.
            let images = (0..<16).map { "docker.io/org/tool\($0):1" }
            let other = "quay.io/org/other:1"
            for image in images + [other] { try world.put(image) }
            func secret(_ password: String) throws -> [String: SandboxJSON] {
                let arn = world.sandbox.putSecret("hub-\(password)", #"{"username":"ann","password":"\#(password)"}"#)
                return ["registries": ["docker.io": ["credentials": ["secretArn": .string(arn)]]]]
            }
            try world.configure(try secret("wrong"))
            try world.startRun("all", of: images + [other])
            try await world.withDaemon { daemon in
                try await world.until("the pause") {
                    try !world.rows("SELECT 1 FROM host WHERE pauseReason LIKE 'credentials refused%'").isEmpty
                }
                try await world.until([other: "ready"])
                let states = try world.states()
                #expect(images.allSatisfy { states[$0] != "ready" })
                #expect(images.filter { states[$0] == "blocked" }.count < images.count, "\(states)")
                let hub = try #require(
                    try await world.status().report.registries.first { $0.registry == "docker.io" }
                )
                #expect(hub.pauseReason?.contains("registries.docker.io.credentials") == true)
                try world.configure(try secret("right"))
                daemon.signal(SIGHUP)
                try await world.until(Dictionary(uniqueKeysWithValues: images.map { ($0, "ready") }))
            }
        }
    }
}
