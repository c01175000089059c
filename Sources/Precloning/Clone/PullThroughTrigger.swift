package import Model
package import Names
package import Remotes

/// The pull-through route: one manifest request by tag over the registry protocol makes ECR fetch the image; then it is
/// waited for, because the answer to that request proves nothing about the layers (aws-facts: traps 1 and 2).
package struct PullThroughTrigger: Sendable {
    package enum Result: Sendable {
        /// Tag and every layer of the linux/amd64 manifest are there. With what upstream's tag points to, where it
        /// could be asked, and ECR's id of the request that made it fetch.
        case held(Digest, upstream: Digest?, requestID: String?)
        /// The rule cannot serve this image now; it is to be copied.
        case cannotServe(String)
    }

    /// When the layers are not there by then, each is asked for by itself.
    private static let nudgeAfter = Duration.seconds(20)
    private static let giveUpAfter = Duration.seconds(900)
    private static let longestPause = Duration.seconds(15)

    let registries: RegistryClients
    let timeline: Timeline

    package init(registries: RegistryClients, timeline: Timeline) {
        self.registries = registries
        self.timeline = timeline
    }

    /// Makes ECR fetch an image below a rule and waits until it really has it.
    ///
    /// - Throws: what belongs to ECR itself; what belongs to the rule or its upstream is `cannotServe`.
    package func pull(_ destination: Destination, source: ImageReference, view: ECRView) async throws -> Result {
        guard let tag = source.tag else { return .cannotServe("the image is named by digest only") }
        let ours = try await registries.client(for: destination.location.registry)
        let upstream = await upstreamDigest(source)
        let (pulled, requestID): (ManifestDocument, String?)
        do {
            (pulled, requestID) = try await ours.readManifest(destination.location.repository, .tag(tag))
        } catch let error as RegistryError where Self.isTheRules(error) {
            return .cannotServe(error.description)
        }
        if let pinned = source.digest, pulled.digest != pinned {
            return .cannotServe("the tag \(tag) is at \(pulled.digest.short) and not at the pinned \(pinned.short)")
        }
        switch try await wait(for: pulled.digest, at: destination.location, view: view, ours) {
        case .held(let digest): return .held(digest, upstream: upstream, requestID: requestID)
        case .gaveUp(let why): return .cannotServe(why)
        }
    }

    private enum Wait {
        case held(Digest)
        case gaveUp(String)
    }

    /// Waits until ECR holds the image whole.
    private func wait(
        for digest: Digest,
        at location: ECRLocation,
        view: ECRView,
        _ ours: RegistryClient
    ) async throws -> Wait {
        let start = timeline.elapsed()
        var pause = Duration.milliseconds(500)
        var nudged: Set<Digest> = []
        while true {
            let holding = try await view.look(at: location)
            if holding.isComplete, let held = holding.digest { return .held(held) }
            if holding.presence == .held, holding.platformDigest == nil, !holding.platforms.isEmpty {
                // Complete as it is: there is no linux/amd64 to wait for. The last look says so.
                return .held(digest)
            }
            let waited = timeline.elapsed() - start
            guard waited < Self.giveUpAfter else {
                return .gaveUp(
                    "ECR had not fetched \(holding.missingBlobs.count) of its layers after \(Int(waited.seconds)) s"
                )
            }
            if waited >= Self.nudgeAfter {
                for blob in holding.missingBlobs where nudged.insert(blob).inserted {
                    await nudge(blob, location, ours)
                }
            }
            try await timeline.sleep(pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// Asks for a blob and drops the answer: for ECR a request for a layer is the reason to fetch it.
    private func nudge(_ blob: Digest, _ location: ECRLocation, _ ours: RegistryClient) async {
        _ = try? await ours.blobExists(location.repository, blob)
        guard let stream = try? await ours.openBlob(location.repository, blob) else { return }
        await stream.discard()
    }

    /// What upstream's tag points to, by a HEAD, which costs no pull; nil where it cannot be asked.
    private func upstreamDigest(_ source: ImageReference) async -> Digest? {
        guard let tag = source.tag, let client = try? await registries.client(for: source.registry) else { return nil }
        return (try? await client.headManifest(source.repository, .tag(tag)))?.digest
    }

    /// Failures that another way of fetching may not have: the rule, its secret, its upstream.
    private static func isTheRules(_ error: RegistryError) -> Bool {
        switch error.kind {
        case .notFound, .repositoryNotFound, .denied, .refused, .quotaExhausted, .serverFault, .throttled: true
        default: false
        }
    }
}
