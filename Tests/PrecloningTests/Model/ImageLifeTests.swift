import Foundation
import Testing

@testable import Model

/// The life of an image as a table: every state and every event, with the rule in words.
@Suite struct ImageLifeTests {
    private static let now = Date(timeIntervalSince1970: 1_790_000_000)
    private static let later = now.addingTimeInterval(7200)

    /// An image in a state, as one is after a while: a blocked one is due in two hours.
    private static func standing(_ state: ImageState) -> ImageStanding {
        var image = ImageStanding()
        image.state = state
        image.generation = 3
        image.askedGeneration = 3
        image.mark = "m"
        image.endedAt = now.addingTimeInterval(-600)
        switch state {
        case .pending: image.due = now.addingTimeInterval(-1)
        case .cloning: break
        case .ready:
            image.readyAt = now.addingTimeInterval(-900)
            image.verifiedAt = now.addingTimeInterval(-600)
        case .retrying, .blocked:
            image.due = later
            image.failures = 4
            image.attempts = 4
            image.firstAttemptAt = now.addingTimeInterval(-900)
            image.failureClass = state == .blocked ? .notFound : .unreachable
            image.reason = "why"
        }
        return image
    }

    private static func next(
        _ image: ImageStanding,
        _ event: ImageEvent,
        _ urgency: Urgency = .version,
        mark: String? = "m"
    ) -> ImageStanding {
        ImageLife.next(image, event, ImageMoment(now: now, random: 1, urgency: urgency, mark: mark))
    }

    /// What of a standing a row of the table states: state, seconds until it is due.
    private struct Row: Equatable, CustomStringConvertible {
        var state: ImageState
        var due: TimeInterval?

        init(_ state: ImageState, _ due: TimeInterval?) {
            self.state = state
            self.due = due
        }

        init(_ image: ImageStanding) { self.init(image.state, image.due?.timeIntervalSince(now)) }

        var description: String { "\(state) \(due.map { "in \($0) s" } ?? "not by itself")" }
    }

    private static let failure = CloneFailure(.brokenAnswer, message: "broken", mend: "m")
    private static let refusal = Refusal(.policy, reason: "no", mend: "m")

    // The columns: pending, cloning, ready, retrying, blocked.
    private static let table: [(rule: String, event: ImageEvent, rows: [Row])] = [
        (
            "a new subject never inherits an old answer; what is whole is looked at by the verifier",
            .wanted(isNew: true),
            [Row(.pending, -1), Row(.cloning, nil), Row(.ready, nil), Row(.retrying, 0), Row(.blocked, 0)]
        ),
        (
            "the same wish again changes no wait",
            .wanted(isNew: false),
            [Row(.pending, -1), Row(.cloning, nil), Row(.ready, nil), Row(.retrying, 7200), Row(.blocked, 7200)]
        ),
        (
            "no attempt can be made: not by itself; what is under way or there is left",
            .refused(refusal),
            [Row(.blocked, nil), Row(.cloning, nil), Row(.ready, nil), Row(.blocked, nil), Row(.blocked, nil)]
        ),
        (
            "one of several no longer wants it",
            .unwanted,
            [Row(.pending, -1), Row(.cloning, nil), Row(.ready, nil), Row(.retrying, 7200), Row(.blocked, 7200)]
        ),
        (
            "the same configuration again decides nothing anew",
            .reconfigured,
            [Row(.pending, -1), Row(.cloning, nil), Row(.ready, nil), Row(.retrying, 7200), Row(.blocked, 7200)]
        ),
        (
            "who asks gets an attempt that begins after the question",
            .asked,
            [Row(.pending, 0), Row(.cloning, nil), Row(.ready, 0), Row(.retrying, 0), Row(.blocked, 0)]
        ),
        (
            "a person ends a wait, and nothing else",
            .retried,
            [Row(.pending, 0), Row(.cloning, nil), Row(.ready, nil), Row(.retrying, 0), Row(.blocked, 0)]
        ),
        (
            "a worker takes it (one that is taken already: impossible, no harm)",
            .taken,
            [Row(.cloning, nil), Row(.cloning, nil), Row(.cloning, nil), Row(.cloning, nil), Row(.cloning, nil)]
        ),
        (
            "verified in ECR",
            .ended(.ready(note: nil), mark: "m"),
            [Row(.ready, nil), Row(.ready, nil), Row(.ready, nil), Row(.ready, nil), Row(.ready, nil)]
        ),
        (
            "verified in ECR, and its signatures are to be had later: ready, and due again with back-off",
            .ended(.ready(note: nil, isPartial: true), mark: "m"),
            [Row(.ready, 60), Row(.ready, 60), Row(.ready, 60), Row(.ready, 960), Row(.ready, 960)]
        ),
        (
            "failed, and ECR does not hold it: with back-off",
            .ended(.failed(failure, isHeld: false), mark: "m"),
            [Row(.retrying, 30), Row(.retrying, 30), Row(.retrying, 30), Row(.retrying, 480), Row(.retrying, 480)]
        ),
        (
            "failed, and ECR holds what it held: what was ready stays it",
            .ended(.failed(failure, isHeld: true), mark: "m"),
            [Row(.retrying, 30), Row(.retrying, 30), Row(.ready, nil), Row(.retrying, 480), Row(.retrying, 480)]
        ),
        (
            "not tried: when it was said",
            .ended(.later(until: later, why: "quota", isHeld: false), mark: "m"),
            Array(repeating: Row(.retrying, 7200), count: 5)
        ),
        (
            "refused: by the clock of its cause",
            .ended(.refused(refusal, isHeld: false), mark: "m"),
            Array(repeating: Row(.blocked, 86_400), count: 5)
        ),
        (
            "stopped with the daemon: at once after the next start",
            .ended(.stopped, mark: "m"),
            [Row(.pending, 0), Row(.pending, 0), Row(.ready, 0), Row(.pending, 0), Row(.pending, 0)]
        ),
        (
            "a look found it whole: no state changes",
            .found,
            [Row(.pending, -1), Row(.cloning, nil), Row(.ready, nil), Row(.retrying, 7200), Row(.blocked, 7200)]
        ),
        (
            "a look found it gone: cloned again; of what is not ready it says nothing new",
            .lost(reason: "gone"),
            [Row(.pending, -1), Row(.cloning, nil), Row(.pending, 0), Row(.retrying, 7200), Row(.blocked, 7200)]
        ),
        (
            "a moved tag that is followed: due, and ready until it is replaced",
            .tagMoved(to: "sha256:b", follows: true),
            [Row(.pending, -1), Row(.cloning, nil), Row(.ready, 0), Row(.retrying, 7200), Row(.blocked, 7200)]
        ),
        (
            "a moved tag that is only reported",
            .tagMoved(to: "sha256:b", follows: false),
            [Row(.pending, -1), Row(.cloning, nil), Row(.ready, nil), Row(.retrying, 7200), Row(.blocked, 7200)]
        ),
        (
            "the tag is where it was",
            .tagUnmoved,
            [Row(.pending, -1), Row(.cloning, nil), Row(.ready, nil), Row(.retrying, 7200), Row(.blocked, 7200)]
        ),
        (
            "the process ended in an attempt, and in nothing else",
            .interrupted,
            [Row(.pending, -1), Row(.pending, 0), Row(.ready, nil), Row(.retrying, 7200), Row(.blocked, 7200)]
        ),
    ]

