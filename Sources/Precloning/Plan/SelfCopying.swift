import Names

extension Planner {
    /// Registries whose images HealthOmics copies into the account by itself where a mapping has credentials.
    ///
    /// Source: the AWS HealthOmics release of 14 October 2026: Seqera Containers, NVIDIA NGC, Google's registries.
    private static let selfCopied = ["community.wave.seqera.io", "wave.seqera.io", "nvcr.io", "gcr.io"]
    private static let selfCopiedSuffixes = [".gcr.io", ".pkg.dev"]

    /// Whether a run's image comes without us, though only when its task asks for it.
    static func comesByItself(_ reference: ImageReference, map: ContainerRegistryMap?) -> Bool {
        let registry = reference.registry
        guard selfCopied.contains(registry) || selfCopiedSuffixes.contains(where: registry.hasSuffix) else {
            return false
        }
        return map?.registryMappings?.contains { mapping in
            mapping.credentialArn != nil && mapping.upstreamRegistryUrl.map(canonicalRegistry) == registry
        } ?? false
    }
}
