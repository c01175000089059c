import Foundation

/// Why ECR could not get an image from the upstream: the codes of BatchGetImage's failures, or an exception's name.
struct PullFailure: Error {
    enum Kind: String {
        case imageNotFound = "ImageNotFound"
        case accessDenied = "UpstreamAccessDenied"
        case tooManyRequests = "UpstreamTooManyRequests"
        case unavailable = "UpstreamUnavailable"
        case secretNotFound = "SecretNotFoundException"
        case unsupported = "UnsupportedUpstreamRegistryException"
    }

    var kind: Kind
    var message: String
}

extension WorldState {
    /// What a pull by `reference` finds, after ECR has looked upstream where a rule says so.
    ///
    /// - Throws: `PullFailure`, or nil for nothing there.
    mutating func pull(_ repository: String, _ reference: String) throws -> ECRState.Image? {
        let isDigest = reference.contains(":")
        // By digest nothing is imported: an uncached one is missing even when the upstream has it.
        if let rule = ecr.rule(for: repository), !isDigest {
            try pullThrough(rule, repository, tag: reference)
        }
        guard var image = ecr.repositories[repository]?.image(reference), image.status == "ACTIVE" else { return nil }
        image.lastPulledAt = now
        ecr.repositories[repository]?.images[image.manifest.digest] = image
        return image
    }

    private mutating func pullThrough(_ rule: ECRState.Rule, _ repository: String, tag: String) throws {
        let entry = ecr.repositories[repository]
        let isCached = entry?.tags[tag] != nil
        if isCached {
            let isFresh = entry?.checked[tag].map { now < $0.addingTimeInterval(ecr.pullThrough.refreshAfter) } ?? false
            // Tags that may not move are not kept in step with the upstream.
            if isFresh || entry?.mayMove(tag) == false { return }
        }
        do {
            let found = try upstreamManifest(rule, repository, tag: tag)
            if entry == nil { try create(repository, for: "PULL_THROUGH_CACHE") }
            importImage(found.manifest, from: found.host, found.repository, into: repository)
            ecr.repositories[repository]?.tags[tag] = found.manifest.digest
            let moment = now
            ecr.repositories[repository]?.checked[tag] = moment
        } catch let failure as PullFailure {
            // What is cached is served, stale, when the upstream cannot be asked.
            if isCached { return }
            throw failure
        }
    }

    /// - Throws: `PullFailure`.
    private mutating func upstreamManifest(
        _ rule: ECRState.Rule,
        _ repository: String,
        tag: String
    ) throws -> (manifest: StoredManifest, host: String, repository: String) {
        let host = rule.upstreamURL
        let call = Call(service: "ecr", operation: "BatchImportUpstreamImage", registry: host, repository: repository)
        for fault in faults(for: call, effects: Fault.Effect.before) {
            switch fault.effect {
            case .throttle: throw PullFailure(kind: .tooManyRequests, message: "The upstream registry throttled.")
            case .expiredToken: throw PullFailure(kind: .accessDenied, message: "The upstream refused the credentials.")
            default: throw PullFailure(kind: .unavailable, message: "The upstream registry failed.")
            }
        }
        log.add(call, status: 200)
        guard let upstream = upstreams[host], !upstream.isDown else {
            throw PullFailure(kind: .unavailable, message: "The upstream registry \(host) is not available.")
        }
        var isAuthenticated = false
        if let arn = rule.credentialARN {
            guard let secret = secrets.values.first(where: { $0.arn == arn }) else {
                throw PullFailure(kind: .secretNotFound, message: "The secret \(arn) does not exist.")
            }
            let value = try? SandboxJSON(json: Data(secret.value.utf8))
            let accounts = upstream.settings.accounts
            guard let user = value?["username"]?.string, let password = value?["accessToken"]?.string,
                accounts.isEmpty || accounts[user] == password
            else {
                throw PullFailure(kind: .accessDenied, message: "Authentication to the upstream registry failed.")
            }
            isAuthenticated = true
        }
        guard let name = rule.upstreamRepository(repository), let entry = upstream.repositories[name] else {
            // Docker Hub does not tell a missing repository from one it will not show.
            let isHub = rule.upstreamRegistry == "docker-hub"
            throw PullFailure(
                kind: isHub ? .accessDenied : .imageNotFound,
                message: isHub ? "Authentication to the upstream registry failed." : "The upstream has no such image."
            )
        }
        if entry.isPrivate || !upstream.settings.isAnonymousAllowed, !isAuthenticated {
            throw PullFailure(kind: .accessDenied, message: "Authentication to the upstream registry failed.")
        }
        guard let manifest = upstream.manifest(name, tag) else {
            throw PullFailure(kind: .imageNotFound, message: "The requested image is not in the upstream registry.")
        }
        return (manifest, host, name)
    }

