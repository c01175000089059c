import Configuring
import Definitions
import Foundation
import Model
import Names
import Precloning
import Record
import Remotes
import Sandbox
import Synchronization

import class GRDB.Row

/// People at a shell beside the daemon, and agents. Each question is a process of its own, with a record in memory, that
/// ends with its answer.
final class People: Sendable {
    /// A lock that somebody made.
    private typealias Locks = [String: ImageLock]

    private let world: SimulatedWorld
    private let host: DaemonHost
    private let inspector: Inspector
    private let chance: SharedChance
    private let folder: String
    private let locks = Mutex<Locks>([:])
    private let keys = Mutex(0)

    init(world: SimulatedWorld, host: DaemonHost, inspector: Inspector, chance: SharedChance, folder: String) {
        self.world = world
        self.host = host
        self.inspector = inspector
        self.chance = chance
        self.folder = folder
    }

    /// A process that answers one question.
    private struct Shell {
        var works: Works
        var ecr: ECRClient
        var timeline: Timeline
    }

    private func shell() throws -> Shell {
        let settings = Settings(host.configuration)
        let timeline = world.clock.timeline(ahead: { [world] in world.ahead }, random: { [chance] in chance.unit() })
        let network = SimulatedNetwork(
            sandbox: world.sandbox,
            clock: world.clock,
            weather: world.weather,
            trace: world.trace,
            life: ProcessLife(),
            seen: { [inspector] in inspector.sawFromShell($0) }
        )
        let parts = try SimulatedDaemon.parts(
            settings,
            try Ledger(),
            timeline,
            network,
            addresses: world.sandbox.addresses,
            folder: folder
        )
        return Shell(works: parts.works, ecr: parts.ecr, timeline: timeline)
    }

    /// Asks, and shows the answer to the inspector. What AWS or a person's own mistake keeps from an answer is no answer.
    func ask(_ question: Question) async throws {
        do {
            try await answer(question)
        } catch let error as CancellationError {
            throw error
        } catch {
            tell("\(question.words): \(error)")
        }
    }

    private func tell(_ line: String) { world.trace.add("\(Moment(world.clock.elapsed)) \(line)") }

    private func answer(_ question: Question) async throws {
        switch question {
        case .ready(let workflow, let version, let image, let wait):
            guard let (id, needs) = world.subject(workflow, version, image: image), let name = Self.name(id, version)
            else { return }
            let parameters = image.map { ["image": ParameterValue.string($0)] } ?? [:]
            try await ready(.workflow(name, parameters: parameters, profiles: []), needs, wait: wait, of: workflow)
        case .readyRun(let name, let wait):
            guard let run = world.run(name), let id = run.ids.first else { return }
            try await ready(.run(id), run.images, wait: wait, of: name)
        case .lock(let workflow, let version): try await lock(workflow, version)
        case .checkLock(let workflow, let version): try await checkLock(workflow, version)
        case .map(let workflow, let version): try await map(workflow, version)
        case .grant(let repository): try await grant(repository)
        case .createRule(let registry, let prefix): try await createRule(registry, prefix)
        case .forget(let image):
            let before = try wanted()
            _ = try await told(
                ControlRequest(verb: .forget, arguments: ["images": .array([.string(image)])]),
                by: "ann",
                until: .seconds(60)
            )
            inspector.forgot(image, wantedBefore: before, wantedNow: try wanted())
        case .agent(let name, let user, let image):
            var request = ControlRequest(verb: .clone, agent: name)
            request.arguments = ["images": .array([.string(image)]), "key": .string(key())]
            let answer = try await told(request, by: user, until: .seconds(600))
            for id in Self.ids(answer) { world.noteAsked(id, image: image) }
        }
    }

    private static func name(_ id: String, _ version: String?) -> WorkflowName? {
        WorkflowName(id + (version.map { "/" + $0 } ?? ""))
    }

    // MARK: At the daemon's socket

    private func key() -> String {
        keys.withLock { keys in
            keys += 1
            return "question \(keys)"
        }
    }

    static func ids(_ answer: ParameterValue?) -> [Int64] {
        answer?["requests"]?.array?.compactMap(\.integer).map(Int64.init) ?? []
    }

    /// Asks the daemon; while there is none, again and again.
    ///
    /// - Returns: nil where none answered in time.
    /// - Throws: `ControlFault` that it answers.
    private func told(_ request: ControlRequest, by user: String, until limit: Duration) async throws -> ParameterValue?
    {
        let end = world.clock.elapsed + limit
        while world.clock.elapsed < end {
            if let daemon = host.daemon, !daemon.life.isDead {
                let answer = await daemon.desk.answer(Array(request.line.utf8), from: DaemonHost.user(user))
                // What a process that is gone answers, nobody hears.
                if !daemon.life.isDead {
                    switch answer {
                    case .result(let value): return value
                    case .fault(let fault): throw fault
                    }
                }
            }
            try await world.clock.sleep(.seconds(3))
        }
        return nil
    }

    /// What is wanted by somebody whose answer is not there yet.
    private func wanted() throws -> Set<Int64> {
        try host.record.database.read {
            try Int64.fetchSet(
                $0,
                sql: """
                    SELECT imageID FROM demand WHERE endedAt IS NULL AND kind <> 'clone'
                    """
            )
        }
    }

    private struct Gate: GateDesk {
        let people: People

