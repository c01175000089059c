import Foundation
import Precloning
import Sandbox
import Testing

/// The daemon with a queue of EventBridge's events; polls are a minute apart and see nothing first.
@Suite("Events, end to end")
struct EventTests {
    private func withQueue(_ body: @escaping @Sendable (RunningSandbox) async throws -> Void) async throws {
        try await RunningSandbox.with { world in
            let url = world.sandbox.makeQueue()
            try world.configure([
                "watch": ["events": ["queueUrl": .string(url)], "pollInterval": "60s", "workflowInterval": "60s"]
            ])
            try await body(world)
        }
    }

    private func polled(_ world: RunningSandbox) async throws {
        try await world.until("the first poll and an empty queue") {
            try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
                && world.sandbox.messageCount() == 0 && world.count("ReceiveMessage") > 0
        }
    }

    @Test("a run is known by its event, its images are cloned without a poll, and the message is deleted")
    func run() async throws {
        try await withQueue { world in
            let image = "quay.io/org/tool:1"
            try world.put(image)
            let workflow = world.sandbox.addWorkflow(RunningSandbox.wdl("one", [image]))
            try await world.withDaemon { _ in
                try await polled(world)
                world.sandbox.forgetRequests()
                let run = try world.sandbox.startRun(workflow: workflow, name: "by event")
                try await world.until([image: "ready"], within: .seconds(40))
                #expect(world.count("ListRuns") == 0, "no poll was needed")
                try await world.until("its message is gone") { world.sandbox.messageCount() == 0 }
                let rows = try world.rows("SELECT outcome FROM events WHERE subject LIKE '%\(run)%'")
                #expect(!rows.isEmpty)
                #expect(try await world.status("--run", run).code == 0)
            }
            try world.expectOnce([image])
        }
    }

    @Test("a version made active is read by its event, before anybody runs it")
    func version() async throws {
        try await withQueue { world in
            let (first, second) = ("quay.io/org/first:1", "quay.io/org/second:1")
            for image in [first, second] { try world.put(image) }
            try await world.withDaemon { _ in
                try await polled(world)
                world.sandbox.forgetRequests()
                let workflow = world.sandbox.addWorkflow(RunningSandbox.wdl("one", [first]))
                try await world.until([first: "ready"], within: .seconds(40))
                world.sandbox.addVersion(RunningSandbox.wdl("v2", [second]), workflow: workflow)
                world.sandbox.setRegistryMap(RunningSandbox.registryMap, workflow: workflow)
                try await world.until("the version's image") { try world.states()[second] != nil }
                #expect(world.count("ListWorkflows") == 0)
            }
        }
    }

    @Test("poison ends in the record with its reason, and stops nothing; what was not finished comes again")
    func poison() async throws {
        try await withQueue { world in
            let image = "quay.io/org/tool:1"
            try world.put(image)
            let workflow = world.sandbox.addWorkflow(RunningSandbox.wdl("one", [image]))
            for body in ["no JSON", "{}", #"{"detail-type":"Run Status Change","source":"aws.omics","detail":7}"#] {
                world.sandbox.send(body)
            }
            // The first answer of the service is lost: the message stays in the queue until its meaning is recorded.
            world.sandbox.add(Fault(.error, service: "omics", operation: "GetRun", times: 6, status: 500))
            try await world.withDaemon { daemon in
                try await polled(world)
                let run = try world.sandbox.startRun(workflow: workflow, name: "after poison")
                try await world.until([image: "ready"], within: .seconds(90))
                try await world.until("an empty queue") { world.sandbox.messageCount() == 0 }
                #expect(daemon.isRunning)
                #expect(try await world.status("--run", run).code == 0)
            }
            let outcomes = try world.rows("SELECT outcome FROM events").compactMap { $0["outcome"] }
            for reason in ["neither JSON", "names no run, workflow or batch", "a Run Status Change that names no run"] {
                #expect(outcomes.contains { $0.contains(reason) }, "\(outcomes)")
            }
            try world.expectOnce([image])
        }
    }
}
