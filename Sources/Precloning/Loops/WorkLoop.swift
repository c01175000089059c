package import Logging
package import Remotes

/// One of the daemon's loops: does what is due, says when to be asked again.
package protocol WorkLoop: Sendable {
    /// The loop's name in logs and in the heartbeat.
    var name: String { get }
    /// Rung when there may be work before the time is up.
    var bell: Bell { get }
    /// Does all that is due now.
    ///
    /// - Returns: the longest time to wait before the next pass.
    /// - Throws: what kept it from its work; the loop goes on after a pause.
    func pass() async throws -> Duration
    /// Whether more is due now than one pass did.
    func hasMore() throws -> Bool
}

extension WorkLoop {
    package func hasMore() throws -> Bool { false }
}

/// Runs a loop until its task is cancelled. A failing pass is logged and tried again after a growing pause.
package struct LoopRunner: Sendable {
    private static let longestPause = Duration.seconds(60)

    let timeline: Timeline
    let pulse: LoopPulse
    /// Waits are cut to this and to the pulse's stride, so that a loop with nothing to do still gives signs of life.
    private let idle: Duration
    let logger: Logger
    /// Told what kept a loop from its work; nil: it did its work.
    let tell: @Sendable (_ loop: String, _ trouble: String?) -> Void

    package init(
        timeline: Timeline,
        pulse: LoopPulse,
        idle: Duration = RecordPace().idle,
        logger: Logger,
        tell: @escaping @Sendable (String, String?) -> Void = { _, _ in }
    ) {
        self.timeline = timeline
        self.pulse = pulse
        self.idle = idle
        self.logger = logger
        self.tell = tell
    }

    package func run(_ loop: any WorkLoop) async {
        // While the dispatcher drains, nobody waits for loops that have ended; for one that does not end, one does.
        defer { pulse.ended(loop.name) }
        var failures = 0
        while !Task.isCancelled {
            pulse.beat(loop.name)
            var wait: Duration
            do {
                wait = try await pulse.passing(loop.name) { try await loop.pass() }
                failures = 0
                tell(loop.name, nil)
            } catch is CancellationError {
                return
            } catch {
                if Task.isCancelled { return }
                failures += 1
                tell(loop.name, "\(error)")
                // What a service asks for is kept, also where it is longer than the pauses of our own.
                let asked = (error as? AWSError)?.retryAfter ?? .zero
                wait = max(asked, min(Self.longestPause, .seconds(1 << min(failures, 6))))
                logger.warning(
                    "A loop could not do its work",
                    metadata: ["loop": "\(loop.name)", "error": "\(error)", "retry.delay": "\(wait)"]
                )
                await pause(wait, loop)
                continue
            }
            await pause(wait, loop, bell: loop.bell)
        }
    }

    private func pause(_ duration: Duration, _ loop: any WorkLoop, bell: Bell? = nil) async {
        let end = timeline.elapsed() + duration
        while !Task.isCancelled {
            let left = end - timeline.elapsed()
            guard left > .zero else { return }
            let slice = min(left, idle, pulse.stride)
            if let bell {
                if await bell.wait(atMost: slice, on: timeline) { return }
            } else {
                try? await timeline.sleep(slice)
            }
            pulse.beat(loop.name)
        }
    }
}
