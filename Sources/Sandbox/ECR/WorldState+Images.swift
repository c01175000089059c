import Foundation

extension WorldState {
    private static func imageIDs(_ input: SandboxJSON, isRequired: Bool) throws -> [SandboxJSON] {
        let ids = input["imageIds"]?.array ?? []
        guard !isRequired || !ids.isEmpty else { throw AWSFailure.missing("imageIds") }
        guard ids.count <= 100 else {
            throw AWSFailure(
                "InvalidParameterException",
                "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length less than or "
                    + "equal to 100'"
            )
        }
        return ids
    }

    mutating func batchGetImage(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let name = input["repositoryName"]?.string else { throw AWSFailure.missing("repositoryName") }
        let ids = try Self.imageIDs(input, isRequired: true)
        // A repository below a rule's prefix may come into being here.
        if ecr.rule(for: name) == nil { _ = try repository(input) }
        var images: [SandboxJSON] = []
        var failures: [SandboxJSON] = []
        for id in ids {
            func fail(_ code: String, _ reason: String) {
                failures.append(["imageId": id, "failureCode": .string(code), "failureReason": .string(reason)])
            }
            let (tag, digest) = (id["imageTag"]?.string, id["imageDigest"]?.string)
            guard let reference = tag ?? digest else {
                fail("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
                continue
            }
            if let digest, !SandboxDigest.isValid(digest) {
                fail(
                    "InvalidImageDigest",
                    "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
                )
                continue
            }
            do {
                guard let image = try pull(name, reference) else {
                    fail("ImageNotFound", "Requested image not found")
                    continue
                }
                if let digest, digest != image.manifest.digest {
                    fail("ImageTagDoesNotMatchDigest", "The tag and the digest name different images")
                    continue
                }
                images.append([
                    "registryId": .string(accountID),
                    "repositoryName": .string(name),
                    "imageId": .compact([
                        "imageDigest": .string(image.manifest.digest), "imageTag": SandboxJSON.text(tag),
                    ]),
                    "imageManifest": .string(String(decoding: image.manifest.bytes, as: UTF8.self)),
                    "imageManifestMediaType": .string(image.manifest.mediaType),
                ])
            } catch let failure as PullFailure {
                if failure.kind == .secretNotFound || failure.kind == .unsupported {
                    throw AWSFailure(failure.kind.rawValue, failure.message)
                }
                fail(failure.kind.rawValue, failure.message)
            }
        }
        if images.isEmpty, ecr.repositories[name] == nil, failures.allSatisfy({ $0["failureCode"] == "ImageNotFound" })
        {
            throw repositoryMissing(name)
        }
        return ["images": .array(images), "failures": .array(failures)]
    }

    mutating func batchDeleteImage(_ input: SandboxJSON) throws -> SandboxJSON {
        let name = try repository(input).name
        var gone: [SandboxJSON] = []
        var failures: [SandboxJSON] = []
        for id in try Self.imageIDs(input, isRequired: true) {
            func fail(_ code: String, _ reason: String) {
                failures.append(["imageId": id, "failureCode": .string(code), "failureReason": .string(reason)])
            }
            guard let entry = ecr.repositories[name] else { continue }
            if let digest = id["imageDigest"]?.string {
                guard entry.images[digest] != nil else {
                    fail("ImageNotFound", "Requested image not found")
                    continue
                }
                let isReferenced = entry.images.values.contains { $0.manifest.children.contains(digest) }
                guard !isReferenced else {
                    fail("ImageReferencedByManifestList", "Requested image referenced by manifest list")
                    continue
                }
                for tag in entry.tags(of: digest) {
                    ecr.repositories[name]?.tags[tag] = nil
                    gone.append(["imageDigest": .string(digest), "imageTag": .string(tag)])
                }
                if entry.tags(of: digest).isEmpty { gone.append(["imageDigest": .string(digest)]) }
                remove(digest, from: name)
            } else if let tag = id["imageTag"]?.string {
                guard let digest = entry.tags[tag] else {
                    fail("ImageNotFound", "Requested image not found")
                    continue
                }
                ecr.repositories[name]?.tags[tag] = nil
                // The last tag takes the image with it.
                if entry.tags(of: digest) == [tag] { remove(digest, from: name) }
                gone.append(["imageDigest": .string(digest), "imageTag": .string(tag)])
            } else {
                fail("MissingDigestAndTag", "Both tag and digest cannot be null")
            }
        }
        return ["imageIds": .array(gone), "failures": .array(failures)]
    }

    /// Takes an image away, and the layers that no other image of the repository needs.
    private mutating func remove(_ digest: String, from name: String) {
        guard let image = ecr.repositories[name]?.images.removeValue(forKey: digest) else { return }
        let needed = Set(ecr.repositories[name]?.images.values.flatMap { $0.manifest.blobs.map(\.digest) } ?? [])
        for blob in image.manifest.blobs where !needed.contains(blob.digest) {
            ecr.repositories[name]?.layers[blob.digest] = nil
        }
    }

    func describeImages(_ input: SandboxJSON) throws -> SandboxJSON {
        let repository = try repository(input)
        let ids = try Self.imageIDs(input, isRequired: false)
        let wanted = input["filter"]?["imageStatus"]?.string ?? "ACTIVE"
        func isShown(_ image: ECRState.Image) -> Bool { wanted == "ANY" || image.status == wanted }
        var images: [ECRState.Image]
        if ids.isEmpty {
            let tagged = Set(repository.tags.values)
            images = repository.images.values
                .filter { image in
                    switch input["filter"]?["tagStatus"]?.string {
                    case "TAGGED": tagged.contains(image.manifest.digest)
                    case "UNTAGGED": !tagged.contains(image.manifest.digest)
                    default: true
                    }
                }
                .filter(isShown)
                .sorted { $0.manifest.digest < $1.manifest.digest }
        } else {
            images = []
            for id in ids {
                let reference = id["imageDigest"]?.string ?? id["imageTag"]?.string ?? ""
                guard let image = repository.image(reference), isShown(image) else {
                    let (digest, tag) = (id["imageDigest"]?.string ?? "null", id["imageTag"]?.string ?? "null")
                    throw AWSFailure(
                        "ImageNotFoundException",
                        "The image with imageId {imageDigest:'\(digest)', imageTag:'\(tag)'} does not exist within "
                            + "the repository with name '\(repository.name)' in the registry with id '\(accountID)'"
                    )
                }
                if !images.contains(where: { $0.manifest.digest == image.manifest.digest }) { images.append(image) }
            }
        }
        let page = try Page.cut(
            images.map { detail($0, in: repository) },
            maxResults: input["maxResults"]?.integer,
            token: input["nextToken"]?.string,
            limit: 1000,
            usual: 100
        )
        return .compact(["imageDetails": .array(page.items), "nextToken": page.next])
    }

    private func detail(_ image: ECRState.Image, in repository: ECRState.Repository) -> SandboxJSON {
        let tags = repository.tags(of: image.manifest.digest)
        func size(_ manifest: StoredManifest) -> Int64 { manifest.blobs.reduce(0) { $0 + $1.size } }
        // An index is as large as its largest child.
        let children = image.manifest.children.compactMap { repository.images[$0].map { size($0.manifest) } }
        return .compact([
            "registryId": .string(accountID),
            "repositoryName": .string(repository.name),
            "imageDigest": .string(image.manifest.digest),
            "imageTags": tags.isEmpty ? nil : .array(tags.map { .string($0) }),
            "imageSizeInBytes": .integer(children.max() ?? size(image.manifest)),
            "imagePushedAt": .epoch(image.pushedAt),
            "imageManifestMediaType": .string(image.manifest.mediaType),
            "artifactMediaType": SandboxJSON.text(image.manifest.artifactType),
            "lastRecordedPullTime": image.lastPulledAt.map { .epoch($0) },
            "subjectManifestDigest": SandboxJSON.text(image.manifest.subject),
            "imageStatus": .string(image.status),
            "lastArchivedAt": image.archivedAt.map { .epoch($0) },
            "lastActivatedAt": image.activatedAt.map { .epoch($0) },
        ])
    }

    func listImages(_ input: SandboxJSON) throws -> SandboxJSON {
        let repository = try repository(input)
        var ids: [SandboxJSON] = []
        for digest in repository.images.keys.sorted() {
            let tags = repository.tags(of: digest)
            if tags.isEmpty { ids.append(["imageDigest": .string(digest)]) }
            ids += tags.map { ["imageDigest": .string(digest), "imageTag": .string($0)] }
        }
        let page = try Page.cut(
            ids,
            maxResults: input["maxResults"]?.integer,
            token: input["nextToken"]?.string,
            limit: 1000,
            usual: 100
        )
        return .compact(["imageIds": .array(page.items), "nextToken": page.next])
    }

    mutating func putImage(_ input: SandboxJSON) throws -> SandboxJSON {
        let name = try repository(input).name
        guard let text = input["imageManifest"]?.string else { throw AWSFailure.missing("imageManifest") }
        let tag = input["imageTag"]?.string
        let manifest: StoredManifest
        do {
            manifest = try StoredManifest(
                bytes: Array(text.utf8),
                contentType: input["imageManifestMediaType"]?.string
            )
        } catch let fault as ManifestFault {
            throw AWSFailure("InvalidParameterException", "Invalid parameter at 'ImageManifest': \(fault.reason)")
        }
        do {
            guard try push(manifest, to: name, tag: tag, digest: input["imageDigest"]?.string) else {
                throw AWSFailure(
                    "ImageAlreadyExistsException",
                    "Image with digest '\(manifest.digest)' and tag '\(tag ?? "null")' already exists in the "
                        + "repository with name '\(name)' in registry with id '\(accountID)'"
                )
            }
        } catch let refusal as PushRefusal {
            throw failure(refusal, in: name)
        }
        return [
            "image": [
                "registryId": .string(accountID),
                "repositoryName": .string(name),
                "imageId": .compact(["imageDigest": .string(manifest.digest), "imageTag": SandboxJSON.text(tag)]),
                "imageManifest": .string(text),
                "imageManifestMediaType": .string(manifest.mediaType),
            ]
        ]
    }

    private func failure(_ refusal: PushRefusal, in name: String) -> AWSFailure {
        switch refusal {
        case .repositoryMissing(let name):
            repositoryMissing(name)
        case .digestMismatch(let expected, let actual):
            AWSFailure(
                "ImageDigestDoesNotMatchException",
                "The provided digest '\(expected)' does not match the manifest's digest '\(actual)'"
            )
        case .layersMissing(let digests):
            AWSFailure(
                "LayersNotFoundException",
                "The layers with digests '\(digests)' required for pushing image into repository with name "
                    + "'\(name)' in the registry with id '\(accountID)' do not exist"
            )
        case .childrenMissing(let digests):
            AWSFailure("ReferencedImagesNotFoundException", "The images with digests '\(digests)' do not exist")
        case .tagImmutable(let tag):
            AWSFailure(
                "ImageTagAlreadyExistsException",
                "The image tag '\(tag)' already exists in the '\(name)' repository and cannot be overwritten because "
                    + "the tag is immutable."
            )
        case .invalidTag(let tag):
            AWSFailure("InvalidParameterException", "Invalid parameter at 'imageTag': '\(tag)'")
        case .tooLarge:
            AWSFailure("InvalidParameterException", "The manifest is larger than 4 MiB.")
        }
    }

    mutating func updateStorageClass(_ input: SandboxJSON) throws -> SandboxJSON {
        let repository = try repository(input)
        let id = input["imageId"]
        guard let reference = id?["imageDigest"]?.string ?? id?["imageTag"]?.string,
            var image = repository.image(reference)
        else { throw AWSFailure("ImageNotFoundException", "The image does not exist.") }
        switch input["targetStorageClass"]?.string {
        case "ARCHIVE":
            image.status = "ARCHIVED"
            image.archivedAt = now
        case "STANDARD":
            image.status = "ACTIVE"
            image.activatedAt = now
        default: throw AWSFailure("InvalidParameterException", "targetStorageClass must be STANDARD or ARCHIVE.")
        }
        ecr.repositories[repository.name]?.images[image.manifest.digest] = image
        return [
            "registryId": .string(accountID),
            "repositoryName": .string(repository.name),
            "imageId": ["imageDigest": .string(image.manifest.digest)],
            "imageStatus": .string(image.status),
        ]
    }
}
