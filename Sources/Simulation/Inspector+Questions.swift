import Foundation
import Model
import Names
import Precloning
import Sandbox
import Synchronization

/// What commands answer beside the daemon.
extension Inspector {
    /// A question of `preclone ready` and its answer.
    struct Gate {
        var name: String
        var needs: [SimulatedWorld.Need]
        var isReady: Bool
        /// An answer about the images, and not why there is none.
        var isClaim: Bool
        var words: String
        var start: Duration
        var limit: Duration
        /// What is missing is brought, and no limit of bytes keeps it back.
        var brings: Bool
        var lackedBefore: [String]
    }

    /// Requests of commands: what policy denies is not asked by them either.
    func sawFromShell(_ request: SeenRequest) {
        if let denied, request.host == denied {
            report(.deniedIsNeverAsked, denied, "a command asked \(request.method) \(request.host)\(request.target)")
        }
    }

    private func wasTouched(_ repositories: [String], since: Duration) -> Bool {
        let touched = world.lastTouched
        return repositories.contains { (touched[$0] ?? .zero) >= since }
    }

    /// Whether AWS answered as it should all the time.
    private func awsWasWell(since: Duration) -> Bool {
        world.healthyFor("").map { $0 > world.clock.elapsed - since + .seconds(1) } ?? false
    }

    func gateAnswered(_ gate: Gate) {
        let now = world.clock.elapsed
        state.withLock { state in
            state.gates += 1
            if gate.isReady { state.gatesOpen += 1 }
        }
        if now - gate.start > gate.limit {
            report(.gatesEnd, gate.name, "asked at \(Moment(gate.start)), limit \(gate.limit): \(gate.words)")
        }
        checkBrought(gate)
        guard !wasTouched(gate.needs.compactMap(\.place?.repository), since: gate.start) else { return }
        let lacking = world.lacking(gate.needs)
        if gate.isReady, let first = lacking.first {
            report(.gatesTellTheTruth, gate.name, "asked at \(Moment(gate.start)), told ready, but \(first)")
        }
        // Where AWS refused to answer it says so, and nothing of the images: that is no claim.
        if gate.isClaim, !gate.isReady, lacking.isEmpty, gate.lackedBefore.isEmpty, awsWasWell(since: gate.start) {
            report(
                .gatesTellTheTruth,
                gate.name,
                "asked at \(Moment(gate.start)), told not ready, though all is there: \(gate.words)"
            )
        }
    }

    /// With `--wait`, what can be brought within it is.
    private func checkBrought(_ gate: Gate) {
        let now = world.clock.elapsed
        let before = Duration.seconds(2_400)
        guard gate.brings, !gate.isReady, gate.limit >= .seconds(1_800) else { return }
        for need in gate.needs {
            let registry = Self.registry(of: need.reference)
            // A quota may make anything wait.
            guard let place = need.place, registry != "registry-1.docker.io", registry != denied,
                world.canBeReady(need.reference), let healthy = world.healthyFor(registry),
                healthy > now - gate.start + before,
                let push = world.builds(of: need.reference).last?.at, push < gate.start - before,
                (world.lastTouched[place.repository] ?? .zero) < gate.start - before
            else { return }
        }
        report(.gatesBring, gate.name, "asked at \(Moment(gate.start)) with \(gate.limit) to wait: \(gate.words)")
    }

    // MARK: Locks

    func locked(_ lock: ImageLock, since: Duration) {
        for image in lock.images {
            guard let place = Self.place(image.destination), !wasTouched([place.repository], since: since) else {
                continue
            }
            let holding = world.sandbox.holding(place.repository, place.tag)
            let held = [holding?.digest, holding?.platformDigest]
            // A pull-through repository follows its tag by itself, and so may have meanwhile.
            if !held.contains(image.ecrDigest.description), world.builds(of: image.reference).count < 2 {
                report(
                    .locksTellDrifts,
                    image.reference,
                    "locked at \(image.ecrDigest), but ECR holds \(holding?.digest ?? "nothing")"
                )
            }
        }
    }

