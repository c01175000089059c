package import Foundation

/// A JSON document as a value: what the services read from requests and answer with.
package enum SandboxJSON: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([SandboxJSON])
    case object([String: SandboxJSON])

    /// Reads a document; an empty body is an empty object, as the AWS clients mean it.
    ///
    /// - Throws: `AWSFailure` (SerializationException) when the bytes are not JSON.
    package init(json data: Data) throws {
        guard !data.isEmpty else {
            self = .object([:])
            return
        }
        do {
            self = try JSONDecoder().decode(SandboxJSON.self, from: data)
        } catch {
            throw AWSFailure("SerializationException", "The request body is not valid JSON.")
        }
    }

    /// The document as bytes, keys sorted.
    package var data: Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return try encoder.encode(self)
        } catch {
            return Data("null".utf8)
        }
    }

    /// The member of an object; nil for anything else, for a missing key and for null.
    package subscript(_ key: String) -> SandboxJSON? {
        guard case .object(let members) = self, let value = members[key], value != .null else { return nil }
        return value
    }

    package var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    package var integer: Int? {
        switch self {
        case .integer(let value): Int(exactly: value)
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    package var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    package var array: [SandboxJSON]? {
        if case .array(let values) = self { values } else { nil }
    }

    package var object: [String: SandboxJSON]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The strings of an array; other elements are left out.
    package var strings: [String]? { array?.compactMap(\.string) }

    /// A string, or nil for none.
    package static func text(_ value: String?) -> SandboxJSON? { value.map { .string($0) } }

    /// A moment in ISO 8601, or nil for none.
    package static func moment(_ value: Date?) -> SandboxJSON? { value.map { .iso8601($0) } }

    /// An object without the members that are nil.
    package static func compact(_ members: [String: SandboxJSON?]) -> SandboxJSON {
        .object(members.compactMapValues { $0 })
    }

    /// Epoch seconds, as ECR writes a time.
    package static func epoch(_ date: Date) -> SandboxJSON {
        .number((date.timeIntervalSince1970 * 1000).rounded() / 1000)
    }

    /// ISO 8601 with milliseconds, as HealthOmics writes a time.
    package static func iso8601(_ date: Date) -> SandboxJSON {
        .string(date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
    }
}

extension SandboxJSON: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([SandboxJSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: SandboxJSON].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

extension SandboxJSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: SandboxJSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, SandboxJSON)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { _, last in last }))
    }
}
