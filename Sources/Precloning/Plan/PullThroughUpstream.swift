import Names

/// An upstream registry as Amazon ECR's pull-through cache knows it, and whether HealthOmics may use such a cache.
///
/// Source: the service model `ecr/2015-09-21`, UpstreamRegistry; Amazon ECR user guide, pull-through cache; HealthOmics user
/// guide, container images (the registries that it uses through a pull-through cache).
package struct PullThroughUpstream: Sendable, Hashable {
    /// As preclone names it: `docker.io`.
    package var registry: String
    /// `upstreamRegistry` of the API.
    package var kind: String
    /// ECR takes no rule for it without a secret.
    package var needsSecret: Bool

    /// - Returns: nil for a registry that has no pull-through cache for HealthOmics.
    package init?(_ registry: String) {
        switch registry {
        case "public.ecr.aws": (kind, needsSecret) = ("ecr-public", false)
        case "quay.io": (kind, needsSecret) = ("quay", false)
        case "registry.k8s.io": (kind, needsSecret) = ("k8s", false)
        case "docker.io": (kind, needsSecret) = ("docker-hub", true)
        case "ghcr.io": (kind, needsSecret) = ("github-container-registry", true)
        case "registry.gitlab.com": (kind, needsSecret) = ("gitlab-container-registry", true)
        case _ where registry.hasSuffix(".azurecr.io"): (kind, needsSecret) = ("azure-container-registry", true)
        default: return nil
        }
        self.registry = registry
    }

    /// The registry that a person means: its name in any spelling, or the alias that destinations use for it.
    package static func registry(named text: String) -> String {
        switch text {
        case "docker-hub", "dockerhub": "docker.io"
        case "quay": "quay.io"
        case "ecr-public": "public.ecr.aws"
        case "ghcr": "ghcr.io"
        default: ImageReference.canonicalHost(Planner.canonicalRegistry(text)) ?? text
        }
    }
}
