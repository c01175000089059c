import Foundation
import Logging
package import Model
import Names
package import Record
package import Remotes
import ServiceLifecycle
import Synchronization

/// Gives the most urgent due image to a worker whenever one is free. No image waits for another's end; when the daemon
/// stops, nothing new begins and what runs may end until the drain is over.
package struct Dispatcher: Sendable {
    package let bell = Bell()

    /// Between two looks at a record that cannot be used.
    static let recordPause = Duration.seconds(5)

    let ledger: Ledger
    let cloner: Cloner
    let timeline: Timeline
    let settings: @Sendable () async -> DispatchSettings
    /// Registries of which nothing is asked now.
    let pausedRegistries: @Sendable () async -> Set<String>
    /// The longest time between two beats, and between two looks at the record.
    let stride: Duration
    let beat: @Sendable () -> Void
    /// What decides now: the mark of an attempt that begins.
    let mark: @Sendable () -> String
    let ended: @Sendable (ImageRecord, CloneOutcome, _ mark: String) async -> Void
    private let working = WorkingImages()

    package init(
        ledger: Ledger,
        cloner: Cloner,
        timeline: Timeline,
        settings: @escaping @Sendable () async -> DispatchSettings,
        pausedRegistries: @escaping @Sendable () async -> Set<String>,
        stride: Duration = .seconds(10),
        beat: @escaping @Sendable () -> Void,
        mark: @escaping @Sendable () -> String,
        ended: @escaping @Sendable (ImageRecord, CloneOutcome, _ mark: String) async -> Void
    ) {
        self.ledger = ledger
        self.cloner = cloner
        self.timeline = timeline
        self.settings = settings
        self.pausedRegistries = pausedRegistries
        self.stride = stride
        self.beat = beat
        self.mark = mark
        self.ended = ended
    }

    /// Works until the task is cancelled or, with `untilIdle`, until nothing is due and nothing runs.
    ///
    /// - Parameter isMeant: whether an image is to be worked on at all.
    /// - Returns: how many attempts were begun.
    @discardableResult
    package func run(
        untilIdle: Bool = false,
        isMeant: @escaping @Sendable (ImageRecord) -> Bool = { _ in true },
        stopping: @escaping @Sendable () -> Bool = { false }
    ) async throws -> Int {
        var begun = 0
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            while !Task.isCancelled, !stopping() {
                beat()
                do {
                    let taken = try await fill(isMeant) { image in
                        group.addTask { await self.work(image) }
                    }
                    begun += taken
                    // What ECR imports for us is under way like what a worker has.
                    if untilIdle, taken == 0, working.count == 0, !cloner.awaitsImports { return }
                    await bell.wait(atMost: try untilNextDue(), on: timeline)
                } catch  where !untilIdle && RecordTrouble(error) != nil {
                    // A full disk, say: what is being copied goes on, and nothing new begins before it is mended.
                    Logger.current.critical("The record cannot be used", metadata: ["error": "\(error)"])
                    try? await timeline.sleep(min(Self.recordPause, stride))
                }
            }
            try await drain()
        }
        return begun
    }

    /// Starts work until the workers are busy or nothing more is due.
    private func fill(_ isMeant: (ImageRecord) -> Bool, _ start: (ImageRecord) -> Void) async throws -> Int {
        var taken = 0
        while !Task.isCancelled {
            let limit = max(1, await settings().concurrency)
            let room = WorkerRoom(limit: limit, busy: working.registries)
            guard room.isAny else { break }
            let paused = await pausedRegistries()
            guard
                let image = try ledger.takeDue(
                    now: timeline.now(),
                    upTo: room.urgency,
                    mayTake: { image in
                        // What was never looked at, or is asked for, is looked for in ECR, which asks nothing of its registry.
                        let isAwaited = image.generation == 0 || image.standing.isAsked
                        return (isAwaited || !paused.contains(image.registry)) && room.has(image) && isMeant(image)
                    }
                )
            else { break }
            working.insert(image)
            start(image)
            taken += 1
        }
        return taken
    }

    private func work(_ image: ImageRecord) async {
        let mark = mark()
        let outcome = await withLogger(mergingMetadata: ["image.ref": "\(image.source)"]) { _ in
            // The last pulls of a registry's quota are kept for what live runs wait for.
            await PullUrgency.$current.withValue(image.urgency.rawValue) { await attempt(image) }
        }
        await ended(image, outcome, mark)
        working.remove(image)
        bell.ring()
    }

    /// Policy's rates are per caller: the daemon's own for what runs and versions want, each person's for what they ask. One
    /// whose rate is used up holds back nobody else's wish.
    private func attempt(_ image: ImageRecord) async -> CloneOutcome {
        let callers = (try? ledger.callers(for: image.id)) ?? []
        var last: CloneOutcome?
        for caller in callers.isEmpty ? ["daemon"] : callers {
            let outcome = await cloner.clone(image, caller: caller)
            // What policy keeps from one who wants it, it may let another have.
            guard outcome.isHeldByRate || outcome.isDenied else { return outcome }
            if let known = last, outcome.isDenied, !known.isDenied { continue }
            if let known = last, case .later(let sooner, _) = known.end, case .later(let until, _) = outcome.end,
                sooner <= until
            {
                continue
            }
            last = outcome
        }
        return last ?? CloneOutcome(end: .stopped, route: "later", started: timeline.now())
    }

    private func untilNextDue() throws -> Duration {
        guard let next = try ledger.nextDue(after: timeline.now()) else { return stride }
        let seconds = min(stride.seconds, next.timeIntervalSince(timeline.now()))
        return .milliseconds(Int64(max(0.05, seconds) * 1000))
    }

    /// Lets what runs come to its end for at most `clone.drain`. A copy that cannot end by then stops at its next blob or
    /// part; what is left after all is cancelled. Both go on next time.
    private func drain() async throws {
        let end = timeline.elapsed() + (await settings().drain)
        cloner.drain.begin(until: end)
        while working.count > 0, timeline.elapsed() < end, !Task.isCancelled {
            beat()
            await bell.wait(atMost: min(.seconds(1), end - timeline.elapsed()), on: timeline)
        }
    }
}

/// The choices of the configuration that dispatching depends on.
package struct DispatchSettings: Sendable {
    package var concurrency: Int
    package var drain: Duration

    package init(concurrency: Int, drain: Duration) {
        self.concurrency = concurrency
        self.drain = drain
    }
}

/// The images that workers have.
final class WorkingImages: Sendable {
    private let images = Mutex([Int64: String]())

    var count: Int { images.withLock { $0.count } }

    /// The registry of each.
    var registries: [String] { images.withLock { Array($0.values) } }

    func insert(_ image: ImageRecord) { images.withLock { $0[image.id] = image.registry } }

    func remove(_ image: ImageRecord) { images.withLock { _ = $0.removeValue(forKey: image.id) } }
}

/// Which images a worker may take, with what others have. Pure.
struct WorkerRoom {
    private let limit: Int
    private let busy: Int
    private let registries: Set<String>

    init(limit: Int, busy: [String]) {
        self.limit = limit
        self.busy = busy.count
        registries = Set(busy)
    }

    /// Beyond the limit there are half as many places again, for registries that no worker is busy with: one that trickles
    /// does not hold up the others.
    private var spare: Int { max(1, limit / 2) }

    var isAny: Bool { busy < limit + spare }

    /// The last free place is kept for what a live run or a person waits for.
    var urgency: Urgency { (limit > 1 && busy >= limit - 1) || busy >= limit ? .person : .refresh }

    func has(_ image: ImageRecord) -> Bool { busy < limit || !registries.contains(image.registry) }
}
