/// An inspection as `preclone inspect` prints it: pure text, without control characters from outside.
package struct InspectionText: Sendable, Equatable {
    /// The forms of `--format`.
    package enum Format: String, Sendable, CaseIterable {
        /// Certain and alternative images, one a line; all else on standard error.
        case lines
        /// For people: images with certainty, tasks and places, then what is unresolved, then notes.
        case table
        /// Everything, keys sorted, with `schemaVersion`.
        case json
    }

    /// What a registry map makes of one image.
    package struct Placement: Sendable, Equatable {
        /// What is cloned; nil where ECR alone knows the image.
        package var source: String?
        /// Where the run looks for it; nil where no run can pull it.
        package var destination: String?
        /// Why there is no destination.
        package var problem: String?

        package init(source: String?, destination: String?, problem: String? = nil) {
            self.source = source
            self.destination = destination
            self.problem = problem
        }
    }

    package var standardOutput: String
    package var standardError: String

    /// - Parameter placement: Where an image is expected under a registry map; nil where no map was given.
    package init(_ inspection: Inspection, format: Format, placement: ((String) -> Placement)? = nil) {
        let placements = placement.map { placement in
            Dictionary(inspection.images.map { ($0.text, placement($0.text)) }) { first, _ in first }
        }
        switch format {
        case .lines:
            standardOutput = inspection.images.filter { $0.certainty != .inactive }
                .map { Self.printable($0.text) + "\n" }.joined()
            standardError = Self.remarks(inspection, placements).map { $0 + "\n" }.joined()
        case .table:
            standardOutput = Self.table(inspection, placements).map { $0 + "\n" }.joined()
            standardError = ""
        case .json:
            standardOutput = Self.json(inspection, placements).text + "\n"
            standardError = ""
        }
    }

    /// Text from outside on one line of a terminal: control characters, line separators and the marks that turn the
    /// writing direction become `?`.
    package static func printable(_ text: String) -> String {
        func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0..<0x20, 0x7F..<0xA0, 0x200B..<0x2010, 0x2028..<0x202F, 0x2060..<0x2070, 0xFEFF: true
            default: false
            }
        }
        guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
        var safe = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { safe.append(isUnsafe(scalar) ? "?" : scalar) }
        return String(safe)
    }

    /// All that is not an image: unresolved mentions, images that no run can pull, notes.
    private static func remarks(_ inspection: Inspection, _ placements: [String: Placement]?) -> [String] {
        let unmapped = inspection.images.compactMap { image in
            placements?[image.text]?.problem.map { printable("unmapped: \(image.text): \($0)") }
        }
        return unresolvedLines(inspection) + unmapped + noteLines(inspection)
    }

    private static func unresolvedLines(_ inspection: Inspection) -> [String] {
        inspection.unresolved.map { mention in
            printable("unresolved: \(mention.place) \(mention.expression): \(mention.missing)")
        }
    }

    private static func noteLines(_ inspection: Inspection) -> [String] {
        inspection.notes.map { note in
            printable("note: " + (note.place.map { "\($0) " } ?? "") + note.message)
        }
    }

    private static func table(_ inspection: Inspection, _ placements: [String: Placement]?) -> [String] {
        var head = ["IMAGE", "CERTAINTY", "DEPTH", "TASKS", "DECIDED AT"]
        if placements != nil { head.insert(contentsOf: ["SOURCE", "DESTINATION"], at: 1) }
        var rows = [head]
        for image in inspection.images {
            var certainty = image.certainty.rawValue
            if let reason = image.reason { certainty += " (\(reason))" }
            let places = shortened(image.places.map(\.description))
            var row = [image.text, certainty, String(image.depth), shortened(image.tasks), places]
            if let placements {
                let placement = placements[image.text]
                row.insert(contentsOf: [placement?.source ?? "-", placement?.destination ?? "not mapped"], at: 1)
            }
            rows.append(row.map(printable))
        }
        let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var lines = rows.map { row in
            let cells = row.enumerated().map { column, cell in
                cell + String(repeating: " ", count: widths[column] - cell.count)
            }
            let line = cells.joined(separator: "  ")
            return String(line.prefix(line.count - line.reversed().prefix { $0 == " " }.count))
        }
        if inspection.images.isEmpty { lines = ["no images"] }
        return lines + remarks(inspection, placements)
    }

    /// The first three of a list, and how many more there are.
    private static func shortened(_ list: [String]) -> String {
        list.prefix(3).joined(separator: ", ") + (list.count > 3 ? " and \(list.count - 3) more" : "")
    }

    static func json(_ place: Evidence) -> ParameterValue {
        switch place {
        case .source(let file, let line): .object(["file": .string(file), "line": .number(String(line))])
        case .parameter(let path): .object(["parameter": .string(path)])
        }
    }

    static func json(_ mention: UnresolvedMention) -> ParameterValue {
        .object([
            "place": json(mention.place),
            "expression": .string(mention.expression),
            "missing": .string(mention.missing),
            "tasks": .array(mention.tasks.map(ParameterValue.string)),
        ])
    }

    private static func json(_ inspection: Inspection, _ placements: [String: Placement]?) -> ParameterValue {
        func text(_ text: String?) -> ParameterValue { text.map(ParameterValue.string) ?? .null }
        func strings(_ list: [String]) -> ParameterValue { .array(list.map(ParameterValue.string)) }
        let images = inspection.images.map { image in
            var members: [String: ParameterValue] = [
                "image": .string(image.text),
                "certainty": .string(image.certainty.rawValue),
                "reason": text(image.reason),
                "depth": .number(String(image.depth)),
                "places": .array(image.places.map { Self.json($0) }),
                "tasks": strings(image.tasks),
            ]
            if let placements {
                members["source"] = text(placements[image.text]?.source)
                members["destination"] = text(placements[image.text]?.destination)
                members["problem"] = text(placements[image.text]?.problem)
            }
            return ParameterValue.object(members)
        }
        let notes = inspection.notes.map { note in
            ParameterValue.object([
                "place": note.place.map { Self.json($0) } ?? .null, "message": .string(note.message),
            ])
        }
        return .object([
            "schemaVersion": .number("1"),
            "images": .array(images),
            "unresolved": .array(inspection.unresolved.map { Self.json($0) }),
            "notes": .array(notes),
            "relevantParameters": strings(inspection.relevantParameters),
        ])
    }
}
