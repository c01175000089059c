import Configuring
import Definitions
import Foundation
import Logging
import Model
import Precloning
import Record
import Remotes

/// Images asked for, and their answers: of the daemon, or where there is none of this process itself.
struct CloneSession: Sendable {
    let configuration: Configuration
    /// The AWS profile and Region of this process, where it works itself.
    var profile: String?
    var region: String?
    /// Whom it says that it speaks for, and what its program says of itself.
    var asker = ControlClient.Asker()
    /// Asks the daemon; nil: at the socket of the record.
    var daemon: ControlClient?
    /// Who works where no daemon does.
    let substitute: Substitute
    let logger: Logger

    enum Substitute: Sendable {
        /// This process, while it waits.
        case waiting
        /// This process, beside whoever waits; told that there is something to do.
        case beside(Bell)
        case nobody
    }

    /// How long a daemon may take to answer before it is asked again.
    private static let patience = Duration.seconds(3)

    private var path: String { configuration.record.path }

    /// Asks for images. With the same key it is the same question, however often it is asked.
    ///
    /// - Parameters:
    ///   - limit: how long a daemon is asked that gives no answer; nil: until it does.
    ///   - worry: told why it may take long.
    /// - Returns: the requests' ids: rows that wait for whoever works on the record.
    /// - Throws: `ControlFault`: what the daemon refused; `CommandFailure` where there is none and this process may not work.
    func ask(
        _ images: [String],
        options: CloneOptions,
        key: String,
        atMost limit: Duration? = nil,
        worry: @Sendable (String) -> Void = { _ in }
    ) async throws -> [Int64] {
        if let ids = try await askDaemon(images, options: options, key: key, atMost: limit, worry) { return ids }
        if case .nobody = substitute { throw Self.noDaemon }
        try RunCommand.makeFolder(path)
        let user = PeerIdentity.thisProcess
        do {
            let ids = try Ledger(path: path).request(
                images,
                options: options,
                caller: configuration.policy.identity(of: user, agent: asker.agent),
                key: key,
                now: Date()
            )
            if case .beside(let bell) = substitute { bell.ring() }
            return ids
        } catch let error as LedgerError where !Self.mayWrite(path) {
            throw CommandFailure(
                error.description,
                hint: "start the daemon (`systemctl start preclone`) and ask again, or work alone with --record FILE"
            )
        }
    }

    /// - Returns: nil where no daemon listens.
    private func askDaemon(
        _ images: [String],
        options: CloneOptions,
        key: String,
        atMost limit: Duration?,
        _ worry: @Sendable (String) -> Void
    ) async throws -> [Int64]? {
        let client = daemon ?? ControlClient(path: ControlSocket.path(record: path))
        let end = limit.map { Timeline.system.elapsed() + $0 }
        var last: String?
        while true {
            do {
                return try await client.clone(images, options, key: key, for: asker, atMost: Self.patience)
            } catch let fault as ControlFault where fault.kind == .unanswered {
                // It may have been written down, or not: the key makes asking again the same question.
                if let end, Timeline.system.elapsed() >= end { throw fault }
                let found = RecordCondition.worry(of: path, try RecordReader(path: path), now: Date())
                if let found, last == nil { worry(found) }
                last = found
                try await Timeline.system.sleep(.milliseconds(300))
            }
        }
    }

    /// Waits until every request has its answer; who was asked may end, and another go on.
    ///
    /// - Parameters:
    ///   - tell: told again and again how far they are.
    ///   - worry: told why it may take long.
    /// - Throws: `CommandFailure` (temporary) where nobody works on them any more.
    func wait(
        for ids: [Int64],
        tell: @Sendable ([ImageProgress]) async throws -> Void,
        worry: @Sendable (String) -> Void = { _ in }
    ) async throws {
        let reader = try RecordReader(path: path)
        while try !Self.areDone(ids, reader) {
            if case .waiting = substitute, Self.mayWrite(path) {
                do {
                    let lock = try RecordLock(record: path, holder: "preclone clone")
                    defer { lock.release() }
                    try await work(
                        until: { try Self.areDone(ids, $0) },
                        tell: { try await tell(Self.progress(of: ids, $0)) }
                    )
                    continue
                } catch is RecordLock.Held {
                    // Whoever holds the record works for all who ask; when it ends, the next one goes on.
                }
            }
            guard isWorkedOn else { throw Self.ended }
            try await follow(ids, reader, tell, worry)
        }
    }

