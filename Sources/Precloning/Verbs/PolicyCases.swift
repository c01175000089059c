package import Configuring
package import Definitions
package import Foundation
import Model
import Names
import Remotes

/// Cases of a policy: who asks for what, and what is to come of it. `preclone check --policy-case` reads them from a file:
///
///     { "cases": [ { "name": "agents stay with quay", "caller": "agent nightly of user ci",
///         "tool": "CloneContainerToECR", "image": "ghcr.io/org/tool:1", "expect": "deny", "rule": "agents-nothing-else" } ] }
package enum PolicyCases {
    /// What policy comes to.
    package enum Verdict: String, Codable, Sendable, CaseIterable {
        case allow, deny
        /// Allowed, and a rule that only warns would have denied it.
        case warn
        /// It is decided when manifest and config are read; `facts` says what they are.
        case facts
    }

    /// One case, and what came of it.
    package struct Line: Codable, Sendable, Hashable {
        package var name: String
        package var expected: Verdict
        /// The rule that was to decide; nil: any.
        package var expectedRule: String?
        package var verdict: Verdict
        /// The rule that decided.
        package var rule: String
        package var reason: String
        package var mend: String?
        /// As who the caller counts: an agent that the user may not speak for is the user.
        package var caller: String
        package var isMet: Bool
        /// Of the call of a tool, rule by rule; absent where none is called.
        package var toolRules: [PolicyRuleLine]?
        /// Of the image, rule by rule; absent where there is none, or the call was denied.
        package var imageRules: [PolicyRuleLine]?
    }

    package struct Answer: Codable, Sendable, Hashable {
        package var schemaVersion = 1
        package var cases: [Line]

        package var isMet: Bool { cases.allSatisfy(\.isMet) }
    }

    /// - Parameters:
    ///   - document: the file.
    ///   - region: the Region of destinations where a case names none.
    /// - Throws: `ControlFault` with the place in the file.
    package static func answer(
        _ document: ParameterValue,
        _ policy: Configuration.Policy,
        region: String?,
        now: Date
    ) throws(ControlFault) -> Answer {
        let known = try NamedArguments(try members(document, "the file"), known: ["cases"])
        guard case .array(let cases)? = known.value("cases"), !cases.isEmpty else {
            throw ControlFault("this is missing", at: "cases", mend: "list at least one case")
        }
        var lines: [Line] = []
        for (index, value) in cases.enumerated() {
            do throws(ControlFault) {
                lines.append(try line(value, number: index + 1, policy, region: region, now: now))
            } catch {
                var fault = error
                fault.place = "cases[\(index)]" + (error.place.map { ".\($0)" } ?? "")
                throw fault
            }
        }
        return Answer(cases: lines)
    }

    private static func members(
        _ value: ParameterValue,
        _ place: String
    ) throws(ControlFault) -> [String: ParameterValue] {
        guard case .object(let members) = value else {
            throw ControlFault("this is no object", at: place, mend: "write { … }")
        }
        return members
    }

    private static let keys = [
        "name", "caller", "tool", "image", "destination", "account", "region", "facts", "expect", "rule",
    ]

    private static func line(
        _ value: ParameterValue,
        number: Int,
        _ policy: Configuration.Policy,
        region: String?,
        now: Date
    ) throws(ControlFault) -> Line {
        let given = try NamedArguments(try members(value, "case"), known: keys)
        let caller = try caller(given, policy)
        let tool = try given.string("tool")
        var image = try image(given)
        guard tool != nil || image != nil else {
            throw ControlFault("this is missing", at: "image", mend: "name an image, a tool, or both")
        }
        guard let expected = try given.string("expect").flatMap(Verdict.init) else {
            let words = Verdict.allCases.map(\.rawValue).joined(separator: ", ")
            throw ControlFault("this is no verdict", at: "expect", mend: "give one of: \(words)")
        }
        image?.caller = caller.description
        image?.destination = try destination(given, region: region)
        var line = Line(
            name: try given.string("name") ?? "case \(number)",
            expected: expected,
            expectedRule: try given.string("rule"),
            verdict: .allow,
            rule: PolicyDecision.byDefault,
            reason: "no rule speaks of it",
            caller: caller.description,
            isMet: false
        )
        var warnings: [PolicyDecision.Warning] = []
        if let tool {
            let tools = ToolPolicy(policy)
            // Where it goes is not known when a tool is called.
            var asked = image
            asked?.destination = nil
            let decision = tools.decide(tool, caller: caller, image: asked)
            line.toolRules = tools.lines(for: tool, caller: caller, image: asked, decision: decision)
            warnings = decision.warnings
            if let rule = decision.rule { line.rule = rule }
            line.reason = decision.denial ?? "\(tool) may be called"
            line.mend = decision.mend
            if decision.denial != nil { line.verdict = .deny }
        }
        if line.verdict == .allow, let image {
            let facts = try facts(given)
            let home = image.destination.map { [$0.registry] } ?? []
            let decision = ImagePolicy(policy, exempt: Set(home)).decide(image, facts: facts, now: now)
            line.imageRules = ImagePolicy.lines(of: policy, for: image, decision: decision)
            line.rule = decision.rule
            line.reason = decision.reason
            line.mend = decision.mend
            warnings += decision.warnings
            line.verdict = decision.isAllowed ? .allow : .deny
            if facts == nil, decision.factsNeeded { line.verdict = .facts }
        }
        if line.verdict == .allow, let first = warnings.first {
            line.verdict = .warn
            line.reason += "; rule `\(first.rule)` would deny it: \(first.reason)"
        }
        let decided = [line.rule] + (line.verdict == .warn ? warnings.map(\.rule) : [])
        line.isMet = line.verdict == expected && (line.expectedRule.map { decided.contains($0) } ?? true)
        return line
    }

    private static func caller(
        _ given: NamedArguments,
        _ policy: Configuration.Policy
    ) throws(ControlFault) -> Caller {
        guard let text = try given.string("caller") else { return .daemon }
        guard var caller = Caller(text) else {
            throw ControlFault(
                "this is no caller",
                at: "caller",
                mend: "write daemon, user NAME, or agent NAME of user USER"
            )
        }
        let agent = caller.agent
        caller.agent = nil
        return policy.identity(of: caller, agent: agent)
    }

    private static func image(_ given: NamedArguments) throws(ControlFault) -> PolicyImage? {
        guard let text = try given.string("image") else { return nil }
        do { return PolicyImage(try ImageReference(text)) } catch {
            throw ControlFault(error.explanation, at: "image", mend: "write it as a workflow would")
        }
    }

    /// An ECR URI, or a repository with `account` and `region`.
    private static func destination(_ given: NamedArguments, region: String?) throws(ControlFault) -> ECRLocation? {
        let account = try given.string("account")
        let named = try given.string("region")
        guard let text = try given.string("destination") else {
            guard account == nil, named == nil else {
                throw ControlFault("this is missing", at: "destination", mend: "name the repository that it goes to")
            }
            return nil
        }
        if let location = (try? ImageReference(text)).flatMap(ECRLocation.init) {
            guard account == nil, named == nil else {
                throw ControlFault(
                    "this is in the URI already",
                    at: account == nil ? "region" : "account",
                    mend: "leave it out"
                )
            }
            return location
        }
        if let fault = ECRLocation.fault(inRepository: text) {
            throw ControlFault(fault, at: "destination", mend: "write an ECR URI, or a repository's name")
        }
        guard let account else {
            throw ControlFault(
                "this is missing",
                at: "account",
                mend: "give the destination's account, or its whole URI"
            )
        }
        guard let region = named ?? region else {
            throw ControlFault("this is missing", at: "region", mend: "give the destination's Region, or its whole URI")
        }
        let suffix = "dkr.ecr.\(region).amazonaws.com"
        return HomeRegistry(account: account, region: region, suffix: suffix).location(text, tag: nil, digest: nil)
    }

    private static func facts(_ given: NamedArguments) throws(ControlFault) -> ImageFacts? {
        switch given.value("facts") {
        case nil, .null?: return nil
        case let value?:
            let facts = try NamedArguments(
                try members(value, "facts"),
                known: ["size", "layers", "created", "platforms"]
            )
            var size: Int64 = 0
            if case .string(let text)? = facts.value("size") {
                guard let bytes = ByteCount(parsing: text) else {
                    throw ControlFault("this is no size", at: "facts.size", mend: "write bytes, or such as 45GiB")
                }
                size = bytes.bytes
            } else {
                size = Int64(try facts.integer("size", default: 0, in: 0...Int.max))
            }
            let created = try facts.string("created")
            let date = created.flatMap { try? Date($0, strategy: .iso8601) }
            if created != nil, date == nil {
                throw ControlFault("this is no time", at: "facts.created", mend: "write it as 2026-11-23T14:05:00Z")
            }
            return ImageFacts(
                size: size,
                layers: try facts.integer("layers", default: 1, in: 0...100_000),
                created: date,
                platforms: try facts.strings("platforms", most: 100) ?? ["linux/amd64"]
            )
        }
    }
}
