import Foundation
import GRDB
import Remotes
import Sandbox
import Testing

@testable import Model
@testable import Precloning
@testable import Record

@Suite struct DefinitionStoreTests {
    private static let wdl = """
        version 1.0
        workflow w {
          input { String tag = "1"  String sample = "s"  Boolean more = false }
          call t { input: image = "quay.io/a/b:" + tag }
          if (more) { call t as u { input: image = "quay.io/a/more:1" } }
        }
        task t { input { String image } command {} runtime { docker: image } }
        """

    @Test func aDefinitionIsReadOnceForItsDigestAndEvaluatedOnceForItsParameters() async throws {
        try await SurveyBench.with { bench in
            let recipe = WorkflowRecipe("one", engine: "WDL", main: "main.wdl", files: ["main.wdl": Self.wdl])
            var same = recipe
            same.name = "two"
            let (first, second) = (bench.sandbox.addWorkflow(recipe), bench.sandbox.addWorkflow(same))
            bench.sandbox.addVersion(recipe, workflow: first)
            try await bench.surveyDefaults(workflow: first)
            try await bench.surveyDefaults(workflow: second)
            try await bench.surveyDefaults(workflow: first, version: "one")
            #expect(bench.count("storage/GetObject") == 1, "three versions, one digest")
            #expect(try bench.evaluations() == 1)
            // Before any run, a run may still ask for more.
            #expect(try bench.mentions("version", subject: second) == ["quay.io/a/b:1", "quay.io/a/more:1"])

            // What decides no image makes no difference, nor does a default that is given; but a run is not any run.
            for parameters: SandboxJSON in [[:], ["sample": "x"], ["sample": ["y": 1], "unknown": 7]] {
                try bench.sandbox.startRun(workflow: first, parameters: parameters)
            }
            try await bench.watchRuns()
            #expect(try bench.evaluations() == 2)
            for parameters: SandboxJSON in [
                ["tag": "2"], ["tag": "2", "sample": "z"], ["more": true], ["more": true, "tag": "2"], ["tag": "2"],
            ] {
                try bench.sandbox.startRun(workflow: second, parameters: parameters)
            }
            try await bench.watchRuns()
            #expect(try bench.evaluations() == 5)
            #expect(try bench.mentions("run") == ["quay.io/a/b:1", "quay.io/a/b:2", "quay.io/a/more:1"])
            #expect(bench.count("storage/GetObject") == 1)
        }
    }

    @Test func whatAnEarlierPrecloneMadeOfADefinitionDoesNotHold() async throws {
        try await SurveyBench.with { bench in
            let recipe = WorkflowRecipe("w", engine: "WDL", main: "main.wdl", files: ["main.wdl": Self.wdl])
            let workflow = bench.sandbox.addWorkflow(recipe)
            try await bench.surveyDefaults(workflow: workflow)
            try await bench.ledger.database.write { database in
                try database.execute(
                    sql: "UPDATE inspection SET profiles = replace(profiles, ?, '0.0.1'), result = '{}'",
                    arguments: [Version.current]
                )
            }
            try await bench.surveyDefaults(workflow: workflow)
            #expect(try bench.evaluations() == 2)
            #expect(try bench.mentions("version", subject: workflow) == ["quay.io/a/b:1", "quay.io/a/more:1"])
        }
    }

    @Test func onlyTheNewestSetsOfParametersAreRemembered() throws {
        let ledger = try Ledger()
        func store(_ definition: String, _ number: Int) throws {
            _ = try ledger.storeInspection(
                definition: definition,
                engine: "WDL",
                main: "",
                profiles: "p\(number % 2)",
                parameters: "\(number)",
                relevant: "[]",
                result: "{}",
                now: Date(timeIntervalSince1970: 0)
            )
        }
        try store("other", 0)
        for number in 0..<Ledger.keptInspections + 10 { try store("one", number) }
        let left = try ledger.database.read { database in
            try Row.fetchAll(database, sql: "SELECT definition, parameters FROM inspection ORDER BY id")
                .map { "\($0["definition"] as String) \($0["parameters"] as String)" }
        }
        #expect(left == ["other 0"] + (10..<Ledger.keptInspections + 10).map { "one \($0)" })
    }

    @Test func engineSettingsAreEvaluatedOnceEach() async throws {
        try await SurveyBench.with { bench in
            let files = [
                "main.nf": "process A { container 'quay.io/a/b:1'\n script: 'true' }\nworkflow { A() }\n",
                "nextflow.config": "profiles { other { process.container = 'quay.io/a/other:1' } }\n",
            ]
            let recipe = WorkflowRecipe("nf", engine: "NEXTFLOW", main: "main.nf", files: files)
            let workflow = bench.sandbox.addWorkflow(recipe)
            for settings: SandboxJSON in [[:], ["profile": "other"], ["profile": "other"], [:]] {
                try bench.sandbox.startRun(workflow: workflow, settings: ["engineSettings": settings])
            }
            try await bench.watchRuns()
            #expect(try bench.evaluations() == 2)
            #expect(bench.count("storage/GetObject") == 1)
        }
    }

    @Test func callersAtTheSameTimeWaitForOneAnother() async throws {
        try await SurveyBench.with { bench in
            let recipe = WorkflowRecipe("w", engine: "WDL", main: "main.wdl", files: ["main.wdl": Self.wdl])
            let workflow = bench.sandbox.addWorkflow(recipe)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { try await bench.surveyDefaults(workflow: workflow) } }
                try await group.waitForAll()
            }
            #expect(bench.count("storage/GetObject") == 1)
            #expect(try bench.evaluations() == 1)
        }
    }

    @Test func aDefinitionThatIsNoZipIsReadOnce() async throws {
        try await SurveyBench.with { bench in
            let recipe = WorkflowRecipe("bad", engine: "WDL", main: "main.wdl", zip: Array("no zip at all".utf8))
            let workflow = bench.sandbox.addWorkflow(recipe)
            for _ in 0..<3 { try bench.sandbox.startRun(workflow: workflow) }
            try await bench.watchRuns()
            #expect(bench.count("storage/GetObject") == 1)
            #expect(try bench.evaluations() == 0)
            let troubles = try await bench.ledger.database.read {
                try RunRow.fetchAll($0, sql: "SELECT * FROM run").map { $0.trouble ?? "" }
            }
            #expect(troubles.count == 3)
            #expect(troubles.allSatisfy { $0.hasPrefix("the definition of workflow \(workflow)") })
        }
    }
}