    /// How each image of a lock differs from it now; `ecr` and `upstream` by reference.
    func drifts(of lock: ImageLock) -> [String: [LockDrift.Kind]] {
        lock.images.reduce(into: [:]) { drifts, image in
            var kinds: [LockDrift.Kind] = []
            if let locked = image.upstreamDigest?.description {
                let now = world.sandbox.upstreamDigest(of: image.reference)
                if now == nil { kinds.append(.upstreamGone) } else if now != locked { kinds.append(.upstreamMoved) }
            }
            if let place = Self.place(image.destination) {
                let holding = world.sandbox.holding(place.repository, place.tag)
                if let holding, holding.isActive, holding.platformDigest != nil, holding.missing.isEmpty {
                    if holding.digest != image.ecrDigest.description { kinds.append(.ecrChanged) }
                } else {
                    kinds.append(.ecrGone)
                }
            }
            drifts[image.image] = kinds
        }
    }

    func lockChecked(
        _ name: String,
        _ lock: ImageLock,
        _ told: [LockDrift],
        truth: [String: [LockDrift.Kind]],
        since: Duration
    ) {
        guard truth == drifts(of: lock), awsWasWell(since: since) else { return }
        for image in lock.images {
            let registry = Self.registry(of: image.reference)
            guard registry != denied, let healthy = world.healthyFor(registry),
                healthy > world.clock.elapsed - since + .seconds(1)
            else { continue }
            let kinds = told.filter { $0.image == image.image }.map(\.kind)
            let expected = truth[image.image] ?? []
            if Set(kinds) != Set(expected) {
                report(
                    .locksTellDrifts,
                    image.reference,
                    "\(name): drifted by \(expected.map(\.rawValue)), told \(kinds.map(\.rawValue))"
                )
            }
        }
    }

    // MARK: Map, grant, rules, forget

    func mapped(_ name: String, _ needs: [SimulatedWorld.Need], _ answer: MapVerb.Answer) {
        var map: [String: String] = [:]
        for mapping in answer.map.registryMappings ?? [] where mapping.upstreamRepositoryPrefix == nil {
            if let url = mapping.upstreamRegistryUrl { map[url] = mapping.ecrRepositoryPrefix }
        }
        for need in needs {
            let place = SimulatedWorld.place(need.reference, map)
            let told = answer.images.first { $0.image == need.reference }?.destination.flatMap(Self.place)
            if place == nil || place != told {
                report(
                    .mapsReachAll,
                    need.reference,
                    "the map of \(name) leads \(need.reference) to \(place.map { "\($0)" } ?? "nowhere"), "
                        + "and \(told.map { "\($0)" } ?? "nothing") is told"
                )
            }
        }
    }

    func granted(_ repository: String, _ outcome: GrantVerb.Outcome, before: String?, since: Duration) {
        guard !wasTouched([repository], since: since) else { return }
        let isOpen = world.sandbox.policy(of: repository)?.contains("omics.amazonaws.com") == true
        let isTold = outcome == .granted || outcome == .alreadyGranted
        let isThere = world.sandbox.privateTags(repository) != nil
        if isTold != isOpen, isTold || isThere && awsWasWell(since: since) {
            report(
                .commandsDoWhatTheySay,
                repository,
                "grant of \(repository) said \(outcome.rawValue); HealthOmics may \(isOpen ? "" : "not ")read it"
            )
        }
    }

    func ruleMade(_ prefix: String, isUsable: Bool, since: Duration) {
        if !isUsable, awsWasWell(since: since) {
            report(.commandsDoWhatTheySay, prefix, "rule \(prefix) was made, and HealthOmics cannot use it")
        }
    }

    func forgot(_ image: String, wantedBefore: Set<Int64>, wantedNow: Set<Int64>) {
        // No time passes between both looks: the desk answers at once.
        let lost = wantedBefore.subtracting(wantedNow)
        if let first = lost.sorted().first {
            report(.commandsDoWhatTheySay, image, "image \(first) was wanted, and is forgotten")
        }
    }
}

extension Sandbox {
    /// The digest that a canonical reference names upstream.
    fileprivate func upstreamDigest(of reference: String) -> String? {
        guard let slash = reference.firstIndex(of: "/"), let colon = reference.lastIndex(of: ":") else { return nil }
        return upstreamDigest(
            Inspector.registry(of: reference),
            String(reference[reference.index(after: slash)..<colon]),
            String(reference[reference.index(after: colon)...])
        )
    }
}
