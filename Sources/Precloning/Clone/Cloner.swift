import Configuring
import Foundation
import Logging
package import Model
import Names
package import Record
package import Remotes

/// The third stage: one image, from its row to an outcome. Never throws; "ready" means verified in ECR.
package struct Cloner: Sendable {
    let account: AccountFacts
    let view: ECRView
    let preparation: RepositoryPreparation
    let registries: RegistryClients
    let pullThrough: PullThroughTrigger
    let ledger: Ledger
    let settings: Settings
    let policy: PolicyGate
    let timeline: Timeline
    /// Begun by the dispatcher when the daemon stops.
    let drain = Drain()

    package init(
        account: AccountFacts,
        view: ECRView,
        preparation: RepositoryPreparation,
        registries: RegistryClients,
        pullThrough: PullThroughTrigger,
        ledger: Ledger,
        settings: Settings,
        policy: PolicyGate,
        timeline: Timeline
    ) {
        self.account = account
        self.view = view
        self.preparation = preparation
        self.registries = registries
        self.pullThrough = pullThrough
        self.ledger = ledger
        self.settings = settings
        self.policy = policy
        self.timeline = timeline
    }

    /// Brings one image to its destination and says how that ended.
    package func clone(_ image: ImageRecord, caller: String = "daemon") async -> CloneOutcome {
        var attempt = CloneAttempt(image: image, caller: caller, started: timeline.now())
        do {
            try await run(&attempt)
        } catch let refusal as Refusal {
            attempt.end = .refused(refusal)
        } catch is ImageCopy.StoppedBetweenBlobs {
            attempt.end = .stopped
        } catch let reached as PolicyGate.RateReached {
            attempt.end = .later(until: reached.until, why: reached.why)
            attempt.isHeldByRate = true
        } catch {
            attempt.end = Task.isCancelled ? .stopped : .failed(CloneFailure(error))
        }
        policy.end(attempt.ticket, wasUsed: attempt.wasTried)
        // What the facts decided is the last word.
        attempt.rule = attempt.ticket.rule ?? attempt.rule
        await cleanUp(attempt)
        return attempt.outcome
    }

    // MARK: One attempt

    /// The route of an image now, from what ECR, policy and the source's host say.
    func route(
        _ image: ImageRecord,
        caller: String
    ) async throws -> (destination: Destination, route: Route, rule: String?) {
        let found = try await facts(image, caller: caller)
        let route = Planner.route(found.destination, facts: found.facts, urgency: image.urgency)
        return (found.destination, route, found.decision?.rule)
    }

    private func facts(
        _ image: ImageRecord,
        caller: String
    ) async throws -> (destination: Destination, facts: RouteFacts, decision: PolicyGate.Decision?) {
        let destination = try await destination(of: image)
        let holding = try await view.look(at: destination.location, known: Self.platformDigest(of: image))
        var facts = RouteFacts(holding: holding, midnight: Self.midnight(after: timeline.now()))
        // Below a pull-through prefix ECR follows by itself.
        facts.followsMovedTag =
            image.movedDigest != nil && destination.rule == nil && settings.current.clone.onTagMove != .report
        if let rule = destination.rule, destination.isOurs, destination.source != nil, !holding.isComplete {
            facts.ruleFault = await account.fault(of: rule, makesRepository: holding.presence == .noRepository)
        }
        var decision: PolicyGate.Decision?
        if let source = destination.source {
            let found = try await policy.byName(source, caller: caller, home: try await account.home())
            decision = found
            facts.denial = found.denial
            facts.sourcePausedUntil = await registries.pause(of: source.registry)
        }
        if let bound = settings.current.clone.maxBytesPerDay {
            facts.bytesLeftToday = bound.bytes - (try ledger.bytesMovedToday(now: timeline.now()))
        }
        return (destination, facts, decision)
    }

    private func run(_ attempt: inout CloneAttempt) async throws {
        let found = try await facts(attempt.image, caller: attempt.caller)
        let destination = found.destination
        attempt.location = destination.location
        attempt.wasHeld = found.facts.holding.isComplete
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
            try await finish(&attempt, destination, found.facts.holding)
        case .refused(let refusal):
            attempt.end = .refused(refusal)
        case .later(let until, let why):
            attempt.end = .later(until: until, why: why)
        case .pullThrough(let rule):
            try await pull(&attempt, destination, rule, over: found.facts.holding)
        case .copy(let takesWhole, let why):
            if destination.rule != nil { attempt.note = "copied, since \(why)" }
            if found.facts.followsMovedTag { try await keepOldDigest(found.facts.holding, destination, attempt) }
            try await copy(&attempt, destination, takesWhole: takesWhole, over: found.facts.holding)
        }
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
        switch try await pullThrough.pull(destination, source: source, view: view) {
        case .held(let digest, let upstream, let requestID):
            attempt.sourceDigest = upstream ?? digest
            try auditImport(attempt, of: digest, by: rule, over: before, requestID: requestID)
            if let upstream, upstream != digest {
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
        let progress = CopyProgressWriter(ledger: ledger, imageID: attempt.image.id, timeline: timeline)
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
        if let moved = result.tagMovedTo {
            attempt.note = (attempt.note.map { $0 + "; " } ?? "") + "upstream's tag moved to \(moved.short) meanwhile"
        }
        attempt.sourceDigest = result.sourceDigest
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
            (try? ledger.isOursAndUnused(location, besides: attempt.image.id)) == true
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
        try ledger.audit(entry)
    }

    func audit(_ change: RepositoryPreparation.Change?, _ image: ImageRecord, caller: String) throws {
        guard let change else { return }
        var entry = AuditEntry(change.action, caller: caller, at: timeline.now())
        entry.source = image.source
        entry.destination = image.destination
        entry.before = change.before
        entry.after = change.after
        entry.requestID = change.requestID
        try ledger.audit(entry)
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
