package import Foundation
package import Names

/// A manifest or index as a registry gave it: the bytes, untouched so that the digest holds, and what they say.
package struct ManifestDocument: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        case image(Manifest)
        case index(Index)
    }

    package let bytes: [UInt8]
    package let mediaType: MediaType
    package let digest: Digest
    package let content: Content

    /// 4 MiB, the limit of the distribution specification and of ECR's PutImage.
    package static let maximumBytes = 4 * 1024 * 1024
    /// More layers than any builder makes (overlayfs takes 500) are refused.
    package static let maximumLayers = 2_000
    /// Children of one index.
    package static let maximumChildren = 1_000
    /// Manifests of one image in all, which are held in memory until the last blob is there.
    package static let maximumBytesInAll = 16 * 1024 * 1024
    /// Configurations and layers of one image in all.
    package static let maximumBlobs = 10_000

    /// Reads the bytes of a manifest.
    ///
    /// - Parameters:
    ///   - contentType: the `Content-Type` it came with; it decides only when the bytes do not name their type.
    ///   - expected: the digest it was asked for; the bytes must have it.
    /// - Throws: `ManifestError`.
    package init(bytes: [UInt8], contentType: String?, expected: Digest? = nil) throws(ManifestError) {
        guard bytes.count <= Self.maximumBytes else {
            throw ManifestError(.tooLarge, "it has \(bytes.count) bytes, more than \(Self.maximumBytes)")
        }
        let digest = Digest.of(bytes, algorithm: expected?.algorithm ?? .sha256)
        if let expected, digest != expected {
            throw ManifestError(.digestMismatch, "its digest is \(digest), not \(expected)")
        }
        guard JSONBounds.holds(bytes) else {
            throw ManifestError(.tooLarge, "it has more than \(JSONBounds.maximumValues) values, or is too deep")
        }
        let raw: RawManifest
        do {
            raw = try JSONDecoder().decode(RawManifest.self, from: Data(bytes))
        } catch let error as DecodingError {
            throw ManifestError(.malformed, Self.explain(error))
        } catch {
            throw ManifestError(.malformed, "it is not JSON")
        }
        let header = contentType.map {
            MediaType(rawValue: $0.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased())
        }
        let mediaType = try Self.mediaType(of: raw, header: header)
        let content: Content
        if mediaType.isIndex {
            guard let children = raw.manifests, raw.layers == nil, raw.config == nil else {
                throw ManifestError(.malformed, "an index has `manifests`, and neither `config` nor `layers`")
            }
            guard children.count <= Self.maximumChildren else {
                throw ManifestError(.tooLarge, "it has \(children.count) manifests")
            }
            var manifests: [Descriptor] = []
            for (position, child) in children.enumerated() {
                // OCI has readers pass over what they do not know (image specification, index, `manifests`).
                let type = MediaType(rawValue: child.mediaType ?? "")
                guard type.isIndex || type.isManifest || type.rawValue.isEmpty else { continue }
                let descriptor = try child.descriptor(at: "manifests[\(position)]")
                guard descriptor.size <= Self.maximumBytes else {
                    throw ManifestError(.badDescriptor, "manifests[\(position)] claims \(descriptor.size) bytes")
                }
                manifests.append(descriptor)
            }
            content = .index(Index(manifests: manifests))
        } else {
            guard let config = raw.config, raw.manifests == nil else {
                throw ManifestError(.malformed, "an image manifest has `config` and `layers`, and no `manifests`")
            }
            let rawLayers = raw.layers ?? []
            guard rawLayers.count <= Self.maximumLayers else {
                throw ManifestError(.tooLarge, "it has \(rawLayers.count) layers")
            }
            var layers: [Descriptor] = []
            for (position, layer) in rawLayers.enumerated() {
                layers.append(try layer.descriptor(at: "layers[\(position)]"))
            }
            content = .image(
                Manifest(
                    configuration: try config.descriptor(at: "config"),
                    layers: layers,
                    subject: try raw.subject?.descriptor(at: "subject")
                )
            )
        }
        self.bytes = bytes
        self.mediaType = mediaType
        self.digest = digest
        self.content = content
    }

    private static func mediaType(of raw: RawManifest, header: MediaType?) throws(ManifestError) -> MediaType {
        let written = raw.mediaType.map { MediaType(rawValue: $0) }
        if raw.schemaVersion == 1 || written?.isSchema1 == true || (written == nil && header?.isSchema1 == true) {
            throw ManifestError(
                .schema1,
                "it is of Docker's schema 1, which registries no longer take"
            )
        }
        guard raw.schemaVersion == 2 else {
            throw ManifestError(.malformed, "`schemaVersion` is not 2")
        }
        if let written {
            guard written.isIndex || written.isManifest else {
                throw ManifestError(.unknownMediaType, "its media type is `\(written.rawValue.prefix(120))`")
            }
            return written
        }
        if let header, header.isIndex || header.isManifest { return header }
        // OCI allows to leave the type out; then what it holds tells.
        return raw.manifests != nil ? .ociIndex : .ociManifest
    }

    private static func explain(_ error: DecodingError) -> String {
        func path(_ context: DecodingError.Context) -> String {
            let keys = context.codingPath.prefix(8).map {
                $0.intValue.map { "[\($0)]" } ?? String($0.stringValue.prefix(40))
            }
            return keys.isEmpty ? "the top" : keys.joined(separator: ".")
        }
        switch error {
        case .typeMismatch(_, let context): return "a value of the wrong type at \(path(context))"
        case .valueNotFound(_, let context): return "null at \(path(context))"
        case .keyNotFound(let key, let context): return "`\(key.stringValue.prefix(40))` is missing at \(path(context))"
        case .dataCorrupted: return "it is not JSON"
        @unknown default: return "it is not JSON"
        }
    }
}

