import Configuring
package import Foundation
package import Model
import Names
package import Record
import Remotes

/// Everything about one image: how it was read, what policy says, where it goes and how, what is there now, and what comes next.
package struct ExplainAnswer: Codable, Sendable, Hashable {
    /// How the text was read.
    package struct Reading: Codable, Sendable, Hashable {
        package var reference: String
        package var registry: String
        package var repository: String
        package var tag: String?
        package var digest: String?
    }

    package struct Policy: Codable, Sendable, Hashable {
        package var verdict: String
        package var rule: String
        package var reason: String
        package var mend: String?
        /// It is open until manifest and config are read.
        package var dependsOnFacts: Bool
        /// For whom it was asked.
        package var caller: String
        package var rules: [PolicyRuleLine]
    }

    /// What upstream says now.
    package struct Upstream: Codable, Sendable, Hashable {
        package var digest: String?
        package var problem: String?
    }

    /// What ECR holds at a place now.
    package struct Holding: Codable, Sendable, Hashable {
        package var words: String
        package var digest: String?
        package var platformDigest: String?
        package var bytes: Int64?
        package var access: String
        package var accessReason: String?
    }

    /// What the record knows of it.
    package struct Standing: Codable, Sendable, Hashable {
        package var state: String
        package var reason: String?
        package var mend: String?
        package var attempts: Int
        package var due: Date?
        package var verifiedAt: Date?
        package var lastAttempts: [PastAttempt]
    }

    /// One place that it goes to.
    package struct Place: Codable, Sendable, Hashable {
        package var source: String
        /// Empty where nothing leads it to one.
        package var destination: String
        /// The pull-through rule that the place lies under.
        package var pullThroughRule: String?
        package var wantedBy: [String]
        /// Why there is no place.
        package var problem: String?
        package var mend: String?
        package var holding: Holding?
        package var route: String?
        package var why: String?
        package var bytesToMove: Int64?
        package var until: Date?
        package var then: String?
        package var record: Standing?
        /// What happens next, and when.
        package var next: String
    }

    package var schemaVersion = 1
    package var image: String
    /// Nil where the text is no image reference.
    package var reading: Reading?
    package var problem: String?
    package var policy: Policy?
    package var upstream: Upstream?
    package var places: [Place]
    package var notes: [String]
}

extension Works {
    /// Explains an image. Nothing is changed but this value's own record, which the caller made for it.
    ///
    /// - Parameters:
    ///   - subject: a run or workflow whose map places it; nil: the places that the record knows, else where `clone` would
    ///     bring it.
    ///   - caller: for whom policy is asked.
    ///   - known: the daemon's record, where there is one.
    /// - Throws: errors of the services, and what `needs(of:)` throws.
    package func explain(
        _ text: String,
        for subject: ReadySubject?,
        as caller: Caller,
        known: RecordReader?
    ) async throws -> ExplainAnswer {
        var answer = ExplainAnswer(image: text, places: [], notes: [])
        let reference: ImageReference
        do { reference = try ImageReference(text) } catch {
            answer.problem = error.description
            return answer
        }
        answer.reading = ExplainAnswer.Reading(
            reference: reference.description,
            registry: reference.registry,
            repository: reference.repository,
            tag: reference.tag,
            digest: reference.digest?.description
        )
        let rows = try known?.images(named: [text, reference.description]) ?? []
        let demands = try await demands(for: subject, reference, text, rows, &answer)
        var source = ECRLocation(reference) == nil ? reference : nil
        for demand in demands {
            if source == nil, let found = try? ImageReference(demand.source), ECRLocation(found) == nil {
                source = found
            }
            let row = rows.first { $0.row.source == demand.source && $0.row.destination == demand.destination }
            answer.places.append(try await place(demand, row, isAsked: subject != nil))
        }
        if let source {
            let place = answer.places.lazy.compactMap { try? ImageReference($0.destination) }.compactMap {
                ECRLocation($0)
            }
            answer.policy = try await policy(on: source, to: place.first, for: caller)
            answer.upstream = await upstream(source, isAllowed: answer.policy?.verdict != "deny")
        }
        return answer
    }

    /// Where it goes, by the map of a subject, by the record, or as `clone` would place it.
    private func demands(
        for subject: ReadySubject?,
        _ reference: ImageReference,
        _ text: String,
        _ rows: [KnownImage],
        _ answer: inout ExplainAnswer
    ) async throws -> [PlannedDemand] {
        if let subject {
            let needs = try await needs(of: subject)
            let found = needs.demands.filter { demand in
                demand.mention == text || demand.source == reference.description
                    || demand.destination == reference.description
            }
            if found.isEmpty { answer.notes.append("\(needs.label) does not need it, as far as is known") }
            if let trouble = needs.trouble { answer.notes.append("what \(needs.label) needs is not known: \(trouble)") }
            return found
        }
        if !rows.isEmpty {
            return rows.map { known in
                var demand = PlannedDemand(
                    source: known.row.source,
                    destination: known.row.destination,
                    registry: known.row.registry,
                    mention: text,
                    certainty: "certain"
                )
                if demand.destination.isEmpty {
                    demand.refusal = Refusal(
                        known.row.failureClass ?? .unmapped,
                        reason: known.row.reason ?? "nothing leads it to a place",
                        mend: known.row.mend ?? ""
                    )
                }
                return demand
            }
        }
        answer.notes.append("the record does not know it: this is where `preclone clone` would bring it")
        let rules = try await account.placement(template: settings.current.clone.destination, clonesUnmapped: true)
        switch Planner.destination(reference, mention: text, map: nil, rules: rules) {
        case .placed(let destination): return [DemandPlanning.row(reference, text, destination)]
        case .unmapped(_, .some(let fallback)): return [DemandPlanning.row(reference, text, fallback)]
        case .unmapped(let refusal, nil), .refused(let refusal):
            var demand = PlannedDemand(
                source: reference.description,
                destination: "",
                registry: reference.registry,
                mention: text,
                certainty: "certain"
            )
            demand.refusal = refusal
            return [demand]
        }
    }

