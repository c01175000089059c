import Foundation

/// Why a push is refused; the API and the registry word it each in their own way.
enum PushRefusal: Error {
    case repositoryMissing(String)
    case digestMismatch(expected: String, actual: String)
    case layersMissing([String])
    case childrenMissing([String])
    case tagImmutable(String)
    case invalidTag(String)
    case tooLarge
}

extension WorldState {
    /// Stores a manifest below a digest and perhaps a tag.
    ///
    /// - Returns: whether anything is new: false when this manifest already stood under this tag.
    /// - Throws: `PushRefusal`.
    mutating func push(
        _ manifest: StoredManifest,
        to name: String,
        tag: String?,
        digest: String? = nil
    ) throws -> Bool {
        guard var repository = ecr.repositories[name] else { throw PushRefusal.repositoryMissing(name) }
        guard manifest.bytes.count <= 4 << 20 else { throw PushRefusal.tooLarge }
        if let digest, digest != manifest.digest {
            throw PushRefusal.digestMismatch(expected: digest, actual: manifest.digest)
        }
        if let tag, !ECRName.isTag(tag) { throw PushRefusal.invalidTag(tag) }
        let layers = manifest.blobs.map(\.digest).filter { repository.layers[$0] == nil }
        guard layers.isEmpty else { throw PushRefusal.layersMissing(layers) }
        let children = manifest.children.filter { repository.images[$0] == nil }
        guard children.isEmpty else { throw PushRefusal.childrenMissing(children) }
        if let tag, let old = repository.tags[tag], old != manifest.digest, !repository.mayMove(tag) {
            throw PushRefusal.tagImmutable(tag)
        }
        var isNew = true
        if var known = repository.images[manifest.digest] {
            isNew = tag.map { repository.tags[$0] != manifest.digest } ?? false
            // Pushing an archived image again brings it back.
            if known.status != "ACTIVE" {
                known.status = "ACTIVE"
                known.activatedAt = now
                isNew = true
            }
            repository.images[manifest.digest] = known
        } else {
            repository.images[manifest.digest] = ECRState.Image(manifest: manifest, pushedAt: now)
        }
        for blob in manifest.blobs { repository.layers[blob.digest]?.mediaType = blob.mediaType }
        if let tag {
            repository.tags[tag] = manifest.digest
            repository.checked[tag] = now
        }
        ecr.repositories[name] = repository
        return isNew
    }

    /// Ends an upload: its bytes are a layer of its repository now.
    mutating func finish(_ upload: UploadSession, digest: String) {
        blobs[digest] = upload.content(known: blobs[digest])
        ecr.repositories[upload.repository]?.layers[digest] = ECRState.Layer(
            size: upload.size,
            mediaType: ManifestType.dockerLayer
        )
    }

    /// Whether a blob may be taken over from another repository (AWS: account setting BLOB_MOUNTING).
    mutating func mount(_ digest: String, from source: String, into name: String) -> Bool {
        guard ecr.settings["BLOB_MOUNTING"] == "ENABLED",
            let from = ecr.repositories[source], let into = ecr.repositories[name],
            from.encryption == into.encryption,
            ecr.rule(for: source) == nil, ecr.rule(for: name) == nil,
            from.images.values.contains(where: { $0.manifest.blobs.contains { $0.digest == digest } }),
            let layer = from.layers[digest]
        else { return false }
        ecr.repositories[name]?.layers[digest] = layer
        return true
    }
}
