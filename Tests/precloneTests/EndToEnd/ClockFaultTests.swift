import Configuring
import Foundation
import Precloning
import Sandbox
import TestSupport
import Testing

@Suite("Faults that last")
struct ClockFaultTests {
    @Test("a registry that is down for an hour is asked seldom, and its images come when it is back")
    func registryDown() async throws {
        try await SteppedDaemon.with { running in
            let world = running.world
            let (away, there) = ("quay.io/org/away:1", "docker.io/library/there:1")
            try world.put(away)
            try world.put(there)
            world.sandbox.setDown(true, registry: "quay.io")
            try world.startRun("both", of: [away, there])
            try await running.pass("the other registry's image", within: .seconds(600)) {
                try running.states([there: "ready", away: "retrying"])
            }
            try await running.pass(.seconds(3600))
            let state = try world.states()[away]
            #expect(state == "retrying" || state == "cloning")
            let asked = world.sandbox.requests.entries.filter { $0.call.registry == "quay.io" }.count
            #expect(asked < 100, "\(asked) requests to a registry that is down")
            world.sandbox.setDown(false, registry: "quay.io")
            try await running.pass("the image", within: .seconds(3600)) { try running.states([away: "ready"]) }
            try world.expectOnce([away, there])
        }
    }

    @Test("a registry whose name cannot be resolved holds up no other, and comes when it can")
    func nameResolution() async throws {
        try await SteppedDaemon.with(keys: ["registries": ["quay.io": ["endpoint": "https://registry.invalid"]]]) {
            running in
            let world = running.world
            let (away, there) = ("quay.io/org/away:1", "docker.io/library/there:1")
            try world.put(away)
            try world.put(there)
            try world.startRun("both", of: [away, there])
            try await running.pass("the other registry's image", within: .seconds(3600)) {
                try running.states([there: "ready", away: "retrying"])
            }
            let said = try world.rows("SELECT message FROM attempts WHERE source = '\(away)'").compactMap {
                $0["message"]
            }
            #expect(said.contains { $0.contains("registry.invalid:443: the name cannot be resolved") }, "\(said)")
            try world.configure([:])
            running.settings.replace(with: try Configuration.load(path: world.config))
            running.registries.forget()
            try await running.pass("the image", within: .seconds(3600)) { try running.states([away: "ready"]) }
            try world.expectOnce([away, there])
        }
    }

    @Test("the clock jumps by a day, forward and back", arguments: [86_400.0, -86_400])
    func clock(jump: TimeInterval) async throws {
        try await SteppedDaemon.with { running in
            let world = running.world
            let (first, second, waiting) = ("quay.io/org/first:1", "quay.io/org/second:1", "docker.io/library/late:1")
            for image in [first, second, waiting] { try world.put(image) }
            world.sandbox.setDown(true, registry: "registry-1.docker.io")
            try world.startRun("before", of: [first, waiting])
            try await running.pass("the first image", within: .seconds(600)) {
                try running.states([first: "ready", waiting: "retrying"])
            }
            running.clock.shiftWallClock(by: jump)
            try world.startRun("after", of: [first, second])
            try await running.pass("the second image", within: .seconds(1800)) { try running.states([second: "ready"]) }
            // What waited a minute before the jump waits no day after it.
            world.sandbox.setDown(false, registry: "registry-1.docker.io")
            try await running.pass("the image that waited", within: .seconds(3600)) {
                try running.states([waiting: "ready"])
            }
            running.clock.shiftWallClock(by: -jump)
            let third = "quay.io/org/third:1"
            try world.put(third)
            try world.startRun("again", of: [third])
            try await running.pass("the third image", within: .seconds(1800)) { try running.states([third: "ready"]) }
            #expect(try running.states([first: "ready", second: "ready", waiting: "ready"]))
            try world.expectOnce([first, second, third, waiting])
        }
    }
}
