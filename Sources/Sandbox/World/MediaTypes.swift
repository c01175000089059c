/// The media types the sandbox's registries speak.
enum ManifestType {
    static let ociManifest = "application/vnd.oci.image.manifest.v1+json"
    static let ociIndex = "application/vnd.oci.image.index.v1+json"
    static let ociConfig = "application/vnd.oci.image.config.v1+json"
    static let ociLayer = "application/vnd.oci.image.layer.v1.tar+gzip"
    static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    static let dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
    static let dockerConfig = "application/vnd.docker.container.image.v1+json"
    static let dockerLayer = "application/vnd.docker.image.rootfs.diff.tar.gzip"

    static func isIndex(_ type: String) -> Bool { type == ociIndex || type == dockerList }
}

/// A manifest as a registry keeps it: the very bytes, and what they point at.
struct StoredManifest: Sendable, Hashable {
    var digest: String
    var mediaType: String
    var bytes: [UInt8]
    /// Digests and sizes of config and layers; empty for an index.
    var blobs: [BlobLink]
    /// Digests of the manifests an index lists.
    var children: [String]
    var subject: String?
    var artifactType: String?

    struct BlobLink: Sendable, Hashable {
        var digest: String
        var size: Int64
        var mediaType: String
    }

    /// Reads a manifest; the type in the document wins over the one the client named.
    ///
    /// - Throws: `ManifestFault` saying why a registry would refuse it.
    init(bytes: [UInt8], contentType: String?) throws {
        guard let document = try? SandboxJSON(json: .init(bytes)), case .object = document else {
            throw ManifestFault(reason: "the manifest is not a JSON object")
        }
        let named = contentType.flatMap { $0.isEmpty ? nil : $0 }
        guard let type = document["mediaType"]?.string ?? named else {
            throw ManifestFault(reason: "neither the manifest nor the request names a media type")
        }
        self.bytes = bytes
        mediaType = type
        digest = SandboxDigest.of(bytes)
        subject = document["subject"]?["digest"]?.string
        artifactType = document["artifactType"]?.string
        if ManifestType.isIndex(type) {
            blobs = []
            children = try (document["manifests"]?.array ?? []).map { try Self.link($0).digest }
        } else {
            guard let config = document["config"] else {
                throw ManifestFault(reason: "the manifest has no config")
            }
            children = []
            blobs = try [Self.link(config)] + (document["layers"]?.array ?? []).map(Self.link)
            artifactType = artifactType ?? config["mediaType"]?.string
        }
    }

    private static func link(_ descriptor: SandboxJSON) throws -> BlobLink {
        guard let digest = descriptor["digest"]?.string, SandboxDigest.isValid(digest),
            let size = descriptor["size"]?.integer, size >= 0
        else {
            throw ManifestFault(reason: "a descriptor lacks a valid digest or size")
        }
        return BlobLink(digest: digest, size: Int64(size), mediaType: descriptor["mediaType"]?.string ?? "")
    }
}

/// Why a manifest is not acceptable.
struct ManifestFault: Error { var reason: String }
