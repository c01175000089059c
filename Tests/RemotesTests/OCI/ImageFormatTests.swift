import Foundation
import NIOHTTP1
import Names
import Remotes
import Testing

/// What is copied as it is, and what is refused with a reason.
@Suite struct ImageFormatTests {
    /// A manifest's text over blobs that are put beside it.
    private static func manifest(
        _ server: RegistryServer,
        _ repository: String,
        type: String?,
        config: (type: String, bytes: [UInt8]),
        layers: [(type: String, bytes: [UInt8])],
        more: String = ""
    ) -> String {
        func descriptor(_ blob: (type: String, bytes: [UInt8])) -> String {
            server.put(blob: blob.bytes, in: repository)
            return #"{"size":\#(blob.bytes.count),"digest":"\#(Digest.of(blob.bytes))","mediaType":"\#(blob.type)"}"#
        }
        let head = type.map { #""mediaType":"\#($0)","# } ?? ""
        let list = layers.map(descriptor).joined(separator: ",")
        return #"{"schemaVersion":2,\#(head)"config":\#(descriptor(config)),"layers":[\#(list)]\#(more)}"#
    }

    private static func entry(_ digest: Digest, _ type: MediaType, _ size: Int, platform: String = "") -> String {
        #"{"mediaType":"\#(type)","digest":"\#(digest)","size":\#(size)\#(platform)}"#
    }

    @Test func dockersListWithGzipLayersKeepsEveryByte() async throws {
        try await RegistryServer.with { source, destination in
            let config = Array(#"{"os":"linux","architecture":"amd64"}"#.utf8)
            let text = Self.manifest(
                source,
                "a/tool",
                type: MediaType.dockerManifest.rawValue,
                config: ("application/vnd.docker.container.image.v1+json", config),
                layers: [
                    ("application/vnd.docker.image.rootfs.diff.tar.gzip", content(3_000, seed: 1)),
                    ("application/vnd.docker.image.rootfs.diff.tar.gzip", []),
                ]
            )
            let child = source.put(manifest: text, type: .dockerManifest, tag: nil, in: "a/tool")
            let platform = #","platform":{"os":"linux","architecture":"amd64"}"#
            let entry = Self.entry(child, .dockerManifest, text.utf8.count, platform: platform)
            // Spaces and order that no encoder of ours would make.
            let list = source.put(
                manifest:
                    "{ \"manifests\" : [ \(entry) ],\n\t\"mediaType\":\"\(MediaType.dockerList)\" , \"schemaVersion\" :2 }\n",
                type: .dockerList,
                tag: "1",
                in: "a/tool"
            )
            let bench = try CopyBench()
            let outcome = try await bench.copy(source, destination).run()
            #expect(outcome.destinationDigest == list)
            #expect(destination.manifest("b/tool", "1") == source.manifest("a/tool", "1"))
            #expect(destination.manifest("b/tool", child.description) == Array(text.utf8))
            #expect(destination.blob("b/tool", Digest.of([UInt8]())) == [])
            let types = destination.log.filter { $0.method == .PUT && $0.uri.contains("/manifests/") }
                .compactMap { $0.headers.first(name: "content-type") }
            #expect(types == [MediaType.dockerManifest.rawValue, MediaType.dockerList.rawValue])
        }
    }

    @Test(arguments: [true, false])
    func artifactsWithAConfigurationOfAnyType(_ saysItsType: Bool) async throws {
        try await RegistryServer.with { source, destination in
            let text = Self.manifest(
                source,
                "a/tool",
                type: saysItsType ? MediaType.ociManifest.rawValue : nil,
                config: ("application/vnd.oci.empty.v1+json", Array("{}".utf8)),
                layers: [("application/vnd.example+text", Array("not a tar".utf8))],
                more: #","artifactType":"application/vnd.example","annotations":{"a":"b"}"#
            )
            let digest = source.put(manifest: text, type: .ociManifest, tag: "1", in: "a/tool")
            let bench = try CopyBench()
            let outcome = try await bench.copy(source, destination).run()
            #expect(outcome.destinationDigest == digest)
            #expect(destination.manifest("b/tool", "1") == Array(text.utf8))
        }
    }

    @Test func anArtifactIsNoImageThatRunsAndOneOfOldDockerIs() async throws {
        try await RegistryServer.with { source, destination in
            let bench = try CopyBench()
            func copy(_ type: String, _ configuration: String) async throws -> ImageCopy.Outcome {
                let text = Self.manifest(
                    source,
                    "a/tool",
                    type: MediaType.ociManifest.rawValue,
                    config: (type, Array(configuration.utf8)),
                    layers: [("application/vnd.sylabs.sif.layer.v1.sif", content(900, seed: 3))]
                )
                source.put(manifest: text, type: .ociManifest, tag: "1", in: "a/tool")
                return try await bench.copy(source, destination, platforms: [.linuxAMD64]).run()
            }
            await #expect {
                try await copy("application/vnd.sylabs.sif.config.v1+json", "{}")
            } throws: { error in
                (error as? RegistryError)?.kind == .unsupported && "\(error)".contains("vnd.sylabs.sif.config")
            }
            #expect(destination.count(.POST, "/") == 0)
            let old = try await copy("application/octet-stream", #"{"os":"linux","architecture":"amd64"}"#)
            #expect(old.platformDigest == old.destinationDigest)
            await #expect {
                try await copy("application/octet-stream", #"{"os":"linux","architecture":"arm64"}"#)
            } throws: { ($0 as? RegistryError)?.kind == .platformMissing }
        }
    }

    @Test func anIndexInAnIndexIsCopiedAndADeeperOneRefused() async throws {
        try await RegistryServer.with { source, destination in
            let image = source.putImage("a/tool", tag: nil, layers: [[1, 2, 3]])
            var digest = image
            var type = MediaType.ociManifest
            var size = source.manifest("a/tool", image.description)?.count ?? 0
            for depth in 1...4 {
                let text =
                    #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":[\#(Self.entry(digest, type, size))]}"#
                digest = source.put(manifest: text, type: .ociIndex, tag: "deep\(depth)", in: "a/tool")
                type = .ociIndex
                size = text.utf8.count
            }
            let bench = try CopyBench()
            for tag in ["deep1", "deep2"] {
                let outcome = try await bench.copy(source, destination, to: "b/\(tag)", reference: .tag(tag)).run()
                #expect(outcome.destinationDigest == outcome.sourceDigest)
                #expect(destination.manifest("b/\(tag)", image.description) != nil)
            }
            for tag in ["deep3", "deep4"] {
                await #expect {
                    try await bench.copy(source, destination, to: "b/\(tag)", reference: .tag(tag)).run()
                } throws: { error in
                    (error as? RegistryError)?.kind == .unsupported && "\(error)".contains("levels deep")
                }
            }
        }
    }

    @Test func anIndexOfMoreThanMemoryIsMeantForIsRefused() async throws {
        try await RegistryServer.with { source, destination in
            // Ten thousand layers in all, and one image more.
            func child(_ number: Int) -> String {
                let layers = (0..<1_700).map { layer in
                    let digest = Digest.of(Array("\(number) \(layer)".utf8))
                    return #"{"mediaType":"a/b","digest":"\#(digest)","size":1}"#
                }
                return #"{"schemaVersion":2,"config":\#(layers[0]),"layers":[\#(layers.joined(separator: ","))]}"#
            }
            var entries: [String] = []
            for number in 0..<6 {
                let text = child(number)
                let digest = source.put(manifest: text, type: .ociManifest, tag: nil, in: "a/tool")
                entries.append(Self.entry(digest, .ociManifest, text.utf8.count))
            }
            source.put(
                manifest: #"{"schemaVersion":2,"manifests":[\#(entries.joined(separator: ","))]}"#,
                type: .ociIndex,
                tag: "layers",
                in: "a/tool"
            )
            // Sixteen mebibytes of manifests.
            entries = (0..<5).map { number in
                let filling = String(repeating: "a", count: 3_900_000)
                let blob = #"{"mediaType":"a/b","digest":"\#(Digest.of([1]))","size":1}"#
                let text =
                    #"{"schemaVersion":2,"config":\#(blob),"layers":[],"annotations":{"\#(number)":"\#(filling)"}}"#
                let digest = source.put(manifest: text, type: .ociManifest, tag: nil, in: "a/tool")
                return Self.entry(digest, .ociManifest, text.utf8.count)
            }
            source.put(
                manifest: #"{"schemaVersion":2,"manifests":[\#(entries.joined(separator: ","))]}"#,
                type: .ociIndex,
                tag: "bytes",
                in: "a/tool"
            )
            let bench = try CopyBench()
            for (tag, reason) in [("layers", "10000 layers"), ("bytes", "16777216 bytes")] {
                await #expect {
                    try await bench.copy(source, destination, reference: .tag(tag)).run()
                } throws: { error in
                    (error as? RegistryError)?.kind == .unsupported && "\(error)".contains(reason)
                }
            }
            #expect(destination.count(.POST, "/") == 0)
        }
    }

