package import Names

/// What a manifest says about a piece of content (OCI image specification, descriptor.md).
package struct Descriptor: Hashable, Sendable {
    package var mediaType: MediaType
    package var digest: Digest
    /// Bytes, from 0 to `maximumSize`.
    package var size: Int64
    package var platform: Platform?

    /// One tebibyte: no registry takes a layer of that size (ECR: 52,000 MiB), so more is a mistake or an attack.
    package static let maximumSize: Int64 = 1 << 40

    package init(
        mediaType: MediaType,
        digest: Digest,
        size: Int64,
        platform: Platform? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.platform = platform
    }
}

/// The manifest of one image or artifact.
package struct Manifest: Hashable, Sendable {
    package var configuration: Descriptor
    package var layers: [Descriptor]
    /// The manifest this one says something about (a signature, an attestation).
    package var subject: Descriptor?

    /// Configuration and layers, each digest once, in the order of the manifest.
    package var blobs: [Descriptor] {
        var seen: Set<Digest> = []
        return ([configuration] + layers).filter { seen.insert($0.digest).inserted }
    }
}

/// A list of manifests, usually one for each platform.
package struct Index: Hashable, Sendable {
    package var manifests: [Descriptor]

    /// The children that are images of a known platform; attestations say `unknown/unknown`.
    package var images: [Descriptor] {
        manifests.filter {
            $0.platform.map { $0.operatingSystem != "unknown" && $0.architecture != "unknown" } ?? false
        }
    }

    /// The child for a platform: of several that would do the one that every machine of it runs, then the first.
    package func image(for wanted: Platform) -> Descriptor? {
        let fitting = images.filter { $0.platform.map(wanted.accepts) ?? false }
        return fitting.first { $0.platform?.isBaseline ?? false } ?? fitting.first
    }
}
