import Configuring
import Definitions
import Foundation
import Model
import Testing

@testable import Precloning

/// Cases of a policy, as `preclone check --policy-case` reads them.
@Suite("Cases of a policy")
struct PolicyCaseTests {
    private static let examples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "config/examples")

    private let now = Date(timeIntervalSince1970: 1_790_000_000)

    private func policy() throws -> Configuration.Policy {
        try Configuration.load(path: Self.examples.appending(path: "agents.json").path).policy
    }

    private func answer(_ cases: String) throws -> PolicyCases.Answer {
        try PolicyCases.answer(
            try ParameterValue(json: Array(#"{"cases": [\#(cases)]}"#.utf8)),
            try policy(),
            region: "us-east-1",
            now: now
        )
    }

    private func only(_ one: String) throws -> PolicyCases.Line { try #require(try answer(one).cases.first) }

    @Test("the example for agents does what its cases say")
    func example() throws {
        let data = try Data(contentsOf: Self.examples.appending(path: "cases/agents.json"))
        let answer = try PolicyCases.answer(
            try ParameterValue(json: Array(data)),
            try policy(),
            region: nil,
            now: now
        )
        #expect(answer.isMet, "\(answer.cases.filter { !$0.isMet })")
        #expect(Set(answer.cases.map(\.verdict)) == Set(PolicyCases.Verdict.allCases))
        #expect(Set(try policy().rules.map(\.name)).isSubset(of: answer.cases.map(\.rule) + ["agents-pin"]))
    }

    @Test("each rule is told with why it decides or not")
    func explained() throws {
        let quay = #""caller": "agent nightly of user ci", "image": "quay.io/org/tool:latest""#
        let open = try only(#"{\#(quay), "expect": "facts"}"#)
        #expect(open.isMet && open.rule == "agents-registries")
        let warned = try only(#"{\#(quay), "expect": "warn", "rule": "agents-pin", "facts": {"size": "1GiB"}}"#)
        #expect(warned.isMet, "\(warned)")
        #expect(
            warned.imageRules?.map(\.standing) == [
                .doesNotMatch, .warns, .doesNotMatch, .dependsOnFacts, .decides,
            ]
                || warned.imageRules?.map(\.standing).prefix(4) == [
                    .doesNotMatch, .warns, .doesNotMatch, .dependsOnFacts,
                ]
        )
        let large = try only(#"{\#(quay), "expect": "deny", "facts": {"size": "46GiB"}}"#)
        #expect(large.isMet && large.rule == "agents-nothing-else", "\(large)")
        let place = try only(
            #"{"caller": "user ann", "image": "ubuntu", "destination": "prod/x", "account": "123456789012", "expect": "deny"}"#
        )
        #expect(place.isMet && place.rule == "places-of-production")
        let tool = try only(#"{"caller": "agent nightly of user ci", "tool": "RetryImages", "expect": "allow"}"#)
        #expect(tool.isMet && tool.rule == "no-retry-storms" && tool.toolRules?.first?.standing == .decides)
        let stranger = try only(#"{"caller": "agent other of user bob", "tool": "RetryImages", "expect": "deny"}"#)
        #expect(stranger.isMet && stranger.rule == "agents")
        // Who may not speak for it is the user; the rules on agents are not about him.
        let bob = try only(
            #"{"caller": "agent x of user ", "tool": "RetryImages", "expect": "allow"}"#.replacing(
                " of user ",
                with: " of user bob"
            )
        )
        #expect(bob.caller == "agent x of user bob")
    }

    @Test("a case that is decided otherwise is not met")
    func unmet() throws {
        let wrong = try answer(
            #"{"image": "ubuntu", "expect": "deny"}, {"image": "ubuntu", "expect": "allow", "rule": "agents-registries"}"#
        )
        #expect(!wrong.isMet && wrong.cases.map(\.isMet) == [false, false])
        #expect(wrong.cases.map(\.verdict) == [.allow, .allow] && wrong.cases[0].rule == "default")
    }

    @Test(
        "what is wrong in the file is named",
        arguments: [
            (#"{"image": "ubuntu"}"#, "cases[0].expect"), (#"{"expect": "allow"}"#, "cases[0].image"),
            (#"{"image": "ubuntu", "expect": "maybe"}"#, "cases[0].expect"),
            (#"{"image": "UPPER CASE", "expect": "allow"}"#, "cases[0].image"),
            (#"{"image": "ubuntu", "expect": "allow", "colour": "red"}"#, "cases[0].colour"),
            (#"{"image": "ubuntu", "caller": "ann", "expect": "allow"}"#, "cases[0].caller"),
            (#"{"image": "ubuntu", "account": "123456789012", "expect": "allow"}"#, "cases[0].destination"),
            (#"{"image": "ubuntu", "destination": "a/b", "expect": "allow"}"#, "cases[0].account"),
            (#"{"image": "ubuntu", "facts": {"size": "big"}, "expect": "allow"}"#, "cases[0].facts.size"),
            (#"{"image": "ubuntu", "facts": {"weight": 1}, "expect": "allow"}"#, "cases[0].weight"),
            ("7", "cases[0].case"),
            ("", "cases"),
        ]
    )
    func faults(text: String, place: String) throws {
        let fault = try #require(throws: ControlFault.self) { try answer(text) }
        #expect(fault.place == place)
        #expect(fault.mend?.isEmpty == false)
    }
}