    /// The answers that there are.
    func results(of ids: [Int64]) throws -> [CloneResult] {
        let reader = try RecordReader(path: path)
        return try ids.compactMap { try reader.request(id: $0)?.result }.map(CloneResult.init(json:))
    }

    /// Whether a request waits for its answer.
    func isOpen(_ id: Int64) throws -> Bool {
        guard let request = try RecordReader(path: path).request(id: id) else { return false }
        return request.state != "done"
    }

    /// How a request stands, also before it is answered.
    func standing(of id: Int64) throws -> CloneResult? {
        try RecordReader(path: path).standing(ofRequest: id, now: Date())
    }

    /// Takes what is asked for and works on it, as the daemon would, until nothing of it is open; unless somebody else does.
    func workOnRequests() async throws {
        let lock: RecordLock
        do { lock = try RecordLock(record: path, holder: "preclone mcp") } catch is RecordLock.Held { return }
        defer { lock.release() }
        try await work(until: { try !$0.hasOpenRequests() }, tell: { _ in })
    }

    private var isWorkedOn: Bool {
        if case .beside = substitute { return true }
        return RecordLock.holder(record: path) != nil
    }

    private static func progress(of ids: [Int64], _ reader: RecordReader) throws -> [ImageProgress] {
        try ids.compactMap { id in
            guard let image = try reader.request(id: id)?.imageID else { return nil }
            return try reader.progress(of: image)
        }
    }

    private static func areDone(_ ids: [Int64], _ reader: RecordReader) throws -> Bool {
        try ids.allSatisfy { try reader.request(id: $0)?.state == "done" }
    }

    private static func mayWrite(_ path: String) -> Bool { access(path, W_OK) == 0 }

    /// Alone: takes the requests and works on them; those of others that come meanwhile, too.
    private func work(
        until isDone: @Sendable (RecordReader) throws -> Bool,
        tell: @Sendable (RecordReader) async throws -> Void
    ) async throws {
        let ledger = try Ledger(path: path)
        let reader = RecordReader(ledger)
        try await Composition.with(configuration, profile: profile, region: region) { composition in
            try await withLogger(logger) { _ in
                let works = try composition.works(on: ledger)
                let pulse = LoopPulse(watchdog: nil, timeline: works.timeline, tell: {})
                let daemon = works.daemon(pulse: pulse, logger: logger)
                let desk = works.desk(demanded: { daemon.dispatcher.bell.ring() })
                try ledger.recoverInterrupted(now: works.timeline.now())
                _ = try await desk.pass()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    // Only what was asked for: a person at a terminal does not wait for the daemon's other work.
                    group.addTask {
                        try await daemon.dispatcher.run(isMeant: { image in
                            (try? ledger.requestedImages().contains(image.id)) ?? false
                        })
                    }
                    while try !isDone(reader) {
                        try await works.timeline.sleep(.milliseconds(200))
                        _ = try await desk.pass()
                        try await tell(reader)
                    }
                    group.cancelAll()
                }
            }
        }
    }

    /// Beside another worker: waits for its answers, or for its end.
    private func follow(
        _ ids: [Int64],
        _ reader: RecordReader,
        _ tell: @Sendable ([ImageProgress]) async throws -> Void,
        _ worry: @Sendable (String) -> Void
    ) async throws {
        var last: String?
        while try !Self.areDone(ids, reader) {
            guard FileManager.default.fileExists(atPath: path) else {
                throw CommandFailure(
                    "\(path) was removed, and what was asked with it",
                    hint: "run the command again",
                    ending: .temporary
                )
            }
            guard isWorkedOn else { return }
            try await Timeline.system.sleep(.milliseconds(300))
            let found = RecordCondition.worry(of: path, reader, now: Date())
            // Said again when it is another one, and not for each second that it grows older.
            if let found, last == nil { worry(found) }
            last = found
            try await tell(try Self.progress(of: ids, reader))
        }
    }

    static let noDaemon = CommandFailure(
        "no daemon is running, and this program does not work alone",
        hint: "start it (`systemctl start preclone`), or let this program work alone with --alone",
        ending: .temporary
    )

    private static let ended = CommandFailure(
        "the daemon has ended; what was asked is kept, and goes on when it starts again",
        hint: "systemctl start preclone",
        ending: .temporary
    )
}
