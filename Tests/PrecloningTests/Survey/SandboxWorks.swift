import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Remotes
import Sandbox
import Synchronization
import TestSupport

@testable import Configuring
@testable import Names
@testable import Precloning
@testable import Record

/// The watching half of the daemon around one record, talking to a sandbox, in this process and by a clock that tests
/// move: both sides live in the same time.
struct SandboxWorks: Sendable {
    let sandbox: Sandbox
    let ledger: Ledger
    let clock: ManualClock
    let timeline: Timeline
    let transport: LiveTransport
    let folder: URL
    let healthOmics: HealthOmicsClient
    let account: AccountFacts
    let surveyor: Surveyor
    let lists = EmptyLists()
    /// Rung when demands were written.
    let demanded = Counter()

    static let choices = Surveyor.Choices(
        template: "{registry}/{repository}",
        clonesUnmapped: true,
        certainties: ["certain"]
    )

    /// Runs `body` with a sandbox and what watches it.
    ///
    /// - Parameter quotaShare: of AWS's published call rates; 0.2 is the product's own default.
    static func with<Value: Sendable>(
        quotaShare: Double = 0.2,
        _ body: @Sendable (SandboxWorks) async throws -> Value
    ) async throws -> Value {
        let clock = ManualClock(start: Date())
        return try await withSandbox(SandboxConfiguration(timeline: clock.timeline())) { sandbox in
            let folder = FileManager.default.temporaryDirectory.appending(path: "preclone-watch-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: folder) }
            let works = try SandboxWorks(sandbox, clock: clock, folder: folder, quotaShare: quotaShare)
            do {
                let value = try await body(works)
                try await works.transport.shutdown()
                return value
            } catch {
                try await works.transport.shutdown()
                throw error
            }
        }
    }

    private init(_ sandbox: Sandbox, clock: ManualClock, folder: URL, quotaShare: Double) throws {
        self.sandbox = sandbox
        self.clock = clock
        self.folder = folder
        let timeline = clock.timeline()
        self.timeline = timeline
        ledger = try Ledger()
        transport = try LiveTransport()
        let calls = AWSCallState { PublishedQuota.callsPerSecond($0, $1) * quotaShare }
        let addresses = sandbox.addresses
        let transport = ForgetfulTransport(inner: self.transport, lists: lists)
        func client(_ service: String) -> AWSClient {
            Self.client(service, addresses, transport, timeline, calls)
        }
        healthOmics = HealthOmicsClient(client: client("omics"), transport: transport)
        account = AccountFacts(
            sts: STSClient(client: client("sts")),
            ecr: ECRClient(client: client("ecr")),
            region: addresses.region,
            suffix: "dkr.ecr.\(addresses.region).amazonaws.com",
            now: timeline.now
        )
        surveyor = Surveyor(
            memory: ledger,
            healthOmics: healthOmics,
            account: account,
            definitions: DefinitionStore(
                memory: ledger,
                folder: folder.path(percentEncoded: false),
                healthOmics: healthOmics,
                now: timeline.now
            ),
            now: timeline.now
        )
    }

    /// A client of one of the sandbox's services, as the composition makes them.
    static func client(
        _ service: String,
        _ addresses: SandboxAddresses,
        _ transport: any HTTPTransport,
        _ timeline: Timeline,
        _ calls: AWSCallState
    ) -> AWSClient {
        AWSClient(
            endpoint: AWSClient.Endpoint(service: service, signingName: service, url: addresses.aws),
            region: addresses.region,
            transport: transport,
            credentials: { _ in
                AWSCredentials(
                    accessKeyID: addresses.accessKeyID,
                    secretAccessKey: addresses.secretAccessKey,
                    provider: "test"
                )
            },
            timeline: timeline,
            skew: calls.skew,
            quota: calls.quota(of: service),
            pacer: calls.pacer(of: service)
        )
    }

    func queue(_ url: String) -> SQSClient {
        let client = Self.client("sqs", sandbox.addresses, transport, timeline, AWSCallState())
        return SQSClient(client: client, queueURL: url)
    }

    /// How often an operation was called since the last `forgetRequests`.
    func calls(_ operation: String) -> Int { sandbox.requests.counts["omics/\(operation)"] ?? 0 }

    /// Runs `body` while time jumps to the next deadline whenever somebody sleeps.
    func withTimePassing<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let ends = Counter()
            group.addTask { [clock] in
                while ends.value == 0 { await clock.advanceToNextDeadline() }
            }
            let result: Result<Value, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            ends.add()
            // A last sleeper, so that the one who moves the clock looks up; cancelled if he has gone already.
            group.addTask { [clock] in try? await clock.sleep(for: .milliseconds(1)) }
            try await group.next()
            group.cancelAll()
            return try result.get()
        }
    }

    // MARK: Loops

    var runs: RunWatcher {
        RunWatcher(
            ledger: ledger,
            healthOmics: healthOmics,
            timeline: timeline,
            interval: { .seconds(30) },
            sweepInterval: { .seconds(3600) },
            foundNew: { _ in },
            polled: { _ in }
        )
    }

    var surveys: RunSurveyLoop {
        RunSurveyLoop(
            ledger: ledger,
            surveyor: surveyor,
            timeline: timeline,
            choices: { Self.choices },
            demanded: { [demanded] in demanded.add() }
        )
    }

    var workflows: WorkflowWatcher {
        WorkflowWatcher(
            ledger: ledger,
            healthOmics: healthOmics,
            timeline: timeline,
            interval: { .seconds(600) },
            selection: { Configuring.Configuration.Watch.Workflows() },
            changed: {}
        )
    }

    var versions: VersionSweeper {
        VersionSweeper(
            ledger: ledger,
            healthOmics: healthOmics,
            timeline: timeline,
            callsPerMinute: { 30 },
            changed: {}
        )
    }

    var definitions: VersionSurveyLoop {
        VersionSurveyLoop(
            ledger: ledger,
            surveyor: surveyor,
            timeline: timeline,
            selection: { Configuring.Configuration.Watch.Workflows() },
            choices: { Self.choices },
            demanded: { [demanded] in demanded.add() }
        )
    }
}

/// Which lists of the service show nothing, though there is something.
final class EmptyLists: Sendable {
    private let paths = Mutex<Set<String>>([])

    /// - Parameter paths: `/run`, `/workflow`, `/workflow/ID/version`.
    func set(_ paths: Set<String>) { self.paths.withLock { $0 = paths } }

    func contains(_ url: String) -> Bool {
        let path = URLComponents(string: url)?.path ?? ""
        return paths.withLock { $0.contains(path) }
    }
}

private struct ForgetfulTransport: HTTPTransport {
    let inner: any HTTPTransport
    let lists: EmptyLists

    func send(_ request: HTTPClientRequest, patience: Patience) async throws -> HTTPClientResponse {
        guard request.method == .GET, lists.contains(request.url) else {
            return try await inner.send(request, patience: patience)
        }
        return HTTPClientResponse(status: .ok, body: .bytes(ByteBuffer(string: #"{"items":[]}"#)))
    }
}
