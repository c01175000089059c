import Foundation
import Precloning
import Record
import Sandbox
import Testing

/// `preclone explain` and `preclone forget` as processes.
@Suite("preclone explain and forget, end to end")
struct ExplainForgetTests {
    private func explained(_ world: RunningSandbox, _ arguments: String...) async throws -> ExplainAnswer {
        let answer = try await world.start(["explain"] + arguments + ["--format", "json"]).end()
        #expect(answer.code == 0, "\(answer.standardError)")
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(ExplainAnswer.self, from: Data(answer.standardOutput.utf8))
    }

    @Test(
        "it tells how an image was read, what each policy rule says, where it goes, what is there and what comes next"
    )
    func explain() async throws {
        let rules: SandboxJSON = [
            ["name": "mirror", "action": "allow", "match": ["registry": "ghcr.io"]],
            ["name": "large", "action": "deny", "facts": ["maxSize": "1GiB"]],
            ["name": "no-anna", "action": "deny", "match": ["caller": "user anna"]],
            ["name": "mine", "action": "warn", "match": ["destination": "quay/*"]],
            ["name": "no-latest", "action": "deny", "reason": "pin a version", "match": ["tag": "latest"]],
            ["name": "rest", "action": "allow"],
        ]
        try await RunningSandbox.with(keys: ["policy": ["rules": rules]]) { world in
            try world.addRule()
            let image = try world.put("quay.io/org/tool:1")
            try world.put("quay.io/org/tool:latest")
            // Before anything is known of it.
            let fresh = try await explained(world, "quay.io/org/tool:1")
            #expect(fresh.reading?.reference == "quay.io/org/tool:1")
            #expect(fresh.policy?.verdict == "allow" && fresh.policy?.rule == "rest")
            #expect(
                fresh.policy?.rules.map(\.standing) == [
                    .doesNotMatch, .dependsOnFacts, .doesNotMatch, .warns, .doesNotMatch, .decides,
                ]
            )
            let anna = try await explained(world, "quay.io/org/tool:1", "--as", "user anna")
            #expect(anna.policy?.verdict == "deny" && anna.policy?.rule == "no-anna")
            #expect(try await world.run("explain", "quay.io/org/tool:1", "--as", "anna").code == 2)
            #expect(fresh.upstream?.digest == image.root)
            let place = try #require(fresh.places.first)
            #expect(place.destination == "\(world.sandbox.addresses.ecrName)/quay/org/tool:1")
            #expect(place.route == "pullThrough" && place.pullThroughRule == "quay")
            #expect(place.holding?.words == "is not there: the repository does not exist")
            #expect(place.next == "ECR fetches it through rule `quay` when somebody wants it")
            #expect(fresh.notes.contains { $0.contains("the record does not know it") })
            #expect(world.sandbox.privateRepositories.isEmpty)

            let denied = try await world.run("explain", "quay.io/org/tool")
            #expect(denied.code == 0, "\(denied.standardError)")
            #expect(denied.standardOutput.contains("policy     deny by no-latest for daemon: pin a version"))
            #expect(denied.standardOutput.contains("read as    quay.io/org/tool:latest"))
            #expect(denied.standardOutput.contains("rule rest (allow): not reached"))
            #expect(denied.standardOutput.contains("upstream   not asked: policy denies it"))

            let workflow = world.sandbox.addWorkflow(
                RunningSandbox.wdl("one", ["quay.io/org/tool:1", "public.ecr.aws/a/b:1"])
            )
            let run = try world.sandbox.startRun(workflow: workflow, name: "one")
            _ = try await world.run("run", "--once")
            let ready = try #require(try await explained(world, "quay.io/org/tool:1").places.first)
            #expect(ready.route == "present" && ready.record?.state == "ready")
            #expect(ready.holding?.digest == image.root && ready.holding?.access == "accessible")
            #expect(ready.wantedBy.contains("run \(run)"))
            #expect(ready.record?.lastAttempts.first?.result == "ready")
            let unmapped = try #require(
                try await explained(world, "public.ecr.aws/a/b:1", "--workflow", workflow).places.first
            )
            #expect(unmapped.destination.isEmpty && unmapped.problem?.contains("does not reach public.ecr.aws") == true)
            let byRun = try await explained(world, "quay.io/org/other:1", "--run", run)
            #expect(byRun.places.isEmpty && byRun.notes.contains("run \(run) does not need it, as far as is known"))
            let noImage = try await world.run("explain", "https://quay.io/org/tool:1")
            #expect(noImage.code == 0 && noImage.standardOutput.contains("is not an image reference"))
        }
    }

    @Test("it forgets what nobody wants; history and audit stay")
    func forget() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/mine:1")
            try world.put("quay.io/org/wanted:1")
            #expect(try await world.run("clone", "quay.io/org/mine:1").code == 0)
            let run = try world.startRun("one", of: ["quay.io/org/wanted:1"])
            #expect(try await world.run("run", "--once").code == 0)
            let answer = try await world.run("forget", "quay.io/org/mine:1", "quay.io/org/wanted:1")
            #expect(answer.code == 4, "\(answer.standardError)")
            #expect(answer.standardOutput.contains("forgotten: quay.io/org/mine:1 at "))
            #expect(answer.standardOutput.contains("kept: quay.io/org/wanted:1 at "))
            #expect(answer.standardOutput.contains("it is wanted by run \(run)"))
            #expect(try world.states() == ["quay.io/org/wanted:1": "ready"])
            let history = try await world.run("history", "quay.io/org/mine:1")
            #expect(history.code == 0 && history.standardOutput.contains("sha256:"))
            let audit = try await world.run("audit", "--format", "json")
            #expect(
                audit.standardOutput.contains("\"forgotten\"") && audit.standardOutput.contains("repositoryCreated")
            )
            // ECR keeps what it holds, and the image can be wanted again.
            #expect(world.sandbox.isWhole("quay/org/mine", "1"))
            #expect(try await world.run("clone", "quay.io/org/mine:1").code == 0)
            #expect(world.count("PutManifest", registry: "ecr", repository: "quay/org/mine") == 1)
            let unknown = try await world.run("forget", "quay.io/org/never:1")
            #expect(unknown.code == 1 && unknown.standardError.contains("is not in the record"))
        }
    }

    @Test("beside a daemon it asks the daemon, which knows who asked")
    func forgetBeside() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/mine:1")
            #expect(try await world.run("clone", "quay.io/org/mine:1").code == 0)
            try await world.withDaemon { _ in
                try await world.until("the daemon") {
                    try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
                }
                let answer = try await world.run("forget", "quay.io/org/mine:1", "--format", "json")
                #expect(answer.code == 0, "\(answer.standardError)")
                #expect(answer.standardOutput.contains("\"source\" : \"quay.io/org/mine:1\""))
                #expect(try world.states().isEmpty)
                let audit = try world.rows("SELECT caller FROM audit WHERE action = 'forgotten'")
                #expect(audit.count == 1 && audit[0]["caller"]?.hasPrefix("user ") == true)
                #expect(try await world.run("forget", "quay.io/org/mine:1").code == 1)
            }
        }
    }
}
