import Model
import Names
import Remotes

extension Cloner {
    /// What policy asks of an image beyond its name, read at its source: manifest and config, no layer.
    ///
    /// Of an index, the linux/amd64 image is what counts. Costs counted pulls where the registry counts them, so it is
    /// asked only where a rule depends on it and no copy reads the manifest anyway.
    func facts(of source: ImageReference) async throws -> ImageFacts {
        let client = try await registries.client(for: source.registry)
        var named = source.digest
        if named == nil {
            named = try await client.headManifest(source.repository, .tag(source.tag ?? "latest"))?.digest
        }
        var document = try await registries.manifest(of: source, named)
        var platforms: [Platform] = []
        if case .index(let index) = document.content {
            platforms = index.images.compactMap(\.platform)
            let child = index.image(for: .linuxAMD64)
            guard let child else {
                return ImageFacts(size: 0, layers: 0, created: nil, platforms: platforms.map(\.description))
            }
            document = try await registries.manifest(of: source, child.digest)
        }
        guard case .image(let manifest) = document.content else {
            throw RegistryError(.unsupported, host: source.registry, detail: "\(source) is an index of indexes")
        }
        var facts = ImageFacts(
            size: manifest.blobs.reduce(0) { $0 + $1.size },
            layers: manifest.layers.count,
            created: nil,
            platforms: platforms.map(\.description)
        )
        let configuration = manifest.configuration
        if configuration.mediaType.isImageConfiguration, configuration.size <= ImageConfiguration.maximumBytes {
            let content = ImageConfiguration(bytes: try await client.readBlob(source.repository, configuration))
            facts.created = content?.created
            if platforms.isEmpty, let platform = content?.platform { facts.platforms = [platform.description] }
        }
        return facts
    }
}
