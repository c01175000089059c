/// One task and the image that it asks for, with the way that led to it; only where a request asks for explanations.
package struct ImageUse: Hashable, Sendable {
    /// One place on the way, read with the line of the definition that stands there.
    package struct Step: Hashable, Sendable {
        package var place: Evidence
        /// What the line does not say by itself: `docker = "x:1"`.
        package var note: String?

        package init(_ place: Evidence, _ note: String? = nil) {
            self.place = place
            self.note = note
        }
    }

    /// By call path, as in `ImageMention.tasks`.
    package var task: String
    /// nil where it cannot be known.
    package var image: String?
    package var certainty: Certainty
    /// Why it is `alternative` or `inactive`.
    package var reason: String?
    /// Why there is no image.
    package var missing: String?
    /// From the main file over the calls to the task, then from its container to the values in it; at most
    /// `maximumSteps`.
    package var steps: [Step]
    /// Where the task's container was set as well, but something stronger held.
    package var overridden: [Evidence]

    /// Uses that are kept of one definition.
    static let maximum = 5_000
    static let maximumSteps = 60

    package init(
        task: String,
        image: String?,
        certainty: Certainty = .certain,
        reason: String? = nil,
        missing: String? = nil,
        steps: [Step],
        overridden: [Evidence] = []
    ) {
        self.task = task
        self.image = image
        self.certainty = certainty
        self.reason = reason
        self.missing = missing
        self.steps = Array(steps.prefix(Self.maximumSteps))
        self.overridden = overridden
    }

    /// A value as a note shows it: text only where it is in the image that it led to, or no parameters were given, since
    /// a parameter may be a secret.
    static func shown(_ text: String, in image: String, isAnyRun: Bool) -> String? {
        guard isAnyRun || (!text.isEmpty && image.contains(text)) else { return nil }
        return "\"\(text.prefix(200))\""
    }
}
