extension ImageExplanation {
    /// For people; control characters from outside are gone.
    package var text: String { lines.map { InspectionText.printable($0) + "\n" }.joined() }

    private var lines: [String] {
        guard let mention else { return absence }
        let reason = mention.reason.map { ": \($0)" } ?? ""
        let tasks = mention.tasks.count == 1 ? "1 task" : "\(mention.tasks.count) tasks"
        var lines = [
            "\(mention.text) is \(mention.certainty.rawValue)\(reason)", "depth \(mention.depth), used by \(tasks)",
        ]
        for use in uses {
            let reason = use.reason.map { " (\($0))" } ?? ""
            lines += ["", "task \(use.task), \(use.certainty.rawValue)\(reason)"] + Self.table(use.steps)
        }
        let hidden = mention.tasks.filter { task in !uses.contains { $0.task == task } }
        if !hidden.isEmpty {
            lines += ["", "also: " + hidden.prefix(20).joined(separator: ", ") + (hidden.count > 20 ? ", …" : "")]
        }
        return lines
    }

    private var absence: [String] {
        var lines = ["\(image) is none of the images of this definition"]
        if namings.isEmpty {
            lines.append("no file names it, as a whole or without its tag")
        } else {
            for naming in namings {
                lines += Self.table([naming.step]) + ["    " + naming.outcome]
            }
        }
        if !nearest.isEmpty { lines += ["nearest:"] + nearest.map { "  " + $0 } }
        if !unresolved.isEmpty {
            lines.append("not known before a run, and so perhaps it:")
            lines += unresolved.map { "  \($0.place) \($0.expression): \($0.missing)" }
        }
        return lines
    }

    private static func table(_ steps: [Step]) -> [String] {
        let width = min(60, steps.map { $0.place.description.count }.max() ?? 0)
        return steps.map { step in
            let place = step.place.description
            let gap = String(repeating: " ", count: max(0, width - place.count))
            let note = step.note.map { step.line.isEmpty ? "= \($0)" : "    → \($0)" } ?? ""
            return "  \(place)\(gap)  \(step.line)\(note)"
        }
    }

    /// The same as JSON, keys sorted, with `schemaVersion`.
    package var json: String {
        func text(_ text: String?) -> ParameterValue { text.map(ParameterValue.string) ?? .null }
        func json(_ step: Step) -> ParameterValue {
            .object(["place": InspectionText.json(step.place), "line": .string(step.line), "note": text(step.note)])
        }
        let uses = uses.map { use in
            ParameterValue.object([
                "task": .string(use.task),
                "certainty": .string(use.certainty.rawValue),
                "reason": text(use.reason),
                "steps": .array(use.steps.map(json)),
            ])
        }
        let namings = namings.map { naming in
            ParameterValue.object(["step": json(naming.step), "outcome": .string(naming.outcome)])
        }
        var members: [String: ParameterValue] = ["schemaVersion": .number("1"), "asked": .string(image)]
        members["image"] = text(mention?.text)
        members["certainty"] = text(mention?.certainty.rawValue)
        members["reason"] = text(mention?.reason)
        members["depth"] = (mention?.depth).map { ParameterValue.number(String($0)) } ?? .null
        members["tasks"] = .array((mention?.tasks ?? []).map(ParameterValue.string))
        members["uses"] = .array(uses)
        members["namedAt"] = .array(namings)
        members["nearest"] = .array(nearest.map(ParameterValue.string))
        members["unresolved"] = .array(unresolved.map { InspectionText.json($0) })
        return ParameterValue.object(members).text + "\n"
    }
}
