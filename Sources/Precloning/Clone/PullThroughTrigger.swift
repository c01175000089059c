package import Model
package import Names
package import Remotes
import Synchronization

/// The pull-through route: one manifest request by tag over the registry protocol makes ECR fetch the image; then its layers
/// are waited for, because the answer to that request proves nothing about them (aws-facts: traps 1 and 2).
///
/// Only the first seconds are waited for here. What takes longer is looked at again, by attempts of its own, and holds no
/// worker meanwhile.
package struct PullThroughTrigger: Sendable {
    package enum Result: Sendable {
        /// Tag and every layer of the linux/amd64 manifest are there. With what upstream's tag points to, where it
        /// could be asked.
        case held(Digest, upstream: Digest?)
        /// So many layers are not there yet; with how long to wait for the next look.
        case importing(missing: Int, again: Duration)
        /// The rule cannot serve this image now; it is to be copied.
        case cannotServe(String)
    }

    /// What became of one attempt.
    package struct Pulled: Sendable {
        package var result: Result
        /// What ECR answered, when this attempt made it fetch, and its id of the request.
        package var asked: Digest?
        package var requestID: String?
    }

    /// So long a worker stays: most images are there by then.
    private static let stay = Duration.seconds(5)
    /// When the layers are not there by then, each is asked for by itself.
    private static let nudgeAfter = Duration.seconds(20)
    private static let giveUpAfter = Duration.seconds(900)
    private static let shortestPause = Duration.seconds(2)
    private static let longestPause = Duration.seconds(30)

    let registries: RegistryClients
    let timeline: Timeline
    private let imports = Imports()

    package init(registries: RegistryClients, timeline: Timeline) {
        self.registries = registries
        self.timeline = timeline
    }

    /// Whether ECR was made to fetch an image that it did not have whole yet.
    func isImporting(_ location: ECRLocation) -> Bool { imports.find(location.place) != nil }

    /// Whether an image is looked at again within the next pause.
    var awaitsImports: Bool { imports.isAny(after: timeline.elapsed() - Self.longestPause) }

    /// Makes ECR fetch an image below a rule, or looks how far it is with one that it fetches.
    ///
    /// - Throws: what belongs to ECR itself; what belongs to the rule or its upstream is `cannotServe`.
    package func pull(_ destination: Destination, source: ImageReference, view: ECRView) async throws -> Pulled {
        guard let tag = source.tag else {
            return Pulled(result: .cannotServe("the image is named by digest only"))
        }
        let place = destination.location.place
        let ours = try await registries.client(for: destination.location.registry)
        if let running = imports.find(place) {
            return Pulled(result: try await look(running, at: destination.location, view, ours))
        }
        let upstream = await upstreamDigest(source)
        let (pulled, requestID): (ManifestDocument, String?)
        do {
            (pulled, requestID) = try await ours.readManifest(destination.location.repository, .tag(tag))
        } catch let error as RegistryError where Self.isTheRules(error) {
            return Pulled(result: .cannotServe(error.description))
        }
        var answer = Pulled(result: .importing(missing: 0, again: .zero), asked: pulled.digest, requestID: requestID)
        if let pinned = source.digest, pulled.digest != pinned {
            answer.result = .cannotServe(
                "the tag \(tag) is at \(pulled.digest.short) and not at the pinned \(pinned.short)"
            )
            return answer
        }
        await registries.manifests?.keep(pulled)
        let begun = Import(digest: pulled.digest, upstream: upstream, began: timeline.elapsed())
        answer.result = try await look(begun, at: destination.location, view, ours)
        return answer
    }

    /// Looks whether ECR holds the image whole; for a few seconds when it was asked only now.
    private func look(
        _ begun: Import,
        at location: ECRLocation,
        _ view: ECRView,
        _ ours: RegistryClient
    ) async throws -> Result {
        var running = begun
        var pause = Duration.milliseconds(500)
        imports.keep(running, at: location.place)
        while true {
            let holding = try await view.look(at: location)
            // Without linux/amd64 it is complete as it is; the last look says so.
            let isWithout = holding.presence == .held && holding.platformDigest == nil && !holding.platforms.isEmpty
            if holding.isComplete || isWithout {
                imports.end(at: location.place)
                return .held(holding.digest ?? running.digest, upstream: running.upstream)
            }
            let waited = timeline.elapsed() - running.began
            guard waited < Self.giveUpAfter else {
                imports.end(at: location.place)
                return .cannotServe(
                    "ECR had not fetched \(holding.missingBlobs.count) of its layers after \(Int(waited.seconds)) s"
                )
            }
            if waited >= Self.nudgeAfter {
                for blob in holding.missingBlobs where running.nudged.insert(blob).inserted {
                    await nudge(blob, location, ours)
                }
            }
            guard waited + pause <= Self.stay else {
                let again = min(max(waited / 2, Self.shortestPause), Self.longestPause)
                running.next = timeline.elapsed() + again
                imports.keep(running, at: location.place)
                return .importing(missing: holding.missingBlobs.count, again: again)
            }
            try await timeline.sleep(pause)
            pause = pause * 2
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
        // ECR asks for less: that is no fault of the rule's.
        guard !error.isHeldBack else { return false }
        return switch error.kind {
        case .notFound, .repositoryNotFound, .denied, .refused, .quotaExhausted, .serverFault, .throttled: true
        default: false
        }
    }
}

/// An image that ECR was made to fetch.
private struct Import: Sendable {
    var digest: Digest
    var upstream: Digest?
    /// As `Timeline.elapsed` counts.
    var began: Duration
    /// When it is looked at again.
    var next = Duration.zero
    /// Layers that were asked for by themselves.
    var nudged: Set<Digest> = []

    init(digest: Digest, upstream: Digest?, began: Duration) {
        self.digest = digest
        self.upstream = upstream
        self.began = began
        next = began
    }
}

/// What ECR fetches now, by place. Forgotten by a restart, which asks ECR again.
private final class Imports: Sendable {
    private static let capacity = 10_000
    private let running = Mutex([String: Import]())

    func find(_ place: String) -> Import? { running.withLock { $0[place] } }

    func keep(_ item: Import, at place: String) {
        running.withLock { running in
            if running.count >= Self.capacity { running = [:] }
            running[place] = item
        }
    }

    func end(at place: String) { running.withLock { $0[place] = nil } }

    func isAny(after moment: Duration) -> Bool { running.withLock { $0.values.contains { $0.next > moment } } }
}
