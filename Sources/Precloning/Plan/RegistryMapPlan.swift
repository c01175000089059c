package import Model
package import Names

/// A container registry map for a workflow's images: the inverse of `Planner.destination`, by which it is proved.
///
/// Source of the limits: the service model `omics/2022-11-28`, RegistryMapping and ImageMapping.
package enum RegistryMapPlan {
    /// An image that a map is written for.
    package struct Wanted: Sendable, Hashable {
        /// As the definition writes it.
        package var text: String
        /// Its own place, where it is to be held to a digest; nil: wherever its registry's mapping leads.
        package var pinned: String?

        package init(_ text: String, pinned: String? = nil) {
            self.text = text
            self.pinned = pinned
        }
    }

    /// A written map, and what it comes to for each image.
    package struct Written: Sendable, Hashable {
        package var map: ContainerRegistryMap
        package var images: [MappedImage]
    }

    private static let prefixLengths = 2...30
    private static let ecrPrefixLengths = 1...256
    private static let textLengths = 1...750

    /// The fewest registry mappings that lead every image to where a pull-through rule of the account holds it, else to where
    /// `clone.destination` puts it, and an image mapping for each that no registry mapping can lead there. Pure.
    ///
    /// - Parameters:
    ///   - images: each spelling once; image mappings match the text as written.
    ///   - account: the account whose registry the map leads to, where it is not the workflow's own. Its rules are not known.
    package static func write(
        for images: [Wanted],
        rules: PlacementRules,
        account: String? = nil
    ) -> Written {
        var rules = rules
        // What is there already for the one account is not there for the other.
        if account.map({ $0 != rules.home.account }) ?? false { rules.pullThrough = [] }
        var answers: [MappedImage] = []
        var places: [Place] = []
        for image in images {
            switch place(image, rules: rules, account: account) {
            case .failure(let answer): answers.append(answer)
            case .success(let place): places.append(place)
            }
        }
        var map = map(of: places)
        var check = RegistryMapCheck(map, for: places.map(\.answer.image), rules: rules)
        // A mapping of a part of the registry that another image needs may catch this one as well.
        let caught = places.indices.filter { index in
            let answer = places[index].answer
            return answer.basis == .registryMapping
                && check.images.first { $0.image == answer.image }?.destination != answer.destination
        }
        if !caught.isEmpty {
            for index in caught {
                places[index].mapping = nil
                places[index].answer.basis = .imageMapping
            }
            map = self.map(of: places)
            check = RegistryMapCheck(map, for: places.map(\.answer.image), rules: rules)
        }
        let found = Dictionary(check.images.map { ($0.image, $0) }) { first, _ in first }
        answers += places.map { place in
            var answer = place.answer
            answer.problem = found[answer.image]?.problem
            answer.mend = found[answer.image]?.mend
            return answer
        }
        return Written(map: map, images: answers.sorted { $0.image < $1.image })
    }

    private static func map(of places: [Place]) -> ContainerRegistryMap {
        var byImage: [ImageMapping] = []
        var mappings: Set<RegistryMapping> = []
        for place in places {
            if let mapping = place.mapping {
                mappings.insert(mapping)
            } else if place.answer.basis == .imageMapping {
                byImage.append(
                    ImageMapping(sourceImage: place.answer.image, destinationImage: place.answer.destination)
                )
            }
        }
        let sorted = mappings.sorted {
            ($0.upstreamRegistryUrl ?? "", $0.upstreamRepositoryPrefix ?? "", $0.ecrRepositoryPrefix ?? "")
                < ($1.upstreamRegistryUrl ?? "", $1.upstreamRepositoryPrefix ?? "", $1.ecrRepositoryPrefix ?? "")
        }
        byImage.sort { ($0.sourceImage ?? "") < ($1.sourceImage ?? "") }
        return ContainerRegistryMap(
            registryMappings: sorted.isEmpty ? nil : sorted,
            imageMappings: byImage.isEmpty ? nil : byImage
        )
    }

    // MARK: One image

    private struct Place {
        var answer: MappedImage
        /// Nil where it needs none, or an image mapping.
        var mapping: RegistryMapping?
    }

    /// What a map can do for an image; the failure is what it cannot.
    private enum Found {
        case success(Place)
        case failure(MappedImage)
    }

    private static func place(_ image: Wanted, rules: PlacementRules, account: String?) -> Found {
        let reference: ImageReference
        do { reference = try ImageReference(image.text) } catch {
            return .failure(
                MappedImage(image.text, problem: error.explanation, mend: "correct the image's name in the workflow")
            )
        }
        if ECRLocation(reference) != nil {
            switch Planner.destination(reference, mention: image.text, map: nil, rules: rules) {
            case .placed(let destination):
                return .success(Place(answer: MappedImage(image.text, destination, basis: .asWritten)))
            case .refused(let refusal), .unmapped(let refusal, _):
                // A map is for names of other registries.
                return .failure(MappedImage(image.text, problem: refusal.reason, mend: refusal.mend))
            }
        }
        if let pinned = image.pinned {
            return .success(
                Place(answer: MappedImage(image.text, source: reference.description, at: pinned, basis: .imageMapping))
            )
        }
        switch Planner.fallback(for: reference, rules: rules) {
        case .failure(let refusal):
            return .failure(MappedImage(image.text, problem: refusal.reason, mend: refusal.mend))
        case .success(var destination):
            if let account {
                destination.location.account = account
                destination.isOurs = account == rules.home.account
            }
            var answer = MappedImage(image.text, destination, basis: .registryMapping)
            if var mapping = mapping(of: reference, to: destination.location.repository, rule: destination.rule) {
                if let account, account != rules.home.account { mapping.ecrAccountId = account }
                return .success(Place(answer: answer, mapping: mapping))
            }
            answer.basis = .imageMapping
            guard textLengths.contains(image.text.utf8.count) else {
                return .failure(
                    MappedImage(image.text, problem: "its name is longer than a map takes", mend: "shorten its name")
                )
            }
            return .success(Place(answer: answer))
        }
    }

    /// The registry mapping that leads an image to a repository: of the whole registry where the repository ends in the
    /// image's own, else of the part of the registry that the rest of the name lies below.
    private static func mapping(
        of reference: ImageReference,
        to repository: String,
        rule: PullThroughCacheRule?
    ) -> RegistryMapping? {
        let upstream = Planner.upstreamName(of: reference.registry)
        // A rule of a part is named by the part: another rule may serve the whole.
        let part = rule.map(Planner.upstreamPrefix(of:)) ?? ""
        if part.isEmpty, let prefix = prefix(of: repository, before: reference.repository) {
            return RegistryMapping(upstreamRegistryUrl: upstream, ecrRepositoryPrefix: prefix)
        }
        let parts = reference.repository.split(separator: "/")
        for count in 1..<max(parts.count, 1) {
            let below = parts.prefix(count).joined(separator: "/")
            let rest = parts.dropFirst(count).joined(separator: "/")
            guard part.isEmpty || below == part || below.hasPrefix(part + "/"),
                prefixLengths.contains(below.utf8.count),
                let prefix = prefix(of: repository, before: rest)
            else { continue }
            return RegistryMapping(
                upstreamRegistryUrl: upstream,
                ecrRepositoryPrefix: prefix,
                upstreamRepositoryPrefix: below
            )
        }
        return nil
    }

    /// What comes before `rest` in a repository's name; nil where it does not end so, or nothing comes before.
    private static func prefix(of repository: String, before rest: String) -> String? {
        guard repository.hasSuffix("/" + rest) else { return nil }
        let prefix = String(repository.dropLast(rest.count + 1))
        return ecrPrefixLengths.contains(prefix.utf8.count) ? prefix : nil
    }
}

