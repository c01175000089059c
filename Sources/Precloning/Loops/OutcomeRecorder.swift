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
    let settings: Settings

    package init(ledger: Ledger, timeline: Timeline, settings: Settings) {
        self.ledger = ledger
        self.timeline = timeline
        self.settings = settings
    }

    /// Records an outcome; where the record cannot be written, again and again until it can, until it is lost for good, or
    /// until the task is cancelled: the next start then finds the image as it was left.
    package func keep(
        _ image: ImageRecord,
        _ outcome: CloneOutcome,
        mark: String,
        isLost: @Sendable () -> Bool = { false }
    ) async {
        while !isLost() {
            do { return try record(image, outcome, mark: mark) } catch {
                Logger.current.critical(
                    "The record cannot be written",
                    metadata: ["error": "\(error)", "image.ref": "\(image.source)"]
                )
            }
            do { try await timeline.sleep(Dispatcher.recordPause) } catch { return }
        }
    }

    /// Records an outcome. Throws only what the record throws.
    ///
    /// - Parameter mark: what decided when the attempt began.
    package func record(_ image: ImageRecord, _ outcome: CloneOutcome, mark: String) throws {
        var found = AttemptFindings()
        found.route = outcome.route
        found.routeDetail = outcome.routeDetail
        found.sourceDigest = outcome.sourceDigest?.description
        found.rule = outcome.rule
        found.forgetsSource = outcome.forgetsSource
        found.movedDigest = outcome.movedTo?.description
        var attempt = AttemptRow(started: outcome.started, route: outcome.route, result: "failed")
        attempt.bytesMoved = outcome.bytesMoved
        attempt.sourceDigest = found.sourceDigest
        var writesAttempt = true
        let end: AttemptEnd
        switch outcome.end {
        case .ready(let holding):
            end = .ready(note: outcome.note, isPartial: outcome.isPartial)
            found.ecrDigest = holding.digest?.description
            found.platformDigest = holding.platformDigest?.description
            found.bytes = holding.bytes
            found.access = holding.access
            attempt.result = "ready"
            attempt.message = outcome.note
            attempt.ecrDigest = found.ecrDigest
            // Found to be there at the first look: nothing was attempted.
            writesAttempt = outcome.route != "present" || image.attempts > 0 || outcome.bytesMoved > 0
        case .failed(let failure):
            end = .failed(failure, isHeld: outcome.wasHeld)
            writesAttempt = !failure.isHeldBack
            attempt.failureClass = failure.failureClass
            attempt.message = [outcome.note, failure.message].compactMap(\.self).joined(separator: "; ")
            attempt.host = failure.host
            attempt.status = failure.status
            attempt.requestID = failure.requestID
        case .later(let until, let why):
            end = .later(until: until, why: why, isHeld: outcome.wasHeld)
            writesAttempt = false
        case .refused(let refusal):
            end = .refused(refusal, isHeld: outcome.wasHeld)
            found.rule = refusal.rule ?? found.rule
            writesAttempt = image.reason != refusal.reason
            attempt.failureClass = refusal.failureClass
            attempt.message = refusal.reason
        case .stopped:
            end = .stopped
            attempt.result = "stopped"
        }
        let now = timeline.now()
        let standing = try ledger.finish(
            image.id,
            end,
            found: found,
            attempt: writesAttempt ? attempt : nil,
            moment: AttemptMoment(
                now: now,
                random: timeline.random(),
                schedule: settings.retrySchedule,
                markAtStart: mark,
                mark: settings.mark
            )
        )
        try noteDigests(image, outcome, now: now)
        if let standing { log(image, outcome, standing) }
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

    private func log(_ image: ImageRecord, _ outcome: CloneOutcome, _ standing: ImageStanding) {
        var metadata: Logger.Metadata = [
            "image.ref": "\(image.source)", "image.destination": "\(image.destination)", "route": "\(outcome.route)",
        ]
        if let note = outcome.note { metadata["note"] = "\(note)" }
        if let reason = standing.reason { metadata["reason"] = "\(reason)" }
        if let mend = standing.mend { metadata["hint"] = "\(mend)" }
        if let due = standing.due, standing.state != .ready { metadata["retry.at"] = "\(due.formatted(.iso8601))" }
        switch outcome.end {
        case .ready(let holding):
            metadata["image.digest"] = "\(holding.digest?.description ?? "-")"
            metadata["bytes"] = "\(outcome.bytesMoved)"
            if outcome.route == "present" {
                Logger.current.info("Image is there", metadata: metadata)
            } else {
                Logger.current.notice("Image cloned", metadata: metadata)
            }
        case .failed where standing.state != .blocked: Logger.current.info("Image will be retried", metadata: metadata)
        case .failed, .refused: Logger.current.warning("Image is blocked", metadata: metadata)
        case .later, .stopped: Logger.current.info("Image waits", metadata: metadata)
        }
    }
}
