import Foundation
import Model
import Precloning
import Remotes

extension CloneSession {
    /// One image, and how it is wanted.
    struct Wish: Sendable {
        var image: String
        var options: CloneOptions
    }

    /// Asks for images that each have a place of their own.
    ///
    /// - Returns: the requests' ids, in their order.
    /// - Throws: as `ask` for one.
    func ask(_ wishes: [Wish], worry: @Sendable (String) -> Void = { _ in }) async throws -> [Int64] {
        var ids: [Int64] = []
        for wish in wishes {
            ids += try await ask([wish.image], options: wish.options, key: UUID().uuidString, worry: worry)
        }
        return ids
    }
}

/// Brings images by requests, as `preclone clone` does, but as urgent as a run.
struct SessionGateDesk: GateDesk {
    let session: CloneSession
    let timeline: Timeline

    func bring(_ demands: [PlannedDemand], until end: Duration) async throws -> [CloneResult?] {
        let wishes = demands.map { demand in
            CloneSession.Wish(
                image: demand.source,
                options: CloneOptions(destination: demand.destination, urgency: .run)
            )
        }
        let ids = try await session.ask(wishes)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await session.wait(for: ids, tell: { _ in }) }
            group.addTask {
                let left = end - timeline.elapsed()
                if left > .zero { try await timeline.sleep(left) }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
        return try ids.map { try session.results(of: [$0]).first }
    }
}
