package import Definitions
package import Model
package import Names

/// What is known of the place that a registry map is written for.
package struct MapBasis: Sendable {
    package var rules: PlacementRules
    /// Account and Region are the workflow's own, and not stand-ins.
    package var isHomeKnown: Bool
    /// What a reader of the map should know of it.
    package var notes: [String]

    package init(rules: PlacementRules, isHomeKnown: Bool, notes: [String] = []) {
        self.rules = rules
        self.isHomeKnown = isHomeKnown
        self.notes = notes
    }

    /// Without an account to ask.
    ///
    /// - Parameters:
    ///   - registry: `ACCOUNT.dkr.ecr.REGION.SUFFIX`, where somebody named it.
    ///   - reason: why it is not asked.
    package init(
        offline template: String,
        pullThrough: [PullThroughCacheRule]?,
        registry: ECRLocation?,
        reason: String
    ) {
        let home = registry.map { HomeRegistry(account: $0.account, region: $0.region, suffix: $0.suffix) }
        rules = PlacementRules(
            home: home ?? Self.standIn,
            pullThrough: pullThrough ?? [],
            template: template,
            clonesUnmapped: true
        )
        isHomeKnown = home != nil
        notes =
            pullThrough == nil
            ? ["the account's pull-through rules are not known (\(reason)): mappings follow clone.destination"] : []
    }

    private static let standIn = HomeRegistry(
        account: "000000000000",
        region: "us-east-1",
        suffix: "dkr.ecr.us-east-1.amazonaws.com"
    )
}

/// `preclone map`: the container registry map of a workflow, written, or one that is given compared with what it needs.
package enum MapVerb {
    /// A written map with all that is to be said of it.
    package struct Answer: Codable, Sendable, Hashable {
        package var schemaVersion = 1
        package var map: ContainerRegistryMap
        /// Every image that the definition names, with its place under the map.
        package var images: [MappedImage]
        /// Mentions whose image cannot be known.
        package var unresolved: [UnresolvedLine]
        package var notes: [String]

        /// Whether a run can pull every image that is known.
        package var isComplete: Bool { images.allSatisfy { $0.problem == nil } }
    }

    /// What a given map leaves out, sends astray or never uses.
    package struct Comparison: Codable, Sendable, Hashable {
        package var schemaVersion = 1
        package var isComplete: Bool
        package var images: [MappedImage]
        package var faults: [RegistryMapCheck.Entry]
        package var unused: [RegistryMapCheck.Entry]
        package var unresolved: [UnresolvedLine]
        package var notes: [String]
    }

    /// A mention whose image cannot be known, and where it stands.
    package struct UnresolvedLine: Codable, Sendable, Hashable {
        package var place: String
        package var expression: String
        package var missing: String
    }

    /// Writes the map. Images below conditions are mapped as well: the map is for every run of the version.
    ///
    /// - Parameters:
    ///   - account: whose registry it leads to, where that is not the workflow's own account.
    ///   - pins: places by digest, by canonical reference; those images get an image mapping to it.
    package static func write(
        for inspection: Inspection,
        _ basis: MapBasis,
        account: String? = nil,
        pins: [String: String] = [:]
    ) -> Answer {
        let basis = basis.fitted(to: inspection)
        let (texts, unresolved) = texts(of: inspection)
        let wanted = texts.map { text in
            let reference = try? ImageReference(text)
            return RegistryMapPlan.Wanted(text, pinned: reference.flatMap { pins[$0.description] })
        }
        let written = RegistryMapPlan.write(for: wanted, rules: basis.rules, account: account)
        var answer = Answer(map: written.map, images: written.images, unresolved: unresolved, notes: basis.notes)
        if !basis.isHomeKnown { hideStandIn(&answer, basis) }
        return answer
    }

    /// Compares a map with what a definition needs.
    package static func check(
        _ map: ContainerRegistryMap,
        for inspection: Inspection,
        _ basis: MapBasis
    ) -> Comparison {
        let basis = basis.fitted(to: inspection, map)
        let (texts, unresolved) = texts(of: inspection)
        let check = RegistryMapCheck(map, for: texts, rules: basis.rules)
        return Comparison(
            isComplete: check.isComplete,
            images: check.images.map { shown($0, basis) },
            faults: check.faults,
            unused: check.unused,
            unresolved: unresolved,
            notes: basis.notes
        )
    }

    /// The texts that are images, and what cannot be known: a placeholder that nobody filled in is no image.
    private static func texts(of inspection: Inspection) -> (texts: [String], unresolved: [UnresolvedLine]) {
        var unresolved = inspection.unresolved.map {
            UnresolvedLine(place: $0.place.description, expression: $0.expression, missing: $0.missing)
        }
        var texts: [String] = []
        for image in inspection.images {
            do {
                _ = try ImageReference(image.text)
                texts.append(image.text)
            } catch {
                guard case .placeholder = error.reason else {
                    texts.append(image.text)
                    continue
                }
                let place = image.places.first?.description ?? ""
                unresolved.append(
                    UnresolvedLine(place: place, expression: image.text, missing: error.explanation)
                )
            }
        }
        return (texts, unresolved)
    }

    // MARK: Without an account

    /// A stand-in for the account must not get into a map: an image mapping needs the account's own name.
    private static func hideStandIn(_ answer: inout Answer, _ basis: MapBasis) {
        let own = basis.rules.home.registry
        answer.map.imageMappings?.removeAll { $0.destinationImage?.hasPrefix(own) ?? false }
        if answer.map.imageMappings?.isEmpty ?? false { answer.map.imageMappings = nil }
        for index in answer.images.indices {
            if answer.images[index].basis == .imageMapping, answer.images[index].destination?.hasPrefix(own) ?? false {
                answer.images[index] = MappedImage(
                    answer.images[index].image,
                    problem: "only an image mapping reaches it, and that names the account",
                    mend: "ask with credentials of the account, or with --registry ACCOUNT.dkr.ecr.REGION.amazonaws.com"
                )
            } else {
                answer.images[index] = shown(answer.images[index], basis)
            }
        }
    }

    private static func shown(_ image: MappedImage, _ basis: MapBasis) -> MappedImage {
        guard !basis.isHomeKnown else { return image }
        var image = image
        for (name, stand) in [(basis.rules.home.account, "ACCOUNT"), (basis.rules.home.region, "REGION")] {
            // What the definition names itself stands as it is.
            if image.basis != .asWritten { image.destination = image.destination?.replacing(name, with: stand) }
        }
        return image
    }
}

extension MapBasis {
    /// Without an account, the Region is the one that the definition or the map name in ECR URIs of their own.
    func fitted(to inspection: Inspection, _ map: ContainerRegistryMap? = nil) -> MapBasis {
        guard !isHomeKnown else { return self }
        let texts = inspection.images.map(\.text) + (map?.imageMappings ?? []).compactMap(\.destinationImage)
        let locations = texts.compactMap { (try? ImageReference($0)).flatMap { ECRLocation($0) } }
        var fitted = self
        let regions = Set(locations.map(\.region)).sorted()
        if let location = locations.min(by: { $0.region < $1.region }) {
            fitted.rules.home.region = location.region
            fitted.rules.home.suffix = location.suffix
        }
        if regions.count > 1 {
            fitted.notes.append(
                "ECR of \(regions.joined(separator: " and ")) is named, and a run pulls from its own Region's only; "
                    + "\(regions[0]) is taken for it here"
            )
        }
        return fitted
    }
}
