/// Where one image stands, in few words: for whoever follows the record while it is worked on.
package struct ImageGlimpse: Sendable, Equatable {
    package var source: String
    package var destination: String
    package var state: String
    package var route: String?
    package var platformDigest: String?
    /// The digest under its name in ECR.
    package var digest: String?
    /// The live runs that need it.
    package var runs: [String]
    /// How far a copy is; nil when none runs.
    package var progress: String?

    package init(
        source: String,
        destination: String,
        state: String,
        route: String? = nil,
        platformDigest: String? = nil,
        digest: String? = nil,
        runs: [String],
        progress: String? = nil
    ) {
        self.source = source
        self.destination = destination
        self.state = state
        self.route = route
        self.platformDigest = platformDigest
        self.digest = digest
        self.runs = runs
        self.progress = progress
    }

    package var key: String { source + " " + destination }

    package var line: String {
        var text = state + String(repeating: " ", count: max(0, 9 - state.count)) + " " + source
        if state == "ready", let route { text += "  by \(route)" }
        if let progress, state == "cloning" { text += "  \(progress)" }
        return text
    }

    /// Whether a definition's text means this image: the canonical source ends with it, short names of Docker Hub
    /// included.
    package func matches(_ text: String) -> Bool { source == text || source.hasSuffix("/\(text)") }
}
