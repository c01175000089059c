import Foundation
import GRDB
import Logging
import Remotes
import Sandbox
import Synchronization
import Testing

@testable import Precloning
@testable import Record

/// What the daemon keeps, logs and asks for while it reads definitions that reach for secrets.
@Suite struct SurveySecretTests {
    private final class Heard: LogSink {
        let lines = Mutex<[String]>([])
        func write(_ entry: LogEntry) {
            let metadata = entry.metadata.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
            lines.withLock { $0.append("\(entry.message) \(metadata)") }
        }
    }

    private static let recipes = [
        WorkflowRecipe(
            "wdl",
            engine: "WDL",
            main: "main.wdl",
            files: [
                "main.wdl": """
                version 1.0
                import "../secret.wdl" as s
                workflow w { call s.t  call u }
                task u { command {} runtime { docker: read_string("/proc/self/environ") + "~{SURVEY_TEST_SECRET}" } }
                """
            ]
        ),
        WorkflowRecipe(
            "cwl",
            engine: "CWL",
            main: "main.cwl",
            files: [
                "main.cwl": """
                class: Workflow
                inputs: []
                outputs: []
                steps:
                  a: {run: ../secret.cwl, in: [], out: []}
                  b:
                    in: []
                    out: []
                    run:
                      class: CommandLineTool
                      inputs: []
                      outputs: []
                      hints: [{class: DockerRequirement, dockerPull: {$include: ../secret.txt}}]
                """
            ]
        ),
        WorkflowRecipe(
            "nextflow",
            engine: "NEXTFLOW",
            main: "main.nf",
            files: [
                "main.nf": """
                include { P } from '../secret.nf'
                process Q {
                  container "${System.getenv('SURVEY_TEST_SECRET')}"
                  script: 'true'
                }
                workflow { P() ; Q() }
                """
            ]
        ),
    ]

    @Test func nothingOfASecretIsKeptLoggedOrSent() async throws {
        let secret = "planted-\(UUID().uuidString.lowercased())"
        setenv("SURVEY_TEST_SECRET", secret, 1)
        defer { unsetenv("SURVEY_TEST_SECRET") }
        let heard = Heard()
        let logger = Logger(label: "test") { label in
            SinkLogHandler(label: label, sink: heard, threshold: LogThreshold(.trace), now: { Date() })
        }
        try await withLogger(logger) { _ in
            try await SurveyBench.with { bench in
                try FileManager.default.createDirectory(atPath: bench.folder, withIntermediateDirectories: true)
                for name in ["secret.wdl", "secret.cwl", "secret.nf", "secret.txt"] {
                    for folder in [bench.folder, bench.folder + "/.."] {
                        try Data(secret.utf8).write(to: URL(filePath: "\(folder)/\(name)"))
                    }
                }
                for recipe in Self.recipes {
                    let workflow = bench.sandbox.addWorkflow(recipe)
                    try await bench.surveyDefaults(workflow: workflow)
                    try await bench.finishedRun(workflow: workflow, tasks: [("Other", "quay.io/a/b:1")])
                    try await bench.learn()
                }
                let evaluations = try bench.evaluations()
                #expect(evaluations >= Self.recipes.count)
                let kept = try bench.everythingKept()
                #expect(kept.contains("quay.io/a/b:1"))
                #expect(!kept.contains(secret))
                let requests = bench.sandbox.requests.entries.map { "\($0)" }.joined()
                #expect(!requests.contains(secret))
            }
        }
        let lines = heard.lines.withLock { $0 }.joined(separator: "\n")
        #expect(lines.contains("A run used images that its definition did not foretell"))
        #expect(!lines.contains(secret))
    }
}

extension SurveyBench {
    /// Every value of every table of the record, as one text.
    fileprivate func everythingKept() throws -> String {
        try ledger.database.read { database in
            let tables = try String.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE type = 'table'")
            return try tables.map { table in
                try Row.fetchAll(database, sql: "SELECT * FROM \"\(table)\"").map { "\($0)" }.joined(separator: "\n")
            }.joined(separator: "\n")
        }
    }
}
