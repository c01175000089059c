package import Foundation

/// Where an image stands: what its row says of its life. Only `ImageLife.next` makes another standing of it.
package struct ImageStanding: Sendable, Hashable {
    package var state = ImageState.pending
    package var urgency = Urgency.nobody
    /// Among equally urgent ones: smaller goes first (`Certainty` and depth of who wants it, `PlannedDemand.order`).
    package var order = 0
    /// When a worker may take it; nil: not by itself.
    package var due: Date?
    /// Why it stands so, what a person can do, and of what kind the trouble is.
    package var reason: String?
    package var mend: String?
    package var failureClass: FailureClass?
    /// Attempts that counted against the image, and when the first of them ended.
    package var attempts = 0
    package var firstAttemptAt: Date?
    /// Failed attempts in a row, those that belong to the host too: they set how long is waited.
    package var failures = 0
    /// Grows with each attempt that begins.
    package var generation = 0
    /// The lowest generation that answers the newest question.
    package var askedGeneration = 0
    /// When the last attempt ended.
    package var endedAt: Date?
    /// Since when ECR holds it whole; nil: not as far as we know.
    package var readyAt: Date?
    /// When that was looked at last; nil: it is to be looked at at once.
    package var verifiedAt: Date?
    /// Upstream's newer digest of a tag that has moved.
    package var movedDigest: String?
    /// What decided its standing: configuration and program of the last attempt.
    package var mark: String?

    package init() {}

    /// Somebody asked and no attempt has begun since.
    package var isAsked: Bool { generation < askedGeneration }
}

/// What happens to an image.
package enum ImageEvent: Sendable {
    /// A subject wants it; new, when that subject did not want it a moment ago.
    case wanted(isNew: Bool)
    /// A subject wants it, and its definition or registry map keeps it from ever being there.
    case refused(Refusal)
    /// A subject no longer wants it.
    case unwanted
    /// Configuration, program or rules may have changed: `ImageMoment.mark` says what they are now.
    case reconfigured
    /// A person or an agent asks for it now.
    case asked
    /// A person ends its wait.
    case retried
    /// A worker begins an attempt.
    case taken
    case ended(AttemptEnd, mark: String)
    /// The verifier found it as it should be.
    case found
    /// The verifier found something else.
    case lost(reason: String)
    /// Upstream's tag points elsewhere.
    case tagMoved(to: String, follows: Bool)
    /// Upstream's tag points to what was cloned.
    case tagUnmoved
    /// The process ended in the middle of an attempt.
    case interrupted
}

/// How an attempt ended, as far as the image's life goes.
package enum AttemptEnd: Sendable {
    /// Verified in ECR; with a note. `isPartial`: what was to come with it, and no run needs, may be had later.
    case ready(note: String?, isPartial: Bool = false)
    /// - Parameter isHeld: ECR holds what it held: a whole, readable image.
    case failed(CloneFailure, isHeld: Bool)
    case later(until: Date, why: String, isHeld: Bool)
    case refused(Refusal, isHeld: Bool)
    case stopped

    var isPutOff: Bool { if case .later = self { true } else { false } }
}

/// What else the next standing depends on.
package struct ImageMoment: Sendable {
    package var now: Date
    /// From 0 to 1, for jitter.
    package var random: Double
    /// By who wants it now.
    package var urgency: Urgency
    /// How soon they will use it.
    package var order: Int
    package var schedule: ImageRetrySchedule
    /// What decides now; nil: as it was.
    package var mark: String?

    package init(
        now: Date,
        random: Double = 1,
        urgency: Urgency,
        order: Int = 0,
        schedule: ImageRetrySchedule = .standard,
        mark: String? = nil
    ) {
        self.now = now
        self.random = random
        self.urgency = urgency
        self.order = order
        self.schedule = schedule
        self.mark = mark
    }
}

