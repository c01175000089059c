import Foundation
import Remotes
import Sandbox
import TestSupport
import Testing

/// The pull-through cache: what makes it import, when layers are there, what it does about the upstream.
struct PullThroughTests {
    private static let path = "/v2/quay/org/tool/manifests/"

    private func withRule(
        _ settings: PullThroughSettings = PullThroughSettings(layerPolls: 0),
        _ body: @Sendable (SandboxClient, MadeImage) async throws -> Void
    ) async throws {
        try await SandboxClient.withClient(SandboxConfiguration(pullThrough: settings)) { client in
            let image = try client.sandbox.putImage(
                ImageRecipe("tool", platforms: ["linux/amd64", "linux/arm64"]),
                registry: "quay.io",
                repository: "org/tool",
                tags: ["1.0"]
            )
            try client.sandbox.ecr(
                "CreatePullThroughCacheRule",
                ["ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"]
            )
            try await body(client, image)
        }
    }

    private func availability(_ client: SandboxClient, _ digest: String) throws -> String? {
        let answer = try client.sandbox.ecr(
            "BatchCheckLayerAvailability",
            ["repositoryName": "quay/org/tool", "layerDigests": [.string(digest)]]
        )
        return answer["layers"]?.array?.first?["layerAvailability"]?.string
    }

    @Test func importsByTagAndNotByDigest() async throws {
        try await withRule { client, image in
            #expect(try await client.registry("GET", Self.path + image.root).status == 404)
            #expect(client.sandbox.privateRepositories == [])
            let answer = try await client.registry("GET", Self.path + "1.0")
            #expect(answer.status == 200)
            #expect(answer.headers["docker-content-digest"] == image.root)
            #expect(client.sandbox.privateTags("quay/org/tool") == ["1.0": image.root])
            for digest in image.manifestDigests {
                #expect(try await client.registry("GET", Self.path + digest).status == 200)
            }
        }
    }

    @Test func createsTheRepositoryFromTheTemplateWithTheLongestPrefix() async throws {
        try await withRule { client, _ in
            for (prefix, policy) in [("ROOT", "root"), ("quay", "quay"), ("quay/other", "other")] {
                try client.sandbox.ecr(
                    "CreateRepositoryCreationTemplate",
                    [
                        "prefix": .string(prefix), "appliedFor": ["PULL_THROUGH_CACHE"],
                        "repositoryPolicy": .string(policy), "imageTagMutability": "IMMUTABLE",
                    ]
                )
            }
            _ = try await client.registry("GET", Self.path + "1.0")
            let policy = try client.sandbox.ecr("GetRepositoryPolicy", ["repositoryName": "quay/org/tool"])
            #expect(policy["policyText"] == "quay")
        }
    }

    @Test func layersComeAfterTheManifest() async throws {
        try await withRule(PullThroughSettings(layerDelay: 60, layerPolls: 2)) { client, image in
            _ = try await client.registry("GET", Self.path + "1.0")
            let digest = try #require(image.blobSizes.keys.first)
            #expect(try availability(client, digest) == "UNAVAILABLE")
            #expect(try await client.registry("HEAD", "/v2/quay/org/tool/blobs/\(digest)").status == 404)
            client.sandbox.advance(by: 61)
            #expect(try availability(client, digest) == "UNAVAILABLE")
            #expect(try availability(client, digest) == "UNAVAILABLE")
            #expect(try availability(client, digest) == "AVAILABLE")
            #expect(try await client.registry("HEAD", "/v2/quay/org/tool/blobs/\(digest)").status == 200)
            #expect(!client.sandbox.isWhole("quay/org/tool", "1.0"))
        }
    }

    @Test func aBlobThatIsAskedForComesAtOnce() async throws {
        try await withRule(PullThroughSettings(layersOnlyOnRequest: true)) { client, image in
            _ = try await client.registry("GET", Self.path + "1.0")
            let digest = try #require(image.blobSizes.keys.first)
            #expect(try availability(client, digest) == "UNAVAILABLE")
            client.sandbox.advance(by: 3600)
            #expect(try availability(client, digest) == "UNAVAILABLE")
            #expect(try await client.registry("GET", "/v2/quay/org/tool/blobs/\(digest)").status == 307)
            #expect(try availability(client, digest) == "AVAILABLE")
        }
    }

