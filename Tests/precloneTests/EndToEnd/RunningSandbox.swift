import Configuring
import Foundation
import GRDB
import Model
import Precloning
import Sandbox
import TestSupport
import Testing

/// A sandbox, and a folder with the configuration and the record of the programs that work against it.
struct RunningSandbox: Sendable {
    let sandbox: Sandbox
    let folder: URL

    /// What the configuration of every test begins with: short intervals and the sandbox's registries by their names.
    static func configuration(_ sandbox: Sandbox, record: String) -> [String: SandboxJSON] {
        let registries = sandbox.addresses.registries.map { host, address in
            (host == "registry-1.docker.io" ? "docker.io" : host, SandboxJSON.object(["endpoint": .string(address)]))
        }
        return [
            "version": 1,
            // The account is the test's own: no other client's calls are to be left room for.
            "aws": ["quotaShare": 1],
            "watch": ["pollInterval": "1s", "workflowInterval": "1s"],
            "retry": ["image": ["base": "1s", "ceiling": "2s"]],
            "record": ["path": .string(record)],
            "registries": .object(Dictionary(uniqueKeysWithValues: registries)),
        ]
    }

    /// Starts a sandbox, writes a configuration for it and lends both.
    ///
    /// - Parameter keys: merged into the configuration; objects key by key.
    static func with(
        _ settings: SandboxConfiguration = SandboxConfiguration(),
        keys: [String: SandboxJSON] = [:],
        _ body: @Sendable (RunningSandbox) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "preclone-e2e-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await withSandbox(settings) { sandbox in
            let running = RunningSandbox(sandbox: sandbox, folder: folder)
            try running.configure(keys)
            try await body(running)
        }
    }

    var config: String { folder.appending(path: "config.json").path }

    var record: String { folder.appending(path: "record/record.sqlite").path }

    /// Writes the configuration anew.
    func configure(_ keys: [String: SandboxJSON]) throws {
        let document = Self.merged(.object(Self.configuration(sandbox, record: record)), .object(keys))
        try document.data.write(to: URL(filePath: config))
    }

    private static func merged(_ old: SandboxJSON, _ new: SandboxJSON) -> SandboxJSON {
        guard case .object(let members) = old, case .object(let more) = new else { return new }
        return .object(members.merging(more) { merged($0, $1) })
    }

    // MARK: Programs

    /// The commands that take no configuration.
    private static let withoutConfiguration: Set<String> = ["inspect", "copy", "demo"]

    /// Starts `preclone` with the sandbox's configuration.
    func start(_ arguments: String..., environment: [String: String] = [:]) throws -> RunningProgram {
        try start(arguments, environment: environment)
    }

    func start(_ arguments: [String], environment: [String: String] = [:]) throws -> RunningProgram {
        let own = sandbox.addresses.environment.merging(["HOME": folder.path, "NO_PROXY": "*"]) { $1 }
        return try RunningProgram(
            arguments + (Self.withoutConfiguration.contains(arguments.first ?? "") ? [] : ["--config", config]),
            environment: own.merging(environment) { $1 }
        )
    }

    /// Runs `preclone` to its end.
    func run(_ arguments: String..., environment: [String: String] = [:]) async throws -> BuiltProgram.Answer {
        try await start(arguments, environment: environment).end()
    }

    /// Runs the daemon for as long as `body` takes, and stops it as systemd does.
    ///
    /// - Returns: what the daemon left.
    @discardableResult
    func withDaemon(_ body: (RunningProgram) async throws -> Void) async throws -> BuiltProgram.Answer {
        let daemon = try start("run")
        do {
            try await body(daemon)
        } catch {
            let requests = sandbox.requests.entries.filter { !$0.call.operation.hasPrefix("List") }
                .suffix(60).map { "\($0.status) \($0.call)" }.joined(separator: "\n")
            Issue.record("the daemon's log:\n\(daemon.standardError.telling)\nthe last requests:\n\(requests)")
            throw error
        }
        daemon.signal(SIGTERM)
        let answer = await daemon.end()
        #expect(answer.code == 0, "\(answer.standardError.telling)")
        return answer
    }

    // MARK: The record

    /// What a query of the record answers, by column; empty while there is no record yet.
    func rows(_ sql: String) throws -> [[String: String]] {
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        guard let queue = try? DatabaseQueue(path: record, configuration: configuration) else { return [] }
        defer { try? queue.close() }
        let found = try? queue.read { database in
            try Row.fetchAll(database, sql: sql).map { row in
                var values: [String: String] = [:]
                for (column, value) in row where !value.isNull {
                    values[column] = String.fromDatabaseValue(value) ?? "\(value)"
                }
                return values
            }
        }
        return found ?? []
    }

    /// Changes the record behind everybody's back; waits while others write.
    func change(_ sql: String, _ arguments: StatementArguments = []) throws {
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(60)
        let queue = try DatabaseQueue(path: record, configuration: configuration)
        try queue.writeWithoutTransaction { try $0.execute(sql: sql, arguments: arguments) }
        try queue.close()
    }

    /// The state of every image, by source.
    func states() throws -> [String: String] {
        let pairs = try rows("SELECT source, state FROM images").map { ($0["source"] ?? "", $0["state"] ?? "") }
        return Dictionary(pairs) { first, _ in first }
    }

    /// Waits until these images, and no fewer, are in these states.
    func until(_ expected: [String: String], within limit: Duration = .seconds(60)) async throws {
        try await until("\(expected)", within: limit) {
            let states = try states()
            return expected.allSatisfy { states[$0.key] == $0.value }
        }
    }

    /// Waits until something holds; it is asked again and again.
    func until(
        _ what: String,
        within limit: Duration = .seconds(60),
        _ condition: () async throws -> Bool
    ) async throws {
        let clock = ContinuousClock()
        let end = clock.now + limit
        while try await !condition() {
            guard clock.now < end else {
                let images = try rows("SELECT source, destination, state, reason, mend FROM images")
                throw NeverCame("\(what) never came; the record has \(images)")
            }
            try await clock.sleep(for: .milliseconds(50))
        }
    }

    /// The report of `preclone status --format json`, and its exit code.
    func status(_ arguments: String...) async throws -> (report: StatusReport, code: Int32) {
        let answer = try await start(["status", "--format", "json"] + arguments).end()
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        let report = try decoder.decode(StatusReport.self, from: Data(answer.standardOutput.utf8))
        return (report, answer.code)
    }
}

