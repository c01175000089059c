import Foundation

extension WorldState {
    mutating func layerAvailability(_ input: SandboxJSON) throws -> SandboxJSON {
        let name = try repository(input).name
        guard let digests = input["layerDigests"]?.strings, !digests.isEmpty else {
            throw AWSFailure.missing("layerDigests")
        }
        guard digests.count <= 100 else {
            throw AWSFailure("InvalidParameterException", "At most 100 layer digests are allowed.")
        }
        var layers: [SandboxJSON] = []
        var failures: [SandboxJSON] = []
        for digest in digests {
            guard SandboxDigest.isValid(digest) else {
                failures.append([
                    "layerDigest": .string(digest),
                    "failureCode": "InvalidLayerDigest",
                    "failureReason": "Invalid request parameters: layer digest",
                ])
                continue
            }
            let layer = ecr.repositories[name]?.layers[digest]
            let isHere = layer?.isHere(now) ?? false
            if let layer, layer.arrives.map({ $0 <= now }) ?? true, layer.pollsLeft > 0 {
                ecr.repositories[name]?.layers[digest]?.pollsLeft -= 1
            }
            // An archived image's layers are archived unless an active one needs them.
            let users = ecr.repositories[name]?.images.values.filter { image in
                image.manifest.blobs.contains { $0.digest == digest }
            }
            let isArchived = users.map { !$0.isEmpty && $0.allSatisfy { $0.status == "ARCHIVED" } } ?? false
            layers.append(
                .compact([
                    "layerDigest": .string(digest),
                    "layerAvailability": .string(isHere ? (isArchived ? "ARCHIVED" : "AVAILABLE") : "UNAVAILABLE"),
                    "layerSize": isHere ? layer.map { .integer($0.size) } : nil,
                    "mediaType": isHere ? layer.map { .string($0.mediaType) } : nil,
                ])
            )
        }
        return ["layers": .array(layers), "failures": .array(failures)]
    }

    mutating func layerAddress(_ input: SandboxJSON) throws -> SandboxJSON {
        let name = try repository(input).name
        guard let digest = input["layerDigest"]?.string else { throw AWSFailure.missing("layerDigest") }
        do {
            guard let content = try fetchLayer(name, digest) else {
                throw AWSFailure(
                    "LayersNotFoundException",
                    "The layer with digest '\(digest)' does not exist in the repository with name '\(name)'"
                )
            }
            guard isReferenced(digest, in: name) else {
                throw AWSFailure(
                    "LayerInaccessibleException",
                    "The layer with digest '\(digest)' is not associated with an image. Unassociated image layers may be "
                        + "cleaned up at any time."
                )
            }
            return ["downloadUrl": .string(layerURL(digest, content)), "layerDigest": .string(digest)]
        } catch let failure as PullFailure {
            throw AWSFailure("UnableToGetUpstreamLayerException", failure.message)
        }
    }

    mutating func layerURL(_ digest: String, _ content: BlobContent) -> String {
        presigned(key: "prod-\(configuration.region)-starport-layer-bucket/\(digest)", content: content)
    }

    // MARK: Uploads by parts

    mutating func initiateUpload(_ input: SandboxJSON) throws -> SandboxJSON {
        let name = try repository(input).name
        let id = uuid()
        ecr.uploads[id] = UploadSession(repository: name)
        return ["uploadId": .string(id), "partSize": .integer(10 << 20)]
    }

    private func upload(_ input: SandboxJSON) throws -> (id: String, session: UploadSession) {
        let name = try repository(input).name
        guard let id = input["uploadId"]?.string, let session = ecr.uploads[id], session.repository == name else {
            throw AWSFailure(
                "UploadNotFoundException",
                "The upload with id '\(input["uploadId"]?.string ?? "")' does not exist in the repository '\(name)'"
            )
        }
        return (id, session)
    }

    mutating func uploadPart(_ input: SandboxJSON) throws -> SandboxJSON {
        var (id, session) = try upload(input)
        guard let first = input["partFirstByte"]?.integer, let last = input["partLastByte"]?.integer,
            let data = input["layerPartBlob"]?.string.flatMap({ Data(base64Encoded: $0) })
        else { throw AWSFailure.missing("layerPartBlob") }
        guard Int64(first) == session.size, last - first + 1 == data.count, !data.isEmpty, data.count <= 20 << 20 else {
            throw AWSFailure(
                "InvalidLayerPartException",
                "The layer part is not valid: it does not continue at the last byte received",
                members: [
                    "registryId": .string(accountID),
                    "repositoryName": .string(session.repository),
                    "uploadId": .string(id),
                    "lastValidByteReceived": .integer(session.size - 1),
                ]
            )
        }
        // Only the last part may be small, and then nothing can follow it.
        guard first == 0 || session.lastPartSize >= 5 << 20 else {
            throw AWSFailure("LayerPartTooSmallException", "Layer parts must be at least 5 MiB.")
        }
        session.append(data)
        session.lastPartSize = data.count
        ecr.uploads[id] = session
        return [
            "registryId": .string(accountID),
            "repositoryName": .string(session.repository),
            "uploadId": .string(id),
            "lastByteReceived": .integer(session.size - 1),
        ]
    }

    mutating func completeUpload(_ input: SandboxJSON) throws -> SandboxJSON {
        let (id, session) = try upload(input)
        guard session.size > 0 else {
            throw AWSFailure("EmptyUploadException", "The upload with id '\(id)' has no parts")
        }
        let digest = session.digest
        guard let wanted = input["layerDigests"]?.strings, wanted.contains(digest) else {
            throw AWSFailure(
                "InvalidLayerException",
                "The layer digest '\(digest)' is not the one that was named"
            )
        }
        guard ecr.repositories[session.repository]?.layers[digest] == nil else {
            ecr.uploads[id] = nil
            throw AWSFailure(
                "LayerAlreadyExistsException",
                "Layer with digest '\(digest)' already exists in the repository '\(session.repository)'"
            )
        }
        finish(session, digest: digest)
        ecr.uploads[id] = nil
        return [
            "registryId": .string(accountID),
            "repositoryName": .string(session.repository),
            "uploadId": .string(id),
            "layerDigest": .string(digest),
        ]
    }
}
