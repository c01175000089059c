import Configuring
import Definitions
import Foundation
package import Model
package import Names
import Remotes

/// `preclone lock`: what a workflow's images are now, by digest, and what is no longer so.
package struct LockAnswer: Codable, Sendable, Hashable {
    package var schemaVersion = 1
    package var drifts: [LockDrift]
    package var unresolved: [ReadyAnswer.Unresolved]
    package var notes: [String]
}

extension Works {
    /// A lock that was made.
    package struct MadeLock: Sendable {
        package var lock: ImageLock
        /// What cannot be locked, each with its reason; the lock is not whole then.
        package var missing: [String]
        package var unresolved: [UnresolvedDemand]
        package var notes: [String]
    }

    /// Locks what a reading needs, as ECR holds it now.
    ///
    /// - Parameter caller: for whom policy lets registries be asked.
    /// - Throws: `AWSError` while the services do not answer; `CancellationError`.
    package func lock(_ reading: SubjectReading, isRegistered: Bool, as caller: Caller) async throws -> MadeLock {
        let needs = try await needs(of: reading, isRegistered: isRegistered)
        let home = try await account.home()
        var made = MadeLock(
            lock: ImageLock(
                account: home.account,
                region: home.region,
                subject: reading.label,
                definition: .init(digest: reading.digest, engine: reading.engine, main: reading.main),
                images: []
            ),
            missing: needs.demands.compactMap { demand in
                demand.refusal.map { "\(demand.mention): \($0.reason); \($0.mend)" }
            },
            unresolved: needs.unresolved,
            notes: needs.notes
        )
        for now in try await lockable(needs.demands, caller) {
            guard let image = now.locked else {
                made.missing.append("\(now.image): \(now.heldProblem ?? "ECR does not hold it")")
                continue
            }
            if let upstream = now.upstream, image.upstreamDigest != upstream {
                made.notes.append("\(now.image): its tag is at \(upstream) now; the lock holds what ECR holds")
            }
            if let problem = now.upstreamProblem {
                made.notes.append("\(now.image): what its registry names is not known: \(problem)")
            }
            made.lock.images.append(image)
        }
        made.lock.images.sort { ($0.image, $0.destination) < ($1.image, $1.destination) }
        return made
    }

    /// What is no longer as a lock says.
    ///
    /// - Parameters:
    ///   - reading: the definition as it is now; nil: only what the lock has is looked at.
    ///   - caller: for whom policy lets registries be asked.
    /// - Throws: `LedgerError` for a lock of another account or Region; `AWSError` while the services do not answer.
    package func check(
        _ lock: ImageLock,
        against reading: SubjectReading?,
        isRegistered: Bool,
        as caller: Caller
    ) async throws -> LockAnswer {
        try await mustBeOurs(lock)
        var answer = LockAnswer(drifts: [], unresolved: [], notes: [])
        var demands: [PlannedDemand]
        var definition: ImageLock.Definition?
        if let reading {
            let needs = try await needs(of: reading, isRegistered: isRegistered)
            demands = needs.demands
            answer.unresolved = needs.unresolved.map {
                ReadyAnswer.Unresolved(place: $0.place, expression: $0.expression, missing: $0.missing)
            }
            answer.notes = needs.notes
            definition = .init(digest: reading.digest, engine: reading.engine, main: reading.main)
        } else {
            demands = lock.images.map(\.demand)
        }
        answer.drifts = lock.drifts(definition: definition, images: try await lockable(demands, caller))
        return answer
    }

    /// - Throws: `LedgerError` for a lock of another account or Region.
    package func mustBeOurs(_ lock: ImageLock) async throws {
        let home = try await account.home()
        guard lock.account == home.account, lock.region == home.region else {
            throw LedgerError(
                "the lock is of account \(lock.account) in \(lock.region), and this is \(home.account) in \(home.region); "
                    + "lock the workflow here, or use the profile and Region of the lock"
            )
        }
    }

    /// Looks at each image, in ECR and upstream.
    private func lockable(_ demands: [PlannedDemand], _ caller: Caller) async throws -> [LockedImageNow] {
        var found = demands.map { demand in
            LockedImageNow(image: demand.mention, reference: demand.source, destination: demand.destination)
        }
        let places = found.indices.compactMap { index in
            (try? ImageReference(found[index].destination)).flatMap { ECRLocation($0) }.map { (index, $0) }
        }
        let results = try await look.holdings(at: places.map { ECRView.Wanted($0.1) })
        for ((index, location), result) in zip(places, results) {
            switch result {
            case .unknown(let why):
                found[index].heldProblem = why
                found[index].isHeldUnknown = true
            case .holding(let holding) where holding.isComplete:
                found[index].held = holding.digest
                found[index].heldPlatform = holding.platformDigest
            case .holding(let holding): found[index].heldProblem = "\(location) \(Planner.words(holding))"
            }
        }
        for index in found.indices where found[index].destination.isEmpty {
            found[index].heldProblem = "nothing leads it to a place in ECR"
        }
        // One registry after the other asks for no more than one does.
        for index in found.indices { try await lookUpstream(&found[index], caller) }
        return found
    }

