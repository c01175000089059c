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
    let ended: @Sendable (ImageRecord, CloneOutcome) async -> Void
    private let working = WorkingImages()

    package init(
        ledger: Ledger,
        cloner: Cloner,
        timeline: Timeline,
        settings: @escaping @Sendable () async -> DispatchSettings,
        pausedRegistries: @escaping @Sendable () async -> Set<String>,
        stride: Duration = .seconds(10),
        beat: @escaping @Sendable () -> Void,
        ended: @escaping @Sendable (ImageRecord, CloneOutcome) async -> Void
    ) {
        self.ledger = ledger
        self.cloner = cloner
        self.timeline = timeline
        self.settings = settings
        self.pausedRegistries = pausedRegistries
        self.stride = stride
        self.beat = beat
        self.ended = ended
    }

    /// How many images are being worked on.
    package var inFlight: Int { working.count }

    /// Works until the task is cancelled or, with `untilIdle`, until nothing is due and nothing runs.
    package func run(
        untilIdle: Bool = false,
        only ids: Set<Int64>? = nil,
        stopping: @escaping @Sendable () -> Bool = { false }
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            while !Task.isCancelled, !stopping() {
                beat()
                do {
                    let taken = try await fill(ids) { image in
                        group.addTask { await self.work(image) }
                    }
                    if untilIdle, taken == 0, working.count == 0 { return }
                    await bell.wait(atMost: try untilNextDue(), on: timeline)
                } catch  where !untilIdle && RecordTrouble(error) != nil {
                    // A full disk, say: what is being copied goes on, and nothing new begins before it is mended.
                    Logger.current.critical("The record cannot be used", metadata: ["error": "\(error)"])
                    try? await timeline.sleep(min(Self.recordPause, stride))
                }
            }
            try await drain()
        }
    }

    /// Starts work until the workers are busy or nothing more is due.
    private func fill(_ ids: Set<Int64>?, _ start: (ImageRecord) -> Void) async throws -> Int {
        var taken = 0
        while !Task.isCancelled {
            let limit = max(1, await settings().concurrency)
            guard working.count < limit else { break }
            // The last free worker is kept for what a live run or a person waits for.
            let isLast = limit > 1 && working.count == limit - 1
            guard
                let image = try ledger.takeDue(
                    now: timeline.now(),
                    pausedRegistries: await pausedRegistries(),
                    upTo: isLast ? .person : .refresh,
                    only: ids
                )
            else { break }
            working.insert(image.id)
            start(image)
            taken += 1
        }
        return taken
    }

    private func work(_ image: ImageRecord) async {
        let outcome = await withLogger(mergingMetadata: ["image.ref": "\(image.source)"]) { _ in
            // The last pulls of a registry's quota are kept for what live runs wait for.
            await LedgerPullBudget.$urgency.withValue(image.urgency.rawValue) {
                // Policy's rates are per caller: the daemon, and each person who asks.
                await cloner.clone(image, caller: (try? ledger.requester(of: image.id)) ?? "daemon")
            }
        }
        await ended(image, outcome)
        working.remove(image.id)
        bell.ring()
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
    private let ids = Mutex(Set<Int64>())

    var count: Int { ids.withLock { $0.count } }

    func insert(_ id: Int64) { ids.withLock { _ = $0.insert(id) } }

    func remove(_ id: Int64) { ids.withLock { _ = $0.remove(id) } }
}