    @Test func everyStateAndEveryEvent() {
        let states: [ImageState] = [.pending, .cloning, .ready, .retrying, .blocked]
        for (rule, event, rows) in Self.table {
            for (state, row) in zip(states, rows) {
                #expect(Row(Self.next(Self.standing(state), event)) == row, "\(state): \(rule)")
            }
        }
    }

    @Test("an image that nobody wants is not due, whatever happens to it")
    func nobody() {
        for (rule, event, _) in Self.table {
            if case .taken = event { continue }
            for state in ImageState.allCases {
                // Asking, wanting and following need somebody.
                switch event {
                case .asked, .wanted, .tagMoved, .found, .tagUnmoved, .reconfigured, .retried, .refused: continue
                default: break
                }
                let after = Self.next(Self.standing(state), event, .nobody)
                if after.state == .ready || after.state == .cloning { continue }
                if case .lost = event, state != .ready { continue }
                if case .interrupted = event, state != .cloning { continue }
                #expect(after.due == nil, "\(state): \(rule)")
                #expect(after.urgency == .nobody, "\(state): \(rule)")
            }
        }
    }

    @Test("what is not there is looked for soon while a run waits, less soon for a version, and less and less often")
    func notThere() {
        let missing = CloneFailure(.notFound, message: "not there", mend: "push it")
        for (urgency, first, most) in [(Urgency.run, 10.0, 300.0), (.version, 120, 3600), (.person, 120, 3600)] {
            var image = Self.standing(.pending)
            var waits: [TimeInterval] = []
            for _ in 0..<12 {
                image = Self.next(image, .ended(.failed(missing, isHeld: false), mark: "m"), urgency)
                #expect(image.state == .blocked)
                waits.append(image.due?.timeIntervalSince(Self.now) ?? 0)
            }
            #expect(waits.first == first && waits[1] == 2 * first && waits.last == most, "\(urgency)")
        }
    }

    @Test("an old failure is never the answer to a new question, and a success under way is")
    func generations() {
        var image = Self.next(Self.standing(.pending), .taken)
        image = Self.next(image, .asked)
        #expect(image.isAsked && image.askedGeneration == 5)
        let failed = Self.next(image, .ended(.failed(Self.failure, isHeld: false), mark: "m"))
        #expect(failed.isAsked && failed.due == Self.now)
        let ready = Self.next(image, .ended(.ready(note: nil), mark: "m"))
        #expect(!ready.isAsked && ready.due == nil)
        let again = Self.next(Self.next(failed, .taken), .ended(.failed(Self.failure, isHeld: false), mark: "m"))
        #expect(!again.isAsked && again.due.map { $0 > Self.now } == true)
    }

    @Test("what ended under an older configuration is decided again at once, if it depends on it")
    func marks() {
        let refused = CloneFailure(.noCredentials, message: "refused", mend: "m")
        let image = Self.next(Self.standing(.cloning), .ended(.failed(refused, isHeld: false), mark: "old"))
        #expect(image.due == Self.now)
        let same = Self.next(Self.standing(.cloning), .ended(.failed(refused, isHeld: false), mark: "m"))
        #expect(same.due.map { $0 > Self.now } == true)
        let host = CloneFailure(.unreachable, message: "down", mend: "m")
        let down = Self.next(Self.standing(.cloning), .ended(.failed(host, isHeld: false), mark: "old"))
        #expect(down.due.map { $0 > Self.now } == true)
        #expect(Self.next(Self.standing(.blocked), .reconfigured, mark: "new").due == Self.now)
        #expect(Self.next(Self.standing(.blocked), .reconfigured, .nobody, mark: "new").due == Self.later)
    }

    @Test("urgency is that of who wants it now")
    func urgencies() {
        for urgency in [Urgency.run, .person, .version, .nobody] {
            #expect(Self.next(Self.standing(.retrying), .unwanted, urgency).urgency == urgency)
            #expect(Self.next(Self.standing(.ready), .unwanted, urgency).urgency == .refresh)
        }
        #expect(Self.next(Self.standing(.ready), .asked, .person).urgency == .person)
    }
}
