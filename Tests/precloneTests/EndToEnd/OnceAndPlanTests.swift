import Foundation
import GRDB
import Model
import Precloning
import Record
import Sandbox
import Testing

@testable import preclone

/// `run --once`, `plan`, and the two routes, as processes.
@Suite("run --once and plan, end to end")
struct OnceAndPlanTests {
    /// The operations that change something at AWS.
    private static let changes: Set<String> = [
        "CreateRepository", "DeleteRepository", "SetRepositoryPolicy", "DeleteRepositoryPolicy", "TagResource",
        "PutImage",
        "BatchDeleteImage", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "StartUpload",
        "UploadChunk",
        "FinishUpload", "PutManifest", "BatchImportUpstreamImage", "CreatePullThroughCacheRule", "StartRun",
        "CancelRun",
        "CreateWorkflow", "DeleteMessage",
    ]

    private struct Plan: Decodable {
        var images: [PlanLine]
    }

    @Test("plan names route, destination and bytes, and changes nothing anywhere")
    func plan() async throws {
        try await RunningSandbox.with { world in
            try world.addRule()
            try world.put("quay.io/org/pulled:1")
            try world.put("ghcr.io/org/copied:1", size: 70_000)
            try world.put("ghcr.io/org/other:1", platforms: ["linux/arm64"])
            let run = try world.startRun(
                "all",
                of: [
                    "quay.io/org/pulled:1", "ghcr.io/org/copied:1", "ghcr.io/org/other:1",
                    "public.ecr.aws/org/unmapped:1",
                ]
            )
            let repositories = world.sandbox.privateRepositories
            world.sandbox.forgetRequests()
            for arguments in [["plan"], ["plan", "--run", run]] {
                let answer = try await world.start(arguments + ["--format", "json"]).end()
                #expect(answer.code == 0, "\(answer.standardError)")
                let lines = try JSONDecoder().decode(Plan.self, from: Data(answer.standardOutput.utf8)).images
                #expect(
                    lines.map(\.source) == [
                        "ghcr.io/org/copied:1", "ghcr.io/org/other:1", "public.ecr.aws/org/unmapped:1",
                        "quay.io/org/pulled:1",
                    ]
                )
                #expect(lines.map(\.route) == ["copy", "refused", "refused", "pullThrough"])
                #expect(lines[0].bytes ?? 0 >= 70_000)
                #expect(lines[0].destination == "\(world.sandbox.addresses.ecrName)/ghcr/org/copied:1")
                #expect(lines[1].why?.contains("linux/arm64") == true, "\(lines[1].why ?? "")")
                #expect(lines[2].why?.contains("registryMappings") == true, "\(lines[2].why ?? "")")
                #expect(lines[3].bytes == 0)
            }
            let made = Set(world.sandbox.requests.entries.map(\.call.operation)).intersection(Self.changes)
            #expect(made == [])
            #expect(world.sandbox.privateRepositories == repositories)
            #expect(!FileManager.default.fileExists(atPath: world.record))
        }
    }

    @Test(
        "plan tells what waits, until when and what is done then, by what the daemon's record knows; and what was learned"
    )
    func planOfWhatWaits() async throws {
        try await RunningSandbox.with { world in
            try world.put("ghcr.io/org/rests:1")
            try world.put("quay.io/org/learned:1")
            let run = try world.startRun("one", of: ["ghcr.io/org/rests:1"])
            try RunCommand.makeFolder(world.record)
            let ledger = try Ledger(path: world.record)
            let until = Date(timeIntervalSince1970: Date().addingTimeInterval(3600).timeIntervalSince1970.rounded())
            try ledger.pause(host: "ghcr.io", until: until, reason: "it asked to be left alone", now: .distantPast)
            var learned = PlannedDemand(
                source: "quay.io/org/learned:1",
                destination: "\(world.sandbox.addresses.ecrName)/quay/org/learned:1",
                registry: "quay.io",
                mention: "quay.io/org/learned:1",
                certainty: "certain"
            )
            learned.reason = "seen in a task"
            try ledger.want(.learned(workflowID: "1234567", name: ""), [learned], now: Date())
            try ledger.database.close()
            let decoder = JSONDecoder()
            decoder.dateDecodingStrategy = .iso8601
            func plan(_ arguments: String...) async throws -> [PlanLine] {
                let answer = try await world.start(["plan", "--format", "json"] + arguments).end()
                #expect(answer.code == 0, "\(answer.standardError)")
                return try decoder.decode(Plan.self, from: Data(answer.standardOutput.utf8)).images
            }
            let all = try await plan()
            #expect(all.map(\.source) == ["ghcr.io/org/rests:1", "quay.io/org/learned:1"])
            #expect(all.map(\.route) == ["later", "copy"])
            #expect(all.map(\.then) == ["copy", nil])
            #expect(all[0].until == until)
            #expect(all[0].why?.contains("left alone") == true)
            #expect(try await plan("--run", run).map(\.source) == ["ghcr.io/org/rests:1"])
        }
    }

    @Test("plan of a spent quota says until when, and spends nothing")
    func planOfSpentQuota() async throws {
        let keys: [String: SandboxJSON] = [
            "registries": ["docker.io": ["quota": ["pulls": 1, "per": "6h", "keep": 0]]]
        ]
        var sandbox = SandboxConfiguration()
        // It does not say what it allows.
        sandbox.upstreams["registry-1.docker.io"] = UpstreamSettings(anonymousQuota: nil)
        try await RunningSandbox.with(sandbox, keys: keys) { world in
            try world.put("docker.io/org/first:1")
            try world.put("docker.io/org/second:1")
            #expect(try await world.run("clone", "docker.io/org/first:1").code == 0)
            let run = try world.startRun("one", of: ["docker.io/org/second:1"])
            let pulls = world.count("GetManifest", registry: "registry-1.docker.io")
            let answer = try await world.run("plan", "--run", run, "--format", "json")
            let decoder = JSONDecoder()
            decoder.dateDecodingStrategy = .iso8601
            let line = try #require(try decoder.decode(Plan.self, from: Data(answer.standardOutput.utf8)).images.first)
            #expect(line.route == "later" && line.then == "copy", "\(line)")
            #expect(try #require(line.until) > Date())
            #expect(world.count("GetManifest", registry: "registry-1.docker.io") == pulls)
        }
    }

    /// What was changed at AWS is told with AWS's own name for the request.
    private func expectNamedChanges(_ world: RunningSandbox) throws {
        let named = try world.rows("SELECT DISTINCT action FROM audit WHERE request_id <> ''").map { $0["action"] }
        #expect(named.contains("repositoryCreated") && named.contains("policyChanged"), "\(named)")
        #expect(try world.rows("SELECT 1 FROM audit WHERE action = 'imagePushed'").count == 1)
    }

    @Test("run --once takes both routes, ends by itself, and a second one finds all there")
    func once() async throws {
        try await RunningSandbox.with { world in
            try world.addRule()
            let pulled = try world.put("quay.io/org/pulled:1", platforms: ["linux/amd64", "linux/arm64"])
            let copied = try world.put("ghcr.io/org/copied:1", platforms: ["linux/amd64", "linux/arm64"])
            try world.startRun("all", of: ["quay.io/org/pulled:1", "ghcr.io/org/copied:1"])
            let first = try await world.run("run", "--once")
            #expect(first.code == 0, "\(first.standardError.telling)")
            let routes = try world.rows("SELECT source, route, ecr_digest, source_digest FROM images ORDER BY source")
            #expect(routes.map { $0["route"] } == ["copy", "pullThrough"])
            // A copy takes the amd64 manifest, a pull through the cache the whole index.
            #expect(routes.map { $0["ecr_digest"] } == [copied.digest(for: "linux/amd64"), pulled.root])
            #expect(routes.map { $0["source_digest"] } == [copied.root, pulled.root])
            #expect(try world.granted("quay/org/pulled") == RunningSandbox.omicsActions)
            #expect(world.count("PutManifest", registry: "ecr", repository: "quay/org/pulled") == 0)
            #expect(try await world.status().report.daemon.life == .stopped)
            let pushes = world.count("PutManifest", registry: "ecr")
            let second = try await world.run("run", "--once")
            #expect(second.code == 0)
            #expect(world.count("PutManifest", registry: "ecr") == pushes)
            try expectNamedChanges(world)
            // Looking again is not written down again.
            let views = ["attempts", "demands", "runs", "audit", "digests", "events"]
            func counts() throws -> [[String: String]] {
                try views.flatMap { try world.rows("SELECT '\($0)' AS view, COUNT(*) AS rows FROM \($0)") }
            }
            let before = try counts()
            #expect(before.count == views.count)
            #expect(try await world.run("run", "--once").code == 0)
            #expect(try counts() == before)
        }
    }

    @Test("plan of everything is what the daemon would do: every version of a workflow in use, none of an old one")
    func planOfAll() async throws {
        try await RunningSandbox.with { world in
            for name in ["run", "version", "unused"] { try world.put("quay.io/org/\(name):1") }
            let used = world.sandbox.addWorkflow(RunningSandbox.wdl("used", ["quay.io/org/run:1"]))
            world.sandbox.addVersion(RunningSandbox.wdl("v2", ["quay.io/org/version:1"]), workflow: used)
            world.sandbox.addWorkflow(RunningSandbox.wdl("unused", ["quay.io/org/unused:1"]))
            try world.sandbox.startRun(workflow: used)
            let plan = try await world.run("plan", "--format", "json")
            #expect(plan.code == 0, "\(plan.standardError)")
            let lines = try JSONDecoder().decode(Plan.self, from: Data(plan.standardOutput.utf8)).images
            #expect(lines.map(\.source) == ["quay.io/org/run:1", "quay.io/org/version:1"])
            try await world.withDaemon { _ in
                try await world.until("the versions") {
                    try Set(world.states().keys) == ["quay.io/org/run:1", "quay.io/org/version:1"]
                }
            }
        }
    }

    @Test("run --once ends with 4 where an image needs a person, and with 75 where one waits")
    func onceCodes() async throws {
        try await RunningSandbox.with { world in
            try world.startRun("missing", of: ["quay.io/org/missing:1"])
            #expect(try await world.run("run", "--once").code == 4)
            try world.put("ghcr.io/org/later:1")
            world.sandbox.add(Fault(.throttle, service: "registry", registry: "ghcr.io", retryAfter: 3600))
            try world.startRun("later", of: ["ghcr.io/org/later:1"])
            let waits = try await world.run("run", "--once")
            #expect(waits.code == 75, "\(waits.standardError.telling)")
            #expect(try world.states() == ["quay.io/org/missing:1": "blocked", "ghcr.io/org/later:1": "retrying"])
        }
    }

    @Test("where the pull-through rule cannot serve an image it is copied whole, and the record says why")
    func fallback() async throws {
        try await RunningSandbox.with { world in
            try world.addRule()
            let image = try world.put("quay.io/org/tool:1", platforms: ["linux/amd64", "linux/arm64"])
            // ECR cannot reach the upstream; we can.
            world.sandbox.add(Fault(.error, operation: "BatchImportUpstreamImage", registry: "quay.io"))
            try world.startRun("one", of: ["quay.io/org/tool:1"])
            let answer = try await world.run("run", "--once")
            #expect(answer.code == 0, "\(answer.standardError.telling)")
            let row = try #require(try world.rows("SELECT route, state, reason, ecr_digest FROM images").first)
            #expect(row["route"] == "copy")
            #expect(row["state"] == "ready")
            #expect(row["reason"]?.contains("the pull-through cache rule could not serve it") == true, "\(row)")
            // Below a rule's prefix the object is taken whole: ECR would replace anything else.
            #expect(row["ecr_digest"] == image.root)
            #expect(world.sandbox.isWhole("quay/org/tool", "1"))
            let attempt = try #require(try world.rows("SELECT route, result, message FROM attempts").first)
            #expect(attempt["route"] == "copy")
            #expect(attempt["message"]?.contains("could not serve") == true)
        }
    }

    @Test("a repository that was there keeps its other statements and conditions")
    func othersPolicy() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1")
            try world.sandbox.ecr("CreateRepository", ["repositoryName": "quay/org/tool"])
            let own = """
                {"Version":"2012-10-17","Statement":[{"Sid":"team","Effect":"Allow","Principal":{"AWS":\
                "arn:aws:iam::111122223333:root"},"Action":"ecr:BatchGetImage","Condition":{"StringEquals":\
                {"aws:PrincipalOrgID":"o-1"}}}]}
                """
            try world.sandbox.ecr(
                "SetRepositoryPolicy",
                ["repositoryName": "quay/org/tool", "policyText": .string(own)]
            )
            #expect(try await world.run("clone", "quay.io/org/tool:1").code == 0)
            #expect(try world.granted("quay/org/tool") == RunningSandbox.omicsActions)
            let text = try world.sandbox.ecr("GetRepositoryPolicy", ["repositoryName": "quay/org/tool"])["policyText"]
            let policy = try SandboxJSON(json: Data((text?.string ?? "").utf8))
            let before = try SandboxJSON(json: Data(own.utf8))["Statement"]?.array?.first
            #expect(policy["Statement"]?.array?.first { $0["Sid"]?.string == "team" } == before)
            // It was not ours, and is not marked as if it were.
            let tags = try world.sandbox.ecr(
                "ListTagsForResource",
                ["resourceArn": "arn:aws:ecr:us-east-1:123456789012:repository/quay/org/tool"]
            )
            #expect(tags["tags"]?.array ?? [] == [])
        }
    }
}