/// What a registry map comes to for one image.
package struct MappedImage: Codable, Sendable, Hashable {
    /// What leads it to its place.
    package enum Basis: String, Codable, Sendable {
        /// The definition names a private ECR URI itself.
        case asWritten
        case registryMapping, imageMapping
        /// Nothing does.
        case none
    }

    /// As the definition writes it.
    package var image: String
    /// What is cloned; nil where ECR alone knows the image, or the text is none.
    package var source: String?
    /// Where HealthOmics will look.
    package var destination: String?
    package var basis: Basis
    /// The pull-through cache rule that its place lies under, by `ecrRepositoryPrefix`.
    package var rule: String?
    /// Why no run can pull it, or not the right one, and what to do about it.
    package var problem: String?
    package var mend: String?

    package init(_ image: String, problem: String, mend: String?) {
        self.image = image
        basis = .none
        self.problem = problem
        self.mend = mend
    }

    package init(_ image: String, source: String?, at destination: String, basis: Basis) {
        self.image = image
        self.source = source
        self.destination = destination
        self.basis = basis
    }

    package init(_ image: String, _ destination: Destination, basis: Basis) {
        self.init(
            image,
            source: destination.source?.description,
            at: destination.location.description,
            basis: basis
        )
        rule = destination.rule?.ecrRepositoryPrefix
    }
}
