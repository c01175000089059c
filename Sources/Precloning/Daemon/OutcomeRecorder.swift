import Foundation
import Logging
package import Model
import Names
package import Record
package import Remotes

/// Writes how an attempt ended: the image's next standing, the attempt, the digests seen.
package struct OutcomeRecorder: Sendable {
    let ledger: Ledger
    let timeline: Timeline
    let retry: @Sendable () async -> ImageRetrySchedule

    package init(
        ledger: Ledger,
        timeline: Timeline,
        retry: @escaping @Sendable () async -> ImageRetrySchedule
    ) {
        self.ledger = ledger
        self.timeline = timeline
        self.retry = retry
    }

    /// Records an outcome; where the record cannot be written, again and again until it can, or until the task is
    /// cancelled: the next start then finds the image as it was left.
    package func keep(_ image: ImageRecord, _ outcome: CloneOutcome) async {
        while true {
            do { return try await record(image, outcome) } catch {
                Logger.current.critical(
                    "The record cannot be written",
                    metadata: ["error": "\(error)", "image.ref": "\(image.source)"]
                )
            }
            do { try await timeline.sleep(Dispatcher.recordPause) } catch { return }
        }
    }

    /// Records an outcome. Throws only what the record throws.
    package func record(_ image: ImageRecord, _ outcome: CloneOutcome) async throws {
        let now = timeline.now()
        var update: ImageUpdate
        var attempt = AttemptRow(started: outcome.started, route: outcome.route, result: "failed")
        attempt.bytesMoved = outcome.bytesMoved
        attempt.sourceDigest = outcome.sourceDigest?.description
        var writesAttempt = true
        switch outcome.end {
        case .ready(let holding):
            update = ready(holding, outcome)
            attempt.result = "ready"
            attempt.message = outcome.note
            attempt.ecrDigest = holding.digest?.description
            // Found to be there at the first look: nothing was attempted.
            writesAttempt = outcome.route != "present" || image.attempts > 0
        case .failed(let failure):
            update = failed(image, failure, await retry(), now: now)
            writesAttempt = !failure.isHeldBack
            attempt.failureClass = failure.failureClass
            attempt.message = [outcome.note, failure.message].compactMap(\.self).joined(separator: "; ")
            attempt.host = failure.host
            attempt.status = failure.status
            attempt.requestID = failure.requestID
        case .later(let until, let why):
            update = ImageUpdate(state: .retrying)
            update.reason = why
            update.due = until
            writesAttempt = false
        case .refused(let refusal):
            update = ImageUpdate(state: .blocked)
            update.reason = refusal.reason
            update.mend = refusal.mend
            update.failureClass = refusal.failureClass
            update.rule = refusal.rule
            update.due = now.addingTimeInterval(86_400)
            writesAttempt = image.reason != refusal.reason
            attempt.failureClass = refusal.failureClass
            attempt.message = refusal.reason
        case .stopped:
            update = ImageUpdate(state: .pending)
            update.reason = "stopped with the daemon; goes on where it was"
            update.due = now
            attempt.result = "stopped"
        }
        update.route = outcome.route
        update.routeDetail = outcome.routeDetail
        update.sourceDigest = outcome.sourceDigest?.description
        update.forgetsSource = outcome.forgetsSource
        update.movedDigest = outcome.movedTo?.description
        if update.rule == nil { update.rule = outcome.rule }
        try ledger.finish(image.id, update, attempt: writesAttempt ? attempt : nil, now: now)
        try noteDigests(image, outcome, now: now)
        log(image, outcome, update)
    }

    private func ready(_ holding: ECRHolding, _ outcome: CloneOutcome) -> ImageUpdate {
        var update = ImageUpdate(state: .ready)
        update.reason = outcome.note
        update.ecrDigest = holding.digest?.description
        update.platformDigest = holding.platformDigest?.description
        update.bytes = holding.bytes
        update.access = holding.access
        return update
    }

    private func failed(
        _ image: ImageRecord,
        _ failure: CloneFailure,
        _ schedule: ImageRetrySchedule,
        now: Date
    ) -> ImageUpdate {
        let decision = schedule.decide(
            failure,
            past: ImageRetrySchedule.Past(
                attempts: image.attempts,
                firstAttemptAt: image.firstAttemptAt.map(Date.init(milliseconds:)),
                failures: image.failures
            ),
            now: now,
            random: timeline.random()
        )
        var update = ImageUpdate(state: decision.isBlocked ? .blocked : .retrying)
        update.reason = decision.gaveUp ? "\(failure.message) (\(decision.why))" : failure.message
        update.mend = failure.mend
        update.failureClass = failure.failureClass
        update.due = decision.due
        update.countsAsAttempt = decision.counts
        update.isFailure = !failure.isHeldBack
        return update
    }

    private func noteDigests(_ image: ImageRecord, _ outcome: CloneOutcome, now: Date) throws {
        if let digest = outcome.movedTo ?? outcome.sourceDigest, image.source != image.destination {
            try ledger.sawDigest(source: image.source, location: "upstream", digest: digest.description, now: now)
        }
        if case .ready(let holding) = outcome.end, let digest = holding.digest {
            try ledger.sawDigest(
                source: image.source,
                location: image.destination,
                digest: digest.description,
                note: outcome.digestNote,
                now: now
            )
        }
    }

    private func log(_ image: ImageRecord, _ outcome: CloneOutcome, _ update: ImageUpdate) {
        var metadata: Logger.Metadata = [
            "image.ref": "\(image.source)", "image.destination": "\(image.destination)", "route": "\(outcome.route)",
        ]
        if let note = outcome.note { metadata["note"] = "\(note)" }
        if let reason = update.reason { metadata["reason"] = "\(reason)" }
        if let mend = update.mend { metadata["hint"] = "\(mend)" }
        if let due = update.due, update.state != .ready { metadata["retry.at"] = "\(due.formatted(.iso8601))" }
        switch outcome.end {
        case .ready(let holding):
            metadata["image.digest"] = "\(holding.digest?.description ?? "-")"
            metadata["bytes"] = "\(outcome.bytesMoved)"
            if outcome.route == "present" {
                Logger.current.info("Image is there", metadata: metadata)
            } else {
                Logger.current.notice("Image cloned", metadata: metadata)
            }
        case .failed where update.state == .retrying: Logger.current.info("Image will be retried", metadata: metadata)
        case .failed, .refused: Logger.current.warning("Image is blocked", metadata: metadata)
        case .later, .stopped: Logger.current.info("Image waits", metadata: metadata)
        }
    }
}
