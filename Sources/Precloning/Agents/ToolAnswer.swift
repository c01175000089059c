package import Definitions
package import Foundation
import Model

/// What a tool gave.
package struct ToolAnswer: Sendable, Hashable {
    package var value: ParameterValue
    /// It failed, or was refused.
    package var isError: Bool

    package init(_ value: ParameterValue, isError: Bool = false) {
        self.value = value
        self.isError = isError
    }

    /// What could not be done, in words for whoever asked.
    package init(_ fault: ControlFault) {
        value = .object([
            "success": .bool(false), "error": .string(fault.what), "where": .text(fault.place),
            "mend": .text(fault.mend),
            "kind": .string(fault.kind.rawValue),
        ])
        isError = true
    }

    /// As the control socket says it.
    package init(control value: ParameterValue) throws(ControlFault) {
        guard let inner = value["value"], let isError = value["isError"]?.bool else {
            throw ControlFault("the daemon's answer cannot be read", mend: "install the same preclone on both sides")
        }
        self.init(inner, isError: isError)
    }

    var control: ParameterValue { .object(["value": value, "isError": .bool(isError)]) }
}

extension ParameterValue {
    /// Text from outside: without control characters, and of bounded length; null where there is none.
    package static func text(_ text: String?, longest: Int = 2000) -> ParameterValue {
        guard let text else { return .null }
        let clean = PrintableText.stripped(text.count > longest ? text.prefix(longest) + "…" : text)
        return .string(clean)
    }

    package static func integer(_ number: (some BinaryInteger)?) -> ParameterValue {
        number.map { .number("\($0)") } ?? .null
    }

    package static func moment(_ date: Date?) -> ParameterValue {
        date.map { .string($0.formatted(.iso8601)) } ?? .null
    }

    package static func texts(_ list: [String]) -> ParameterValue { .array(list.map { text($0) }) }

    /// Any value, as its JSON is.
    package init(encoding value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        try self.init(json: Array(try encoder.encode(value)))
    }
}

extension ParameterValue {
    /// The same with every text without control characters and of bounded length: much of it comes from outside.
    package var printable: ParameterValue {
        switch self {
        case .null, .bool, .number: self
        case .string(let text): .text(text)
        case .array(let values): .array(values.map(\.printable))
        case .object(let members): .object(members.mapValues(\.printable))
        }
    }
}
