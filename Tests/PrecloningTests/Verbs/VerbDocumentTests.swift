import Foundation
import Names
import Testing

@testable import Model
@testable import Precloning
@testable import Record

/// The documents of the verbs as programs get them: names stay as they are, and may be added to.
@Suite("JSON documents of the verbs")
struct VerbDocumentTests {
    private let date = Date(timeIntervalSince1970: 1_790_000_000)

    /// The names in a value, sorted.
    private func names(_ value: some Encodable) throws -> [String] {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        let object = try JSONSerialization.jsonObject(with: try encoder.encode(value)) as? [String: Any]
        return try #require(object).keys.sorted()
    }

    @Test func ready() throws {
        var image = ReadyAnswer.Image(image: "i", source: "s", destination: "d", certainty: "certain", state: .waits)
        (image.reason, image.mend, image.until, image.bytes) = ("r", "m", date, 1)
        (image.digest, image.platformDigest) = ("sha256:1", "sha256:2")
        #expect(
            try names(image) == [
                "bytes", "certainty", "destination", "digest", "image", "mend", "platformDigest", "reason", "source",
                "state", "until",
            ]
        )
        var answer = ReadyAnswer(subject: "run 1", lookedAt: date, images: [image])
        answer.trouble = "t"
        #expect(
            try names(answer) == [
                "images", "isReady", "isTroubleFinal", "lookedAt", "notes", "ready", "schemaVersion", "subject",
                "trouble",
                "unresolved", "wanted",
            ]
        )
        let mention = ReadyAnswer.Unresolved(place: "p", expression: "e", missing: "m")
        #expect(try names(mention) == ["expression", "missing", "place"])
        #expect(
            [ReadyAnswer.State.ready, .missing, .waits, .blocked, .unknown].map(\.rawValue)
                == ["ready", "missing", "waits", "blocked", "unknown"]
        )
    }

    @Test func map() throws {
        var image = MappedImage("i", source: "s", at: "d", basis: .registryMapping)
        (image.rule, image.problem, image.mend) = ("r", "p", "m")
        #expect(try names(image) == ["basis", "destination", "image", "mend", "problem", "rule", "source"])
        let entry = RegistryMapCheck.Entry(path: "p", text: "t", problem: "w")
        #expect(try names(entry) == ["path", "problem", "text"])
        let comparison = MapVerb.Comparison(
            isComplete: false,
            images: [image],
            faults: [entry],
            unused: [],
            unresolved: [],
            notes: []
        )
        #expect(
            try names(comparison) == [
                "faults", "images", "isComplete", "notes", "schemaVersion", "unresolved", "unused",
            ]
        )
        let answer = MapVerb.Answer(map: ContainerRegistryMap(), images: [image], unresolved: [], notes: [])
        #expect(try names(answer) == ["images", "map", "notes", "schemaVersion", "unresolved"])
    }

    @Test func rulesAndGrants() throws {
        let standing = RulesVerb.Standing(
            prefix: "p",
            upstream: "u",
            upstreamPrefix: "x",
            credential: "c",
            isUsable: true,
            problems: [],
            obstacle: "o",
            createdAt: date,
            updatedAt: date,
            registryAllows: true,
            hasTemplate: true,
            templateAllows: true
        )
        #expect(
            try names(standing) == [
                "createdAt", "credential", "hasTemplate", "isUsable", "obstacle", "prefix", "problems",
                "registryAllows",
                "templateAllows", "updatedAt", "upstream", "upstreamPrefix",
            ]
        )
        #expect(
            try names(RulesVerb.Answer(registry: "r", rules: [standing], trouble: "t", notes: []))
                == ["notes", "registry", "rules", "schemaVersion", "trouble"]
        )
        let change = RulesVerb.ShownChange(
            kind: "k",
            name: "n",
            before: "b",
            after: "a",
            isDone: true,
            requestID: "i"
        )
        #expect(try names(change) == ["after", "before", "isDone", "kind", "name", "requestID"])
        #expect(
            try names(RulesVerb.Creation(registry: "r", changes: [], refusals: [], notes: []))
                == ["changes", "notes", "refusals", "registry", "schemaVersion"]
        )
        let line = GrantVerb.Line(
            repository: "r",
            outcome: .granted,
            reason: "w",
            before: "b",
            after: "a",
            requestID: "i",
            access: .accessible
        )
        #expect(try names(line) == ["access", "after", "before", "outcome", "reason", "repository", "requestID"])
        #expect(
            try names(GrantVerb.Answer(registry: "r", repositories: [line])) == [
                "registry", "repositories", "schemaVersion",
            ]
        )
    }

    @Test func lockAndForget() throws {
        let drift = LockDrift(kind: .ecrGone, image: "i", locked: "l", now: "n", reason: "r")
        #expect(try names(drift) == ["image", "kind", "locked", "now", "reason"])
        #expect(
            try names(LockAnswer(drifts: [drift], unresolved: [], notes: []))
                == ["drifts", "notes", "schemaVersion", "unresolved"]
        )
        var forgotten = ForgottenImage(id: 1, source: "s", destination: "d")
        forgotten.kept = "k"
        #expect(try names(forgotten) == ["destination", "id", "kept", "source"])
    }

    @Test func recordAndPlan() throws {
        #expect(try names(PlanAnswer(images: [])) == ["images", "schemaVersion"])
        #expect(try names(RecordVerbs.History(histories: [])) == ["histories", "schemaVersion"])
        #expect(
            try names(RecordVerbs.Verification(isWhole: false, rows: 1, head: "h", fault: "f"))
                == ["fault", "head", "isWhole", "rows", "schemaVersion"]
        )
    }

    @Test func policyCases() throws {
        let rule = PolicyRuleLine(name: "n", action: "deny", standing: .decides, why: "w")
        let line = PolicyCases.Line(
            name: "n",
            expected: .allow,
            expectedRule: "r",
            verdict: .deny,
            rule: "r",
            reason: "w",
            mend: "m",
            caller: "daemon",
            isMet: false,
            toolRules: [rule],
            imageRules: [rule]
        )
        #expect(
            try names(line) == [
                "caller", "expected", "expectedRule", "imageRules", "isMet", "mend", "name", "reason", "rule",
                "toolRules", "verdict",
            ]
        )
        #expect(try names(PolicyCases.Answer(cases: [line])) == ["cases", "schemaVersion"])
        #expect(PolicyCases.Verdict.allCases.map(\.rawValue) == ["allow", "deny", "warn", "facts"])
    }

    @Test func explain() throws {
        var place = ExplainAnswer.Place(source: "s", destination: "d", wantedBy: [], next: "n")
        (place.pullThroughRule, place.problem, place.mend, place.route, place.why) = ("r", "p", "m", "copy", "w")
        (place.bytesToMove, place.until, place.then) = (1, date, "copy")
        place.holding = .init(words: "w", access: "unknown")
        place.record = .init(state: "ready", attempts: 0, lastAttempts: [])
        #expect(
            try names(place) == [
                "bytesToMove", "destination", "holding", "mend", "next", "problem", "pullThroughRule", "record",
                "route",
                "source", "then", "until", "wantedBy", "why",
            ]
        )
        var answer = ExplainAnswer(image: "i", places: [place], notes: [])
        answer.reading = .init(reference: "r", registry: "g", repository: "p", tag: "t", digest: "d")
        answer.problem = "p"
        answer.upstream = .init(digest: "d")
        answer.policy = .init(
            verdict: "allow",
            rule: "r",
            reason: "w",
            dependsOnFacts: false,
            caller: "daemon",
            rules: []
        )
        #expect(
            try names(answer) == [
                "image", "notes", "places", "policy", "problem", "reading", "schemaVersion", "upstream",
            ]
        )
        let rule = PolicyRuleLine(name: "n", action: "deny", standing: .decides, why: "w")
        #expect(try names(rule) == ["action", "name", "standing", "why"])
        let attempt = PastAttempt(endedAt: date, route: "copy", result: "ready", failureClass: "f", message: "m")
        #expect(try names(attempt) == ["endedAt", "failureClass", "message", "result", "route"])
    }
}
