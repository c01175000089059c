/// Which registries and images of a workflow are found where in ECR.
package struct ContainerRegistryMap: Codable, Sendable, Hashable {
    package var registryMappings: [RegistryMapping]?
    package var imageMappings: [ImageMapping]?

    package init(registryMappings: [RegistryMapping]? = nil, imageMappings: [ImageMapping]? = nil) {
        self.registryMappings = registryMappings
        self.imageMappings = imageMappings
    }
}

/// One registry's place in ECR.
package struct RegistryMapping: Codable, Sendable, Hashable {
    package var upstreamRegistryUrl: String?
    package var ecrRepositoryPrefix: String?
    package var upstreamRepositoryPrefix: String?
    package var ecrAccountId: String?
    package var credentialArn: String?

    package init(
        upstreamRegistryUrl: String? = nil,
        ecrRepositoryPrefix: String? = nil,
        upstreamRepositoryPrefix: String? = nil,
        ecrAccountId: String? = nil,
        credentialArn: String? = nil
    ) {
        self.upstreamRegistryUrl = upstreamRegistryUrl
        self.ecrRepositoryPrefix = ecrRepositoryPrefix
        self.upstreamRepositoryPrefix = upstreamRepositoryPrefix
        self.ecrAccountId = ecrAccountId
        self.credentialArn = credentialArn
    }
}

/// One image's place in ECR.
package struct ImageMapping: Codable, Sendable, Hashable {
    package var sourceImage: String?
    package var destinationImage: String?

    package init(sourceImage: String? = nil, destinationImage: String? = nil) {
        self.sourceImage = sourceImage
        self.destinationImage = destinationImage
    }
}