/// What was waited for did not happen.
struct NeverCame: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

// MARK: The world

extension RunningSandbox {
    /// The map that every workflow of `wdl` has: all usual registries, so that no image is unmapped.
    static let registryMap: SandboxJSON = [
        "registryMappings": [
            ["upstreamRegistryUrl": "registry-1.docker.io", "ecrRepositoryPrefix": "docker-hub"],
            ["upstreamRegistryUrl": "quay.io", "ecrRepositoryPrefix": "quay"],
            ["upstreamRegistryUrl": "ghcr.io", "ecrRepositoryPrefix": "ghcr"],
        ]
    ]

    /// Puts an image of this name, such as `quay.io/org/tool:1.0`, where it is pulled from.
    @discardableResult
    func put(
        _ name: String,
        size: Int64 = 4096,
        platforms: [String] = ["linux/amd64"]
    ) throws -> MadeImage {
        let slash = try #require(name.firstIndex(of: "/"))
        let colon = try #require(name.lastIndex(of: ":"))
        let host = String(name[..<slash])
        return try sandbox.putImage(
            ImageRecipe(name, platforms: platforms, layers: [.init("layer of " + name, size: size)]),
            registry: host == "docker.io" ? "registry-1.docker.io" : host,
            repository: String(name[name.index(after: slash)..<colon]),
            tags: [String(name[name.index(after: colon)...])]
        )
    }

    /// A rule for quay.io, set up as HealthOmics needs it.
    func addRule() throws {
        try sandbox.ecr(
            "PutRegistryPolicy",
            [
                "policyText": """
                {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"omics.amazonaws.com"},\
                "Action":["ecr:CreateRepository","ecr:BatchImportUpstreamImage"],\
                "Resource":"arn:aws:ecr:us-east-1:123456789012:repository/quay/*"}]}
                """
            ]
        )
        try sandbox.ecr(
            "CreatePullThroughCacheRule",
            ["ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"]
        )
    }

    /// A WDL workflow with one task for each image.
    static func wdl(_ name: String, _ images: [String]) -> WorkflowRecipe {
        let tasks = images.enumerated().map { number, image in
            """
            task t\(number) {
              command <<< true >>>
              runtime { container: "\(image)" }
            }
            """
        }
        let calls = images.indices.map { "  call t\($0)" }.joined(separator: "\n")
        return WorkflowRecipe(
            name,
            engine: "WDL",
            main: "main.wdl",
            files: ["main.wdl": "version 1.1\nworkflow w {\n\(calls)\n}\n" + tasks.joined(separator: "\n") + "\n"],
            registryMap: registryMap
        )
    }

    /// Registers such a workflow and starts a run of it.
    ///
    /// - Returns: the run's id.
    @discardableResult
    func startRun(_ name: String, of images: [String]) throws -> String {
        try sandbox.startRun(workflow: sandbox.addWorkflow(Self.wdl(name, images)), name: name)
    }

    /// How often a request was made, by operation; `registry` is `ecr` or an upstream's host.
    func count(_ operation: String, registry: String? = nil, repository: String? = nil) -> Int {
        sandbox.requests.entries.filter { entry in
            entry.call.operation == operation && entry.status < 400
                && (registry == nil || entry.call.registry == registry)
                && (repository == nil || entry.call.repository == repository)
        }.count
    }

    /// What the policy of a repository lets HealthOmics do; nil without a policy.
    func granted(_ repository: String) throws -> Set<String>? {
        guard
            let text = try? sandbox.ecr("GetRepositoryPolicy", ["repositoryName": .string(repository)])["policyText"]?
                .string
        else { return nil }
        let policy = try SandboxJSON(json: Data(text.utf8))
        let statements = (policy["Statement"]?.array ?? []).filter {
            $0["Principal"]?["Service"]?.string == "omics.amazonaws.com"
                || $0["Principal"]?["Service"]?.strings?.contains("omics.amazonaws.com") == true
        }
        return Set(statements.flatMap { $0["Action"]?.strings ?? [$0["Action"]?.string ?? ""] })
    }

    /// The three actions of HealthOmics.
    static let omicsActions: Set<String> = [
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
    ]
}

extension String {
    /// What to show of what a program said: a crash from its first line on, else the end.
    var telling: Substring {
        guard let crash = range(of: "*** ") else { return suffix(6000) }
        return self[crash.lowerBound...].prefix(6000)
    }
}
