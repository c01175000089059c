import Foundation
import NIOCore
import NIOHTTP1
import Names
import Remotes
import Synchronization
import Testing

private let hex = String(repeating: "0123456789abcdef", count: 4)

@Suite struct ManifestDocumentTests {
    private static func blob(_ more: String = "", digest: String = "sha256:\(hex)", size: String = "3") -> String {
        #"{"mediaType":"application/x","digest":"\#(digest)","size":\#(size)\#(more)}"#
    }

    private static func image(config: String = blob(), layers: String = "", more: String = "") -> String {
        #"{"schemaVersion":2,"config":\#(config),"layers":[\#(layers)]\#(more)}"#
    }

    @Test func readsArtifactsAndKeepsTheBytes() throws {
        let text = Self.image(layers: Self.blob(size: "0"), more: #","artifactType":"a/b","annotations":{"k":"v"}"#)
        let document = try ManifestDocument(
            bytes: Array(text.utf8),
            contentType: "application/vnd.oci.image.manifest.v1+json; x"
        )
        #expect(document.bytes == Array(text.utf8))
        #expect(document.digest == Digest.of(Array(text.utf8)))
        guard case .image(let manifest) = document.content else { throw Failure() }
        #expect(manifest.layers.map(\.size) == [0])
        #expect(manifest.blobs.count == 1, "the same digest twice is one blob")
    }
    private struct Failure: Error {}

    static let refused: [(String, ManifestError.Reason)] = [
        ("", .malformed), ("[]", .malformed), ("{}", .malformed), (#"{"schemaVersion":2}"#, .malformed),
        (#"{"schemaVersion":1}"#, .schema1),
        (#"{"schemaVersion":2,"mediaType":"text/html"}"#, .unknownMediaType),
        (image(more: #","manifests":[]"#), .malformed),
        (image(layers: blob(size: "-1")), .badDescriptor),
        (image(layers: blob(size: "99999999999999")), .badDescriptor),
        (image(layers: blob(size: "1e400")), .malformed),
        (image(layers: blob(digest: "md5:\(hex)")), .badDescriptor),
        (String(repeating: #"{"a":"#, count: 100_000), .tooLarge),
        (
            #"{"schemaVersion":2,"layers":["# + Array(repeating: "{}", count: 100_000).joined(separator: ",") + "]}",
            .tooLarge
        ),
        (String(repeating: " ", count: ManifestDocument.maximumBytes + 1), .tooLarge),
        (image(layers: Array(repeating: blob(), count: 2_001).joined(separator: ",")), .tooLarge),
    ]

    @Test(arguments: refused.indices)
    func refuses(_ index: Int) {
        let (text, reason) = Self.refused[index]
        #expect {
            try ManifestDocument(bytes: Array(text.utf8), contentType: nil)
        } throws: { ($0 as? ManifestError)?.reason == reason }
    }

    @Test func checksTheDigest() throws {
        #expect(throws: ManifestError.self) {
            try ManifestDocument(
                bytes: Array(Self.image().utf8),
                contentType: nil,
                expected: try Digest("sha256:\(hex)")
            )
        }
    }
}

@Suite struct PlatformTests {
    @Test(arguments: [
        ("linux/amd64", "linux/amd64", true), ("linux/amd64", "linux/arm64", false),
        ("linux/arm64", "linux/arm64/v8", true),
        ("linux/arm64/v8", "linux/arm64", true), ("linux/arm/v7", "linux/arm/v6", false),
        ("Linux/X86_64", "linux/amd64", true),
        ("windows/amd64", "linux/amd64", false),
    ])
    func accepts(_ wanted: String, _ offered: String, _ expected: Bool) throws {
        #expect(try #require(Platform(wanted)).accepts(try #require(Platform(offered))) == expected)
    }

    @Test func ofSeveralThatFitTheOneThatRunsEverywhereIsChosen() throws {
        func index(_ platforms: [String]) throws -> Index {
            let entries = platforms.enumerated().map { position, name in
                let parts = name.split(separator: "/")
                let variant = parts.count > 2 ? #","variant":"\#(parts[2])""# : ""
                let digest = Digest.of([UInt8(position)])
                return #"{"mediaType":"\#(MediaType.ociManifest)","digest":"\#(digest)","size":1,"#
                    + #""platform":{"os":"\#(parts[0])","architecture":"\#(parts[1])"\#(variant)}}"#
            }
            let text = #"{"schemaVersion":2,"manifests":[\#(entries.joined(separator: ","))]}"#
            let document = try ManifestDocument(bytes: Array(text.utf8), contentType: nil)
            guard case .index(let index) = document.content else { throw CancellationError() }
            return index
        }
        let several = try index(["linux/arm64", "linux/amd64/v3", "linux/amd64", "linux/amd64/v2"])
        #expect(several.image(for: .linuxAMD64)?.digest == Digest.of([2]))
        #expect(several.image(for: try #require(Platform("linux/amd64/v3")))?.digest == Digest.of([1]))
        #expect(try index(["linux/amd64/v2", "linux/amd64/v3"]).image(for: .linuxAMD64)?.digest == Digest.of([0]))
        #expect(try index(["linux/arm64"]).image(for: .linuxAMD64) == nil)
    }

    @Test(arguments: ["", "linux", "linux/", "a/b/c/d", "linux/amd 64"])
    func refuses(_ text: String) { #expect(Platform(text) == nil) }
}

@Suite struct AuthenticationChallengeTests {
    @Test func readsSeveralOfOneLine() {
        let found = AuthenticationChallenge.parse(
            #"Bearer realm="https://a/t?x=\"1\"",service=reg , scope="repository:a/b:pull,push", Basic realm=x"#
        )
        #expect(
            found == [
                .init(
                    scheme: "bearer",
                    parameters: ["realm": #"https://a/t?x="1""#, "service": "reg", "scope": "repository:a/b:pull,push"]
                ),
                .init(scheme: "basic", parameters: ["realm": "x"]),
            ]
        )
    }

    @Test(arguments: ["", "\"", "Bearer realm=\"x", ",,,", "= = ="])
    func survives(_ text: String) { #expect(AuthenticationChallenge.parse(text).count <= 1) }
}

@Suite struct CredentialTests {
    @Test(arguments: [
        (#"{"username":"u","accessToken":"t"}"#, "t"), (#"{"username":"u","password":"p:q"}"#, "p:q"),
        ("u:p:q\n", "p:q"),
    ])
    func readsSecrets(_ text: String, _ password: String) throws {
        #expect(try RegistryCredential(secret: text, registry: "r") == .basic(user: "u", password: password))
    }

    @Test(arguments: ["", "geheim", #"{"username":"geheim"}"#, #"{"username":1}"#, "geheim:\nb", ":geheim"])
    func refusesWithoutShowing(_ text: String) {
        #expect {
            try RegistryCredential(secret: text, registry: "r")
        } throws: { !"\($0)".contains("geheim") && ($0 as? RegistryError)?.kind == .noCredentials }
    }

    @Test func isNeverPrinted() {
        let credential = RegistryCredential.basic(user: "u", password: "geheim")
        #expect("\(credential)" == "<redacted>")
        #expect(!String(reflecting: credential).contains("geheim"))
        var text = ""
        dump(credential, to: &text)
        #expect(!text.contains("geheim"))
    }

    @Test(arguments: ["../x", "a/b", "", ".."])
    func aCredentialFileIsANameOnly(_ name: String) {
        #expect(throws: RegistryError.self) {
            try RegistryCredential(file: name, directory: "/tmp", registry: "r")
        }
    }

    @Test func asksAHelperOnItsStandardInput() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("helper-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = folder.appendingPathComponent("docker-credential-known")
        // Reads to the end, as real helpers do: it hangs unless its input is closed.
        let script = """
            #!/bin/sh
            server=$(cat)
            [ "$1" = get ] || exit 3
            printf '{"ServerURL":"%s","Username":"somebody","Secret":"for %s"}' "$server" "$server"
            """
        try Data(script.utf8).write(to: program)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
        let helper = CredentialHelper(searchPath: folder.path)
        let found = try await helper.credential(helper: "known", server: "known.example", registry: "known.example")
        #expect(found == .basic(user: "somebody", password: "for known.example"))
    }

    @Test func readsDockersFileAndMissesAHelper() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let auth = Data("joe:pa:ss".utf8).base64EncodedString()
        let file = folder.appendingPathComponent("config.json")
        try Data(
            """
            {"auths":{"https://index.docker.io/v1/":{"auth":"\(auth)"},"quay.io":{"identitytoken":"idt"},
             "broken.example":{"auth":"%%"}},
             "credHelpers":{"missing.example":"nowhere"}}
            """.utf8
        ).write(to: file)
        let source = try DockerCredentials(path: file.path, helpers: CredentialHelper(searchPath: folder.path))
        #expect(try await source.credential(for: "docker.io") == .basic(user: "joe", password: "pa:ss"))
        #expect(try await source.credential(for: "quay.io") == .identityToken("idt"))
        #expect(try await source.credential(for: "ghcr.io") == .anonymous)
        await #expect(throws: RegistryError.self) { try await source.credential(for: "missing.example") }
        await #expect(throws: RegistryError.self) { try await source.credential(for: "broken.example") }
    }

    @Test func aHelperThatKnowsNothingIsAskedOnceForMany() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = folder.appendingPathComponent("docker-credential-tests")
        let script = """
            #!/bin/sh
            read -r server
            echo "$server" >>"\(folder.path)/asked"
            echo "credentials not found in native keychain"
            exit 1
            """
        try Data(script.utf8).write(to: program)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
        let file = folder.appendingPathComponent("config.json")
        try Data(#"{"auths":{"quay.io":{"username":"a","password":"b"}},"credsStore":"tests"}"#.utf8).write(to: file)
        let time = HastyTime()
        let source = try DockerCredentials(
            path: file.path,
            helpers: CredentialHelper(searchPath: folder.path),
            timeline: time.timeline
        )
        func asked() throws -> Int {
            try String(contentsOf: folder.appendingPathComponent("asked"), encoding: .utf8).split(separator: "\n").count
        }
        try await withThrowingTaskGroup(of: RegistryCredential.self) { group in
            for _ in 0..<10 { group.addTask { try await source.credential(for: "quay.io") } }
            for try await credential in group { #expect(credential == .basic(user: "a", password: "b")) }
        }
        let once = try asked()
        #expect(once <= 5, "once under each name")
        _ = try await source.credential(for: "quay.io")
        #expect(try asked() == once)
        await source.invalidate(.basic(user: "a", password: "b"), for: "quay.io")
        _ = try await source.credential(for: "quay.io")
        #expect(try asked() == 2 * once)
    }

    @Test func loadsOnceForMany() async throws {
        let time = HastyTime()
        let loads = Mutex(0)
        let source = LoadedCredential(timeline: time.timeline) {
            let number = loads.withLock { count -> Int in
                count += 1
                return count
            }
            return .init(
                credential: .basic(user: "AWS", password: "\(number)"),
                expires: time.start.addingTimeInterval(3_600)
            )
        }
        try await withThrowingTaskGroup(of: RegistryCredential.self) { group in
            for _ in 0..<20 { group.addTask { try await source.credential(for: "ecr") } }
            for try await credential in group { #expect(credential == .basic(user: "AWS", password: "1")) }
        }
        await source.invalidate(.basic(user: "AWS", password: "1"), for: "ecr")
        #expect(try await source.credential(for: "ecr") == .basic(user: "AWS", password: "2"))
        #expect(loads.withLock { $0 } == 2)
    }
}

/// How many are inside at once, and how many there ever were.
private final class Gauge: Sendable {
    private let state = Mutex((now: 0, most: 0))
    var most: Int { state.withLock { $0.most } }
    func enter() {
        state.withLock {
            $0.now += 1
            $0.most = max($0.most, $0.now)
        }
    }
    func leave() { state.withLock { $0.now -= 1 } }
}

@Suite struct NamedSlotsTests {
    @Test func neverMoreThanAllowed() async throws {
        let slots = NamedSlots(3)
        let gauge = Gauge()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await slots.with(["a", "b"]) {
                        gauge.enter()
                        await Task.yield()
                        gauge.leave()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(gauge.most <= 3)
        #expect(gauge.most > 0)
    }

    @Test func aCancelledWaiterLeavesNothingBehind() async throws {
        let slots = NamedSlots(1)
        try await slots.with(["a"]) {
            await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await slots.with(["a"]) {} }
                group.cancelAll()
                await #expect(throws: CancellationError.self) { try await group.waitForAll() }
            }
        }
        try await slots.with(["a"]) {}
    }
}

@Suite struct PartUploadTests {
    /// A registry that takes parts, in memory.
    actor Store: LayerPartStore {
        let partSize: Int
        init(partSize: Int = 1 << 20) { self.partSize = partSize }
        var uploads: [String: [UInt8]] = [:]
        var stored: [Digest: [UInt8]] = [:]
        var failAfterParts: Int?
        private var number = 0

        func setFailure(after parts: Int?) { failAfterParts = parts }
        func lose() { uploads = [:] }

        func initiate(repository: String) async throws -> (uploadID: String, partSize: Int) {
            number += 1
            uploads["u\(number)"] = []
            return ("u\(number)", partSize)
        }

        func upload(part: ByteBuffer, first: Int64, uploadID: String, repository: String) async throws -> Int64 {
            guard let have = uploads[uploadID] else { throw PartUploadError.uploadNotFound }
            guard first == have.count else { throw PartUploadError.resumeAt(Int64(have.count)) }
            if let left = failAfterParts {
                if left == 0 { throw RegistryError(.unreachable, host: "ecr", detail: "gone") }
                failAfterParts = left - 1
            }
            uploads[uploadID]? += part.readableBytesView
            return Int64(have.count + part.readableBytes)
        }

        func complete(uploadID: String, digest: Digest, repository: String) async throws {
            let bytes = uploads.removeValue(forKey: uploadID) ?? []
            guard Digest.of(bytes) == digest else {
                throw RegistryError(.digestMismatch, host: "ecr", detail: "other bytes")
            }
            stored[digest] = bytes
        }

        func available(_ digests: [Digest], repository: String) async throws -> Set<Digest> {
            Set(digests.filter { stored[$0] != nil })
        }
    }

    actor Journal: UploadJournal {
        private(set) var record: UploadRecord?
        func load(registry: String, repository: String, digest: Digest) async -> UploadRecord? { record }
        func save(_ record: UploadRecord) async { self.record = record }
        func drop(registry: String, repository: String, digest: Digest) async { record = nil }
    }

    /// How large parts are only the registry knows: 20 MiB carry twice what 10 do.
    @Test(arguments: [(16 << 20, 1), (8 << 20, 0)])
    func asksHowLargePartsAre(_ partSize: Int, _ parts: Int) async throws {
        try await RegistryServer.with { source, destination in
            let layer = [UInt8](repeating: 7, count: 11 << 20)
            source.putImage("a/tool", tag: "1", layers: [layer])
            let store = Store(partSize: partSize)
            let bench = try CopyBench()
            var copy = try bench.copy(source, destination)
            copy.destination.parts = PartUpload(store: store, journal: nil, threshold: 1 << 20, maximumParts: 1)
            _ = try await copy.run()
            #expect(await store.stored.count == parts)
            #expect(destination.count(.PUT, Digest.of(layer).encoded) == 1 - parts)
        }
    }

    @Test(arguments: [false, true])
    func goesOnWhereItWas(_ isLost: Bool) async throws {
        try await RegistryServer.with { source, destination in
            let layer = content(3 << 20 | 17, seed: 77)
            source.putImage("a/tool", tag: "1", layers: [layer])
            let store = Store()
            let journal = Journal()
            let bench = try CopyBench()
            func copy() throws -> ImageCopy {
                var copy = try bench.copy(source, destination)
                copy.destination.parts = PartUpload(store: store, journal: journal, threshold: 1 << 20)
                return copy
            }
            await store.setFailure(after: 2)
            await #expect(throws: RegistryError.self) { try await copy().run() }
            #expect(await journal.record?.bytesSent == 2 << 20)
            await store.setFailure(after: nil)
            if isLost { await store.lose() }
            _ = try await copy().run()
            #expect(await store.stored[Digest.of(layer)] == layer)
            #expect(await journal.record == nil)
            let ranges = source.log.filter { $0.uri.contains(Digest.of(layer).description) }
                .compactMap { $0.headers.first(name: "range") }
            #expect(ranges == ["bytes=\(2 << 20)-"])
        }
    }

    @Test func stopsAfterAPartAndGoesOnThere() async throws {
        try await RegistryServer.with { source, destination in
            let layer = content(3 << 20 | 17, seed: 78)
            source.putImage("a/tool", tag: "1", layers: [layer])
            let store = Store()
            let journal = Journal()
            let bench = try CopyBench()
            func copy() throws -> ImageCopy {
                var copy = try bench.copy(source, destination)
                copy.destination.parts = PartUpload(store: store, journal: journal, threshold: 1 << 20)
                return copy
            }
            var stopped = try copy()
            stopped.mayGoOn = { $0.bytesMoved < 2 << 20 }
            await #expect(throws: ImageCopy.StoppedBetweenBlobs.self) { try await stopped.run() }
            #expect(await journal.record?.bytesSent == 2 << 20)
            #expect(destination.manifest("b/tool", "1") == nil)
            _ = try await copy().run()
            #expect(await store.stored[Digest.of(layer)] == layer)
            let ranges = source.log.filter { $0.uri.contains(Digest.of(layer).description) }
                .compactMap { $0.headers.first(name: "range") }
            #expect(ranges == ["bytes=\(2 << 20)-"])
        }
    }
}
