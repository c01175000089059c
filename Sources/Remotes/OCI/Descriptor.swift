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

    /// Of an index's child: it says of itself that it runs nowhere, as attestations do.
    var isNoImage: Bool {
        platform.map { $0.operatingSystem == "unknown" && $0.architecture == "unknown" } ?? false
    }
}

/// The manifest of one image or artifact.
package struct Manifest: Hashable, Sendable {
    package var configuration: Descriptor
    package var layers: [Descriptor]
    /// The manifest this one says something about (a signature, an attestation).
    package var subject: Descriptor?

    /// Configuration and layers that a registry holds, each digest once, in the order of the manifest.
    package var blobs: [Descriptor] {
        var seen: Set<Digest> = []
        return ([configuration] + layers).filter { !$0.mediaType.isForeign && seen.insert($0.digest).inserted }
    }

    /// Whether layers are to be had from a place outside every registry, as those of old Windows images.
    var hasForeignLayers: Bool { layers.contains { $0.mediaType.isForeign } }
}

extension MediaType {
    /// A layer that is not to be distributed: registries, ECR too, take a manifest without it, and clients get it from
    /// the URLs of its descriptor. From there we never fetch.
    var isForeign: Bool { rawValue.contains(".foreign.") || rawValue.contains(".nondistributable.") }
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
