/// Where something was decided: a line of the definition, or a run parameter.
package enum Evidence: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// A line (from 1) of a file of the definition, by its path relative to the definition's root.
    case source(file: String, line: Int)
    /// A value of the run's parameters, by its dotted path (`docker_images.gatk`, `wf.task.docker`).
    case parameter(path: String)

    package var description: String {
        switch self {
        case .source(let file, let line): "\(file):\(line)"
        case .parameter(let path): "parameter \(path)"
        }
    }
}

/// How sure it is that the engine will ask for an image. The words mean the same in WDL, Nextflow and CWL.
///
/// With a run's parameters, an input that they do not give has its default, or is null: conditions on it are known.
/// Without parameters the answer is for any run, and its images are those that a usual run needs before others: defaults
/// still decide images and what conditions let through, but what a condition keeps out by a default, or because an
/// optional input is not given, is `alternative` and not `inactive`, since a run may give it.
package enum Certainty: String, Sendable, Codable, CaseIterable, Comparable {
    /// Nothing that is known keeps a run with these parameters from the task, and the task uses the image.
    case certain
    /// One of several values of something that cannot be decided before the run, or below a condition that cannot.
    case alternative
    /// Below a condition that is known to be false with these parameters, or in a scatter over nothing.
    case inactive

    package static func < (left: Certainty, right: Certainty) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .certain: 0
        case .alternative: 1
        case .inactive: 2
        }
    }
}

/// An image that a definition names, as text: only the planner turns it into a reference.
package struct ImageMention: Hashable, Sendable {
    /// The image as the engine will ask for it, after interpolation and engine rules such as `docker.registry`.
    package var text: String
    package var certainty: Certainty
    /// Why it is `alternative` or `inactive`; nil when certain.
    package var reason: String?
    /// The stage at which the run first needs it: how many tasks have to have ended, one after the other, before the
    /// first task that uses it can begin; 0 where it can begin at once. The earliest of its uses of this certainty.
    package var depth: Int
    /// Every place that decided it: the literal, and what it passed through.
    package var places: [Evidence]
    /// The tasks, processes or steps that use it, by call path, sorted.
    package var tasks: [String]

    package init(
        text: String,
        certainty: Certainty = .certain,
        reason: String? = nil,
        depth: Int = 0,
        places: [Evidence],
        tasks: [String]
    ) {
        self.text = text
        self.certainty = certainty
        self.reason = reason
        self.depth = depth
        self.places = places
        self.tasks = tasks
    }
}

/// A mention whose image cannot be known from what was given; it is reported, never guessed.
package struct UnresolvedMention: Hashable, Sendable {
    /// Where the image would have been named.
    package var place: Evidence
    /// The expression as written, shortened to at most 200 characters.
    package var expression: String
    /// What is missing, in words: "input `gatk_docker` has no default".
    package var missing: String
    /// The tasks that hang on it, sorted.
    package var tasks: [String]

    package init(place: Evidence, expression: String, missing: String, tasks: [String]) {
        self.place = place
        self.expression = expression
        self.missing = missing
        self.tasks = tasks
    }
}

/// Something a reader of the result should know that costs no image: a remote include, a broken file off the path.
package struct DefinitionNote: Hashable, Sendable {
    package var place: Evidence?
    package var message: String

    package init(place: Evidence?, message: String) {
        self.place = place
        self.message = message
    }
}

/// What a definition needs, as far as it can be known.
package struct Inspection: Hashable, Sendable {
    /// One entry per distinct image text, sorted by text. The strongest certainty of its uses holds.
    package var images: [ImageMention]
    package var unresolved: [UnresolvedMention]
    package var notes: [DefinitionNote]
    /// Names of the top-level run parameters that an image, or a condition around one, depended on. Two runs that
    /// agree on these (and on profiles) need the same images. Sorted.
    package var relevantParameters: [String]
    /// Every task with the way to its image, where the request asked for it: at most `ImageUse.maximum`.
    package var uses: [ImageUse] = []

    package init(
        images: [ImageMention] = [],
        unresolved: [UnresolvedMention] = [],
        notes: [DefinitionNote] = [],
        relevantParameters: [String] = []
    ) {
        self.images = images
        self.unresolved = unresolved
        self.notes = notes
        self.relevantParameters = relevantParameters
    }
}

/// A definition that cannot be read at all.
package struct DefinitionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, with file and line where there is one, and the mend where there is one.
    package var message: String

    package init(_ message: String) { self.message = message }

    package var description: String { message }
}
