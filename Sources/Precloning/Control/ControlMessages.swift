package import Definitions
import Model

/// What is asked on the control socket: one JSON object on one line.
///
/// `{"version": 1, "verb": "clone", "arguments": {…}, "agent": NAME, "program": TEXT}`. Who asks is not in it: that is the
/// kernel's word.
package struct ControlRequest: Sendable, Hashable {
    package static let version = "1"

    package var verb: String
    package var arguments: [String: ParameterValue]
    /// Whom the asker's program says it speaks for; policy decides whether that holds.
    package var agent: String?
    /// What the asker's program says of itself, for the audit alone.
    package var program: String?

    package init(
        verb: ControlVerb,
        arguments: [String: ParameterValue] = [:],
        agent: String? = nil,
        program: String? = nil
    ) {
        self.verb = verb.rawValue
        self.arguments = arguments
        self.agent = agent
        self.program = program
    }

    /// - Throws: `ControlFault` that says what is wrong, where, and what would be right.
    package init(line: [UInt8]) throws(ControlFault) {
        let value: ParameterValue
        do { value = try ParameterValue(json: line) } catch {
            throw ControlFault(error.message, at: "line", mend: "send one JSON object on each line")
        }
        guard case .object(let members) = value else {
            throw ControlFault("this is no object", at: "line", mend: "send one JSON object on each line")
        }
        guard members["version"] == .number(Self.version) else {
            throw ControlFault(
                "this version of the protocol is not spoken here",
                at: "version",
                mend: "say \"version\": \(Self.version); install the same preclone on both sides"
            )
        }
        guard case .string(let verb)? = members["verb"] else {
            throw ControlFault("the verb is missing", at: "verb", mend: "name one of: \(ControlVerb.names)")
        }
        self.verb = verb
        switch members["arguments"] {
        case nil: arguments = [:]
        case .object(let given)?: arguments = given
        default: throw ControlFault("this is no object", at: "arguments", mend: "give the arguments by name")
        }
        switch members["agent"] {
        case nil, .null?: agent = nil
        case .string(let name)? where Caller.isAgentName(name): agent = name
        default:
            throw ControlFault(
                "this is no name of an agent",
                at: "agent",
                mend: "use up to 64 letters, digits, `-`, `_` and `.`"
            )
        }
        switch members["program"] {
        case nil, .null?: program = nil
        case .string(let name)?: program = Caller.program(name)
        default: throw ControlFault("this is no string", at: "program", mend: "give a program's name, or leave it out")
        }
        let known: Set<String> = ["version", "verb", "arguments", "agent", "program"]
        if let stranger = members.keys.filter({ !known.contains($0) }).min() {
            throw ControlFault(
                "there is no such key",
                at: PrintableText.stripped(stranger),
                mend: "leave it out; known are: \(known.sorted().joined(separator: ", "))"
            )
        }
    }

    package var line: String {
        var members: [String: ParameterValue] = [
            "version": .number(Self.version), "verb": .string(verb), "arguments": .object(arguments),
        ]
        if let agent { members["agent"] = .string(agent) }
        if let program { members["program"] = .string(program) }
        return ParameterValue.object(members).line
    }
}

/// The verbs of the control socket.
package enum ControlVerb: String, Sendable, CaseIterable {
    /// Who the caller is here, and who answers.
    case hello
    /// Images are asked for; the answer has the requests' ids, which are rows by then.
    case clone
    /// Blocked or waiting images are due now.
    case retry
    /// Images that nobody wants are taken out of the record.
    case forget
    /// A tool of `preclone mcp`.
    case call

    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}

/// What could not be done: what happened, where in the request, and what would be right.
package struct ControlFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of refusal it is, for whoever acts on it.
    package enum Kind: String, Sendable {
        /// The request is wrong.
        case usage
        /// It is right, and was not done.
        case failed
        /// The caller may not.
        case denied
        /// It can be done later.
        case temporary
        /// Nobody knows whether it was done: no answer came.
        case unanswered
    }

    package var what: String
    package var place: String?
    package var mend: String?
    package var kind: Kind

    package init(_ what: String, at place: String? = nil, mend: String? = nil, kind: Kind = .usage) {
        self.what = what
        self.place = place
        self.mend = mend
        self.kind = kind
    }

    package var description: String { [place, what].compactMap(\.self).joined(separator: ": ") }
}

/// The answer to a request, on one line: `{"version": 1, "result": …}` or `{"version": 1, "error": {what, where, mend}}`.
package enum ControlAnswer: Sendable, Hashable {
    case result(ParameterValue)
    case fault(ControlFault)

    package init(line: [UInt8]) throws(ControlFault) {
        guard case .object(let members)? = try? ParameterValue(json: line) else {
            throw ControlFault("the daemon's answer cannot be read", mend: "install the same preclone on both sides")
        }
        if let result = members["result"] {
            self = .result(result)
        } else if case .object(let fault)? = members["error"], let what = fault["what"]?.string {
            self = .fault(
                ControlFault(
                    what,
                    at: fault["where"]?.string,
                    mend: fault["mend"]?.string,
                    kind: fault["kind"]?.string.flatMap(ControlFault.Kind.init) ?? .failed
                )
            )
        } else {
            throw ControlFault("the daemon's answer cannot be read", mend: "install the same preclone on both sides")
        }
    }

    package var line: String {
        var members: [String: ParameterValue] = ["version": .number(ControlRequest.version)]
        switch self {
        case .result(let value): members["result"] = value
        case .fault(let fault):
            members["error"] = .object([
                "what": .string(fault.what), "where": fault.place.map(ParameterValue.string) ?? .null,
                "mend": fault.mend.map(ParameterValue.string) ?? .null, "kind": .string(fault.kind.rawValue),
            ])
        }
        return ParameterValue.object(members).line
    }
}

extension ParameterValue {
    package var string: String? { if case .string(let text) = self { text } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var integer: Int? { if case .number(let text) = self { Int(text) } else { nil } }
    package var array: [ParameterValue]? { if case .array(let values) = self { values } else { nil } }
    package var object: [String: ParameterValue]? { if case .object(let members) = self { members } else { nil } }
    package subscript(_ key: String) -> ParameterValue? { object?[key] }
}
