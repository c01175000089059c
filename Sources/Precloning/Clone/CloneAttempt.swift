import Foundation
import Logging
import Model
import Names
import Remotes
import Synchronization

/// What one attempt has come to so far.
struct CloneAttempt {
    let image: ImageRecord
    let caller: String
    let started: Date
    var location: ECRLocation?
    var end = CloneOutcome.End.stopped
    var route = "copy"
    var routeDetail: String?
    var note: String?
    var rule: String?
    var sourceDigest: Digest?
    var movedTo: Digest?
    var forgetsSource = false
    var digestNote: String?
    var bytesMoved: Int64 = 0
    var wasHeld = false
    var isHeldByRate = false
    var isPartial = false
    /// Attestations of the source's index that were not copied with its child.
    var attestationsLeft = 0
    let created = CreatedRepository()
    /// The place under the rate of the policy rule that allowed it.
    let ticket: PolicyTicket

    init(image: ImageRecord, caller: String, started: Date) {
        self.image = image
        self.caller = caller
        self.started = started
        ticket = PolicyTicket(caller: caller)
    }

    var outcome: CloneOutcome {
        var outcome = CloneOutcome(end: end, route: route, started: started)
        outcome.routeDetail = routeDetail
        outcome.note = note
        outcome.rule = rule
        outcome.sourceDigest = sourceDigest
        outcome.movedTo = movedTo
        outcome.forgetsSource = forgetsSource
        outcome.digestNote = digestNote
        outcome.bytesMoved = bytesMoved
        outcome.wasHeld = wasHeld
        outcome.isHeldByRate = isHeldByRate
        outcome.isPartial = isPartial
        outcome.repositoryCreated = created.isCreated
        return outcome
    }

    mutating func remark(_ text: String) { note = (note.map { $0 + "; " } ?? "") + text }

    var isReady: Bool { if case .ready = end { true } else { false } }

    /// Whether the registry was asked for the image: a refusal or a wait uses no place under a rate.
    var wasTried: Bool {
        switch end {
        case .ready: route != "present"
        case .failed: true
        case .later, .refused, .stopped: false
        }
    }
}

/// The places that images are being brought to, one at a time to each.
final class PlacesInWork: Sendable {
    private let sources = Mutex([String: String]())

    /// Takes a place; or says which source has it.
    func enter(_ place: String, _ source: String) -> String? {
        sources.withLock { sources in
            if let other = sources[place] { return other }
            sources[place] = source
            return nil
        }
    }

    func leave(_ place: String) { sources.withLock { $0[place] = nil } }
}

/// Whether this attempt made the repository, which then must not outlive a failure empty.
final class CreatedRepository: Sendable {
    private let created = Mutex(false)

    var isCreated: Bool { created.withLock { $0 } }

    func note() { created.withLock { $0 = true } }
}

/// Writes a running copy's progress into the record, at most once a second, and into the log at most every ten.
final class CopyProgressWriter: Sendable {
    private struct State {
        var writtenAt: Duration?
        var loggedAt: Duration?
        var written: Int64 = 0
        var rate: Double?
    }

    private let state = Mutex(State())
    private let record: any CloneRecord
    private let imageID: Int64
    private let timeline: Timeline
    private let started: Date

    init(record: any CloneRecord, imageID: Int64, timeline: Timeline) {
        self.record = record
        self.imageID = imageID
        self.timeline = timeline
        started = timeline.now()
    }

    func moved(done: Int64, total: Int64?) {
        let at = timeline.elapsed()
        let (rate, writes, logs) = state.withLock { state -> (Double?, Bool, Bool) in
            guard let last = state.writtenAt else {
                state.writtenAt = at
                state.loggedAt = at
                state.written = done
                return (nil, true, false)
            }
            guard at - last >= .seconds(1) else { return (nil, false, false) }
            let fresh = Double(done - state.written) / (at - last).seconds
            // Smoothed, so that the time left does not jump about.
            state.rate = state.rate.map { $0 * 0.7 + fresh * 0.3 } ?? fresh
            state.writtenAt = at
            state.written = done
            let logs = at - (state.loggedAt ?? at) >= .seconds(10)
            if logs { state.loggedAt = at }
            return (state.rate, true, logs)
        }
        guard writes else { return }
        let perSecond = rate.map { Int64(max(0, $0)) }
        // Progress is a convenience: a record that cannot be written is reported by what matters, the outcome.
        try? record.progress(
            imageID,
            done: done,
            total: total,
            bytesPerSecond: perSecond,
            started: started,
            now: timeline.now()
        )
        if logs {
            Logger.current.info(
                "Copying",
                metadata: [
                    "bytes": "\(done)", "bytes.total": "\(total.map(String.init) ?? "-")",
                    "bytes.per_second": "\(perSecond.map(String.init) ?? "-")",
                ]
            )
        }
    }
}
