import Model
package import Names
import Remotes

extension Planner {
    /// The short name of a registry in destinations: the four that AWS's guides use, else the host as it stands, with a
    /// port as `__5000`. Two registries never share one: a host has a dot, a port or is `localhost`, an alias has not.
    package static func alias(of registry: String) -> String {
        switch registry {
        case "docker.io": "docker-hub"
        case "quay.io": "quay"
        case "public.ecr.aws": "ecr-public"
        case "ghcr.io": "ghcr"
        default: registry.replacing(":", with: "__")
        }
    }

    /// The name that registry mappings and pull-through cache rules use for a registry.
    package static func upstreamName(of registry: String) -> String {
        registry == "docker.io" ? "registry-1.docker.io" : registry
    }

    /// One name for the spellings of a registry in a mapping or rule: no scheme, no trailing slash, Docker Hub's four
    /// names as `docker.io`.
    static func canonicalRegistry(_ url: String) -> String {
        var name = Substring(url.lowercased())
        for scheme in ["https://", "http://"] where name.hasPrefix(scheme) { name = name.dropFirst(scheme.count) }
        while name.hasSuffix("/") { name = name.dropLast() }
        switch name {
        case "registry-1.docker.io", "index.docker.io", "registry.hub.docker.com", "hub.docker.com": return "docker.io"
        default: return String(name)
        }
    }

    /// The mapping's destination for an image: the text as written first, then its canonical forms.
    ///
    /// Source: HealthOmics user guide, container registry map; image mappings go before registry mappings. A key without
    /// tag stands for the image without tag, or `latest`, and for nothing else.
    static func imageMapping(for reference: ImageReference, mention: String, in map: ContainerRegistryMap?) -> String? {
        imageMappingIndex(for: reference, mention: mention, in: map).flatMap {
            map?.imageMappings?[$0].destinationImage
        }
    }

    static func imageMappingIndex(
        for reference: ImageReference,
        mention: String,
        in map: ContainerRegistryMap?
    ) -> Int? {
        guard let mappings = map?.imageMappings else { return nil }
        let trimmed = mention.hasPrefix("docker://") ? String(mention.dropFirst("docker://".count)) : mention
        let written = mappings.firstIndex { mapping in
            (mapping.sourceImage == mention || mapping.sourceImage == trimmed) && mapping.destinationImage != nil
        }
        return written
            ?? mappings.firstIndex { mapping in
                guard mapping.destinationImage != nil, let text = mapping.sourceImage else { return false }
                return (try? ImageReference(text))?.description == reference.description
            }
    }

    /// The registry mapping that covers a reference: the one with the longest upstream prefix.
    static func registryMapping(for reference: ImageReference, in map: ContainerRegistryMap?) -> RegistryMapping? {
        registryMappingIndex(for: reference, in: map).flatMap { map?.registryMappings?[$0] }
    }

    static func registryMappingIndex(for reference: ImageReference, in map: ContainerRegistryMap?) -> Int? {
        (map?.registryMappings ?? []).enumerated()
            .filter { _, mapping in
                guard let url = mapping.upstreamRegistryUrl, mapping.ecrRepositoryPrefix != nil else { return false }
                return canonicalRegistry(url) == reference.registry
                    && covers(reference.repository, prefix: mapping.upstreamRepositoryPrefix)
            }
            .max { left, right in
                upstreamPrefix(left.element.upstreamRepositoryPrefix).count
                    < upstreamPrefix(right.element.upstreamRepositoryPrefix).count
            }?
            .offset
    }

    /// The pull-through cache rule that serves a reference: the right upstream and the longest upstream prefix.
    package static func bestRule(
        for reference: ImageReference,
        in rules: [PullThroughCacheRule]
    ) -> PullThroughCacheRule? {
        rules.filter { serves($0, reference) }
            .max { upstreamPrefix(of: $0).count < upstreamPrefix(of: $1).count }
    }

    /// The rule under which a repository of ours holds a reference, if the names agree.
    static func rule(
        holding repository: String,
        of reference: ImageReference,
        in rules: [PullThroughCacheRule]
    ) -> PullThroughCacheRule? {
        rules.filter { serves($0, reference) && ecrRepository(of: reference, under: $0) == repository }
            .max { upstreamPrefix(of: $0).count < upstreamPrefix(of: $1).count }
    }

    /// The repository in ECR of a reference that a rule serves.
    package static func ecrRepository(of reference: ImageReference, under rule: PullThroughCacheRule) -> String {
        let rest = stripped(reference.repository, prefix: rule.upstreamRepositoryPrefix)
        return rule.ecrRepositoryPrefix == "ROOT" ? rest : joined(rule.ecrRepositoryPrefix, rest)
    }

    /// From a repository of ours below a pull-through prefix back to what it caches.
    static func upstream(
        of location: ECRLocation,
        rules: [PullThroughCacheRule]
    ) -> (source: ImageReference, rule: PullThroughCacheRule)? {
        let candidates = rules.filter { rule in
            rule.ecrRepositoryPrefix == "ROOT" || covers(location.repository, prefix: rule.ecrRepositoryPrefix)
        }
        let longest = candidates.max { length(of: $0) < length(of: $1) }
        guard let rule = longest, let url = rule.upstreamRegistryUrl else { return nil }
        let rest =
            rule.ecrRepositoryPrefix == "ROOT"
            ? location.repository : stripped(location.repository, prefix: rule.ecrRepositoryPrefix)
        let prefix = upstreamPrefix(of: rule)
        let repository = prefix.isEmpty ? rest : joined(prefix, rest)
        var text = "\(canonicalRegistry(url))/\(repository)"
        if let tag = location.tag { text += ":\(tag)" }
        if let digest = location.digest { text += "@\(digest)" }
        guard let source = try? ImageReference(text) else { return nil }
        return (source, rule)
    }

    private static func length(of rule: PullThroughCacheRule) -> Int {
        rule.ecrRepositoryPrefix == "ROOT" ? 0 : rule.ecrRepositoryPrefix.count
    }

    private static func serves(_ rule: PullThroughCacheRule, _ reference: ImageReference) -> Bool {
        guard let url = rule.upstreamRegistryUrl else { return false }
        return canonicalRegistry(url) == reference.registry
            && covers(reference.repository, prefix: rule.upstreamRepositoryPrefix)
    }

    /// The part of its upstream that a rule serves; empty for all of it.
    static func upstreamPrefix(of rule: PullThroughCacheRule) -> String {
        upstreamPrefix(rule.upstreamRepositoryPrefix)
    }

    private static func upstreamPrefix(_ prefix: String?) -> String {
        prefix.map { $0 == "ROOT" ? "" : trimmed($0) } ?? ""
    }

    private static func trimmed(_ prefix: String) -> String {
        var text = Substring(prefix)
        while text.hasSuffix("/") { text = text.dropLast() }
        return String(text)
    }

    /// Whether a repository lies below a prefix; `dockerhub` is not below `docker`.
    private static func covers(_ repository: String, prefix: String?) -> Bool {
        guard let prefix, prefix != "ROOT", !prefix.isEmpty else { return true }
        return repository.hasPrefix(trimmed(prefix) + "/")
    }

    static func stripped(_ repository: String, prefix: String?) -> String {
        guard let prefix, prefix != "ROOT", !prefix.isEmpty else { return repository }
        let start = trimmed(prefix) + "/"
        return repository.hasPrefix(start) ? String(repository.dropFirst(start.count)) : repository
    }

    static func joined(_ prefix: String, _ rest: String) -> String {
        let start = trimmed(prefix)
        return start.isEmpty ? rest : "\(start)/\(rest)"
    }
}
