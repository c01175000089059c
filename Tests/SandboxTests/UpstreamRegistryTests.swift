import Foundation
import Names
import Remotes
import Sandbox
import Testing

/// Public registries: tokens, quotas, ranges, bytes that nobody keeps.
struct UpstreamRegistryTests {
    @Test func givesTokensAndCountsManifestGETsOnly() async throws {
        let hub = "registry-1.docker.io"
        let settings = UpstreamSettings(
            accounts: ["user": "secret"],
            anonymousQuota: PullAllowance(limit: 2, window: 3600)
        )
        try await SandboxClient.withClient(SandboxConfiguration(upstreams: [hub: settings])) { client in
            try client.sandbox.putImage(ImageRecipe("u"), registry: hub, repository: "library/u", tags: ["1"])
            let path = "/v2/library/u/manifests/1"
            let bare = try await client.send("GET", (client.sandbox.addresses.registries[hub] ?? "") + path)
            #expect(bare.status == 401)
            #expect(bare.headers["www-authenticate"]?.contains("scope=\"repository:library/u:pull\"") == true)
            for _ in 0..<3 {
                let head = try await client.upstream("HEAD", hub, path)
                #expect(head.status == 200)
                #expect(head.headers["ratelimit-remaining"] == "2;w=3600")
            }
            #expect(try await client.upstream("GET", hub, path).headers["ratelimit-remaining"] == "1;w=3600")
            #expect(try await client.upstream("GET", hub, path).headers["ratelimit-limit"] == "2;w=3600")
            let over = try await client.upstream("GET", hub, path)
            #expect(over.status == 429)
            #expect(over.json["errors"]?.array?.first?["code"] == "TOOMANYREQUESTS")
            client.sandbox.advance(by: 3601)
            #expect(try await client.upstream("GET", hub, path).status == 200)
            let token = (client.sandbox.addresses.registries[hub] ?? "") + "/token?scope=repository:library/u:pull"
            let basic = Data("user:wrong".utf8).base64EncodedString()
            #expect(try await client.send("GET", token, headers: ["Authorization": "Basic \(basic)"]).status == 401)
        }
    }

    @Test func makesLargeLayersUpAsTheyAreRead() async throws {
        try await SandboxClient.withClient { client in
            let size: Int64 = 5 << 20 | 12345
            let recipe = ImageRecipe("large", layers: [.init("large", size: size)])
            let image = try client.sandbox.putImage(recipe, registry: "quay.io", repository: "org/large", tags: ["1"])
            #expect(image.root == recipe.made().root)
            let digest = try #require(image.blobSizes.first { $0.value == size }?.key)
            let path = "/v2/org/large/blobs/\(digest)"
            let whole = try await client.upstream("GET", "quay.io", path)
            #expect(whole.body.count == Int(size))
            #expect(Digest.of(whole.body).description == digest)
            for range in [0..<10, 1_048_570..<1_048_590, 5_000_000..<5_000_001] {
                let headers = ["Range": "bytes=\(range.lowerBound)-\(range.upperBound - 1)"]
                let part = try await client.upstream("GET", "quay.io", path, headers: headers)
                #expect(part.status == 206)
                #expect(part.body == whole.body[range])
            }
            let beyond = try await client.upstream("GET", "quay.io", path, headers: ["Range": "bytes=\(size)-"])
            #expect(beyond.status == 416)
        }
    }

    @Test func misbehavesWhenTold() async throws {
        try await SandboxClient.withClient { client in
            let sandbox = client.sandbox
            let image = try sandbox.putImage(ImageRecipe("t"), registry: "quay.io", repository: "o/t", tags: ["1"])
            let manifest = "/v2/o/t/manifests/1"
            let digest = try #require(image.blobSizes.first { $0.value == 4096 }?.key)
            sandbox.add(Fault(.throttle, operation: "GetManifest", registry: "quay.io", times: 2, retryAfter: 7))
            let throttled = try await client.upstream("GET", "quay.io", manifest)
            #expect(throttled.status == 429)
            #expect(throttled.headers["retry-after"] == "7")
            #expect(try await client.upstream("GET", "quay.io", manifest).status == 429)
            #expect(try await client.upstream("GET", "quay.io", manifest).status == 200)
            sandbox.add(Fault(.corrupt, operation: "GetBlob", times: 1))
            let corrupt = try await client.upstream("GET", "quay.io", "/v2/o/t/blobs/\(digest)")
            #expect(Digest.of(corrupt.body).description != digest)
            sandbox.add(Fault(.cut, operation: "GetBlob", bytes: 1000))
            await #expect(throws: (any Error).self) {
                try await client.upstream("GET", "quay.io", "/v2/o/t/blobs/\(digest)")
            }
            sandbox.clearFaults()
            sandbox.add(Fault(.wrongDigest, operation: "GetManifest", times: 1))
            let wrong = try await client.upstream("GET", "quay.io", manifest)
            #expect(wrong.headers["docker-content-digest"] != image.root)
            let right = try await client.upstream("GET", "quay.io", manifest)
            #expect(right.headers["docker-content-digest"] == image.root)
            #expect(sandbox.requests.counts["registry:quay.io/GetManifest"] ?? 0 >= 5)
        }
    }
}
