import Definitions
import Foundation
import Model
import Precloning
import Record

/// The tools that look at the record, or at a definition on disk.
enum RecordTools {
    /// - Throws: `ControlFault` for wrong arguments; `LedgerError` where the record cannot be read.
    static func answer(_ tool: AgentTool, _ arguments: NamedArguments, _ verbs: RecordVerbs) throws -> ToolAnswer {
        do {
            switch tool.name {
            case "GetPrecloneStatus": return try status(arguments, verbs)
            case "GetImageHistory":
                let answer = try verbs.history(of: arguments.requiredString("image"))
                return ToolAnswer(try ParameterValue(encoding: answer).printable)
            case "ListPrecloneAudit": return try audit(arguments, verbs)
            default: throw ControlFault("there is no such tool", at: tool.name)
            }
        } catch let error as LedgerError {
            throw ControlFault(error.description, kind: .failed)
        }
    }

    private static func status(_ arguments: NamedArguments, _ verbs: RecordVerbs) throws -> ToolAnswer {
        let filters = [
            try arguments.string("run_id").map { StatusReport.Filter.run(id: $0) },
            try arguments.string("workflow_id").map { StatusReport.Filter.workflow($0) },
            try arguments.string("image").map { StatusReport.Filter.image($0) },
        ].compactMap(\.self)
        guard filters.count < 2 else {
            throw ControlFault("only one of run_id, workflow_id and image", at: "arguments", mend: "give one, or none")
        }
        return ToolAnswer(try ParameterValue(encoding: try verbs.status(filters.first)).printable)
    }

    private static func audit(_ arguments: NamedArguments, _ verbs: RecordVerbs) throws -> ToolAnswer {
        let text = try arguments.string("since") ?? "24h"
        guard let since = PastMoment.parse(text, now: Date(), zone: .gmt) else {
            throw ControlFault("this is no time", at: "since", mend: "give a duration such as 7d, or an ISO 8601 time")
        }
        let most = try arguments.integer("max_results", default: 100, in: 1...1000)
        var after: Int64 = 0
        if let token = try arguments.string("next_token") {
            guard let row = Int64(token), row > 0 else {
                throw ControlFault(
                    "this token is of no page",
                    at: "next_token",
                    mend: "give the next_token of the page before"
                )
            }
            after = row
        }
        let page = try verbs.audit(since: since, after: after, most: most)
        return ToolAnswer(
            .object([
                "schemaVersion": .number("1"),
                "entries": .array(try page.entries.map { try ParameterValue(encoding: $0).printable }),
                "next_token": page.next.map { .string("\($0)") } ?? .null,
            ])
        )
    }

    /// The images of a definition on this machine, as `preclone inspect` shows them.
    static func inspection(_ arguments: NamedArguments) throws -> ToolAnswer {
        let text = InspectionText(try inspection(of: arguments), format: .json).standardOutput
        return ToolAnswer(try ParameterValue(json: Array(text.utf8)).printable)
    }

    /// - Throws: `ControlFault` where the definition cannot be read.
    static func inspection(of arguments: NamedArguments) throws -> Inspection {
        let path = try arguments.requiredString("definition")
        let main = try arguments.string("main")
        let profiles = try arguments.strings("profiles", most: 100) ?? []
        var parameters: [String: ParameterValue] = [:]
        switch arguments.value("parameters") {
        case nil, .null?: break
        case .object(let members)?: parameters = members
        default: throw ControlFault("this is no object", at: "parameters", mend: "give the run's parameters by name")
        }
        let named = try arguments.string("engine").map { name throws(ControlFault) in
            guard let engine = WorkflowEngine(name: name) else {
                throw ControlFault(
                    "there is no such engine",
                    at: "engine",
                    mend: "give WDL, WDL_LENIENT, NEXTFLOW or CWL"
                )
            }
            return engine
        }
        do {
            let opened = try WorkflowDefinition.open(path)
            let engine = try named ?? WorkflowDefinition.engine(of: opened.files, main: main ?? opened.main)
            let request = DefinitionRequest(
                engine: engine,
                main: main ?? opened.main,
                parameters: parameters,
                profiles: profiles
            )
            return try WorkflowDefinition.inspect(opened.files, request)
        } catch let error as DefinitionError {
            throw ControlFault(
                error.message,
                at: "definition",
                mend: "name a zip archive, a folder or the main file",
                kind: .failed
            )
        } catch let error as ControlFault {
            throw error
        } catch {
            throw ControlFault("\(error)", at: "definition", mend: "name the engine", kind: .failed)
        }
    }
}
