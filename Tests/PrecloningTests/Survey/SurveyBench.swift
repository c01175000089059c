import Foundation
import GRDB
import Model
import Record
import Remotes
import Sandbox
import TestSupport

@testable import Configuring
@testable import Precloning

/// The loops that watch, survey and learn, against a sandbox; each pass is made by hand.
struct SurveyBench {
    let sandbox: Sandbox
    let ledger: Ledger
    let surveyor: Surveyor
    let healthOmics: HealthOmicsClient
    /// Where definitions are kept.
    let folder: String
    private let account: AccountFacts
    private let timeline: Timeline

    /// A sandbox and a bench with an empty record, which are gone afterwards.
    static func with(_ body: @escaping @Sendable (SurveyBench) async throws -> Void) async throws {
        try await withSandbox { sandbox in
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("survey-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let transport = try LiveTransport()
            do {
                try await body(
                    try SurveyBench(
                        sandbox,
                        ledger: Ledger(),
                        folder: folder.path + "/definitions",
                        transport: transport
                    )
                )
                try await transport.shutdown()
            } catch {
                try await transport.shutdown()
                throw error
            }
        }
    }

    private init(_ sandbox: Sandbox, ledger: Ledger, folder: String, transport: LiveTransport) throws {
        self.sandbox = sandbox
        self.ledger = ledger
        self.folder = folder
        let timeline = CloneBench.hasty
        self.timeline = timeline
        healthOmics = HealthOmicsClient(
            client: sandbox.awsClient("omics", transport: transport, timeline: timeline),
            transport: transport
        )
        account = AccountFacts(
            sts: STSClient(client: sandbox.awsClient("sts", transport: transport, timeline: timeline)),
            ecr: ECRClient(client: sandbox.awsClient("ecr", transport: transport, timeline: timeline)),
            region: sandbox.addresses.region,
            suffix: sandbox.registrySuffix,
            now: timeline.now
        )
        surveyor = Surveyor(
            memory: ledger,
            healthOmics: healthOmics,
            account: account,
            definitions: DefinitionStore(
                memory: ledger,
                folder: folder,
                healthOmics: healthOmics,
                now: timeline.now
            ),
            now: timeline.now
        )
    }

    static let choices = Surveyor.Choices(
        template: "{registryAlias}/{repository}",
        clonesUnmapped: false,
        certainties: ["certain", "alternative"]
    )

    /// Lists the runs, and works out the images of the new ones.
    func watchRuns() async throws {
        let watcher = RunWatcher(
            ledger: ledger,
            healthOmics: healthOmics,
            timeline: timeline,
            interval: { .seconds(30) },
            sweepInterval: { .zero },
            foundNew: { _ in },
            polled: { _ in }
        )
        _ = try await watcher.pass()
        let surveys = RunSurveyLoop(
            ledger: ledger,
            surveyor: surveyor,
            timeline: timeline,
            choices: { Self.choices },
            demanded: {}
        )
        _ = try await surveys.pass()
    }

    /// Works out what any run of a version needs.
    func surveyDefaults(workflow id: String, version: String = "") async throws {
        let loop = VersionSurveyLoop(
            ledger: ledger,
            surveyor: surveyor,
            timeline: timeline,
            selection: { Configuring.Configuration.Watch.Workflows() },
            choices: { Self.choices },
            demanded: {}
        )
        let known = try ledger.version(workflowID: id, name: version)
        let row = VersionRow(workflowID: id, name: version, status: "ACTIVE", seenAt: timeline.now().milliseconds)
        try await loop.survey(known ?? row, surveyor.basis(Self.choices))
    }

    /// Makes passes of the learner until it has nothing left to do.
    func learn(tasksPerRun: Int = 50) async throws {
        let learner = Learner(
            ledger: ledger,
            healthOmics: healthOmics,
            account: account,
            timeline: timeline,
            tasksPerRun: { tasksPerRun },
            choices: { Self.choices },
            learned: {}
        )
        while try await learner.pass() == .zero {}
    }

    /// Starts a run that is watched, does the tasks (name, image) and ends.
    @discardableResult
    func finishedRun(
        workflow id: String,
        parameters: SandboxJSON = [:],
        settings: [String: SandboxJSON] = [:],
        tasks: [(String, String)] = [],
        status: String = "COMPLETED"
    ) async throws -> String {
        let run = try sandbox.startRun(workflow: id, parameters: parameters, settings: settings)
        try sandbox.setRun(run, status: "RUNNING")
        try await watchRuns()
        for (name, image) in tasks {
            sandbox.addTask(run: run, name: name, image: "\(sandbox.registrySuffix)/x", sourceImage: image)
        }
        try sandbox.setRun(run, status: status)
        try await watchRuns()
        return run
    }

    /// How many requests of one operation the sandbox has answered.
    func count(_ operation: String) -> Int { sandbox.requests.counts[operation] ?? 0 }

    /// How many evaluations the record holds.
    func evaluations() throws -> Int {
        try ledger.database.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM inspection") ?? 0 }
    }

    /// What the demands of one kind mention.
    func mentions(_ kind: String, subject: String? = nil) throws -> [String] {
        try ledger.database.read {
            try String.fetchAll(
                $0,
                sql: """
                    SELECT DISTINCT mention FROM demand WHERE kind = :kind AND (:subject IS NULL OR subject = :subject)
                    ORDER BY mention
                    """,
                arguments: ["kind": kind, "subject": subject]
            )
        }
    }

    /// What `status --workflow` says.
    func status(workflow id: String) throws -> StatusReport {
        try StatusReport.read(
            from: RecordReader(ledger),
            filter: .workflow(id),
            now: timeline.now(),
            isAlive: { _ in false }
        )
    }
}