    /// What the image's own registry names now; a look at a tag costs no pull, and an index is read once.
    private func lookUpstream(_ now: inout LockedImageNow, _ caller: Caller) async throws {
        guard let source = try? ImageReference(now.reference), ECRLocation(source) == nil else { return }
        now.isUpstreamUnknown = true
        // Policy goes by the place too; without one there is nothing to lock.
        guard let place = (try? ImageReference(now.destination)).flatMap(ECRLocation.init) else {
            now.upstreamProblem = "nothing leads it to a place in ECR"
            return
        }
        if let (until, why) = await registries.pause(of: source.registry) {
            now.upstreamProblem = "not asked before \(until.formatted(.iso8601)): \(why)"
            return
        }
        do {
            let home = try await account.home()
            let decision = try await cloner.policy.byName(
                source,
                destination: place,
                caller: caller.description,
                home: home
            )
            if let denial = decision.denial {
                now.upstreamProblem = denial.reason
                return
            }
            let reference: ManifestReference = source.digest.map { .digest($0) } ?? .tag(source.tag ?? "latest")
            let head = try await registries.client(for: source.registry).headManifest(source.repository, reference)
            now.isUpstreamUnknown = false
            guard let head else {
                now.upstreamProblem = "\(source) is not there"
                return
            }
            now.upstream = head.digest ?? source.digest
            guard let digest = now.upstream, digest != now.held, digest != now.heldPlatform else { return }
            let document = try await registries.manifest(of: source, digest)
            if case .index(let index) = document.content {
                now.upstreamPlatform = index.image(for: .linuxAMD64)?.digest
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            now.upstreamProblem = "\(error)"
        }
    }

    // MARK: Tags of their own

    /// Gives what a lock holds a tag of its own in ECR, so that rules for untagged images leave it alone.
    ///
    /// - Parameter audit: told of each tag that was set.
    /// - Returns: what could not be tagged, with the reason.
    /// - Throws: `CancellationError`, and what `audit` throws.
    package func keep(
        _ lock: ImageLock,
        audit: (_ image: ImageLock.Image, _ tag: String, _ requestID: String?) throws -> Void
    ) async throws -> [String] {
        let home = try await account.home()
        var problems: [String] = []
        for image in lock.images {
            guard let named = try? ImageReference(image.destination), var location = ECRLocation(named),
                location.account == home.account
            else { continue }
            location.digest = nil
            location.tag = image.keptTag
            do {
                if case .holding(let holding)? = try await look.holdings(at: [ECRView.Wanted(location)]).first,
                    holding.digest == image.ecrDigest
                {
                    continue
                }
                let ours = try await registries.client(for: location.registry)
                let manifest = try await ours.getManifest(location.repository, .digest(image.ecrDigest))
                let requestID = try await ours.putManifest(location.repository, .tag(image.keptTag), manifest)
                try audit(image, image.keptTag, requestID)
            } catch let error as RegistryError {
                problems.append("\(location): \(error)")
            }
        }
        return problems
    }
}

extension ImageLock.Image {
    /// The tag under which ECR keeps the digest whatever becomes of other tags.
    package var keptTag: String { "preclone-lock-\(ecrDigest.short)" }

    /// The image by digest, at the place where HealthOmics looks for it; for looking and for bringing it back.
    package var pinned: PlannedDemand { pinned(to: ecrDigest) }

    /// - Parameter digest: `ecrDigest`, or the linux/amd64 image alone where that is what is left upstream.
    package func pinned(to digest: Digest) -> PlannedDemand {
        var demand = self.demand
        if let source = try? ImageReference(reference), ECRLocation(source) == nil {
            demand.source = source.pinned(to: digest).description
        }
        return demand
    }

    /// As the definition names it.
    fileprivate var demand: PlannedDemand {
        PlannedDemand(
            source: reference,
            destination: destination,
            registry: (try? ImageReference(reference))?.registry ?? "",
            mention: image,
            certainty: Certainty.certain.rawValue
        )
    }

    /// The place by digest, for image mappings: `map --pin`.
    package var pinnedPlace: String? {
        guard let named = try? ImageReference(destination) else { return nil }
        return named.pinned(to: ecrDigest).description
    }
}

extension ImageLock {
    /// The places by digest, by canonical reference.
    package var pins: [String: String] {
        images.reduce(into: [:]) { pins, image in pins[image.reference] = image.pinnedPlace }
    }
}

extension ReadyNeeds {
    /// What a lock holds, by digest.
    package init(_ lock: ImageLock) {
        self.init(label: "lock of \(lock.subject)", demands: lock.images.map(\.pinned))
    }
}
