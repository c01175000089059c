/// A promise that was broken.
package struct Violation: Error, Sendable, Hashable, CustomStringConvertible {
    package var invariant: Invariant
    package var at: Duration
    /// What was seen.
    package var detail: String
    /// The image or run it is about, by which its story is found.
    package var subject: String

    package var description: String { "\(Moment(at)): broken (\(invariant.rawValue)): \(invariant.words)\n  \(detail)" }
}

/// What users may rely on, each in words they would agree with.
package enum Invariant: String, Sendable, Hashable, CaseIterable {
    case readyIsReady
    case theRightImage
    case wholeStaysReady
    case everyNeedHasAStanding
    case everythingGetsReady
    case healthyHostsGoOn
    case limitsHold
    case nothingIsUploadedTwice
    case auditIsTheWorlds
    case deniedIsNeverAsked
    case nothingForNobody
    case recordSurvives
    case statusTellsTheTruth
    case answersAreNew
    case quietHoursAreQuiet
    case looksAreNoPulls
    case itGoesOn
    case gatesTellTheTruth
    case gatesEnd
    case gatesBring
    case locksTellDrifts
    case mapsReachAll
    case commandsDoWhatTheySay

    package var words: String {
        switch self {
        case .readyIsReady:
            "`ready` means: in ECR, whole, with the digest that is recorded, readable by HealthOmics"
        case .theRightImage:
            "what is called ready was under this name upstream at some time, or is said to be another image"
        case .wholeStaysReady: "an image that is whole in ECR, where it belongs, and was ready is never called blocked"
        case .everyNeedHasAStanding:
            "what a live run needs is ready, on its way with a time, or blocked with a reason and a mend"
        case .everythingGetsReady: "once nothing goes wrong any more, all that can be ready is ready within the bound"
        case .healthyHostsGoOn:
            "what a live run needs and a healthy registry has is ready within half an hour, whatever other registries do"
        case .limitsHold: "no registry gets more requests or counted pulls than its limits, in any window"
        case .nothingIsUploadedTwice: "no blob is uploaded twice to one repository while nothing goes wrong"
        case .auditIsTheWorlds: "the audit has a row for each change that was made in AWS, and no other"
        case .deniedIsNeverAsked: "nothing is asked of a registry that policy denies"
        case .nothingForNobody: "what nobody wants any more is neither cloned nor waited for"
        case .recordSurvives: "after every crash the record is whole, its views answer, and no request is lost"
        case .statusTellsTheTruth: "what `status` says of a run, and of the daemon, is so"
        case .answersAreNew: "an answer is of the time after the question, and comes"
        case .quietHoursAreQuiet: "calls in a quiet hour stay within a few list pages and looks"
        case .looksAreNoPulls: "looking at an image that nobody pulls is no pull in ECR's eyes"
        case .itGoesOn: "the daemon never ends, hangs or spins by itself"
        case .gatesTellTheTruth: "`ready` says 0 exactly when a run that starts then would find every image"
        case .gatesEnd: "`ready` ends within `--wait`"
        case .gatesBring: "`ready --wait` brings within half an hour what healthy registries have"
        case .locksTellDrifts: "a lock holds what ECR holds, and its check tells each drift and no other"
        case .mapsReachAll: "the map that `map` writes leads every image to where it says"
        case .commandsDoWhatTheySay:
            "`grant`, `rules --create` and `forget` do what they say, and forget nothing that is wanted"
        }
    }

    /// Those that the daemon is known to break by faults it still has: they are told, and fail nothing unless they are asked
    /// for. Whoever mends the last such fault of one takes it out here.
    package static let outstanding: Set<Invariant> = []
}