    @Test func aManifestOfMoreThanFourMebibytesIsNotRead() async throws {
        try await RegistryServer.with { source, destination in
            let text = #"{"schemaVersion":2,"x":""# + String(repeating: "a", count: 4 << 20) + #""}"#
            source.put(manifest: text, type: .ociManifest, tag: "1", in: "a/tool")
            let bench = try CopyBench()
            await #expect {
                try await bench.copy(source, destination).run()
            } throws: { error in
                (error as? RegistryError)?.kind == .unsupported && "\(error)".contains("larger than")
            }
            #expect(destination.count(.POST, "/") == 0)
        }
    }

    @Test func aManifestOfOtherBytesThanItsDigestIsRefused() async throws {
        try await RegistryServer.with { source, destination in
            let digest = source.putImage("a/tool", tag: "1", layers: [[1]])
            source.change {
                $0.faults.append { request in
                    guard request.method == .GET, request.uri.contains("/manifests/") else { return nil }
                    return .init(
                        status: .ok,
                        headers: ["content-type": MediaType.ociManifest.rawValue],
                        body: Array(#"{"schemaVersion":2,"config":{}}"#.utf8)
                    )
                }
            }
            let bench = try CopyBench()
            for reference in [ManifestReference.tag("1"), .digest(digest)] {
                await #expect {
                    try await bench.copy(source, destination, reference: reference).run()
                } throws: { ($0 as? RegistryError)?.kind == .digestMismatch }
            }
            #expect(destination.count(.PUT, "/") == 0)
        }
    }
}
