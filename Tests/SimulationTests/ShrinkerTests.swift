import Testing

@testable import Simulation

@Suite struct ShrinkerTests {
    private static let story = Story(
        seed: 1,
        days: 1,
        choices: [.concurrency(2), .pollInterval(seconds: 60)],
        steps: (0..<40).map { Step(at: Double($0), event: .retire(workflow: "w\($0)")) }
    )

    private static func violation(_ invariant: Invariant) -> Violation {
        Violation(invariant: invariant, at: .zero, detail: "", subject: "")
    }

    @Test func onlyTheEventsThatBreakThePromiseAreLeft() throws {
        let needed: Set<Event> = [.retire(workflow: "w7"), .retire(workflow: "w31")]
        let shrinker = Shrinker(
            trials: 400,
            play: { story in
                needed.isSubset(of: story.steps.map(\.event)) ? [Self.violation(.readyIsReady)] : []
            },
            tell: { _ in }
        )
        let shortest = try shrinker.shrink(Self.story, breaking: .readyIsReady)
        #expect(Set(shortest.steps.map(\.event)) == needed)
        #expect(shortest.steps.map(\.at) == [7, 31])
        #expect(shortest.choices.isEmpty)
    }

    @Test func anotherPromiseThatBreaksIsAnotherStory() throws {
        let shrinker = Shrinker(
            trials: 400,
            play: { story in
                let first = story.steps.contains { $0.event == .retire(workflow: "w3") }
                return [Self.violation(first ? .readyIsReady : .itGoesOn)]
            },
            tell: { _ in }
        )
        #expect(try shrinker.shrink(Self.story, breaking: .readyIsReady).steps.map(\.at) == [3])
    }

    @Test func itEndsAfterItsTrials() throws {
        var played = 0
        let shrinker = Shrinker(
            trials: 5,
            play: { _ in
                played += 1
                return []
            },
            tell: { _ in }
        )
        #expect(try shrinker.shrink(Self.story, breaking: .itGoesOn) == Self.story)
        #expect(played == 5)
    }
}
