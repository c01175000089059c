import Foundation
import Names
import Remotes
import Sandbox
import Testing

/// The registry of the private ECR, as clients meet it.
struct ECRRegistryTests {
    private static let layer = Data("a layer".utf8)
    private static let layerDigest = Digest.of(layer).description

    /// Uploads by POST and one PUT.
    private func upload(_ client: SandboxClient, _ repository: String, _ data: Data) async throws -> Answer {
        let start = try await client.registry("POST", "/v2/\(repository)/blobs/uploads/")
        guard start.status == 202, let place = start.headers["location"] else { return start }
        let digest = Digest.of(data).description
        return try await client.registry("PUT", "\(place)?digest=\(digest)", body: data)
    }

    private func manifest(config: Data, layers: [Data]) -> Data {
        func descriptor(_ data: Data, _ type: String) -> SandboxJSON {
            [
                "mediaType": .string("application/vnd.oci.image.\(type)"), "size": .integer(Int64(data.count)),
                "digest": .string(Digest.of(data).description),
            ]
        }
        return SandboxJSON.object([
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor(config, "config.v1+json"),
            "layers": .array(layers.map { descriptor($0, "layer.v1.tar+gzip") }),
        ]).data
    }

    @Test func asksForBasicAuthenticationAndForgetsExpiredPasswords() async throws {
        try await SandboxClient.withClient { client in
            let bare = try await client.send("GET", client.sandbox.addresses.ecr + "/v2/")
            #expect(bare.status == 401)
            #expect(bare.headers["www-authenticate"]?.contains("service=\"ecr.amazonaws.com\"") == true)
            let password = try client.password()
            let headers = ["Authorization": "Basic \(password)"]
            #expect(try await client.send("GET", client.sandbox.addresses.ecr + "/v2/", headers: headers).status == 200)
            client.sandbox.advance(by: 12 * 3600)
            let late = try await client.send("GET", client.sandbox.addresses.ecr + "/v2/", headers: headers)
            #expect(late.status == 403)
            #expect(late.json["errors"]?.array?.first?["message"]?.string?.contains("expired") == true)
        }
    }

    @Test func tellsWhatRefersToAnImage() async throws {
        try await SandboxClient.withClient { client in
            let image = try client.sandbox.putPrivateImage(ImageRecipe("t"), repository: "new/tool", tags: ["1"])
            let config = Data("{}".utf8)
            #expect(try await upload(client, "new/tool", config).status == 201)
            let list = "/v2/new/tool/referrers/\(image.root)"
            let before = try await client.registry("GET", list)
            #expect(before.status == 200 && before.json["manifests"] == [])
            let document = SandboxJSON.object([
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "artifactType": "application/x.signature",
                "config": [
                    "mediaType": "application/vnd.oci.empty.v1+json", "size": 2,
                    "digest": .string(Digest.of(config).description),
                ],
                "layers": [],
                "subject": [
                    "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": .string(image.root), "size": 1,
                ],
            ]).data
            let digest = Digest.of(document).description
            let type = ["Content-Type": "application/vnd.oci.image.manifest.v1+json"]
            let put = try await client.registry(
                "PUT",
                "/v2/new/tool/manifests/\(digest)",
                headers: type,
                body: document
            )
            #expect(put.status == 201)
            #expect(put.headers["oci-subject"] == image.root)
            let after = try await client.registry("GET", list)
            #expect(after.headers["content-type"] == "application/vnd.oci.image.index.v1+json")
            #expect(after.json["manifests"]?.array?.map { $0["digest"]?.string } == [digest])
            #expect(after.json["manifests"]?.array?.first?["artifactType"] == "application/x.signature")
            let filtered = try await client.registry("GET", list + "?artifactType=other")
            #expect(filtered.json["manifests"] == [])
            #expect(filtered.headers["oci-filters-applied"] == "artifactType")
            #expect(try await client.registry("GET", "/v2/no/tool/referrers/\(image.root)").status == 404)
        }
    }

    @Test func takesAPushOnlyIntoARepositoryThatExistsAndWholly() async throws {
        try await SandboxClient.withClient { client in
            #expect(try await client.registry("POST", "/v2/new/tool/blobs/uploads/").status == 404)
            try client.sandbox.ecr("CreateRepository", ["repositoryName": "new/tool"])
            let config = Data("{}".utf8)
            let document = manifest(config: config, layers: [Self.layer])
            #expect(try await upload(client, "new/tool", config).status == 201)
            let type = ["Content-Type": "application/vnd.oci.image.manifest.v1+json"]
            let early = try await client.registry("PUT", "/v2/new/tool/manifests/1", headers: type, body: document)
            #expect(early.status == 400)
            #expect(early.json["errors"]?.array?.first?["code"] == "MANIFEST_BLOB_UNKNOWN")
            #expect(try await upload(client, "new/tool", Self.layer).status == 201)
            let put = try await client.registry("PUT", "/v2/new/tool/manifests/1", headers: type, body: document)
            #expect(put.status == 201)
            #expect(put.headers["docker-content-digest"] == Digest.of(document).description)
            let head = try await client.registry("HEAD", "/v2/new/tool/manifests/1")
            #expect(head.status == 200)
            #expect(head.headers["content-length"] == String(document.count))
            #expect(head.body.isEmpty)
        }
    }

