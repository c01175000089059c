import Foundation
import Names
import Remotes
import Testing

private let hex = String(repeating: "0123456789abcdef", count: 4)

@Suite struct ImageReferenceTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var text: String
        var registry: String
        var repository: String
        var tag: String?
        var digest: Bool

        init(_ text: String, _ registry: String, _ repository: String, _ tag: String?, digest: Bool = false) {
            self.text = text
            self.registry = registry
            self.repository = repository
            self.tag = tag
            self.digest = digest
        }

        var testDescription: String { text }
    }

    static let accepted: [Case] = [
        Case("ubuntu", "docker.io", "library/ubuntu", "latest"),
        Case("ubuntu:22.04", "docker.io", "library/ubuntu", "22.04"),
        Case("myorg/myimage:v1", "docker.io", "myorg/myimage", "v1"),
        Case("quay.io/biocontainers/samtools:1.17", "quay.io", "biocontainers/samtools", "1.17"),
        Case("public.ecr.aws/lts/ubuntu:22.04", "public.ecr.aws", "lts/ubuntu", "22.04"),
        Case("ghcr.io/owner/repo:tag", "ghcr.io", "owner/repo", "tag"),
        Case("ubuntu@sha256:\(hex)", "docker.io", "library/ubuntu", nil, digest: true),
        Case("docker.io/library/ubuntu:latest", "docker.io", "library/ubuntu", "latest"),
        Case("wave.seqera.io/wt/abc123:latest", "wave.seqera.io", "wt/abc123", "latest"),
        Case("quay.io/org/sub/image:v1", "quay.io", "org/sub/image", "v1"),
        Case("docker.io/ubuntu:22.04", "docker.io", "library/ubuntu", "22.04"),
        Case("registry-1.docker.io/ubuntu", "docker.io", "library/ubuntu", "latest"),
        Case("index.docker.io/library/ubuntu:1", "docker.io", "library/ubuntu", "1"),
        Case("ubuntu:22.04@sha256:\(hex)", "docker.io", "library/ubuntu", "22.04", digest: true),
        Case("quay.io/a/b:1.0@sha256:\(hex)", "quay.io", "a/b", "1.0", digest: true),
        Case("localhost/foo:1", "localhost", "foo", "1"),
        Case("localhost:5000/foo", "localhost:5000", "foo", "latest"),
        Case("host:5000/a/b:t", "host:5000", "a/b", "t"),
        Case("[::1]:5000/a:t", "[::1]:5000", "a", "t"),
        Case("[fd00::2]/a", "[fd00::2]", "a", "latest"),
        Case(
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/x/y:1",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com",
            "x/y",
            "1"
        ),
        Case("docker://quay.io/a/b:1", "quay.io", "a/b", "1"),
        Case("docker://ubuntu", "docker.io", "library/ubuntu", "latest"),
        Case("Quay.io/a/b", "quay.io", "a/b", "latest"),
        Case("  quay.io/a/b:1\n", "quay.io", "a/b", "1"),
        Case(
            "nvcr.io/nvidia/clara/clara-parabricks:4.3.0-1",
            "nvcr.io",
            "nvidia/clara/clara-parabricks",
            "4.3.0-1"
        ),
        Case(
            "community.wave.seqera.io/library/fastqc:0.12.1--af7a5314d5015c29",
            "community.wave.seqera.io",
            "library/fastqc",
            "0.12.1--af7a5314d5015c29"
        ),
        Case("a__b/c-d---e.f", "docker.io", "a__b/c-d---e.f", "latest"),
        Case("localhost", "docker.io", "library/localhost", "latest"),
        Case("quay.io/a@sha512:\(hex)\(hex)", "quay.io", "a", nil, digest: true),
        Case("quay.io/a/\(hex)", "quay.io", "a/\(hex)", "latest"),
    ]

    @Test(arguments: accepted)
    func acceptsWhatPeopleWrite(_ example: Case) throws {
        let reference = try ImageReference(example.text)
        #expect(reference.registry == example.registry)
        #expect(reference.repository == example.repository)
        #expect(reference.tag == example.tag)
        #expect((reference.digest != nil) == example.digest)
        #expect(try ImageReference(reference.description) == reference)
    }

    @Test(arguments: [
        ("ubuntu", "docker.io/library/ubuntu:latest"),
        ("registry-1.docker.io/a/b@sha256:\(hex)", "docker.io/a/b@sha256:\(hex)"),
        ("QUAY.io/a/b:x@sha256:\(hex)", "quay.io/a/b:x@sha256:\(hex)"),
    ])
    func printsTheCanonicalForm(_ text: String, _ canonical: String) throws {
        #expect(try ImageReference(text).description == canonical)
    }

    static let refused: [(String, ImageReferenceError.Reason)] = [
        ("", .empty),
        ("   ", .empty),
        ("docker://", .empty),
        ("ubuntu:", .emptyTag),
        ("quay.io/a/b:", .emptyTag),
        ("oras://community.wave.seqera.io/library/fastqc:1", .scheme("oras")),
        ("https://depot.galaxyproject.org/singularity/fastqc:0.11.9--0", .scheme("https")),
        ("HTTP://quay.io/a", .scheme("http")),
        ("shub://a/b", .scheme("shub")),
        ("quay.io/Org/Tool:1", .upperCase("org/tool")),
        ("Ubuntu", .upperCase("ubuntu")),
        ("${image}", .placeholder("${")),
        ("quay.io/{{repo}}:1", .placeholder("{{")),
        ("quay.io/a:~{version}", .placeholder("~{")),
        ("quay.io/a:$(inputs.tag)", .placeholder("$(")),
        ("quay.io/$name:1", .placeholder("$")),
        ("a b", .badCharacter),
        ("quay.io/a/b:ü", .badCharacter),
        ("quay.io/", .emptyRepository),
        (":tag", .emptyRepository),
        ("quay.io//a", .badRepository("/a")),
        ("a--.b", .badRepository("a--.b")),
        ("a___b", .badRepository("a___b")),
        ("-a", .badRepository("-a")),
        ("a/b/", .badRepository("a/b/")),
        ("quay.io:99999/a", .badHost("quay.io:99999")),
        ("quay..io/a", .badHost("quay..io")),
        ("host:0/a", .badHost("host:0")),
        ("-quay.io/a", .badHost("-quay.io")),
        ("a:.b", .badTag(".b")),
        ("a:b:c", .badRepository("a:b")),
        (hex, .imageIdentifier),
        (String(repeating: "a/", count: 140) + "a", .tooLong),
    ]

    @Test(arguments: refused)
    func refusesWithAReason(_ text: String, _ reason: ImageReferenceError.Reason) {
        #expect {
            try ImageReference(text)
        } throws: { error in
            let error = error as? ImageReferenceError
            return error?.reason == reason && error?.description.contains("not an image reference") == true
        }
    }

    @Test(arguments: [
        "ubuntu@sha256:abc123def456", "ubuntu@sha256:abc123", "a@b@sha256:\(hex)", "ubuntu@md5:\(hex)",
        "ubuntu@sha256:\(hex.uppercased())", "ubuntu@",
    ])
    func refusesBadDigests(_ text: String) {
        #expect {
            try ImageReference(text)
        } throws: { error in
            guard case .badDigest = (error as? ImageReferenceError)?.reason else { return false }
            return true
        }
    }

    @Test func dockerHubHasOneName() throws {
        let names = [
            "ubuntu", "docker.io/ubuntu", "index.docker.io/library/ubuntu", "registry-1.docker.io/ubuntu:latest",
        ]
        #expect(Set(try names.map { try ImageReference($0) }).count == 1)
    }

    @Test func pinningDropsTheTag() throws {
        let digest = try Digest("sha256:\(hex)")
        let pinned = try ImageReference("quay.io/a/b:1").pinned(to: digest)
        #expect(pinned.description == "quay.io/a/b@sha256:\(hex)")
        #expect(pinned.manifestReference == "sha256:\(hex)")
    }

    @Test func survivesJSON() throws {
        let reference = try ImageReference("ubuntu:1@sha256:\(hex)")
        let data = try JSONEncoder().encode([reference])
        #expect(try JSONDecoder().decode([ImageReference].self, from: data) == [reference])
    }
}

@Suite struct DigestTests {
    @Test(arguments: [
        ("", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func matchesPublishedVectors(_ text: String, _ expected: String) {
        #expect(Digest.of(Array(text.utf8)).description == expected)
    }

    @Test func hashesInPieces() {
        let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var hasher = Digest.Hasher(.sha512)
        for start in stride(from: 0, to: bytes.count, by: 777) {
            bytes[start..<min(start + 777, bytes.count)].withUnsafeBytes { hasher.update($0) }
        }
        #expect(hasher.finalize() == Digest.of(bytes, algorithm: .sha512))
    }

    @Test(arguments: ["sha256", "sha256:", "sha384:\(hex)", "sha256:\(hex)0", "sha256:g\(hex.dropFirst())", ":\(hex)"])
    func refuses(_ text: String) {
        #expect(throws: DigestError.self) { try Digest(text) }
    }
}
