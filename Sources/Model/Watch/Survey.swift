/// What a survey found for one run or version, before anything is written.
package struct SurveyResult: Sendable, Hashable {
    /// What the subject demands.
    package struct Plan: Sendable, Hashable {
        package var demands: [PlannedDemand]
        package var unresolved: [UnresolvedDemand]

        package init(demands: [PlannedDemand] = [], unresolved: [UnresolvedDemand] = []) {
            self.demands = demands
            self.unresolved = unresolved
        }
    }

    /// Nil where nothing is known: what was known before stays.
    package var plan: Plan?
    /// The stored inspection that the plan was made from.
    package var inspection: Int64?
    /// Why the plan is not known, or not whole.
    package var trouble: SurveyTrouble?

    package init(plan: Plan? = nil, inspection: Int64? = nil, trouble: SurveyTrouble? = nil) {
        self.plan = plan
        self.inspection = inspection
        self.trouble = trouble
    }

    /// The definition was read, or is known to be unreadable: nothing is asked again before something changes.
    package var isDecided: Bool { plan != nil && trouble?.isFinal != false }

    /// No mapping reaches one of the images. Nobody tells of a registry map that was changed, so that it is looked for.
    package var isUnmapped: Bool {
        plan?.demands.contains { $0.refusal?.failureClass == .unmapped } ?? false
    }
}

/// Why the images of a run or version are not known.
package struct SurveyTrouble: Sendable, Hashable {
    package var message: String
    /// It is the definition's own, proven by its digest: only another definition, another preclone or another
    /// configuration changes it. Everything else may be otherwise the next time it is asked.
    package var isFinal: Bool
    /// It says nothing of the subject: the service throttles or is down, or does not take our keys.
    package var isOfService: Bool
    /// What the service asked us to wait.
    package var retryAfter: Duration?

    package init(_ message: String, isFinal: Bool = false, isOfService: Bool = false, retryAfter: Duration? = nil) {
        self.message = message
        self.isFinal = isFinal
        self.isOfService = isOfService
        self.retryAfter = retryAfter
    }
}

/// How long until a run or a version is looked at again.
package enum SurveySchedule {
    /// No wait is longer by itself: a due time further ahead comes from a clock that was wrong.
    package static let ceiling = Duration.seconds(3600)

    /// What the survey of a subject leaves to be done; nil when nothing is.
    ///
    /// - Parameters:
    ///   - isRun: somebody waits for it.
    ///   - attempts: looks before this one that left something to be done, in a row.
    package static func wait(after result: SurveyResult, isRun: Bool, attempts: Int) -> Duration? {
        if let trouble = result.trouble, !trouble.isFinal {
            return max(trouble.retryAfter ?? .zero, growing(from: isRun ? .seconds(5) : .seconds(15), attempts))
        }
        return result.isUnmapped ? growing(from: isRun ? .seconds(60) : .seconds(600), attempts) : nil
    }

    private static func growing(from base: Duration, _ attempts: Int) -> Duration {
        min(ceiling, base * (1 << min(max(attempts, 0), 12)))
    }
}

/// A run or a version of which it is not known what it needs, or not all.
package struct UnreadSubject: Codable, Sendable, Hashable {
    /// `run 123`, `workflow 9/v2`.
    package var subject: String
    package var trouble: String
    /// It is the definition's own, and not tried again.
    package var isFinal: Bool

    package init(subject: String, trouble: String, isFinal: Bool) {
        self.subject = subject
        self.trouble = trouble
        self.isFinal = isFinal
    }
}
