package import Foundation

/// What a test does to the sandbox from inside the process; the pages below `/_sandbox/` do the same from outside.
extension Sandbox {
    // MARK: Upstream registries

    /// Puts an image into an upstream registry; a tag that is there moves to it.
    ///
    /// - Throws: `AWSFailure` when there is no such registry.
    @discardableResult
    package func putImage(
        _ recipe: ImageRecipe,
        registry: String,
        repository: String,
        tags: [String]
    ) throws -> MadeImage {
        let image = recipe.made()
        try world.with { try $0.putUpstream(image, host: registry, repository: repository, tags: tags) }
        return image
    }

    /// Changes how a registry treats its clients.
    package func change(_ registry: String, _ change: @Sendable (inout UpstreamSettings) -> Void) {
        world.with { state in
            guard var settings = state.upstreams[registry]?.settings else { return }
            change(&settings)
            state.upstreams[registry]?.settings = settings
        }
    }

    /// Takes a registry down for clients and for ECR, or up again.
    package func setDown(_ isDown: Bool, registry: String) {
        world.with { $0.upstreams[registry]?.isDown = isDown }
    }

    /// Lets only accounts read a repository.
    package func makePrivate(_ repository: String, registry: String) {
        world.with { $0.upstreams[registry]?.repositories[repository]?.isPrivate = true }
    }

    // MARK: Faults and counters

    package func add(_ fault: Fault) { world.with { $0.add(fault) } }

    /// Whether some are still in force.
    package var hasFaults: Bool { world.with { !$0.activeFaults.isEmpty } }

    package func clearFaults() { world.with { $0.clearFaults() } }

    /// The requests so far.
    package var requests: RequestLog { world.with { $0.log } }

    package func forgetRequests() { world.with { $0.log = RequestLog() } }

    /// Moves the sandbox's clock forward: tokens and addresses expire, tags are refreshed, layers arrive. Signatures
    /// are still checked by the machine's clock.
    package func advance(by seconds: TimeInterval) { world.with { $0.skew += seconds } }

    /// Actions such as `ecr:CreateRepository` that are refused and that SimulatePrincipalPolicy says no to.
    package func deny(_ actions: Set<String>) { world.with { $0.deniedActions = actions } }

    // MARK: ECR

    /// Changes when layers pulled through the cache arrive.
    package func change(_ change: @Sendable (inout PullThroughSettings) -> Void) {
        world.with { change(&$0.ecr.pullThrough) }
    }

    /// Whether a PATCH ends the upload with 201, as ECR has been seen to do.
    package func setPatchEndsUpload(_ ends: Bool) { world.with { $0.ecr.patchEndsUpload = ends } }

    /// Calls an operation of the ECR API as if a signed request had come; not counted.
    ///
    /// - Throws: `AWSFailure`.
    @discardableResult
    package func ecr(_ operation: String, _ input: SandboxJSON) throws -> SandboxJSON {
        try ECRService(world: world).answer(operation, input)
    }

    /// A layer is gone though the manifest that needs it stays.
    package func dropLayer(_ digest: String, repository: String) {
        world.with { $0.ecr.repositories[repository]?.layers[digest] = nil }
    }

    /// A manifest is gone though the index that lists it stays.
    package func dropImage(_ digest: String, repository: String) {
        world.with { $0.ecr.repositories[repository]?.images[digest] = nil }
    }

    /// Puts an image straight into a private repository, which is made when it is missing.
    ///
    /// - Throws: `PushRefusal`.
    @discardableResult
    package func putPrivateImage(_ recipe: ImageRecipe, repository: String, tags: [String]) throws -> MadeImage {
        let image = recipe.made()
        try world.with { state in
            state.blobs.merge(image.blobs) { old, _ in old }
            if state.ecr.repositories[repository] == nil {
                state.ecr.repositories[repository] = ECRState.Repository(name: repository, createdAt: state.now)
            }
            for (digest, content) in image.blobs {
                state.ecr.repositories[repository]?.layers[digest] = ECRState.Layer(
                    size: content.size,
                    mediaType: ManifestType.ociLayer
                )
            }
            // Children first: an index needs them.
            for manifest in image.manifests.values.sorted(by: { $0.children.count < $1.children.count }) {
                _ = try state.push(manifest, to: repository, tag: nil)
            }
            for tag in tags { state.ecr.repositories[repository]?.tags[tag] = image.root }
        }
        return image
    }

    /// The tags of a private repository and the digests they point at; nil when there is no such repository.
    package func privateTags(_ repository: String) -> [String: String]? {
        world.with { $0.ecr.repositories[repository]?.tags }
    }

    /// The names of the private repositories, sorted.
    package var privateRepositories: [String] { world.with { $0.ecr.repositories.keys.sorted() } }

    /// Whether every blob of an image is in ECR, nothing promised and nothing missing.
    package func isWhole(_ repository: String, _ reference: String, platform: String = "linux/amd64") -> Bool {
        world.with { state in
            guard let entry = state.ecr.repositories[repository], let root = entry.image(reference) else {
                return false
            }
            let children = root.manifest.children.compactMap { entry.images[$0] }
            let needed = (children + [root]).flatMap { $0.manifest.blobs }
            let now = state.now
            return root.status == "ACTIVE" && needed.allSatisfy { entry.layers[$0.digest]?.isHere(now) == true }
        }
    }

    // MARK: Queues and secrets

    /// Makes a queue; events of HealthOmics go to the one named `healthomics-events`.
    ///
    /// - Returns: its URL.
    package func makeQueue(_ name: String = "healthomics-events") -> String {
        world.with { state in
            let url = state.queue(named: name)
            state.addresses.queues[name] = url
            return url
        }
    }

    package func send(_ body: String, queue: String = "healthomics-events") {
        world.with { $0.send(body, to: queue, delay: 0) }
    }

    /// How many messages a queue holds, seen or in flight.
    package func messageCount(_ queue: String = "healthomics-events") -> Int {
        world.with { $0.queues[queue]?.messages.count ?? 0 }
    }

    /// - Returns: the secret's ARN.
    package func putSecret(_ name: String, _ value: String) -> String {
        world.with { $0.putSecret(name, value) }
    }
}
