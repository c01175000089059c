package import Foundation

/// What an attempt learned of an image; what is nil was not found out, and leaves what is known.
package struct AttemptFindings: Sendable {
    package var route: String?
    package var routeDetail: String?
    package var rule: String?
    package var sourceDigest: String?
    /// What is held is not from what `sourceDigest` says: it is forgotten.
    package var forgetsSource = false
    /// What the source names now, where that is another image than the one held.
    package var movedDigest: String?
    package var ecrDigest: String?
    package var platformDigest: String?
    package var bytes: Int64?
    package var access: HealthOmicsAccess?

    package init() {}
}

/// When an attempt ended, and by which choices what comes next is decided.
package struct AttemptMoment: Sendable {
    package var now: Date
    /// From 0 to 1, for jitter.
    package var random: Double
    package var schedule: ImageRetrySchedule
    /// What decided when the attempt began, and what decides now.
    package var markAtStart: String
    package var mark: String

    package init(now: Date, random: Double, schedule: ImageRetrySchedule, markAtStart: String, mark: String) {
        self.now = now
        self.random = random
        self.schedule = schedule
        self.markAtStart = markAtStart
        self.mark = mark
    }
}

/// One row of `attempt`.
package struct AttemptRow: Sendable {
    package var started: Date
    package var route: String
    package var result: String
    package var failureClass: FailureClass?
    package var message: String?
    package var host: String?
    package var status: Int?
    package var requestID: String?
    package var bytesMoved: Int64 = 0
    package var sourceDigest: String?
    package var ecrDigest: String?

    package init(started: Date, route: String, result: String) {
        self.started = started
        self.route = route
        self.result = result
    }
}