/// The life of an image: the one place where its state, due time, urgency and attempts change. Pure.
package enum ImageLife {
    /// A new subject never inherits an old answer, and an old attempt is not repeated within this many seconds.
    private static let shortestPause: TimeInterval = 5
    /// Between two looks for what is to come with an image that is ready.
    private static let shortestRest: TimeInterval = 60
    private static let longestRest: TimeInterval = 3600

    package static func next(_ before: ImageStanding, _ event: ImageEvent, _ moment: ImageMoment) -> ImageStanding {
        var after = before
        switch event {
        case .wanted(let isNew): want(&after, isNew: isNew, moment)
        case .refused(let refusal):
            guard after.state != .ready, after.state != .cloning else { break }
            block(&after, refusal, due: nil)
        case .unwanted:
            if moment.urgency == .nobody, after.state != .cloning { after.due = nil }
        case .reconfigured: reconfigure(&after, moment)
        case .asked:
            after.askedGeneration = after.generation + 1
            // An attempt that is under way began before the question; its success answers all the same.
            if after.state != .cloning { after.due = moment.now }
        case .retried:
            guard moment.urgency != .nobody, after.state != .cloning, after.state != .ready else { break }
            after.attempts = 0
            after.failures = 0
            after.firstAttemptAt = nil
            after.due = moment.now
        case .taken:
            after.state = .cloning
            after.generation += 1
            after.due = nil
        case .ended(let end, let mark):
            // What was only put off was not looked for.
            if !end.isPutOff { after.endedAt = moment.now }
            after.mark = mark
            ended(&after, end, moment)
            settle(&after, moment)
        case .found:
            after.verifiedAt = moment.now
        case .lost(let reason):
            guard after.state == .ready else { break }
            reopen(&after, reason, moment)
        case .tagMoved(let digest, let follows):
            guard after.state == .ready else { break }
            after.movedDigest = digest
            if follows { after.due = moment.now }
        case .tagUnmoved:
            after.movedDigest = nil
        case .interrupted:
            guard after.state == .cloning else { break }
            breakOff(&after, "the attempt was interrupted", moment)
        }
        after.urgency = after.state == .ready && !after.isAsked ? .refresh : moment.urgency
        after.order = moment.order
        return after
    }

    // MARK: Wishes

    private static func want(_ image: inout ImageStanding, isNew: Bool, _ moment: ImageMoment) {
        switch image.state {
        case .cloning: break
        case .ready:
            // A run that just came: look at once whether it is still so.
            if isNew, moment.urgency == .run { image.verifiedAt = nil }
        case .pending: image.due = min(image.due ?? moment.now, moment.now)
        case .retrying, .blocked:
            guard isNew || image.due == nil else { break }
            let soonest = max(moment.now, (image.endedAt ?? .distantPast).addingTimeInterval(shortestPause))
            image.due = min(image.due ?? soonest, soonest)
            // The clock of what is looked for again and again begins anew.
            if image.state == .blocked { image.failures = 0 }
        }
    }

    private static func reconfigure(_ image: inout ImageStanding, _ moment: ImageMoment) {
        guard image.mark != moment.mark, moment.urgency != .nobody else { return }
        switch image.state {
        case .blocked:
            image.due = moment.now
            image.failures = 0
        case .retrying where image.failureClass?.belongsToHost != true || image.failureClass == .quota:
            image.due = min(image.due ?? moment.now, moment.now)
        case .retrying, .pending, .cloning, .ready: break
        }
    }

    // MARK: Attempts

    private static func ended(_ image: inout ImageStanding, _ end: AttemptEnd, _ moment: ImageMoment) {
        switch end {
        case .ready(let note, let isPartial):
            image.state = .ready
            image.reason = note
            image.mend = nil
            image.failureClass = nil
            image.attempts = 0
            image.firstAttemptAt = nil
            image.failures = isPartial ? image.failures + 1 : 0
            let pause = min(shortestRest * pow(2, Double(min(image.failures, 10) - 1)), longestRest)
            image.due = isPartial ? moment.now.addingTimeInterval(pause * (0.5 + moment.random / 2)) : nil
            image.readyAt = image.readyAt ?? moment.now
            image.verifiedAt = moment.now
        case .failed(let failure, let isHeld):
            let decision = moment.schedule.decide(failure, image, urgency: moment.urgency, moment)
            image.attempts += decision.counts ? 1 : 0
            if decision.counts { image.firstAttemptAt = image.firstAttemptAt ?? moment.now }
            image.failures += failure.isHeldBack ? 0 : 1
            image.due = decision.due
            if isHeld, image.readyAt != nil {
                keepHeld(&image, failure.message, mend: failure.mend, moment)
            } else {
                image.state = decision.isBlocked ? .blocked : .retrying
                image.reason = decision.gaveUp ? "\(failure.message) (\(decision.why))" : failure.message
                image.mend = failure.mend
                image.failureClass = failure.failureClass
            }
        case .later(let until, let why, let isHeld):
            image.due = until
            if isHeld, image.readyAt != nil {
                keepHeld(&image, why, mend: nil, moment)
            } else {
                image.state = .retrying
                image.reason = why
                image.mend = nil
                image.failureClass = nil
            }
        case .refused(let refusal, let isHeld):
            image.failures += 1
            let due = moment.schedule.recheck(refusal.failureClass, image, urgency: moment.urgency, moment)
            if isHeld, image.readyAt != nil {
                image.due = due
                keepHeld(&image, refusal.reason, mend: refusal.mend, moment)
            } else {
                block(&image, refusal, due: due)
            }
        case .stopped:
            breakOff(&image, "stopped with the daemon; goes on where it was", moment)
        }
        if image.state != .ready { image.readyAt = nil }
    }

    /// What follows from who asked, who wants it and what changed while the attempt was under way.
    private static func settle(_ image: inout ImageStanding, _ moment: ImageMoment) {
        guard image.state != .ready || image.due != nil else {
            image.askedGeneration = min(image.askedGeneration, image.generation)
            return
        }
        if image.isAsked {
            image.due = moment.now
        } else if moment.urgency == .nobody {
            image.due = nil
        } else if let mark = moment.mark, mark != image.mark, image.failureClass?.dependsOnUs == true {
            // Decided by what is no longer so.
            image.due = moment.now
        }
    }

    /// ECR goes on holding a whole image: what failed is told beside it.
    private static func keepHeld(_ image: inout ImageStanding, _ why: String, mend: String?, _ moment: ImageMoment) {
        image.state = .ready
        image.reason = "it is there, but upstream could not be followed: \(why)"
        image.mend = mend
        image.failureClass = nil
        image.verifiedAt = moment.now
        // Followed again when a tag has moved; else it was only a look.
        if image.movedDigest == nil { image.due = nil }
    }

    /// An attempt that came to no end: what ECR held before it, it holds still.
    private static func breakOff(_ image: inout ImageStanding, _ reason: String, _ moment: ImageMoment) {
        guard image.readyAt != nil else { return reopen(&image, reason, moment) }
        image.state = .ready
        image.due = moment.now
    }

    private static func reopen(_ image: inout ImageStanding, _ reason: String, _ moment: ImageMoment) {
        image.state = .pending
        image.reason = reason
        image.mend = nil
        image.failureClass = nil
        image.readyAt = nil
        image.due = moment.urgency == .nobody ? nil : moment.now
    }

    private static func block(_ image: inout ImageStanding, _ refusal: Refusal, due: Date?) {
        image.state = .blocked
        image.reason = refusal.reason
        image.mend = refusal.mend
        image.failureClass = refusal.failureClass
        image.readyAt = nil
        image.due = due
    }
}
