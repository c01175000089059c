import Definitions
import Foundation
import Model
import Names
import Precloning
import Record

/// What a host may show a model without a tool's call: the status, and that of single runs and workflows.
struct MCPResources: Sendable {
    /// How long a client may keep what it read.
    static let ttl = 5_000
    /// Live runs that are listed.
    private static let most = 50
    private static let scheme = "preclone://"

    /// What the record says.
    let record: @Sendable () throws -> RecordVerbs
    /// Policy's word: to read the status is to call `GetPrecloneStatus`.
    ///
    /// - Throws: `ControlFault` where that may not be called.
    let permit: @Sendable () throws -> Void

    static let templates: [ParameterValue] = [
        template(
            "runs/{run_id}",
            "run",
            "A HealthOmics run: which of its images are ready, and what the others wait for."
        ),
        template("workflows/{workflow_id}", "workflow", "A HealthOmics workflow: how its images stand."),
        template(
            "workflows/{workflow_id}/{version}",
            "workflow-version",
            "A version of a workflow: how its images stand."
        ),
    ]

    private static func template(_ path: String, _ name: String, _ words: String) -> ParameterValue {
        .object([
            "uriTemplate": .string(scheme + path), "name": .string(name), "description": .string(words),
            "mimeType": .string("application/json"),
        ])
    }

    /// The status, and live runs with their workflows where there is a record.
    func list() -> [ParameterValue] {
        var list = [
            Self.resource(
                "status",
                "status",
                "What preclone is doing: its health, what runs wait for, what is blocked."
            )
        ]
        // Where there is no record yet, or nothing may be seen of it, reading says so.
        guard (try? permit()) != nil, let report = try? record().status() else { return list }
        var workflows: Set<String> = []
        for run in report.runs.shown.prefix(Self.most) {
            let words = [run.name, run.status.lowercased()].compactMap(\.self).joined(separator: ", ")
            list.append(Self.resource("runs/\(run.id)", "run \(run.id)", words))
            if let workflow = run.workflowID, workflows.insert(workflow).inserted {
                list.append(Self.resource("workflows/\(workflow)", "workflow \(workflow)", "Its images."))
            }
        }
        return list
    }

    private static func resource(_ path: String, _ name: String, _ words: String) -> ParameterValue {
        .object([
            "uri": .text(scheme + path), "name": .text(name), "description": .text(words, longest: 200),
            "mimeType": .string("application/json"),
        ])
    }

    /// - Returns: nil where there is no such resource.
    /// - Throws: `MCPError` where it cannot be read.
    func read(_ uri: String) throws(MCPError) -> ParameterValue? {
        guard uri.utf8.count <= 500, uri.hasPrefix(Self.scheme) else { return nil }
        let parts = uri.dropFirst(Self.scheme.count).split(separator: "/", omittingEmptySubsequences: false)
            .map { $0.removingPercentEncoding ?? "" }
        let filter: StatusReport.Filter?
        switch parts.count {
        case 1 where parts[0] == "status": filter = nil
        case 2 where parts[0] == "runs" && !parts[1].isEmpty: filter = .run(id: parts[1])
        case 2...3 where parts[0] == "workflows":
            guard let name = WorkflowName(parts.dropFirst().joined(separator: "/")) else { return nil }
            filter = .workflow(name.version.isEmpty ? name.id : "\(name.id)/\(name.version)")
        default: return nil
        }
        do {
            try permit()
            let report = try ParameterValue(encoding: try record().status(filter)).printable
            return .object([
                "uri": .string(uri), "mimeType": .string("application/json"), "text": .string(report.text),
            ])
        } catch let fault as ControlFault {
            throw MCPError(.invalidParams, fault.description)
        } catch let error as LedgerError {
            throw MCPError(.invalidParams, PrintableText.stripped(error.description))
        } catch {
            throw MCPError(.internalError, PrintableText.stripped("\(error)"))
        }
    }
}
