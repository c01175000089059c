import Model
package import Names
import Remotes

extension MapVerb {
    /// The map of every rule that HealthOmics can use, whatever images there are, and of what is given besides: a mapping
    /// that is given replaces a rule's of the same upstream.
    ///
    /// - Parameter owner: the account whose registry it leads to, where that is not the workflow's own.
    package static func write(
        for rules: [RulesVerb.Standing],
        and given: ContainerRegistryMap,
        owner: String? = nil
    ) -> ContainerRegistryMap {
        let added = given.registryMappings ?? []
        let replaced = Set(added.map(\.upstreamRegistryUrl))
        var mappings = rules.compactMap(mapping).filter { !replaced.contains($0.upstreamRegistryUrl) } + added
        for index in mappings.indices where mappings[index].ecrAccountId == nil { mappings[index].ecrAccountId = owner }
        return ContainerRegistryMap(
            registryMappings: mappings.isEmpty ? nil : mappings,
            imageMappings: (given.imageMappings ?? []).isEmpty ? nil : given.imageMappings
        )
    }

    /// Nil for a rule that HealthOmics cannot use, or that a map cannot name.
    package static func mapping(of rule: RulesVerb.Standing) -> RegistryMapping? {
        // HealthOmics pulls through no rule whose upstream is a private ECR (its guide, pull-through cache).
        guard rule.isUsable == true, let upstream = rule.upstream, rule.prefix != "ROOT",
            (try? ImageReference("\(upstream)/a")).flatMap(ECRLocation.init) == nil
        else { return nil }
        return RegistryMapping(
            upstreamRegistryUrl: upstream,
            ecrRepositoryPrefix: rule.prefix,
            upstreamRepositoryPrefix: rule.upstreamPrefix
        )
    }
}