private struct RawManifest: Decodable {
    var schemaVersion: Int?
    var mediaType: String?
    var config: RawDescriptor?
    var layers: [RawDescriptor]?
    var manifests: [RawDescriptor]?
    var subject: RawDescriptor?
}

private struct RawDescriptor: Decodable {
    struct RawPlatform: Decodable {
        var os: String?
        var architecture: String?
        var variant: String?
        var osVersion: String?

        enum CodingKeys: String, CodingKey {
            case os, architecture, variant
            case osVersion = "os.version"
        }

        /// nil where a name is longer than any platform's: it is shown and kept in many places.
        var known: Platform? {
            let names = [os, architecture, variant, osVersion].compactMap(\.self)
            guard names.allSatisfy({ $0.utf8.count <= 64 }) else { return nil }
            return Platform(
                operatingSystem: os ?? "unknown",
                architecture: architecture ?? "unknown",
                variant: variant.flatMap { $0.isEmpty ? nil : $0 },
                version: osVersion
            )
        }
    }

    var mediaType: String?
    var digest: String?
    var size: Int64?
    var platform: RawPlatform?

    func descriptor(at place: String) throws(ManifestError) -> Descriptor {
        guard let size else { throw ManifestError(.badDescriptor, "\(place) has no size") }
        guard (0...Descriptor.maximumSize).contains(size) else {
            throw ManifestError(.badDescriptor, "\(place) has the size \(size)")
        }
        let type = MediaType(rawValue: mediaType ?? "")
        guard type.isWellFormed else {
            throw ManifestError(.unknownMediaType, "\(place) has the media type `\(type.rawValue.prefix(120))`")
        }
        let parsed: Digest
        do { parsed = try Digest(digest ?? "") } catch {
            throw ManifestError(.badDescriptor, "\(place): \(error)")
        }
        return Descriptor(mediaType: type, digest: parsed, size: size, platform: platform?.known)
    }
}

/// A manifest that will not be copied. Not worth another try: the same bytes would come again.
package struct ManifestError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Reason: String, Sendable, Hashable {
        case tooLarge
        case malformed
        case digestMismatch
        case unknownMediaType
        case schema1
        case badDescriptor
    }

    package let reason: Reason
    package let detail: String

    package init(_ reason: Reason, _ detail: String) {
        self.reason = reason
        self.detail = detail
    }

    package var description: String { "the manifest is refused: \(detail)" }
}

/// What the configuration of an image says that matters here.
package struct ImageConfiguration: Hashable, Sendable {
    package var platform: Platform?
    package var created: Date?

    /// 4 MiB: larger configurations are copied, but not read.
    package static let maximumBytes: Int64 = 4 * 1024 * 1024

    /// Reads an image's configuration; nil when the bytes are none.
    package init?(bytes: [UInt8]) {
        struct Raw: Decodable {
            var os: String?
            var architecture: String?
            var variant: String?
            var created: String?
        }
        guard JSONBounds.holds(bytes), let raw = try? JSONDecoder().decode(Raw.self, from: Data(bytes)) else {
            return nil
        }
        if let os = raw.os, let architecture = raw.architecture,
            [os, architecture, raw.variant ?? ""].allSatisfy({ $0.utf8.count <= 64 })
        {
            platform = Platform(operatingSystem: os, architecture: architecture, variant: raw.variant)
        }
        created = raw.created.flatMap(Self.date)
    }

    /// An RFC 3339 date; fractions of seconds, which builders write with nine digits, do not matter.
    package static func date(_ text: String) -> Date? {
        guard text.utf8.count <= 64 else { return nil }
        var plain = text
        if let dot = text.firstIndex(of: ".") {
            let rest = text[text.index(after: dot)...].drop { $0.isNumber }
            plain = String(text[..<dot]) + String(rest)
        }
        return try? Date(plain, strategy: .iso8601)
    }
}
