import Foundation
import Remotes
import Sandbox
import TestSupport
import Testing

/// HealthOmics at the size of a busy account, and the pages that steer the sandbox.
struct HealthOmicsTests {
    @Test func registersManyWorkflowsAndRunsCheaply() async throws {
        try await withSandbox { sandbox in
            let recipe = WorkflowRecipe("many", engine: "WDL", files: ["main.wdl": "version 1.0\nworkflow w {}\n"])
            let ids = sandbox.addWorkflows(5000, versions: 3, like: recipe)
            #expect(Set(ids).count == 5000)
            let batch = try sandbox.startBatch(workflow: ids[0], count: 2000)
            sandbox.setBatch(batch, status: "RUNNING")
            #expect(throws: AWSFailure.self) { try sandbox.startRun(workflow: "none") }
        }
    }

    @Test func refusesUnsignedRequests() async throws {
        try await SandboxClient.withClient { client in
            let answer = try await client.send("GET", client.sandbox.addresses.aws + "/run")
            #expect(answer.status == 403)
            #expect(answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException")
            #expect(client.sandbox.requests.counts == ["omics/ListRuns": 1])
        }
    }

    @Test func adminPagesDoWhatTheInProcessAPIDoes() async throws {
        try await SandboxClient.withClient { client in
            let pages = client.sandbox.addresses.aws + "/_sandbox/"
            let fault = Data(#"{"service": "omics", "effect": "throttle", "times": 1}"#.utf8)
            #expect(try await client.send("POST", pages + "faults", body: fault).status == 200)
            #expect(try await client.send("GET", client.sandbox.addresses.aws + "/run").status == 429)
            #expect(try await client.send("GET", client.sandbox.addresses.aws + "/run").status == 403)
            let image = Data(#"{"registry": "quay.io", "repository": "o/t", "tags": ["1"], "size": 100}"#.utf8)
            let made = try await client.send("POST", pages + "images", body: image)
            let found = try await client.upstream("HEAD", "quay.io", "/v2/o/t/manifests/1")
            #expect(found.headers["docker-content-digest"] == made.json["digest"]?.string)
            let counts = try await client.send("GET", pages + "requests").json["counts"]
            #expect(counts?["omics/ListRuns"] == 2)
            #expect(try await client.send("POST", pages + "faults", body: Data("[{}]".utf8)).status == 400)
            #expect(try await client.send("GET", pages + "nothing").status == 404)
        }
    }
}
