import Foundation
import Model
import Record
import Testing

@testable import Precloning

@Suite("Requests that are asked again")
struct RequestKeyTests {
    private let demand = PlannedDemand(
        source: "quay.io/a/b:1",
        destination: "123456789012.dkr.ecr.us-east-1.amazonaws.com/quay/a/b:1",
        registry: "quay.io",
        mention: "a",
        certainty: "certain"
    )
    private let ann = Caller(userID: 1001, userName: "ann")
    private let bob = Caller(userID: 1002, userName: "bob")
    private let now = Date(timeIntervalSince1970: 1_700_000_000)

    @Test("with the same key are the same rows, of one user alone")
    func keys() throws {
        let ledger = try Ledger()
        func ask(_ images: [String], _ caller: Caller, key: String?) throws -> [Int64] {
            try ledger.request(images, options: CloneOptions(), caller: caller, key: key, now: now)
        }
        let first = try ask(["a", "b", "a"], ann, key: "k")
        #expect(Set(first).count == 3)
        #expect(try ask(["a", "b", "a"], ann, key: "k") == first)
        // Another user's key is another key, and without one each question is new.
        #expect(try Set(ask(["a", "b", "a"], bob, key: "k")).isDisjoint(with: first))
        #expect(try ask(["a"], ann, key: nil) != ask(["a"], ann, key: nil))
        #expect(throws: LedgerError.self) { try ask(["c"], ann, key: "k") }
        #expect(throws: LedgerError.self) {
            try ledger.request(
                ["a", "b", "a"],
                options: CloneOptions(targetTag: "t"),
                caller: ann,
                key: "k",
                now: now
            )
        }
    }

    @Test("keep who asked")
    func callers() throws {
        let ledger = try Ledger()
        var agent = ann
        agent.agent = "nightly"
        let id = try #require(try ledger.request(["a"], options: CloneOptions(), caller: agent, now: now).first)
        #expect(try ledger.request(id: id)?.caller == agent)
        #expect(try ledger.request(id: id)?.caller.description == "agent nightly of user ann")
        try ledger.take(id, wanting: demand, now: now)
        let user = try #require(try ledger.request(["a"], options: CloneOptions(), caller: ann, now: now).first)
        try ledger.take(user, wanting: demand, now: now)
        let image = try #require(try ledger.request(id: id)?.imageID)
        #expect(try Set(ledger.callers(for: image)) == ["user ann", "agent nightly of user ann"])
    }

    @Test("an answer ends what was wanted for it in the same transaction")
    func answerEndsDemand() throws {
        let ledger = try Ledger()
        let id = try #require(try ledger.request(["a"], options: CloneOptions(), caller: ann, now: now).first)
        try ledger.take(id, wanting: demand, now: now)
        let image = try #require(try ledger.request(id: id)?.imageID.flatMap { try ledger.image(id: $0) })
        #expect(image.urgency == .person)
        let request = try #require(try ledger.request(id: id))
        let result = try ledger.result(of: image, requested: request, now: now)
        try ledger.done(id, result: result, endsDemand: true, now: now)
        #expect(try ledger.request(id: id)?.state == "done")
        #expect(try ledger.image(id: image.id)?.urgency == .nobody)
    }

    @Test("an image that is cloned again, since another asked for it meanwhile, is no answer yet")
    func answers() throws {
        let ledger = try Ledger()
        let id = try #require(try ledger.request(["a"], options: CloneOptions(), caller: ann, now: now).first)
        try ledger.take(id, wanting: demand, now: now)
        var image = try #require(try ledger.request(id: id)?.imageID.flatMap { try ledger.image(id: $0) })
        let at = now.milliseconds
        for (state, isAnswer) in [
            (ImageState.pending, false), (.cloning, false), (.ready, true), (.blocked, true), (.retrying, true),
        ] {
            image.state = state
            image.failureClass = state == .retrying ? .unreachable : nil
            #expect(RequestDesk.isAnswer(image, now: at) == isAnswer, "\(state)")
        }
        // For a short time it waits for its turn, for a long one that is said.
        image.state = .retrying
        image.failureClass = nil
        for (seconds, isAnswer) in [(1, false), (59, false), (60, true), (3600, true)] {
            image.dueAt = at + Int64(seconds) * 1000
            #expect(RequestDesk.isAnswer(image, now: at) == isAnswer, "\(seconds) s")
        }
    }
}
