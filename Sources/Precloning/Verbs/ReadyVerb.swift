import Foundation
package import Model
package import Names
package import Remotes
import Synchronization

/// Brings images for a gate: this process or the one that holds the record.
package protocol GateDesk: Sendable {
    /// Asks for images with a run's urgency and waits for the answers.
    ///
    /// - Parameter end: until when at the latest, as `Timeline.elapsed`.
    /// - Returns: what became of each, in their order; nil for what was not answered by then.
    func bring(_ demands: [PlannedDemand], until end: Duration) async throws -> [CloneResult?]
}

/// The manifests that an image had when it was looked at last.
package struct KnownManifests: Sendable, Hashable {
    /// What its place held.
    package var held: Digest
    /// Its linux/amd64 image: the same, or a part of it.
    package var platform: Digest

    package init(held: Digest, platform: Digest) {
        self.held = held
        self.platform = platform
    }

    /// - Returns: nil for a row that does not know both.
    package init?(_ image: ImageRecord) {
        guard let held = image.ecrDigest.flatMap({ try? Digest($0) }),
            let platform = image.platformDigest.flatMap({ try? Digest($0) })
        else { return nil }
        self.init(held: held, platform: platform)
    }

    /// The linux/amd64 image, where an index is held.
    var child: Digest? { platform == held ? nil : platform }
}

