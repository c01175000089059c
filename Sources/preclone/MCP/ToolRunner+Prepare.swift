import Definitions
import Foundation
import Model
import Precloning

extension ToolRunner {
    /// A workflow's images from its definition to ECR: found, mapped, cloned and waited for.
    func prepare(
        _ tool: AgentTool,
        _ arguments: NamedArguments,
        _ progress: @escaping Progress
    ) async throws -> ToolAnswer {
        let definition = try arguments.string("definition")
        let workflow = try arguments.string("workflow_id")
        let named = try arguments.strings("images", most: ControlDesk.mostImages) ?? []
        guard [definition != nil, workflow != nil, !named.isEmpty].filter(\.self).count == 1 else {
            throw ControlFault(
                "what is to be prepared?",
                at: "arguments",
                mend: "give one of definition, workflow_id and images"
            )
        }
        var unresolved: [ParameterValue] = []
        var notes: [String] = []
        var question: [String: ParameterValue] = [:]
        if definition != nil {
            let inspection = try RecordTools.inspection(of: arguments)
            // What is below a condition known to be false is not needed.
            let wanted = inspection.images.filter { $0.certainty != .inactive }.map(\.text)
            unresolved = inspection.unresolved.map { mention in
                .object([
                    "place": .text("\(mention.place)"), "expression": .text(mention.expression),
                    "missing": .text(mention.missing),
                ])
            }
            notes = inspection.notes.map(\.message)
            guard !wanted.isEmpty else {
                return Self.prepared([], [], unresolved, .null, notes + ["the definition names no image"])
            }
            question["images"] = .texts(wanted)
        } else if let workflow {
            question["workflow_id"] = .string(workflow)
            for name in ["parameters", "profiles"] {
                if let value = arguments.value(name) { question[name] = value }
            }
        } else {
            question["images"] = .array(named.map { .string($0) })
        }
        let mapped = try await account(tool, question, NamedArguments(question, known: tool.parameters.map(\.name)))
        guard !mapped.isError else { return mapped }
        unresolved += mapped.value["unresolved"]?.array ?? []
        notes += mapped.value["notes"]?.array?.compactMap(\.string) ?? []
        let images = mapped.value["images"]?.array ?? []
        // By the place where the run looks for it, where that is known: the same place whoever asks.
        let sources = images.compactMap { $0["source"]?.string ?? $0["destination"]?.string }
        let wait = try arguments.integer("wait_seconds", default: 45, in: 0...3600)
        let outcomes =
            sources.isEmpty
            ? []
            : try await request(sources, CloneOptions(), session(arguments), wait: .seconds(wait), progress)
        return Self.prepared(images, outcomes, unresolved, mapped.value, notes)
    }

    private static func prepared(
        _ images: [ParameterValue],
        _ outcomes: [Outcome],
        _ unresolved: [ParameterValue],
        _ mapped: ParameterValue,
        _ notes: [String]
    ) -> ToolAnswer {
        var left = outcomes[...]
        var lines: [ParameterValue] = []
        var ready = 0
        var retries: [Int] = []
        for image in images {
            var line: [String: ParameterValue] = ["image": image["image"] ?? .null]
            let problem = [image["problem"]?.string, image["mend"]?.string].compactMap(\.self).joined(separator: "; ")
            guard image["source"]?.string ?? image["destination"]?.string != nil, let outcome = left.popFirst() else {
                line["state"] = .string("blocked")
                line["ecr_uri"] = image["destination"] ?? .null
                line["message"] = .text(problem.isEmpty ? "nothing leads it to a place in ECR" : problem)
                lines.append(.object(line))
                continue
            }
            let result = outcome.value
            let isReady = result.success && problem.isEmpty
            if isReady { ready += 1 }
            if let retry = outcome.retryAfter { retries.append(retry) }
            line["state"] = .string(result.success && !isReady ? "blocked" : result.state.rawValue)
            line["ecr_uri"] = .text(result.ecrURI)
            line["ecr_digest"] = .text(result.ecrDigest)
            line["request_id"] = .string("\(outcome.id)")
            line["message"] = .text(isReady || problem.isEmpty ? result.message : problem)
            lines.append(.object(line))
        }
        var answer: [String: ParameterValue] = [
            "schemaVersion": .number("1"), "is_ready": .bool(ready == images.count && unresolved.isEmpty),
            "ready": .integer(ready), "wanted": .integer(images.count), "images": .array(lines),
            "unresolved": .array(unresolved), "container_registry_map": mapped["map"] ?? .object([:]),
            "proposed_rules": mapped["proposed_rules"] ?? .array([]), "notes": .texts(notes),
        ]
        if let soonest = retries.min() { answer["retry_after_seconds"] = .integer(soonest) }
        return ToolAnswer(.object(answer))
    }
}
