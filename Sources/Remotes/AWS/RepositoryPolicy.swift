import Foundation

/// A repository's policy, read for one question: may HealthOmics pull? Statements of others are kept as they are.
///
/// Source: HealthOmics user guide, permissions for Amazon ECR; IAM user guide, policy evaluation.
package struct RepositoryPolicy: Sendable {
    package static let principal = "omics.amazonaws.com"
    /// What HealthOmics' guide grants.
    package static let actions = [
        "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage", "ecr:BatchCheckLayerAvailability",
    ]
    /// What a pull cannot do without.
    private static let needed = ["ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
    private static let sid = "PrecloneHealthOmicsAccess"
    package static let pullThroughSid = "PrecloneHealthOmicsPullThrough"

    private var document: [String: JSONValue]
    private var statements: [[String: JSONValue]]

    /// The empty policy.
    package init() {
        document = ["Version": .string("2012-10-17")]
        statements = []
    }

    /// - Throws: `AWSError` when the text is no policy document.
    package init(json: String) throws {
        func broken(_ why: String) -> AWSError {
            AWSError(
                operation: "ecr:GetRepositoryPolicy",
                code: "BrokenPolicy",
                message: "the repository's policy \(why); preclone leaves it alone: correct it by hand",
                kind: .permanent
            )
        }
        guard let members = try? JSONDecoder().decode([String: JSONValue].self, from: Data(json.utf8)) else {
            throw broken("is not a JSON object")
        }
        document = members
        switch members["Statement"] {
        case .array(let values):
            statements = try values.map { value in
                guard case .object(let statement) = value else { throw broken("has a statement that is no object") }
                return statement
            }
        case .object(let statement): statements = [statement]
        case nil: statements = []
        default: throw broken("has a Statement that is neither a list nor an object")
        }
    }

    /// The answer for HealthOmics.
    package struct Verdict: Sendable, Hashable {
        package var isAccessible: Bool
        /// Whether adding a statement can help: not against a Deny.
        package var canBeGranted: Bool
        /// What stands in the way, or under which condition it is allowed.
        package var reason: String?
    }

    package var healthOmicsVerdict: Verdict { healthOmicsVerdict() }

    /// - Parameters:
    ///   - repository: the repository's ARN; nil where it is not known, as for a template.
    ///   - circumstances: in whose account HealthOmics runs; nil: nothing is known of the request but who makes it.
    package func healthOmicsVerdict(
        repository: String? = nil,
        in circumstances: PolicyCircumstances = PolicyCircumstances()
    ) -> Verdict {
        verdict(on: Self.needed, resource: repository, in: circumstances)
    }

    /// The actions of a pull that HealthOmics may not do, sorted; empty where it may pull.
    package func missingActions(repository: String?, in circumstances: PolicyCircumstances) -> [String] {
        Self.needed.filter { !verdict(on: [$0], resource: repository, in: circumstances).isAccessible }.sorted()
    }

    /// The answer for HealthOmics and some actions.
    ///
    /// - Parameter resource: the ARN asked about; nil: the repository itself, of which a policy need not speak.
    func verdict(
        on actions: [String],
        resource: String?,
        in circumstances: PolicyCircumstances = PolicyCircumstances()
    ) -> Verdict {
        var missing = Set(actions)
        var restricted: [String] = []
        var conditional: [String] = []
        for statement in statements where Self.names(statement) {
            let covered = actions.filter { Self.covers(statement, action: $0) }
            guard !covered.isEmpty else { continue }
            let label = Self.label(statement)
            let condition = statement["Condition"].map(circumstances.judge)
            let reach = Self.reach(statement, resource)
            if Self.text(statement["Effect"]) == "Deny" {
                if condition == .fails || (resource != nil && reach == .none) { continue }
                let limits = condition == .unknown ? " under a condition" : ""
                return Verdict(
                    isAccessible: false,
                    canBeGranted: false,
                    reason: "\(label) denies \(covered.joined(separator: " and "))\(limits)"
                )
            }
            guard Self.text(statement["Effect"]) == "Allow" else { continue }
            if reach != .all {
                restricted.append("\(label) allows it for some resources only")
            } else if let condition, condition != .holds {
                restricted.append("\(label) allows it under a condition only")
            } else {
                if condition != nil { conditional.append("\(label) allows it under a condition, which holds") }
                missing.subtract(covered)
            }
        }
        if missing.isEmpty {
            let reason = conditional.isEmpty ? nil : conditional.joined(separator: "; ")
            return Verdict(isAccessible: true, canBeGranted: true, reason: reason)
        }
        let absent = "no statement allows \(Self.principal) \(missing.sorted().joined(separator: " and "))"
        // A condition or a narrower resource is somebody's decision: widening it is theirs, not ours.
        return Verdict(
            isAccessible: false,
            canBeGranted: restricted.isEmpty,
            reason: (restricted + [absent]).joined(separator: "; ")
        )
    }

    /// Why a caller of this account is refused actions whatever its own policies say; nil when no statement does so
    /// for certain. A statement with a condition may or may not apply, and is left to the service.
    ///
    /// - Parameter caller: the ARN of a user, role or session.
    func denial(of actions: [String], resource: String, caller: String) -> String? {
        let account = caller.split(separator: ":", omittingEmptySubsequences: false).dropFirst(4).first ?? ""
        let names: Set<String> = [
            "*", caller, IAMClient.principal(ofSession: caller), String(account), "arn:aws:iam::\(account):root",
        ]
        for statement in statements where Self.text(statement["Effect"]) == "Deny" && statement["Condition"] == nil {
            var named = Self.text(statement["Principal"]) == "*"
            if case .object(let principals)? = statement["Principal"] {
                named = !names.isDisjoint(with: Self.texts(principals["AWS"]) + Self.texts(principals["*"]))
            }
            let covered = actions.filter { Self.covers(statement, action: $0) }
            guard named, !covered.isEmpty, Self.reach(statement, resource) == .all else { continue }
            return "\(Self.label(statement)) denies \(covered.joined(separator: " and "))"
        }
        return nil
    }

    private enum Reach { case all, none }

    /// Whether a statement speaks of the resource. One without `Resource` speaks of the repository it is attached to.
    private static func reach(_ statement: [String: JSONValue], _ resource: String?) -> Reach {
        if let excluded = statement["NotResource"] {
            guard let resource else { return .none }
            return texts(excluded).contains { matches($0, resource) } ? .none : .all
        }
        guard let listed = statement["Resource"] else { return .all }
        let isCovered = texts(listed).contains { $0 == "*" || (resource != nil && matches($0, resource ?? "")) }
        return isCovered ? .all : .none
    }

    /// The same policy with our statement added, or replaced where we added one before.
    package func grantingHealthOmics() -> RepositoryPolicy {
        var result = self
        result.statements.removeAll { Self.text($0["Sid"]) == Self.sid }
        result.statements.append([
            "Sid": .string(Self.sid), "Effect": .string("Allow"),
            "Principal": .object(["Service": .string(Self.principal)]),
            "Action": .array(Self.actions.map(JSONValue.string)),
        ])
        return result
    }

    /// A registry's policy with our statement for pull-through caches added; where one of ours is there, its resources are
    /// kept and these added. Statements of others stay as they are.
    ///
    /// - Parameter resources: ARNs of the repositories that HealthOmics may create and import.
    package func grantingPullThrough(on resources: [String]) -> RepositoryPolicy {
        var result = self
        let ours = statements.filter { Self.text($0["Sid"]) == Self.pullThroughSid }
        let before = ours.flatMap { Self.texts($0["Resource"]) }
        result.statements.removeAll { Self.text($0["Sid"]) == Self.pullThroughSid }
        result.statements.append([
            "Sid": .string(Self.pullThroughSid), "Effect": .string("Allow"),
            "Principal": .object(["Service": .string(Self.principal)]),
            "Action": .array(PullThroughVerdict.actions.map(JSONValue.string)),
            "Resource": .array(Set(before + resources).sorted().map(JSONValue.string)),
        ])
        return result
    }

    /// Whether a statement denies HealthOmics one of these actions, or may.
    func denies(_ actions: [String], resource: String, in circumstances: PolicyCircumstances) -> Bool {
        statements.contains { statement in
            guard Self.text(statement["Effect"]) == "Deny", Self.names(statement) else { return false }
            let isMeant =
                actions.contains { Self.covers(statement, action: $0) } && Self.reach(statement, resource) != .none
            return isMeant && statement["Condition"].map(circumstances.judge) != .fails
        }
    }

    /// The document's text, keys sorted.
    package var json: String {
        var members = document
        members["Statement"] = .array(statements.map(JSONValue.object))
        if members["Version"] == nil { members["Version"] = .string("2012-10-17") }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(members) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }

    // MARK: Reading statements

    private static func label(_ statement: [String: JSONValue]) -> String {
        text(statement["Sid"]).map { "statement `\($0)`" } ?? "a statement"
    }

    static func text(_ value: JSONValue?) -> String? {
        if case .string(let text)? = value { text } else { nil }
    }

    static func texts(_ value: JSONValue?) -> [String] {
        switch value {
        case .string(let text): [text]
        case .array(let values): values.compactMap(text)
        default: []
        }
    }

    /// Whether a statement speaks of HealthOmics. A Deny with NotPrincipal speaks of all it does not name.
    private static func names(_ statement: [String: JSONValue]) -> Bool {
        func lists(_ value: JSONValue?) -> Bool {
            switch value {
            case .string("*"): return true
            case .object(let members):
                // `{"AWS": "*"}` is everybody as well: IAM user guide, policy elements, principal.
                return texts(members["Service"]).contains { $0 == principal || $0 == "*" }
                    || texts(members["AWS"]).contains("*") || texts(members["*"]).contains("*")
            default: return false
            }
        }
        if let excluded = statement["NotPrincipal"] { return !lists(excluded) }
        return lists(statement["Principal"])
    }

    private static func covers(_ statement: [String: JSONValue], action: String) -> Bool {
        if let excluded = statement["NotAction"] { return !texts(excluded).contains { matches($0, action) } }
        return texts(statement["Action"]).contains { matches($0, action) }
    }

    /// IAM's wildcards: `*` and `?`, case not counted.
    static func matches(_ pattern: String, _ action: String) -> Bool {
        let pattern = Array(pattern.lowercased().utf8)
        let text = Array(action.lowercased().utf8)
        var (p, t, star, mark) = (0, 0, -1, 0)
        while t < text.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                (star, mark) = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if star >= 0 {
                mark += 1
                (p, t) = (star + 1, mark)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