/// `preclone ready`: whether a run that starts now finds every image. ECR is looked at, the record is not believed.
package struct ReadyVerb: Sendable {
    /// How long a look alone may take.
    package static let patience = Duration.seconds(120)
    private static let pause = Duration.seconds(1)

    let look: any ECRLook
    /// Nil: nothing is asked for.
    let desk: (any GateDesk)?
    let timeline: Timeline
    let known: @Sendable (PlannedDemand) -> KnownManifests?
    let told: @Sendable (ReadyAnswer) -> Void

    /// - Parameters:
    ///   - known: the manifests that an image had when it was looked at last, which spares reading them again; they say nothing of
    ///     what ECR holds.
    ///   - told: hears of each answer on the way to the last.
    package init(
        look: any ECRLook,
        desk: (any GateDesk)?,
        timeline: Timeline,
        known: @escaping @Sendable (PlannedDemand) -> KnownManifests? = { _ in nil },
        told: @escaping @Sendable (ReadyAnswer) -> Void = { _ in }
    ) {
        self.look = look
        self.desk = desk
        self.timeline = timeline
        self.known = known
        self.told = told
    }

    /// - Parameters:
    ///   - wait: for how long what is missing is brought and waited for; zero: it is only looked at.
    ///   - since: when the waiting began, as `Timeline.elapsed`; nil: now.
    /// - Returns: the answer of the last look that came to its end in time; what was not looked at is `unknown`.
    /// - Throws: `CancellationError`, and what the record throws.
    package func callAsFunction(
        _ needs: ReadyNeeds,
        wait: Duration = .zero,
        since: Duration? = nil
    ) async throws -> ReadyAnswer {
        let start = since ?? timeline.elapsed()
        let last = LastAnswer(Self.unseen(needs, at: timeline.now()))
        let end = start + (wait > .zero ? wait : Self.patience)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.work(needs, end: wait > .zero ? end : nil, last) }
            group.addTask { [timeline] in
                let left = end - timeline.elapsed()
                if left > .zero { try await timeline.sleep(left) }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
        return last.answer
    }

    private func work(_ needs: ReadyNeeds, end: Duration?, _ last: LastAnswer) async throws {
        var answer = try await looked(needs, Self.unseen(needs, at: timeline.now()))
        note(answer, last)
        guard let end, let desk else { return }
        while timeline.elapsed() < end {
            let asked = answer.images.indices.compactMap { index -> (index: Int, demand: PlannedDemand)? in
                switch answer.images[index].state {
                case .ready, .blocked: nil
                case .missing, .waits, .unknown: needs.demand(of: answer.images[index]).map { (index, $0) }
                }
            }
            guard !asked.isEmpty else { return }
            let results = try await desk.bring(asked.map(\.demand), until: end)
            // Not past the end: the last answer holds then.
            guard timeline.elapsed() < end else { return }
            var again = answer
            for (asked, result) in zip(asked, results) { Self.take(result, into: &again.images[asked.index]) }
            answer = try await looked(needs, again)
            note(answer, last)
            guard answer.images.contains(where: { $0.state == .waits || $0.state == .missing }) else { return }
            try await sleep(until: answer.images.compactMap { $0.state == .waits ? $0.until : nil }.min(), end: end)
        }
    }

    /// Until something may be otherwise, and not beyond the end.
    private func sleep(until date: Date?, end: Duration) async throws {
        let wish = date.map { Duration.seconds($0.timeIntervalSince(timeline.now())) } ?? Self.pause
        let left = end - timeline.elapsed()
        if left > .zero { try await timeline.sleep(min(max(wish, Self.pause), left)) }
    }

    private func note(_ answer: ReadyAnswer, _ last: LastAnswer) {
        last.answer = answer
        told(answer)
    }

    // MARK: Looking

    /// Looks at every place that is not blocked.
    private func looked(_ needs: ReadyNeeds, _ before: ReadyAnswer) async throws -> ReadyAnswer {
        var images = before.images
        let places = images.indices.compactMap { index -> (Int, ECRLocation)? in
            guard images[index].state != .blocked, let named = try? ImageReference(images[index].destination),
                let location = ECRLocation(named)
            else { return nil }
            return (index, location)
        }
        let found = try await look.holdings(
            at: places.map { index, location in
                let manifests = needs.demand(of: images[index]).flatMap(known)
                return ECRView.Wanted(location, known: manifests?.platform, child: manifests?.child)
            }
        )
        for ((index, location), result) in zip(places, found) {
            Self.judge(&images[index], result, at: location, pinned: Self.pin(images[index], location))
        }
        return Self.answer(needs, images, at: timeline.now())
    }

    private static func pin(_ image: ReadyAnswer.Image, _ location: ECRLocation) -> Digest? {
        location.digest ?? (try? ImageReference(image.source))?.digest
    }

    private static func judge(
        _ image: inout ReadyAnswer.Image,
        _ result: ECRLookResult,
        at location: ECRLocation,
        pinned: Digest?
    ) {
        // What was asked for goes on waiting; whatever ECR says now is newer than why.
        let waits = image.state == .waits
        func lacks(_ reason: String) {
            image.state = waits ? .waits : .missing
            if !waits { image.reason = reason }
        }
        switch result {
        case .unknown(let why):
            image.state = .unknown
            image.reason = why
        case .holding(let holding):
            image.digest = holding.digest?.description
            image.platformDigest = holding.platformDigest?.description
            image.bytes = holding.bytes
            guard holding.isComplete else { return lacks("\(location) \(Planner.words(holding))") }
            if let pinned, holding.digest != pinned {
                return lacks("\(location) has digest \(holding.digest?.description ?? "-") and not \(pinned)")
            }
            switch holding.access {
            case .accessible:
                image.state = .ready
                image.reason = nil
                image.mend = nil
                image.until = nil
            case .notAccessible:
                lacks(
                    "HealthOmics may not read \(location.repository): \(holding.accessReason ?? "no statement allows it")"
                )
            case .unknown:
                image.state = .unknown
                image.reason =
                    holding.accessReason ?? "whether HealthOmics may read \(location.repository) is not known"
                image.mend = "let preclone read the repository's policy (ecr:GetRepositoryPolicy)"
            }
        }
    }

    private static func take(_ result: CloneResult?, into image: inout ReadyAnswer.Image) {
        guard let result else {
            image.state = .waits
            image.reason = "it is on its way"
            return
        }
        switch result.state {
        // Looked at again before anybody is told so.
        case .ready: image.state = .missing
        case .blocked:
            image.state = .blocked
            image.reason = result.message
        case .pending, .cloning, .retrying:
            image.state = .waits
            image.reason = result.message
            image.until = result.due
        }
    }

    // MARK: Answers

    /// Before anything was looked at: what has no place is blocked, all else is not known.
    private static func unseen(_ needs: ReadyNeeds, at now: Date) -> ReadyAnswer {
        let images = needs.demands.map { demand in
            var image = ReadyAnswer.Image(
                image: demand.mention,
                source: demand.source,
                destination: demand.destination,
                certainty: demand.certainty,
                state: demand.refusal == nil && !demand.destination.isEmpty ? .unknown : .blocked
            )
            image.reason = demand.refusal?.reason ?? (image.state == .unknown ? "it was not looked at" : nil)
            image.mend = demand.refusal?.mend
            return image
        }
        return answer(needs, images, at: now)
    }

    private static func answer(_ needs: ReadyNeeds, _ images: [ReadyAnswer.Image], at now: Date) -> ReadyAnswer {
        var answer = ReadyAnswer(subject: needs.label, lookedAt: now, images: images)
        answer.unresolved = needs.unresolved.map {
            ReadyAnswer.Unresolved(place: $0.place, expression: $0.expression, missing: $0.missing)
        }
        answer.trouble = needs.trouble
        answer.isTroubleFinal = needs.isTroubleFinal
        answer.notes = needs.notes
        // What could not be known is never ready.
        if needs.trouble != nil { answer.isReady = false }
        return answer
    }
}

extension ReadyNeeds {
    fileprivate func demand(of image: ReadyAnswer.Image) -> PlannedDemand? {
        demands.first { $0.mention == image.image && $0.source == image.source && $0.destination == image.destination }
    }
}

/// The answer so far.
private final class LastAnswer: Sendable {
    private let state: Mutex<ReadyAnswer>

    init(_ answer: ReadyAnswer) { state = Mutex(answer) }

    var answer: ReadyAnswer {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
