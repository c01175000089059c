package import Foundation

/// What an attempt learned and where the image goes from here; written as one transaction with its attempt row.
package struct ImageUpdate: Sendable {
    package var state: ImageState
    package var route: String?
    package var routeDetail: String?
    package var reason: String?
    package var mend: String?
    package var failureClass: FailureClass?
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
    /// When a worker may take it again; nil: never by itself.
    package var due: Date?
    /// Whether this attempt counts against the image's bound.
    package var countsAsAttempt = false
    /// Whether it failed, for whatever reason: the next wait is longer.
    package var isFailure = false

    package init(state: ImageState) { self.state = state }
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