    @Test func looksUpstreamAgainAfterADay() async throws {
        try await withRule { client, old in
            _ = try await client.registry("GET", Self.path + "1.0")
            let new = try client.sandbox.putImage(
                ImageRecipe("tool, mended"),
                registry: "quay.io",
                repository: "org/tool",
                tags: ["1.0"]
            )
            #expect(new.root != old.root)
            let soon = try await client.registry("GET", Self.path + "1.0")
            #expect(soon.headers["docker-content-digest"] == old.root)
            client.sandbox.advance(by: 86401)
            client.sandbox.setDown(true, registry: "quay.io")
            let stale = try await client.registry("GET", Self.path + "1.0")
            #expect(stale.headers["docker-content-digest"] == old.root)
            client.sandbox.setDown(false, registry: "quay.io")
            let later = try await client.registry("GET", Self.path + "1.0")
            #expect(later.headers["docker-content-digest"] == new.root)
        }
    }

    @Test func tellsWhatTheUpstreamSaid() async throws {
        try await withRule { client, _ in
            let sandbox = client.sandbox
            func failure(_ tag: String) throws -> String? {
                let answer = try sandbox.ecr(
                    "BatchGetImage",
                    ["repositoryName": "quay/org/tool", "imageIds": [["imageTag": .string(tag)]]]
                )
                return answer["failures"]?.array?.first?["failureCode"]?.string
            }
            sandbox.setDown(true, registry: "quay.io")
            let down = try failure("1.0")
            #expect(down == "UpstreamUnavailable")
            #expect(try await client.registry("GET", Self.path + "1.0").status == 503)
            sandbox.setDown(false, registry: "quay.io")
            sandbox.add(Fault(.throttle, operation: "BatchImportUpstreamImage", times: 1))
            let throttled = try failure("1.0")
            #expect(throttled == "UpstreamTooManyRequests")
            // Nothing was imported yet, so there is no repository to say more about.
            #expect(throws: AWSFailure.self) { _ = try failure("2.0") }
            sandbox.makePrivate("org/tool", registry: "quay.io")
            let denied = try failure("1.0")
            #expect(denied == "UpstreamAccessDenied")
        }
    }

    @Test func aHubRuleNeedsASecretThatExists() async throws {
        try await withSandbox { sandbox in
            #expect(throws: AWSFailure.self) {
                try sandbox.ecr(
                    "CreatePullThroughCacheRule",
                    ["ecrRepositoryPrefix": "hub", "upstreamRegistryUrl": "registry-1.docker.io"]
                )
            }
            let arn = sandbox.putSecret("ecr-pullthroughcache/hub", #"{"username":"u","accessToken":"t"}"#)
            try sandbox.ecr(
                "CreatePullThroughCacheRule",
                [
                    "ecrRepositoryPrefix": "hub", "upstreamRegistryUrl": "registry-1.docker.io",
                    "credentialArn": .string(arn),
                ]
            )
            let image = try sandbox.putImage(
                ImageRecipe("u"),
                registry: "registry-1.docker.io",
                repository: "library/ubuntu",
                tags: ["1"]
            )
            let found = try sandbox.ecr(
                "BatchGetImage",
                ["repositoryName": "hub/library/ubuntu", "imageIds": [["imageTag": "1"]]]
            )
            #expect(found["images"]?.array?.first?["imageId"]?["imageDigest"]?.string == image.root)
            // Without library/ Docker Hub's refusal reads like a wrong password.
            let wrong = try sandbox.ecr(
                "BatchGetImage",
                ["repositoryName": "hub/ubuntu", "imageIds": [["imageTag": "1"]]]
            )
            #expect(wrong["failures"]?.array?.first?["failureCode"] == "UpstreamAccessDenied")
        }
    }
}
