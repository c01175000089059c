import Configuring
import Foundation
import Logging
import Model
import Names
package import Record
package import Remotes

/// Takes what people ask for with `preclone clone`: the same planner, policy, limits and record as everything else.
package struct RequestDesk: WorkLoop {
    package let name = "requests"
    package let bell = Bell()

    private static let shortWait = Duration.seconds(60)

    let ledger: Ledger
    let account: AccountFacts
    let settings: Settings
    let timeline: Timeline
    let interval: Duration
    let demanded: @Sendable () -> Void

    package init(
        ledger: Ledger,
        account: AccountFacts,
        settings: Settings,
        timeline: Timeline,
        interval: Duration = .seconds(1),
        demanded: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.account = account
        self.settings = settings
        self.timeline = timeline
        self.interval = interval
        self.demanded = demanded
    }

    package func hasMore() throws -> Bool {
        try !ledger.newRequests().isEmpty || !ledger.answerableRequests().isEmpty
    }

    package func pass() async throws -> Duration {
        for request in try ledger.newRequests() { try await take(request) }
        for request in try ledger.answerableRequests() { try close(request) }
        return interval
    }

    /// From the text to an image that is due now, or to a refusal.
    private func take(_ request: CloneRequestRow) async throws {
        switch try await place(request) {
        case .success(let demand):
            // A ready image is looked at again before anybody is told that it is.
            try ledger.take(request.id, wanting: demand, now: timeline.now())
            demanded()
        case .failure(let refusal):
            let result = CloneResult(
                refused: request.image,
                registry: (try? ImageReference(request.image))?.registry ?? "",
                refusal,
                elapsed: timeline.now().milliseconds - request.createdAt
            )
            try ledger.done(request.id, result: result, now: timeline.now())
        }
    }

    private func place(_ request: CloneRequestRow) async throws -> Result<PlannedDemand, Refusal> {
        let options: CloneOptions
        do { options = try JSONDecoder().decode(CloneOptions.self, from: Data(request.options.utf8)) } catch {
            return .failure(
                Refusal(
                    .ours,
                    reason: "the request's options can't be read: \(error)",
                    mend: "ask again with this version"
                )
            )
        }
        let reference: ImageReference
        let text = request.image
        do { reference = try ImageReference(text) } catch {
            return .failure(Refusal(.invalidName, reason: "\(error)", mend: "correct the image's name"))
        }
        let clone = settings.current.clone
        let rules = try await account.placement(template: clone.destination, clonesUnmapped: true)
        if let destination = options.destination {
            guard let named = try? ImageReference(destination), let location = ECRLocation(named) else {
                return .failure(
                    Refusal(
                        .invalidName,
                        reason: "\(destination) is no place in a private ECR",
                        mend: "ask again with this version"
                    )
                )
            }
            let placed = Planner.destination(source: reference, location: location, rules: rules)
            return .success(DemandPlanning.row(reference, text, placed))
        }
        if options.targetRepository != nil || options.targetTag != nil {
            let repository: String
            switch Planner.fallback(for: reference, rules: rules) {
            case .success(let usual): repository = options.targetRepository ?? usual.location.repository
            case .failure(let refusal):
                guard let named = options.targetRepository else { return .failure(refusal) }
                repository = named
            }
            return Planner.explicit(reference, repository: repository, tag: options.targetTag, rules: rules)
                .map { DemandPlanning.row(reference, text, $0) }
        }
        switch Planner.destination(reference, mention: text, map: nil, rules: rules) {
        case .placed(let destination): return .success(DemandPlanning.row(reference, text, destination))
        case .unmapped(let refusal, let fallback):
            return fallback.map { .success(DemandPlanning.row(reference, text, $0)) } ?? .failure(refusal)
        case .refused(let refusal): return .failure(refusal)
        }
    }

    /// Answers with what came of the attempt that was asked for. An image that waits goes on being wanted.
    private func close(_ request: CloneRequestRow) throws {
        guard let id = request.imageID, let image = try ledger.image(id: id) else { return }
        guard Self.isAnswer(image, now: timeline.now().milliseconds) else { return }
        let result = try ledger.result(of: image, requested: request, now: timeline.now())
        try ledger.done(request.id, result: result, endsDemand: image.state != .retrying, now: timeline.now())
    }

    /// Whether how an image stands is an answer to whoever asked for it.
    static func isAnswer(_ image: ImageRecord, now: Milliseconds) -> Bool {
        switch image.state {
        // Stopped in the middle, it begins again by itself; another who asked as the attempt ended has let it begin again.
        case .pending, .cloning: false
        // It waits for its turn or for ECR, and not for long.
        case .retrying where image.failureClass == nil:
            image.dueAt.map { $0 - now >= Self.shortWait.milliseconds } ?? true
        case .retrying, .ready, .blocked: true
        }
    }
}
