import Configuring
import Foundation
import Logging
package import Model
import Names
package import Remotes

/// The third stage: one image, from its row to an outcome. Never throws; "ready" means verified in ECR.
package struct Cloner: Sendable {
    let account: AccountFacts
    let view: ECRView
    let preparation: RepositoryPreparation
    let registries: RegistryClients
    let pullThrough: PullThroughTrigger
    let record: any CloneRecord
    let settings: Settings
    let policy: PolicyGate
    let timeline: Timeline
    /// Begun by the dispatcher when the daemon stops.
    let drain = Drain()
    private let places = PlacesInWork()
    /// Who asks when nothing is to be done.
    static let planner = "plan"
    /// How long an image rests whose place another one is being brought to, in seconds.
    private static let turn = 2.0
    /// How long an attempt waits for services that ask for less before it is put off: a worker is for work.
    private static let patience = Duration.seconds(30)

    package init(
        account: AccountFacts,
        view: ECRView,
        preparation: RepositoryPreparation,
        registries: RegistryClients,
        pullThrough: PullThroughTrigger,
        record: any CloneRecord,
        settings: Settings,
        policy: PolicyGate,
        timeline: Timeline
    ) {
        self.account = account
        self.view = view
        self.preparation = preparation
        self.registries = registries
        self.pullThrough = pullThrough
        self.record = record
        self.settings = settings
        self.policy = policy
        self.timeline = timeline
    }

    /// Brings one image to its destination and says how that ended.
    package func clone(_ image: ImageRecord, caller: String = "daemon") async -> CloneOutcome {
        var attempt = CloneAttempt(image: image, caller: caller, started: timeline.now())
        let place = (try? ImageReference(image.destination)).flatMap { ECRLocation($0) }?.place ?? image.destination
        // What one of them puts there, the other has to see.
        if let other = places.enter(place, image.source) {
            attempt.end = .later(
                until: timeline.now().addingTimeInterval(Self.turn),
                why: "\(other) is on its way to the same place"
            )
            return attempt.outcome
        }
        defer { places.leave(place) }
        do {
            try await WaitAllowance.$current.withValue(WaitAllowance(Self.patience)) { try await run(&attempt) }
        } catch let refusal as Refusal {
            attempt.end = .refused(refusal)
        } catch is ImageCopy.StoppedBetweenBlobs {
            attempt.end = .stopped
        } catch let reached as PolicyGate.RateReached {
            attempt.end = .later(until: reached.until, why: reached.why)
            attempt.isHeldByRate = true
        } catch {
            attempt.end = Task.isCancelled ? .stopped : end(by: error, attempt)
        }
        policy.end(attempt.ticket, wasUsed: attempt.wasTried)
        // What the facts decided is the last word.
        attempt.rule = attempt.ticket.rule ?? attempt.rule
        await cleanUp(attempt)
        return attempt.outcome
    }

    /// ECR that asks for less is no failure of the image: it is put off, to a time of its own so that not all come back
    /// together.
    private func end(by error: any Error, _ attempt: CloneAttempt) -> CloneOutcome.End {
        let failure = CloneFailure(error)
        let registry = (try? ImageReference(attempt.image.destination))?.registry
        let action: String? =
            switch error {
            case let error as AWSError where error.operation.hasPrefix("ecr:"): String(error.operation.dropFirst(4))
            case let error as RegistryError where error.host == registry: "requests to its registry"
            default: nil
            }
        guard failure.failureClass == .throttled, let action else { return .failed(failure) }
        let wait = max(failure.retryAfter?.seconds ?? 0, 15 + 45 * timeline.random())
        let until = timeline.now().addingTimeInterval(wait)
        let why = "ECR throttles \(action)"
        if let registry {
            try? record.pause(host: registry, credential: "", until: until, reason: why, now: timeline.now())
        }
        return .later(until: until, why: why)
    }

    // MARK: One attempt

    /// The place of an image, and what ECR, policy and the source's host say of it now.
    func facts(
        _ image: ImageRecord,
        caller: String
    ) async throws -> (destination: Destination, facts: RouteFacts, decision: PolicyGate.Decision?) {
        let destination = try await destination(of: image)
        let holding = try await view.look(at: destination.location, known: Self.platformDigest(of: image))
        var facts = RouteFacts(holding: holding, midnight: Self.midnight(after: timeline.now()))
        // Below a pull-through prefix ECR follows by itself.
        facts.follows = destination.isOurs && destination.rule == nil && settings.current.clone.onTagMove != .report
        facts.isMoved = facts.follows && image.movedDigest != nil
        if let rule = destination.rule, destination.isOurs, destination.source != nil, !holding.isComplete {
            facts.ruleFault = await account.fault(of: rule, makesRepository: holding.presence == .noRepository)
        }
        var decision: PolicyGate.Decision?
        if let source = destination.source {
            let found = try await policy.byName(
                source,
                destination: destination.location,
                caller: caller,
                home: try await account.home()
            )
            decision = found
            facts.denial = found.denial
            facts.sourcePausedUntil = await registries.pause(of: source.registry)
            try await compare(
                &facts,
                image,
                destination,
                source,
                isAsked: Caller.isPerson(caller),
                mayRead: caller != Self.planner
                    || settings.current.registries.settings(for: source.registry).quota == nil
            )
        }
        if let bound = settings.current.clone.maxBytesPerDay {
            facts.bytesLeftToday = bound.bytes - (try record.bytesMovedToday(now: timeline.now()))
        }
        return (destination, facts, decision)
    }

    private func run(_ attempt: inout CloneAttempt) async throws {
        let found = try await facts(attempt.image, caller: attempt.caller)
        let destination = found.destination
        attempt.location = destination.location
        attempt.wasHeld = found.facts.isHeldAsExpected
        // However it came there, below a prefix ECR refreshes it.
        attempt.routeDetail = destination.rule?.ecrRepositoryPrefix
        attempt.rule = found.decision?.rule
        let route = Planner.route(destination, facts: found.facts, urgency: attempt.image.urgency)
        attempt.route = route.name
        if let source = destination.source {
            try await begin(attempt, source, route, factsNeeded: found.decision?.factsNeeded ?? false)
        }
        switch route {
        case .present:
            if let rule = destination.rule, pullThrough.isImporting(destination.location) {
                attempt.route = Route.pullThrough(rule).name
                try await pull(&attempt, destination, rule, over: found.facts.holding)
                break
            }
            note(&attempt, found.facts, destination)
            try await finish(&attempt, destination, found.facts.holding)
        case .refused(let refusal):
            attempt.end = .refused(refusal)
        case .later(let until, let why):
            attempt.end = .later(until: until, why: why)
        case .pullThrough(let rule):
            try await pull(&attempt, destination, rule, over: found.facts.holding)
        case .copy(let takesWhole, let why):
            if destination.rule != nil { attempt.note = "copied, since \(why)" }
            if found.facts.holding.isComplete { try await keepOldDigest(found.facts.holding, destination, attempt) }
            try await copy(&attempt, destination, takesWhole: takesWhole, over: found.facts.holding)
        }
        if case .ready(let holding) = attempt.end { try await bringReferrers(&attempt, destination, holding) }
    }

    /// Policy's part of an attempt, before the first byte is moved or the pull-through cache is asked.
    private func begin(
        _ attempt: CloneAttempt,
        _ source: ImageReference,
        _ route: Route,
        factsNeeded: Bool
    ) async throws {
        switch route {
        case .present, .later: return
        // Denied by somebody else's rules: policy is not asked.
        case .refused(let refusal) where refusal.failureClass != .policy: return
        case .refused, .copy, .pullThrough: break
        }
        let home = try await account.home()
        try policy.begin(source, destination: attempt.image.destination, ticket: attempt.ticket, home: home)
        // A copy reads the manifest anyway, and decides then.
        guard factsNeeded, case .pullThrough = route else { return }
        let denial = try policy.byFacts(
            source,
            facts: try await facts(of: source),
            destination: attempt.image.destination,
            ticket: attempt.ticket,
            home: home
        )
        if let denial { throw denial }
    }

    private func pull(
        _ attempt: inout CloneAttempt,
        _ destination: Destination,
        _ rule: PullThroughCacheRule,
        over before: ECRHolding
    ) async throws {
        guard let source = destination.source else { return }
        let pulled = try await pullThrough.pull(destination, source: source, view: view)
        if let digest = pulled.asked {
            try auditImport(attempt, of: digest, by: rule, over: before, requestID: pulled.requestID)
        }
        switch pulled.result {
        case .importing(let missing, let again):
            attempt.end = .later(
                until: timeline.now().addingTimeInterval(again.seconds),
                why: "waits for ECR's import: \(missing) of its layers are not there yet"
            )
        case .held(let digest, let upstream):
            // ECR takes objects whole: what it holds is what upstream's tag was at when ECR asked.
            attempt.sourceDigest = digest
            attempt.digestNote = DigestNote.cloned
            if let upstream, upstream != digest {
                attempt.movedTo = upstream
                attempt.note =
                    "ECR's cache holds \(digest.short), upstream's tag is at \(upstream.short); "
                    + "ECR refreshes it within 24 h of a pull"
            }
            let holding = try await view.look(at: destination.location)
            try await finish(&attempt, destination, holding)
        case .cannotServe(let why):
            Logger.current.info("The pull-through cache rule cannot serve it; copying", metadata: ["reason": "\(why)"])
            attempt.route = "copy"
            attempt.note = "copied, since the pull-through cache rule could not serve it: \(why)"
            // It may have brought a part of it.
            let holding = try await view.look(at: destination.location)
            try await copy(&attempt, destination, takesWhole: true, over: holding)
        }
    }

    /// The last word: what is held is the expected object, whole, and readable.
    private func finish(
        _ attempt: inout CloneAttempt,
        _ destination: Destination,
        _ holding: ECRHolding
    ) async throws {
        guard holding.isComplete else {
            throw CloneFailure(
                holding.presence == .held && holding.platformDigest == nil ? .platform : .brokenAnswer,
                message: "\(destination.location) \(Planner.words(holding)) after the attempt",
                mend: holding.platformDigest == nil ? CloneFailure.platformMend : "preclone tries again"
            )
        }
        if let pinned = destination.location.digest ?? destination.source?.digest, holding.digest != pinned {
            throw CloneFailure(
                .digestMismatch,
                message: "\(destination.location) has digest \(holding.digest?.description ?? "-") and not \(pinned)",
                mend: "look at who pushes to \(destination.location.repository)"
            )
        }
        var result = holding
        if destination.isOurs, holding.access != .accessible {
            let granted = try await preparation.grant(destination.location)
            try audit(granted.change, attempt.image, caller: attempt.caller)
            result.access = granted.access
            result.accessReason = granted.reason
        }
        guard result.access != .notAccessible else {
            throw CloneFailure(
                .denied,
                message: "HealthOmics may not read \(destination.location.repository): "
                    + (result.accessReason ?? "its policy does not allow omics.amazonaws.com"),
                mend: "allow omics.amazonaws.com ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and "
                    + "ecr:BatchCheckLayerAvailability in the repository's policy"
            )
        }
        attempt.end = .ready(result)
    }

    // MARK: Copy

    private func copy(
        _ attempt: inout CloneAttempt,
        _ destination: Destination,
        takesWhole: Bool,
        over holding: ECRHolding
    ) async throws {
        guard let source = destination.source else { return }
        let progress = CopyProgressWriter(record: record, imageID: attempt.image.id, timeline: timeline)
        let created = attempt.created
        let caller = attempt.caller
        let image = attempt.image
        let ticket = attempt.ticket
        let home = try await account.home()
        let repository = settings.current.clone.repository
        let started = timeline.elapsed()
        let needsCreated = settings.current.policy.rules.contains { $0.facts.minAgeDays != nil }
        let result = try await registries.copy(
            from: source,
            to: destination.location,
            platforms: takesWhole ? nil : Self.platforms(settings.current),
            standing: holding.standing(at: destination.location),
            isFirst: image.attempts == 0 && image.failures == 0,
            knownChildren: Self.knownChildren(of: image),
            needsCreated: needsCreated,
            factsKnown: { facts in
                let denial = try policy.byFacts(
                    source,
                    facts: facts,
                    destination: image.destination,
                    ticket: ticket,
                    home: home
                )
                if let denial { throw denial }
            },
            beforeFirstBlob: {
                if let change = try await preparation.create(destination.location, settings: repository) {
                    created.note()
                    try audit(change, image, caller: caller)
                }
                // Readable before it is visible: a run that starts now must not be denied.
                try audit(try await preparation.grant(destination.location).change, image, caller: caller)
            },
            mayGoOn: { [drain, timeline] in drain.allows($0, since: started, at: timeline.elapsed()) },
            progress: { progress.moved(done: $0.bytesDone, total: $0.bytesTotal) }
        )
        attempt.bytesMoved = result.transfer.bytesMoved
        attempt.attestationsLeft = result.attestationsLeft
        if let moved = result.tagMovedTo {
            attempt.remark("upstream's tag moved to \(moved.short) meanwhile")
        }
        attempt.sourceDigest = result.sourceDigest
        attempt.digestNote = DigestNote.cloned
        if !result.wasPresent {
            let pushed = RepositoryPreparation.Change(
                action: .imagePushed,
                before: holding.digest?.description,
                after: result.destinationDigest.description,
                requestID: result.requestID
            )
            try audit(pushed, image, caller: caller)
            if destination.location.tag != nil, let before = pushed.before, before != pushed.after {
                var moved = pushed
                moved.action = .tagMoved
                try audit(moved, image, caller: caller)
            }
        }
        let held = try await view.look(at: destination.location)
        guard held.digest == result.destinationDigest else {
            throw CloneFailure(
                .digestMismatch,
                message:
                    "\(destination.location) has digest \(held.digest?.description ?? "none") after the copy of "
                    + result.destinationDigest.description,
                mend: "somebody else pushes to this tag; preclone tries again"
            )
        }
        try await finish(&attempt, destination, held)
    }

    // MARK: Around an attempt

    /// The place of a row, worked out again from its two names, since rules may have changed since it was planned.
    func destination(of image: ImageRecord) async throws -> Destination {
        let rules = try await account.placement(
            template: settings.current.clone.destination,
            clonesUnmapped: settings.current.clone.unmapped == .clone
        )
        guard let named = try? ImageReference(image.destination), let location = ECRLocation(named) else {
            throw CloneFailure(
                .unmapped,
                message: image.reason ?? "no mapping leads to a place in ECR",
                mend: image.mend ?? "map its registry in the workflow's container registry map"
            )
        }
        return Planner.destination(source: try? ImageReference(image.source), location: location, rules: rules)
    }

    /// A repository of ours that holds nothing does not outlive a failure, whichever attempt made it.
    private func cleanUp(_ attempt: CloneAttempt) async {
        guard !attempt.isReady, let location = attempt.location else { return }
        if case .stopped = attempt.end { return }
        guard attempt.created.isCreated || attempt.wasTried,
            (try? record.isOursAndUnused(location, besides: attempt.image.id)) == true
        else { return }
        let change = await preparation.removeIfEmpty(location)
        try? audit(change, attempt.image, caller: attempt.caller)
    }

    /// What ECR fetched because of us is a change like a push.
    private func auditImport(
        _ attempt: CloneAttempt,
        of digest: Digest,
        by rule: PullThroughCacheRule,
        over before: ECRHolding,
        requestID: String?
    ) throws {
        var entry = AuditEntry(.imageImported, caller: attempt.caller, at: timeline.now())
        entry.source = attempt.image.source
        entry.destination = attempt.image.destination
        entry.before = before.digest?.description
        entry.after = digest.description
        entry.requestID = requestID
        entry.detail =
            "ECR fetched it by pull-through cache rule \(rule.ecrRepositoryPrefix)"
            + (before.presence == .noRepository ? ", and made the repository" : "")
        try record.audit(entry)
    }

    /// Whether ECR is importing an image that is looked at again soon.
    package var awaitsImports: Bool { pullThrough.awaitsImports }

    func audit(_ change: RepositoryPreparation.Change?, _ image: ImageRecord, caller: String) throws {
        guard let change else { return }
        var entry = AuditEntry(change.action, caller: caller, at: timeline.now())
        entry.source = image.source
        entry.destination = image.destination
        entry.before = change.before
        entry.after = change.after
        entry.requestID = change.requestID
        try record.audit(entry)
    }

    private static func midnight(after date: Date) -> Date {
        Date(timeIntervalSince1970: (date.timeIntervalSince1970 / 86_400).rounded(.down) * 86_400 + 86_400)
    }

    /// The linux/amd64 manifest that an earlier attempt found.
    static func platformDigest(of image: ImageRecord) -> Digest? {
        image.platformDigest.flatMap { try? Digest($0) }
    }

    /// What an earlier attempt found under the source's digest, which spares reading its index again.
    private static func knownChildren(of image: ImageRecord) -> [Digest: Digest] {
        guard let source = image.sourceDigest.flatMap({ try? Digest($0) }), let child = platformDigest(of: image) else {
            return [:]
        }
        return [source: child]
    }

    private static func platforms(_ configuration: Configuration) -> [Platform]? {
        let texts = configuration.clone.platforms
        return texts.contains("all") ? nil : texts.compactMap(Platform.init)
    }
}