    @Test func sendsBlobsToPresignedStorageThatRefusesCredentials() async throws {
        try await SandboxClient.withClient { client in
            try client.sandbox.ecr("CreateRepository", ["repositoryName": "new/tool"])
            _ = try await upload(client, "new/tool", Self.layer)
            let early = try await client.registry("GET", "/v2/new/tool/blobs/\(Self.layerDigest)")
            #expect(early.status == 404, "no image names it yet")
            let config = Data("{}".utf8)
            _ = try await upload(client, "new/tool", config)
            _ = try await client.registry(
                "PUT",
                "/v2/new/tool/manifests/1",
                headers: ["Content-Type": "application/vnd.oci.image.manifest.v1+json"],
                body: manifest(config: config, layers: [Self.layer])
            )
            let answer = try await client.registry("GET", "/v2/new/tool/blobs/\(Self.layerDigest)")
            #expect(answer.status == 307)
            let place = try #require(answer.headers["location"])
            #expect(place.hasPrefix(client.sandbox.addresses.storage))
            #expect(try await client.send("GET", place).body == Self.layer)
            let range = try await client.send("GET", place, headers: ["Range": "bytes=2-"])
            #expect(range.status == 206)
            #expect(range.headers["content-range"] == "bytes 2-6/7")
            #expect(range.body == Self.layer.dropFirst(2))
            #expect(try await client.registry("GET", place).status == 400)
            #expect(try await client.send("GET", place.replacing("Signature=", with: "Signature=0")).status == 403)
            client.sandbox.advance(by: 901)
            #expect(try await client.send("GET", place).status == 403)
        }
    }

    @Test func refusesBytesOfAnotherDigest() async throws {
        try await SandboxClient.withClient { client in
            try client.sandbox.ecr("CreateRepository", ["repositoryName": "new/tool"])
            let start = try await client.registry("POST", "/v2/new/tool/blobs/uploads/")
            let place = try #require(start.headers["location"])
            let wrong = try await client.registry(
                "PUT",
                "\(place)?digest=\(Self.layerDigest)",
                body: Data("other bytes".utf8)
            )
            #expect(wrong.status == 400)
            #expect(try await client.registry("HEAD", "/v2/new/tool/blobs/\(Self.layerDigest)").status == 404)
        }
    }

    @Test(arguments: [false, true])
    func answersAPatchAsECRDoes(endsUpload: Bool) async throws {
        try await SandboxClient.withClient { client in
            client.sandbox.setPatchEndsUpload(endsUpload)
            try client.sandbox.ecr("CreateRepository", ["repositoryName": "new/tool"])
            let start = try await client.registry("POST", "/v2/new/tool/blobs/uploads/")
            let place = try #require(start.headers["location"])
            let patch = try await client.registry("PATCH", place, body: Self.layer)
            #expect(patch.status == (endsUpload ? 201 : 202))
            let end = try await client.registry("PUT", "\(place)?digest=\(Self.layerDigest)")
            #expect(end.status == (endsUpload ? 404 : 201))
            #expect(try await client.registry("HEAD", "/v2/new/tool/blobs/\(Self.layerDigest)").status == 200)
        }
    }

    @Test(arguments: [(false, 202), (true, 201)])
    func mountsBlobsOnlyWhenTheAccountAllowsIt(isEnabled: Bool, status: Int) async throws {
        try await SandboxClient.withClient { client in
            let sandbox = client.sandbox
            let image = try sandbox.putPrivateImage(ImageRecipe("tool"), repository: "from/tool", tags: ["1"])
            try sandbox.ecr("CreateRepository", ["repositoryName": "into/tool"])
            if isEnabled { try sandbox.ecr("PutAccountSetting", ["name": "BLOB_MOUNTING", "value": "ENABLED"]) }
            let digest = try #require(image.blobSizes.keys.first)
            let answer = try await client.registry(
                "POST",
                "/v2/into/tool/blobs/uploads/?mount=\(digest)&from=from/tool"
            )
            #expect(answer.status == status)
        }
    }

    @Test func keepsImmutableTagsAndHidesArchivedImages() async throws {
        try await SandboxClient.withClient { client in
            let sandbox = client.sandbox
            try sandbox.putPrivateImage(ImageRecipe("one"), repository: "kept/tool", tags: ["1"])
            let other = try sandbox.putPrivateImage(ImageRecipe("two"), repository: "kept/tool", tags: [])
            let path = "/v2/kept/tool/manifests/"
            try sandbox.ecr(
                "PutImageTagMutability",
                ["repositoryName": "kept/tool", "imageTagMutability": "IMMUTABLE"]
            )
            let document = try await client.registry("GET", path + other.root)
            let put = try await client.registry("PUT", path + "1", body: document.body)
            #expect(put.status == 400)
            #expect(put.json["errors"]?.array?.first?["code"] == "TAG_INVALID")
            try sandbox.ecr(
                "UpdateImageStorageClass",
                [
                    "repositoryName": "kept/tool", "imageId": ["imageDigest": .string(other.root)],
                    "targetStorageClass": "ARCHIVE",
                ]
            )
            #expect(try await client.registry("GET", path + other.root).status == 404)
            #expect(try await client.registry("PUT", path + other.root, body: document.body).status == 201)
            #expect(try await client.registry("GET", path + other.root).status == 200)
        }
    }
}
