/// A media type of a manifest, index or blob.
package struct MediaType: Hashable, Sendable, RawRepresentable, Codable, CustomStringConvertible {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package static let ociIndex = MediaType(rawValue: "application/vnd.oci.image.index.v1+json")
    package static let ociManifest = MediaType(rawValue: "application/vnd.oci.image.manifest.v1+json")
    package static let dockerList = MediaType(rawValue: "application/vnd.docker.distribution.manifest.list.v2+json")
    package static let dockerManifest = MediaType(rawValue: "application/vnd.docker.distribution.manifest.v2+json")
    package static let ociConfig = MediaType(rawValue: "application/vnd.oci.image.config.v1+json")
    package static let dockerConfig = MediaType(rawValue: "application/vnd.docker.container.image.v1+json")

    /// Everything we can copy, for the `Accept` header. All of it, always: a registry that is not told that the
    /// stored type is welcome may convert the manifest, and its digest changes.
    package static let accepted = [ociIndex, ociManifest, dockerList, dockerManifest]

    /// An index of OCI or a manifest list of Docker.
    package var isIndex: Bool { self == .ociIndex || self == .dockerList }
    package var isManifest: Bool { self == .ociManifest || self == .dockerManifest }
    /// Docker's first schema, signed or not: its layers are not addressed by what they contain as stored today.
    package var isSchema1: Bool {
        rawValue.hasPrefix("application/vnd.docker.distribution.manifest.v1+")
    }
    /// The configuration of an image to run; an artifact has any other type there. Docker before 1.12 did not name it.
    package var isImageConfiguration: Bool {
        self == .ociConfig || self == .dockerConfig || rawValue == "application/octet-stream"
    }

    /// Whether the text has the form `type/subtype` of RFC 6838, with at most 255 characters.
    package var isWellFormed: Bool {
        let parts = rawValue.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, rawValue.utf8.count <= 255 else { return false }
        return parts.allSatisfy { part in
            guard let first = part.utf8.first, Self.isAlphanumeric(first) else { return false }
            return part.utf8.allSatisfy { Self.isAlphanumeric($0) || "!#$&-^_.+".utf8.contains($0) }
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }

    package var description: String { rawValue }
}
