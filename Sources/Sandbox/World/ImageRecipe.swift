import Crypto
import Foundation
import NIOCore

/// How to make an image: the same recipe gives the same digests on every machine and day.
package struct ImageRecipe: Sendable, Hashable {
    /// Which media types the manifests have.
    package enum Format: Sendable, Hashable {
        case oci
        case docker
    }

    /// One layer; layers with the same name and size are the same blob, in whatever image they stand.
    package struct Layer: Sendable, Hashable {
        package var name: String
        /// Bytes. Above a mebibyte they are made up when they are read, not kept.
        package var size: Int64
        /// Whether each platform has a layer of its own.
        package var isPlatformSpecific: Bool

        package init(_ name: String, size: Int64 = 4096, isPlatformSpecific: Bool = true) {
            self.name = name
            self.size = size
            self.isPlatformSpecific = isPlatformSpecific
        }
    }

    /// Goes into the config, so that images of different names differ.
    package var name: String
    /// Such as `linux/amd64`; more than one makes an index.
    package var platforms: [String]
    /// Whether even a single platform stands in an index.
    package var isIndex: Bool
    package var format: Format
    package var layers: [Layer]

    /// - Parameter layers: nil for one small layer named for the image.
    package init(
        _ name: String,
        platforms: [String] = ["linux/amd64"],
        isIndex: Bool = false,
        format: Format = .oci,
        layers: [Layer]? = nil
    ) {
        self.name = name
        self.platforms = platforms
        self.isIndex = isIndex || platforms.count > 1
        self.format = format
        self.layers = layers ?? [Layer("layer of " + name)]
    }

    /// Makes the image. Hashes every layer, so a large one takes its time.
    package func made() -> MadeImage {
        var image = MadeImage()
        let manifests = platforms.map { platform in
            (platform: platform, descriptor: manifest(for: platform, into: &image))
        }
        if isIndex {
            let entries = manifests.map { entry -> SandboxJSON in
                let parts = entry.platform.split(separator: "/").map(String.init)
                var descriptor = entry.descriptor
                descriptor["platform"] = .compact([
                    "os": .string(parts.first ?? "linux"),
                    "architecture": .string(parts.count > 1 ? parts[1] : "amd64"),
                    "variant": parts.count > 2 ? .string(parts[2]) : nil,
                ])
                return .object(descriptor)
            }
            let type = format == .oci ? ManifestType.ociIndex : ManifestType.dockerList
            image.root = image.add([
                "schemaVersion": 2, "mediaType": .string(type), "manifests": .array(entries),
            ])
        } else if let digest = manifests.first?.descriptor["digest"]?.string {
            image.root = digest
        }
        return image
    }

    private func manifest(for platform: String, into image: inout MadeImage) -> [String: SandboxJSON] {
        let parts = platform.split(separator: "/").map(String.init)
        let contents = layers.map { layer in
            Self.content(layer.isPlatformSpecific ? "\(platform) \(layer.name)" : layer.name, size: layer.size)
        }
        let digests = contents.map { image.add($0) }
        let config = SandboxJSON.compact([
            "created": "2026-01-01T00:00:00Z",
            "os": .string(parts.first ?? "linux"),
            "architecture": .string(parts.count > 1 ? parts[1] : "amd64"),
            "variant": parts.count > 2 ? .string(parts[2]) : nil,
            "config": ["Cmd": ["/bin/bash"], "Labels": ["name": .string(name)]],
            "rootfs": ["type": "layers", "diff_ids": .array(digests.map { .string($0) })],
            "history": .array(layers.map { ["created_by": .string($0.name)] }),
        ])
        let configContent = BlobContent.bytes(Array(config.data))
        let configDigest = image.add(configContent)
        let layerType = format == .oci ? ManifestType.ociLayer : ManifestType.dockerLayer
        let type = format == .oci ? ManifestType.ociManifest : ManifestType.dockerManifest
        let digest = image.add([
            "schemaVersion": 2,
            "mediaType": .string(type),
            "config": [
                "mediaType": .string(format == .oci ? ManifestType.ociConfig : ManifestType.dockerConfig),
                "digest": .string(configDigest),
                "size": .integer(configContent.size),
            ],
            "layers": .array(
                zip(digests, contents).map { digest, content in
                    ["mediaType": .string(layerType), "digest": .string(digest), "size": .integer(content.size)]
                }
            ),
        ])
        return [
            "mediaType": .string(type),
            "digest": .string(digest),
            "size": .integer(Int64(image.manifests[digest]?.bytes.count ?? 0)),
        ]
    }

    private static func content(_ name: String, size: Int64) -> BlobContent {
        let seed = SHA256.hash(data: Data("\(name) \(size)".utf8)).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let generated = GeneratedBytes(seed: seed, size: size)
        guard size <= Int64(GeneratedBytes.blockSize) else { return .generated(generated) }
        var piece = generated.piece(at: 0, atMost: Int(size))
        return .bytes(piece.readBytes(length: piece.readableBytes) ?? [])
    }
}

/// The manifests and blobs of an image.
package struct MadeImage: Sendable {
    /// The digest a tag would point at.
    package fileprivate(set) var root = ""
    fileprivate(set) var manifests: [String: StoredManifest] = [:]
    fileprivate(set) var blobs: [String: BlobContent] = [:]

    /// Digests of all blobs, with their sizes in bytes.
    package var blobSizes: [String: Int64] { blobs.mapValues(\.size) }

    /// Digests of all manifests: the root and, for an index, its children.
    package var manifestDigests: Set<String> { Set(manifests.keys) }

    /// The digest of the manifest for a platform; the root when the image is not an index.
    package func digest(for platform: String) -> String? {
        guard let root = manifests[root] else { return nil }
        guard ManifestType.isIndex(root.mediaType) else { return root.digest }
        guard let entries = try? SandboxJSON(json: .init(root.bytes))["manifests"]?.array else { return nil }
        return entries.first { entry in
            let names = ["os", "architecture", "variant"].compactMap { entry["platform"]?[$0]?.string }
            return names.joined(separator: "/") == platform
        }?["digest"]?.string
    }

    mutating func add(_ contents: [BlobContent]) { for content in contents { _ = add(content) } }

    mutating func setRoot(_ document: SandboxJSON) { root = add(document) }

    fileprivate mutating func add(_ content: BlobContent) -> String {
        let digest = content.digest
        blobs[digest] = content
        return digest
    }

    fileprivate mutating func add(_ document: SandboxJSON) -> String {
        guard let manifest = try? StoredManifest(bytes: Array(document.data), contentType: nil) else { return "" }
        manifests[manifest.digest] = manifest
        return manifest.digest
    }
}
