package import Model
package import Names
import Remotes

/// The first of the planner's two functions: from a mention to the one ECR URI where HealthOmics will look for it.
package enum Planner {
    /// The place of an image. Pure.
    ///
    /// - Parameters:
    ///   - mention: the text as written in the definition, which image mappings are compared with.
    ///   - map: the registry map of the workflow or version; nil for none.
    package static func destination(
        _ reference: ImageReference,
        mention: String,
        map: ContainerRegistryMap?,
        rules: PlacementRules
    ) -> Placement {
        if let location = ECRLocation(reference) {
            return inECR(reference, location, rules: rules)
        }
        if let mapping = imageMapping(for: reference, mention: mention, in: map) {
            return mapped(reference, to: mapping, rules: rules)
        }
        if let mapping = registryMapping(for: reference, in: map), let prefix = mapping.ecrRepositoryPrefix {
            return registryMapped(reference, mapping, prefix: prefix, rules: rules)
        }
        return unmapped(reference, rules: rules)
    }

    // MARK: The four cases of the design

    private static func inECR(_ reference: ImageReference, _ location: ECRLocation, rules: PlacementRules) -> Placement
    {
        guard location.region == rules.home.region else {
            return .refused(
                Refusal(
                    .unmapped,
                    reason: "\(location.registry) is in \(location.region); HealthOmics pulls only from the workflow's "
                        + "Region, \(rules.home.region)",
                    mend: "name an image in \(rules.home.region) in the workflow or its parameters"
                )
            )
        }
        let isOurs = location.account == rules.home.account
        let withTag = normalized(location)
        let found = isOurs ? upstream(of: withTag, rules: rules.pullThrough) : nil
        return .placed(
            Destination(source: found?.source, location: withTag, basis: .asWritten, rule: found?.rule, isOurs: isOurs)
        )
    }

    private static func mapped(_ reference: ImageReference, to text: String, rules: PlacementRules) -> Placement {
        let parsed: ImageReference
        do {
            parsed = try ImageReference(text)
        } catch {
            return .refused(
                Refusal(
                    .unmapped,
                    reason: "the workflow's image mapping leads to `\(text)`, which is no image reference: \(error)",
                    mend: "correct destinationImage in the workflow's container registry map"
                )
            )
        }
        guard let location = ECRLocation(parsed) else {
            return .refused(
                Refusal(
                    .unmapped,
                    reason: "the workflow's image mapping leads to \(parsed), which is not in a private ECR",
                    mend: "point destinationImage at \(rules.home.registry)"
                )
            )
        }
        guard case .placed(var destination) = inECR(parsed, location, rules: rules) else {
            return inECR(parsed, location, rules: rules)
        }
        destination.basis = .imageMapping
        if let known = destination.source, known.registry == reference.registry,
            known.repository == reference.repository, known.tag == reference.tag
        {
            return .placed(destination)
        }
        // Held to its own name by a rule of another upstream: only a copy puts this image there.
        destination.rule = nil
        destination.source = reference
        return .placed(destination)
    }

    private static func registryMapped(
        _ reference: ImageReference,
        _ mapping: RegistryMapping,
        prefix: String,
        rules: PlacementRules
    ) -> Placement {
        let rest = stripped(reference.repository, prefix: mapping.upstreamRepositoryPrefix)
        let repository = joined(prefix, rest)
        if let fault = ECRLocation.fault(inRepository: repository) {
            return .refused(
                Refusal(
                    .unmapped,
                    reason:
                        "the registry mapping for \(reference.registry) leads to repository `\(repository)`: \(fault)",
                    mend: "change ecrRepositoryPrefix in the workflow's container registry map"
                )
            )
        }
        let account = mapping.ecrAccountId ?? rules.home.account
        let isOurs = account == rules.home.account
        let location = normalized(
            rules.home.location(repository, account: account, tag: reference.tag, digest: reference.digest)
        )
        let rule = isOurs ? Planner.rule(holding: repository, of: reference, in: rules.pullThrough) : nil
        return .placed(
            Destination(
                source: reference,
                location: location,
                basis: .registryMapping(prefix: prefix),
                rule: rule,
                isOurs: isOurs
            )
        )
    }

    private static func unmapped(_ reference: ImageReference, rules: PlacementRules) -> Placement {
        let upstream = upstreamName(of: reference.registry)
        let rule = bestRule(for: reference, in: rules.pullThrough)
        let prefix = rule?.ecrRepositoryPrefix ?? alias(of: reference.registry)
        // A rule that serves a part of its upstream needs a mapping of the same part: the two must name one repository.
        let part = rule.map(upstreamPrefix) ?? ""
        let below = part.isEmpty ? "" : ", \"upstreamRepositoryPrefix\": \"\(part)\""
        let refusal = Refusal(
            .unmapped,
            reason: "the workflow's container registry map does not reach \(reference.registry), so no run can pull it",
            mend: "add {\"upstreamRegistryUrl\": \"\(upstream)\", \"ecrRepositoryPrefix\": \"\(prefix)\"\(below)} to "
                + "registryMappings of the workflow's container registry map"
        )
        guard rules.clonesUnmapped else { return .unmapped(refusal, fallback: nil) }
        switch fallback(for: reference, rules: rules) {
        case .success(let destination): return .unmapped(refusal, fallback: destination)
        case .failure(let fault):
            var told = refusal
            told.reason += "; nor can it be cloned besides: \(fault.reason)"
            return .unmapped(told, fallback: nil)
        }
    }

    /// Where an image goes that no map places: below a pull-through rule of its registry, or by `clone.destination`.
    package static func fallback(
        for reference: ImageReference,
        rules: PlacementRules
    ) -> Result<Destination, Refusal> {
        let rule = bestRule(for: reference, in: rules.pullThrough)
        let repository: String =
            if let rule {
                ecrRepository(of: reference, under: rule)
            } else {
                rules.template
                    .replacing("{registryAlias}", with: alias(of: reference.registry))
                    .replacing("{repository}", with: reference.repository)
            }
        return explicit(reference, repository: repository, rules: rules).map { destination in
            var placed = destination
            placed.basis = .fallback
            placed.rule = rule
            return placed
        }
    }

    /// A place that a person named: the copy route, no rule.
    package static func explicit(
        _ reference: ImageReference,
        repository: String,
        tag: String? = nil,
        rules: PlacementRules
    ) -> Result<Destination, Refusal> {
        if let fault = ECRLocation.fault(inRepository: repository) {
            return .failure(
                Refusal(
                    .invalidName,
                    reason: "\(reference) would go to repository `\(repository)`: \(fault)",
                    mend: "change clone.destination, or name a repository with --target-repository"
                )
            )
        }
        let location = normalized(
            rules.home.location(repository, tag: tag ?? reference.tag, digest: tag == nil ? reference.digest : nil)
        )
        return .success(
            Destination(source: reference, location: location, basis: .explicit, rule: nil, isOurs: true)
        )
    }

    /// A planned image's place again, from its two names: what rule holds it, and whether it is ours, may have changed.
    package static func destination(
        source: ImageReference?,
        location: ECRLocation,
        rules: PlacementRules
    ) -> Destination {
        let isOurs = location.account == rules.home.account
        let isItself = source.map { $0.registry == location.registry } ?? true
        let upstream = isItself ? nil : source
        let rule =
            isOurs
            ? upstream.flatMap { Planner.rule(holding: location.repository, of: $0, in: rules.pullThrough) } : nil
        return Destination(source: upstream, location: location, basis: .asWritten, rule: rule, isOurs: isOurs)
    }

    /// A location always names a tag or a digest.
    private static func normalized(_ location: ECRLocation) -> ECRLocation {
        var result = location
        if result.tag == nil, result.digest == nil { result.tag = "latest" }
        return result
    }
}
