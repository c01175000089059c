package import Definitions
import Model

/// The arguments of a request by name, each of the type that is expected; what is not expected is refused.
package struct NamedArguments: Sendable {
    private let members: [String: ParameterValue]

    /// - Parameter known: the names that there are.
    /// - Throws: `ControlFault` that names an argument that there is not.
    package init(_ members: [String: ParameterValue], known: [String]) throws(ControlFault) {
        if let stranger = members.keys.filter({ !known.contains($0) }).min() {
            throw ControlFault(
                "there is no such argument",
                at: PrintableText.stripped(String(stranger.prefix(100))),
                mend: known.isEmpty ? "give no arguments" : "leave it out; there are: \(known.joined(separator: ", "))"
            )
        }
        self.members = members
    }

    /// A text; nil where it is missing or null.
    ///
    /// - Throws: `ControlFault` for anything else than a text, and for one that is too long.
    package func string(_ name: String, longest: Int = 2048) throws(ControlFault) -> String? {
        switch members[name] {
        case nil, .null?: return nil
        case .string(let text)?:
            guard text.utf8.count <= longest else {
                throw ControlFault("this is longer than \(longest) bytes", at: name, mend: "give a shorter one")
            }
            return text
        case let other?: throw Self.wrong(other, name, "a string")
        }
    }

    /// - Throws: `ControlFault` where it is missing too.
    package func requiredString(_ name: String) throws(ControlFault) -> String {
        guard let text = try string(name) else {
            throw ControlFault("this is missing", at: name, mend: "give a string")
        }
        return text
    }

    package func bool(_ name: String, default: Bool) throws(ControlFault) -> Bool {
        switch members[name] {
        case nil, .null?: return `default`
        case .bool(let value)?: return value
        case let other?: throw Self.wrong(other, name, "true or false")
        }
    }

    /// - Throws: `ControlFault` for what is no whole number, or beyond the range.
    package func integer(_ name: String, default: Int, in range: ClosedRange<Int>) throws(ControlFault) -> Int {
        let value: Int
        switch members[name] {
        case nil, .null?: return `default`
        case .number(let text)?:
            // 5.0 is a whole number to JSON.
            guard let found = Int(text) ?? Double(text).flatMap(Int.init(exactly:)) else {
                throw ControlFault("this is no whole number", at: name, mend: "give one from \(range.words)")
            }
            value = found
        case let other?: throw Self.wrong(other, name, "a whole number")
        }
        guard range.contains(value) else {
            throw ControlFault("\(value) is out of range", at: name, mend: "give one from \(range.words)")
        }
        return value
    }

    /// A list of texts; nil where it is missing or null.
    package func strings(_ name: String, most: Int) throws(ControlFault) -> [String]? {
        switch members[name] {
        case nil, .null?: return nil
        case .array(let values)?:
            guard values.count <= most else {
                throw ControlFault("these are \(values.count)", at: name, mend: "give at most \(most)")
            }
            var texts: [String] = []
            for (index, value) in values.enumerated() {
                guard case .string(let text) = value, text.utf8.count <= 2048 else {
                    throw Self.wrong(value, "\(name)[\(index)]", "a string of at most 2048 bytes")
                }
                texts.append(text)
            }
            return texts
        case let other?: throw Self.wrong(other, name, "a list of strings")
        }
    }

    /// A list of objects whose values are texts; nil where it is missing or null.
    package func pairs(_ name: String, most: Int) throws(ControlFault) -> [[String: String]]? {
        switch members[name] {
        case nil, .null?: return nil
        case .array(let values)?:
            guard values.count <= most else {
                throw ControlFault("these are \(values.count)", at: name, mend: "give at most \(most)")
            }
            var all: [[String: String]] = []
            for (index, value) in values.enumerated() {
                guard case .object(let members) = value else {
                    throw Self.wrong(value, "\(name)[\(index)]", "an object")
                }
                var texts: [String: String] = [:]
                for (key, value) in members {
                    guard case .string(let text) = value else {
                        throw Self.wrong(value, "\(name)[\(index)].\(PrintableText.stripped(key))", "a string")
                    }
                    texts[key] = text
                }
                all.append(texts)
            }
            return all
        case let other?: throw Self.wrong(other, name, "a list of objects")
        }
    }

    /// Any value, as it was given.
    package func value(_ name: String) -> ParameterValue? { members[name] }

    private static func wrong(_ value: ParameterValue, _ name: String, _ expected: String) -> ControlFault {
        let kind =
            switch value {
            case .null: "null"
            case .bool: "a boolean"
            case .number: "a number"
            case .string: "a string"
            case .array: "a list"
            case .object: "an object"
            }
        return ControlFault("this is \(kind)", at: name, mend: "give \(expected)")
    }
}

extension ClosedRange<Int> {
    fileprivate var words: String { "\(lowerBound) to \(upperBound)" }
}