        func bring(_ demands: [PlannedDemand], until end: Duration) async throws -> [CloneResult?] {
            let world = people.world
            var ids: [Int64?] = []
            for demand in demands {
                var request = ControlRequest(verb: .clone)
                request.arguments = [
                    "images": .array([.string(demand.source)]), "key": .string(people.key()),
                    "destination": .string(demand.destination), "urgency": .string("run"),
                ]
                let left = max(end - world.clock.elapsed, .zero)
                ids.append(People.ids(try await people.told(request, by: "bob", until: left)).first)
            }
            func results() throws -> [CloneResult?] {
                let record = people.host.record
                return try ids.map { id in
                    try id.flatMap { try record.request(id: $0)?.result }.map(CloneResult.init(json:))
                }
            }
            while world.clock.elapsed < end {
                let found = try results()
                if found.allSatisfy({ $0 != nil }) { return found }
                try await world.clock.sleep(min(.seconds(2), max(end - world.clock.elapsed, .zero)))
            }
            return try results()
        }
    }

    // MARK: Ready

    private func ready(_ subject: ReadySubject, _ needs: [SimulatedWorld.Need], wait: Int, of name: String) async throws
    {
        let shell = try shell()
        let start = world.clock.elapsed
        let lacking = world.lacking(needs)
        let record = host.record
        var verdict: ReadyAnswer.Verdict?
        var words = ""
        do {
            let answer = try await shell.works.ready(
                subject,
                desk: wait > 0 ? Gate(people: self) : nil,
                wait: .seconds(wait),
                known: { demand in
                    (try? record.images(source: demand.source))?
                        .first { $0.destination == demand.destination }.flatMap(KnownManifests.init)
                }
            )
            verdict = answer.verdict(isStrict: false)
            words = answer.sentence
            for image in answer.images where image.state != .ready {
                words += "; \(image.image) \(image.state.rawValue): \(image.reason ?? "no reason")"
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            words = "\(error)"
        }
        tell("\(name) is \(verdict == .ready ? "ready" : "not ready"): \(words)")
        inspector.gateAnswered(
            Inspector.Gate(
                name: name,
                needs: needs,
                isReady: verdict == .ready,
                isClaim: verdict != nil,
                words: words,
                start: start,
                limit: wait > 0 ? .seconds(wait) : ReadyVerb.patience,
                brings: wait > 0 && host.configuration.clone.maxBytesPerDay == nil,
                lackedBefore: lacking
            )
        )
    }

    // MARK: Lock and map

    private func reading(_ shell: Shell, _ workflow: String, _ version: String?) async throws -> SubjectReading? {
        guard let (id, _) = world.subject(workflow, version, image: nil), let name = Self.name(id, version) else {
            return nil
        }
        return try await shell.works.surveyor.reading(of: name)
    }

    private func lock(_ workflow: String, _ version: String?) async throws {
        let shell = try shell()
        guard let reading = try await reading(shell, workflow, version) else { return }
        let start = world.clock.elapsed
        let made = try await shell.works.lock(reading, isRegistered: true, as: DaemonHost.user("ann"))
        tell("locked \(workflow): \(made.lock.images.count) images, not \(made.missing)")
        inspector.locked(made.lock, since: start)
        guard made.missing.isEmpty else { return }
        locks.withLock { $0["\(workflow)/\(version ?? "")"] = made.lock }
    }

    private func checkLock(_ workflow: String, _ version: String?) async throws {
        guard let lock = locks.withLock({ $0["\(workflow)/\(version ?? "")"] }) else { return }
        let shell = try shell()
        guard let reading = try await reading(shell, workflow, version) else { return }
        let start = world.clock.elapsed
        let truth = inspector.drifts(of: lock)
        let answer = try await shell.works.check(lock, against: reading, isRegistered: true, as: DaemonHost.user("ann"))
        tell("the lock of \(workflow) drifted: \(answer.drifts.map { "\($0.kind.rawValue) \($0.image ?? "")" })")
        inspector.lockChecked(workflow, lock, answer.drifts, truth: truth, since: start)
    }

    private func map(_ workflow: String, _ version: String?) async throws {
        let shell = try shell()
        guard let needs = world.subject(workflow, version, image: nil)?.needs,
            let reading = try await reading(shell, workflow, version)
        else { return }
        let rules = try await shell.works.account.placement(
            template: host.configuration.clone.destination,
            clonesUnmapped: true
        )
        let answer = MapVerb.write(for: reading.inspection, MapBasis(rules: rules, isHomeKnown: true))
        inspector.mapped(workflow, needs, answer)
    }

    // MARK: Changes that people ask for

    private func grant(_ repository: String) async throws {
        let shell = try shell()
        let start = world.clock.elapsed
        let before = world.sandbox.policy(of: repository)
        let answer = try await GrantVerb.grant(
            [repository],
            shell.works.account,
            RepositoryPreparation(ecr: shell.ecr, circumstances: shell.works.account.policyCircumstances),
            isDryRun: false
        )
        guard let line = answer.repositories.first else { return }
        tell("grant of \(repository): \(line.outcome.rawValue)")
        inspector.granted(repository, line.outcome, before: before, since: start)
    }

    private func createRule(_ registry: String, _ prefix: String) async throws {
        let shell = try shell()
        let start = world.clock.elapsed
        let secret =
            registry == "quay.io" ? nil : world.sandbox.putSecret("ecr-pullthroughcache/\(prefix)", "user:password")
        let creation = try await RulesVerb.create(
            [RuleWish(registry, prefix: prefix, secret: secret)],
            shell.works.account,
            shell.ecr,
            isDryRun: false,
            audit: { _ in }
        )
        tell("rule \(prefix): \(creation.changes.map(\.kind)), refused: \(creation.refusals)")
        guard creation.refusals.isEmpty else { return }
        // A rule that is there already for the registry serves as well.
        let rules = try await RulesVerb.list(try self.shell().works.account).rules.filter { $0.upstream == registry }
        inspector.ruleMade(prefix, isUsable: rules.contains { $0.isUsable == true }, since: start)
    }
}
