package import Definitions
import Foundation

/// Inspections and parameters as the JSON of the record.
package enum InspectionCoding {
    /// Grows when a stored inspection of an earlier form, or one that means something else, no longer serves.
    package static let format = 2

    private struct Place: Codable {
        var file: String?
        var line: Int?
        var parameter: String?

        init(_ evidence: Evidence) {
            switch evidence {
            case .source(let file, let line): (self.file, self.line) = (file, line)
            case .parameter(let path): parameter = path
            }
        }

        var evidence: Evidence {
            if let file { .source(file: file, line: line ?? 0) } else { .parameter(path: parameter ?? "") }
        }
    }

    private struct Image: Codable {
        var text: String
        var certainty: Certainty
        var reason: String?
        var depth: Int?
        var places: [Place]
        var tasks: [String]
    }

    private struct Unresolved: Codable {
        var place: Place
        var expression: String
        var missing: String
        var tasks: [String]
    }

    private struct Note: Codable {
        var place: Place?
        var message: String
    }

    private struct Stored: Codable {
        var images: [Image]
        var unresolved: [Unresolved]
        var notes: [Note]
        var relevantParameters: [String]
    }

    package static func encode(_ inspection: Inspection) throws -> String {
        try text(
            Stored(
                images: inspection.images.map { image in
                    Image(
                        text: image.text,
                        certainty: image.certainty,
                        reason: image.reason,
                        depth: image.depth,
                        places: image.places.map(Place.init),
                        tasks: image.tasks
                    )
                },
                unresolved: inspection.unresolved.map { mention in
                    Unresolved(
                        place: Place(mention.place),
                        expression: mention.expression,
                        missing: mention.missing,
                        tasks: mention.tasks
                    )
                },
                notes: inspection.notes.map { Note(place: $0.place.map(Place.init), message: $0.message) },
                relevantParameters: inspection.relevantParameters
            )
        )
    }

    package static func decode(_ text: String) throws -> Inspection {
        let stored = try JSONDecoder().decode(Stored.self, from: Data(text.utf8))
        return Inspection(
            images: stored.images.map { image in
                ImageMention(
                    text: image.text,
                    certainty: image.certainty,
                    reason: image.reason,
                    depth: image.depth ?? 0,
                    places: image.places.map(\.evidence),
                    tasks: image.tasks
                )
            },
            unresolved: stored.unresolved.map { mention in
                UnresolvedMention(
                    place: mention.place.evidence,
                    expression: mention.expression,
                    missing: mention.missing,
                    tasks: mention.tasks
                )
            },
            notes: stored.notes.map { DefinitionNote(place: $0.place?.evidence, message: $0.message) },
            relevantParameters: stored.relevantParameters
        )
    }

    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

extension ParameterValue {
    /// Canonical JSON, keys sorted: equal values have equal texts.
    var canonicalText: String {
        var text = ""
        write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let number): text += number
        case .string(let string): Self.quote(string, to: &text)
        case .array(let values):
            text += "["
            for (index, value) in values.enumerated() {
                if index > 0 { text += "," }
                value.write(to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            for (index, key) in members.keys.sorted().enumerated() {
                if index > 0 { text += "," }
                Self.quote(key, to: &text)
                text += ":"
                members[key]?.write(to: &text)
            }
            text += "}"
        }
    }

    private static func quote(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case let control where control.value < 0x20:
                let digits = String(control.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }

    /// The members of an object whose names are in a set, as an object.
    func restricted(to names: [String]) -> ParameterValue {
        guard case .object(let members) = self else { return .object([:]) }
        let wanted = Set(names)
        return .object(members.filter { wanted.contains($0.key) })
    }
}
