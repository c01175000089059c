package import Names

package import struct Foundation.Date

/// What policy looks at before anything is asked of a registry: the parts of a canonical reference.
package struct PolicyImage: Sendable, Hashable {
    /// The whole canonical reference: `docker.io/library/ubuntu:latest`.
    package var reference: String
    package var registry: String
    package var repository: String
    package var tag: String?
    package var digest: String?
    /// For whom it is: `daemon`, `user NAME` or `agent NAME of user USER`; nil where that is not asked about.
    package var caller: String?
    /// The tool by which it is asked for; nil where none is asked about.
    package var tool: String?
    /// Where it goes; nil where that is not asked about.
    package var destination: ECRLocation?

    package init(_ reference: ImageReference) {
        self.reference = reference.description
        registry = reference.registry
        repository = reference.repository
        tag = reference.tag
        digest = reference.digest?.description
    }
}

/// What is known of an image once its manifest and config are read.
package struct ImageFacts: Sendable, Hashable {
    /// Config and layers as transferred, in bytes.
    package var size: Int64
    package var layers: Int
    /// As the config says; nil where it does not.
    package var created: Date?
    /// Every platform of the object, as `os/architecture` with the variant where there is one.
    package var platforms: [String]

    package init(size: Int64, layers: Int, created: Date?, platforms: [String]) {
        self.size = size
        self.layers = layers
        self.created = created
        self.platforms = platforms
    }
}

/// What policy says of one image.
package struct PolicyDecision: Sendable, Hashable {
    package enum Verdict: String, Sendable, Codable { case allow, deny }

    /// A rule that only warns, and would have denied.
    package struct Warning: Sendable, Hashable {
        package var rule: String
        package var reason: String

        package init(rule: String, reason: String) {
            self.rule = rule
            self.reason = reason
        }
    }

    package var verdict: Verdict
    /// The rule that decided, `default`, or `private registries` (built in).
    package var rule: String
    /// Why, in words; for `allow` too.
    package var reason: String
    /// What a person can do about a denial; nil for `allow`.
    package var mend: String?
    /// The decision stands only until facts are known: the caller decides again with them before the first blob is
    /// moved or the pull-through cache is asked.
    package var factsNeeded: Bool
    /// The bound to reserve under before the clone begins.
    package var rate: PolicyRate?
    /// The bytes to reserve under before they move.
    package var budget: PolicyBudget?
    /// Rules on the way that only warn.
    package var warnings: [Warning] = []

    package init(
        verdict: Verdict,
        rule: String,
        reason: String,
        mend: String? = nil,
        factsNeeded: Bool,
        rate: PolicyRate? = nil,
        budget: PolicyBudget? = nil
    ) {
        self.verdict = verdict
        self.rule = rule
        self.reason = reason
        self.mend = mend
        self.factsNeeded = factsNeeded
        self.rate = rate
        self.budget = budget
    }

    package var isAllowed: Bool { verdict == .allow }

    /// The built-in rule for private and loopback registries and IP addresses.
    package static let privateRegistries = "private registries"
    /// What decided where no rule applies.
    package static let byDefault = "default"
}