    private func place(_ demand: PlannedDemand, _ known: KnownImage?, isAsked: Bool) async throws -> ExplainAnswer.Place
    {
        var place = ExplainAnswer.Place(
            source: demand.source,
            destination: demand.destination,
            wantedBy: known?.wantedBy ?? [],
            next: ""
        )
        if let row = known?.row {
            place.record = ExplainAnswer.Standing(
                state: row.state.rawValue,
                reason: row.reason,
                mend: row.mend,
                attempts: row.attempts,
                due: row.dueAt.map(Date.init(milliseconds:)),
                verifiedAt: row.verifiedAt.map(Date.init(milliseconds:)),
                lastAttempts: known?.attempts ?? []
            )
        }
        guard let named = try? ImageReference(demand.destination), let location = ECRLocation(named) else {
            place.problem = demand.refusal?.reason ?? "nothing leads it to a place in ECR"
            place.mend = demand.refusal?.mend
            place.next = "nothing, until the workflow's map reaches it"
            return place
        }
        guard let result = try await look.holdings(at: [ECRView.Wanted(location)]).first else { return place }
        switch result {
        case .unknown(let why): place.holding = .init(words: "could not be looked at: \(why)", access: "unknown")
        case .holding(let holding):
            place.holding = ExplainAnswer.Holding(
                words: Planner.words(holding),
                digest: holding.digest?.description,
                platformDigest: holding.platformDigest?.description,
                bytes: holding.bytes,
                access: holding.access.rawValue,
                accessReason: holding.accessReason
            )
        }
        guard let id = try ledger.want(.clone(request: "0"), [demand], isMore: true, now: timeline.now()).first,
            let image = try ledger.image(id: id)
        else { return place }
        place.pullThroughRule = try? await cloner.destination(of: image).rule?.ecrRepositoryPrefix
        let planned = await cloner.plan(image)
        place.route = planned.route
        place.why = planned.why
        place.bytesToMove = planned.bytes
        place.until = planned.until
        place.then = planned.then
        place.next = Self.next(place)
        return place
    }

    private static func next(_ place: ExplainAnswer.Place) -> String {
        let due = place.record?.due.map { ", at \($0.formatted(.iso8601))" } ?? ""
        let isWanted = !place.wantedBy.isEmpty
        let whenever = isWanted ? "" : " when somebody wants it"
        switch place.route {
        case "present": return "nothing: it is there" + (isWanted ? ", and is looked at again from time to time" : "")
        case "refused": return "nothing, until a person acts\(due.isEmpty ? "" : "; it is looked for again\(due)")"
        case "later": return "it waits" + (place.until.map { " until \($0.formatted(.iso8601))" } ?? "")
        case "pullThrough": return "ECR fetches it through rule `\(place.pullThroughRule ?? "-")`\(whenever)\(due)"
        case "copy": return "it is copied\(whenever)\(due)"
        default: return "not known"
        }
    }

    private func policy(
        on source: ImageReference,
        to destination: ECRLocation?,
        for caller: Caller
    ) async throws -> ExplainAnswer.Policy {
        let home = try await account.home()
        let rules = settings.current.policy
        var image = PolicyImage(source)
        image.caller = caller.description
        image.destination = destination
        let decision = ImagePolicy(rules, exempt: [home.registry]).decide(image, now: timeline.now())
        return ExplainAnswer.Policy(
            verdict: decision.verdict.rawValue,
            rule: decision.rule,
            reason: decision.reason,
            mend: decision.mend,
            dependsOnFacts: decision.factsNeeded,
            caller: caller.description,
            rules: ImagePolicy.lines(of: rules, for: image, decision: decision)
        )
    }

    /// What the image's own registry names now; a look at a tag that costs no pull.
    private func upstream(_ source: ImageReference, isAllowed: Bool) async -> ExplainAnswer.Upstream {
        guard isAllowed else { return .init(problem: "not asked: policy denies it") }
        if let (until, why) = await registries.pause(of: source.registry) {
            return .init(problem: "not asked before \(until.formatted(.iso8601)): \(why)")
        }
        do {
            let found = try await registries.client(for: source.registry).headManifest(
                source.repository,
                source.digest.map { .digest($0) } ?? .tag(source.tag ?? "latest")
            )
            guard let digest = found?.digest ?? source.digest else { return .init(problem: "it names no digest") }
            return .init(digest: digest.description)
        } catch {
            return .init(problem: "\(error)")
        }
    }
}