    /// Stores a manifest, its children, and the promise of their layers.
    private mutating func importImage(
        _ manifest: StoredManifest,
        from host: String,
        _ source: String,
        into repository: String
    ) {
        let settings = ecr.pullThrough
        let moment = now
        for child in manifest.children {
            guard let found = upstreams[host]?.manifest(source, child) else { continue }
            importImage(found, from: host, source, into: repository)
        }
        for blob in manifest.blobs where ecr.repositories[repository]?.layers[blob.digest] == nil {
            ecr.repositories[repository]?.layers[blob.digest] = ECRState.Layer(
                size: blob.size,
                mediaType: blob.mediaType,
                arrives: moment.addingTimeInterval(settings.layerDelay),
                pollsLeft: settings.layerPolls,
                onlyOnRequest: settings.layersOnlyOnRequest
            )
        }
        if ecr.repositories[repository]?.images[manifest.digest] == nil {
            ecr.repositories[repository]?.images[manifest.digest] = ECRState.Image(manifest: manifest, pushedAt: moment)
        }
    }

    /// Makes a repository as the creation template for its prefix says.
    private mutating func create(_ name: String, for use: String) throws {
        var repository = ECRState.Repository(name: name, createdAt: now)
        repository.isPulledThrough = use == "PULL_THROUGH_CACHE"
        if let template = ecr.template(for: name, use: use) {
            repository.mutability = template["imageTagMutability"]?.string ?? "MUTABLE"
            repository.exclusions = template["imageTagMutabilityExclusionFilters"]?.array ?? []
            repository.encryption = template["encryptionConfiguration"] ?? repository.encryption
            repository.policy = template["repositoryPolicy"]?.string
            repository.resourceTags = ResourceTags.read(template["resourceTags"])
        }
        ecr.repositories[name] = repository
    }

    /// Whether an image of the repository names a layer: ECR hands out no others, and may remove them at any time.
    ///
    /// Source: GetDownloadUrlForLayer in the Amazon ECR API reference.
    func isReferenced(_ digest: String, in repository: String) -> Bool {
        ecr.repositories[repository]?.images.values.contains { image in
            image.manifest.blobs.contains { $0.digest == digest }
        } ?? false
    }

    /// A layer is asked for: what was promised comes now.
    ///
    /// - Returns: nil when the repository has no such layer.
    /// - Throws: `PullFailure` when the upstream is down.
    mutating func fetchLayer(_ repository: String, _ digest: String) throws -> BlobContent? {
        guard var layer = ecr.repositories[repository]?.layers[digest] else { return nil }
        if !layer.isHere(now) {
            if let host = ecr.rule(for: repository)?.upstreamURL, upstreams[host]?.isDown ?? true {
                throw PullFailure(kind: .unavailable, message: "The upstream registry \(host) is not available.")
            }
            layer.arrives = nil
            layer.pollsLeft = 0
            layer.onlyOnRequest = false
            ecr.repositories[repository]?.layers[digest] = layer
        }
        return blobs[digest]
    }
}

/// `[{Key, Value}]`, as most services write tags.
enum ResourceTags {
    static func read(_ value: SandboxJSON?) -> [String: String] {
        var tags: [String: String] = [:]
        for entry in value?.array ?? [] {
            if let key = entry["Key"]?.string { tags[key] = entry["Value"]?.string ?? "" }
        }
        return tags
    }

    static func write(_ tags: [String: String]) -> SandboxJSON {
        .array(tags.sorted { $0.key < $1.key }.map { ["Key": .string($0.key), "Value": .string($0.value)] })
    }
}
