package import Names

/// Where HealthOmics will look for an image, and what it is cloned from.
package struct Destination: Sendable, Hashable {
    /// What decided the place.
    package enum Basis: Sendable, Hashable {
        /// The definition names a private ECR URI itself.
        case asWritten
        case imageMapping
        /// With the mapping's `ecrRepositoryPrefix`.
        case registryMapping(prefix: String)
        /// No mapping reaches it; cloned all the same, to where it would belong.
        case fallback
        /// A person named the repository.
        case explicit
    }

    /// What to clone from; nil when only ECR itself knows the image.
    package var source: ImageReference?
    package var location: ECRLocation
    package var basis: Basis
    /// The pull-through cache rule that the repository lies under.
    package var rule: PullThroughCacheRule?
    /// Whether the location's account is ours, so that repositories and policies may be made there.
    package var isOurs: Bool

    package init(
        source: ImageReference? = nil,
        location: ECRLocation,
        basis: Basis,
        rule: PullThroughCacheRule? = nil,
        isOurs: Bool
    ) {
        self.source = source
        self.location = location
        self.basis = basis
        self.rule = rule
        self.isOurs = isOurs
    }
}

/// The answer for one mention.
package enum Placement: Sendable, Hashable {
    case placed(Destination)
    /// No mapping reaches the image, so no run can pull it; with where it would go if it is cloned anyway.
    case unmapped(Refusal, fallback: Destination?)
    case refused(Refusal)
}

/// What the placing of images depends on besides the image.
package struct PlacementRules: Sendable {
    package var home: HomeRegistry
    package var pullThrough: [PullThroughCacheRule]
    /// `clone.destination`, with `{registryAlias}` and `{repository}`.
    package var template: String
    /// Whether unmapped images are cloned to where they would belong (`clone.unmapped`).
    package var clonesUnmapped: Bool

    package init(home: HomeRegistry, pullThrough: [PullThroughCacheRule], template: String, clonesUnmapped: Bool) {
        self.home = home
        self.pullThrough = pullThrough
        self.template = template
        self.clonesUnmapped = clonesUnmapped
    }
}
