import Foundation
import GRDB
import Remotes
import Sandbox
import Testing

@testable import Model
@testable import Precloning
@testable import Record

@Suite struct LearnerTests {
    /// Foretells quay.io/a/known:1; the image of task `Other` is an output that no reader can know.
    private static let recipe = WorkflowRecipe(
        "learning",
        engine: "WDL",
        main: "main.wdl",
        files: [
            "main.wdl": """
            version 1.0
            workflow w {
              input { String tag = "1"  String sample = "s" }
              call Known { input: tag = tag }
              call Other { input: image = Known.image }
            }
            task Known {
              input { String tag }
              command {}
              output { String image = read_string(stdout()) }
              runtime { docker: "quay.io/a/known:" + tag }
            }
            task Other { input { String image } command {} runtime { docker: image } }
            """
        ],
        registryMap: [
            "registryMappings": [["upstreamRegistryUrl": "quay.io", "ecrRepositoryPrefix": "quay"]]
        ]
    )

    @Test func learnsWhatWasMissedAndForetellsItForTheNextRun() async throws {
        try await SurveyBench.with { bench in
            let workflow = bench.sandbox.addWorkflow(Self.recipe)
            let tasks = [
                ("Known-0", "quay.io/a/known:1"), ("Known-1", "quay.io/a/known:1"), ("Other", "quay.io/a/other:7"),
                ("Known-2", "quay.io/a/known:1"),
            ]
            try await bench.finishedRun(workflow: workflow, tasks: tasks)
            #expect(try bench.mentions("run") == ["quay.io/a/known:1"])
            try await bench.learn()
            #expect(bench.count("omics/ListRunTasks") == 1)
            #expect(bench.count("omics/GetRunTask") == 2, "one task for each process")
            #expect(try bench.mentions("learned") == ["quay.io/a/other:7"])
            let wanted = try await bench.ledger.database.read {
                try ImageRecord.fetchOne($0, sql: "SELECT * FROM image WHERE source = 'quay.io/a/other:7'")
            }
            #expect(wanted?.state == .pending)
            #expect(
                wanted?.destination
                    == "\(bench.sandbox.addresses.accountID).\(bench.sandbox.registrySuffix)/quay/a/other:7"
            )

            let coverage = try #require(try bench.status(workflow: workflow).focus?.coverage)
            #expect((coverage.runs, coverage.used, coverage.foretold) == (1, 2, 1))
            #expect(coverage.missed == ["quay.io/a/other:7"])

            // The next run of the workflow wants it while it still waits.
            let next = try bench.sandbox.startRun(workflow: workflow)
            try await bench.watchRuns()
            let key = try #require(try bench.ledger.runs(id: next).first?.key)
            #expect(try bench.mentions("run", subject: key) == ["quay.io/a/known:1", "quay.io/a/other:7"])
        }
    }

    @Test func showsTheCoverageInStatus() async throws {
        try await SurveyBench.with { bench in
            let workflow = bench.sandbox.addWorkflow(Self.recipe)
            try await bench.surveyDefaults(workflow: workflow)
            let before = StatusText(try bench.status(workflow: workflow), style: TextStyle()).text
            #expect(before.contains("\n  coverage: no finished run was compared with what was foretold yet\n"))
            for image in ["quay.io/a/other:7", "quay.io/a/more:8"] {
                try await bench.finishedRun(
                    workflow: workflow,
                    tasks: [("Known", "quay.io/a/known:1"), ("Other", image)]
                )
                try await bench.learn()
            }
            let report = try bench.status(workflow: workflow)
            #expect(
                StatusText(report, style: TextStyle()).text.contains(
                    "\n  coverage: 2 finished runs used 4 images, 2 of them foretold; missed: quay.io/a/more:8, "
                        + "quay.io/a/other:7\n"
                )
            )
            let json = try report.json()
            #expect(json.contains(#""foretold" : 2"#) && json.contains(#""runs" : 2"#) && json.contains(#""used" : 4"#))
            #expect(try bench.status(workflow: "\(workflow)/none").focus?.coverage?.runs == 0)
        }
    }

    @Test func comparesTheFirstThreeRunsOfADefinitionAndItsParameters() async throws {
        try await SurveyBench.with { bench in
            let workflow = bench.sandbox.addWorkflow(Self.recipe)
            func run(_ parameters: SandboxJSON) async throws {
                try await bench.finishedRun(
                    workflow: workflow,
                    parameters: parameters,
                    tasks: [("Known", "quay.io/a/known:1")]
                )
                try await bench.learn()
            }
            // The sample decides no image: these are one set of parameters.
            for sample in ["a", "b", "c", "d", "e"] { try await run(["sample": .string(sample)]) }
            #expect(bench.count("omics/GetRunTask") == 3)
            #expect(bench.count("omics/ListRunTasks") == 3)
            #expect(try bench.status(workflow: workflow).focus?.coverage?.runs == 3)
            // The tag does.
            for _ in 0..<4 { try await run(["tag": "2"]) }
            #expect(bench.count("omics/GetRunTask") == 6)
            #expect(try bench.status(workflow: workflow).focus?.coverage?.runs == 6)
        }
    }

    @Test func asksForNoMoreTasksThanItMay() async throws {
        try await SurveyBench.with { bench in
            let workflow = bench.sandbox.addWorkflow(Self.recipe)
            let tasks = ["A", "B", "C", "D", "E", "F"].map { ($0, "quay.io/a/\($0.lowercased()):1") }
            try await bench.finishedRun(workflow: workflow, tasks: tasks)
            try await bench.learn(tasksPerRun: 4)
            #expect(bench.count("omics/GetRunTask") == 4)
            #expect(try bench.mentions("learned").count == 4)
        }
    }

    @Test func aRunThatShowsNothingIsNotOneOfTheThree() async throws {
        try await SurveyBench.with { bench in
            let workflow = bench.sandbox.addWorkflow(Self.recipe)
            let cached = try await bench.finishedRun(workflow: workflow)
            bench.sandbox.addTask(run: cached, name: "Known", sourceImage: "quay.io/a/else:1", isCacheHit: true)
            try await bench.learn()
            #expect(bench.count("omics/GetRunTask") == 0)
            try await bench.finishedRun(workflow: workflow, tasks: [("Known", "quay.io/a/else:1")], status: "CANCELLED")
            try await bench.learn()
            #expect(try bench.status(workflow: workflow).focus?.coverage?.runs == 0)
            #expect(try bench.mentions("learned").isEmpty)
            for _ in 0..<4 {
                try await bench.finishedRun(
                    workflow: workflow,
                    tasks: [("Known", "quay.io/a/known:1")],
                    status: "FAILED"
                )
            }
            try await bench.learn()
            #expect(try bench.status(workflow: workflow).focus?.coverage?.runs == 3)
        }
    }

    @Test func aRefusalEndsTheMatterForThatRun() async throws {
        try await SurveyBench.with { bench in
            let workflow = bench.sandbox.addWorkflow(Self.recipe)
            bench.sandbox.deny(["omics:ListRunTasks"])
            try await bench.finishedRun(workflow: workflow, tasks: [("Other", "quay.io/a/other:7")])
            try await bench.learn()
            try await bench.learn()
            #expect(bench.count("omics/ListRunTasks") == 1)
            #expect(try bench.mentions("learned").isEmpty)
        }
    }

    @Test(
        arguments: [
            ("FASTQC (sample 1)", "FASTQC"), ("NF:SUB:ALIGN (1)", "NF:SUB:ALIGN"), ("align-3", "align"),
            ("align-0-12", "align"), ("align_2-1", "align"), ("align_2", "align"), ("hisat2", "hisat2"),
            ("bwa-mem2", "bwa-mem2"), ("Task", "Task"), ("12", "12"), ("-1", "-1"), ("", ""), ("(x)", "(x)"),
        ]
    )
    func aTasksNameTellsItsProcess(name: String, process: String) {
        #expect(Learner.process(of: name) == process)
    }

    @Test func looksAtATaskThatEndedWell() throws {
        let text = """
            [{"taskId": "1", "name": "A-0", "status": "FAILED"},
             {"taskId": "2", "name": "B", "status": "FAILED", "cacheHit": false},
             {"taskId": "3", "name": "A-1", "status": "COMPLETED"},
             {"taskId": "4", "name": "A-2", "status": "COMPLETED"},
             {"taskId": "5", "name": "C", "status": "COMPLETED", "cacheHit": true}]
            """
        let tasks = try JSONDecoder().decode([TaskListItem].self, from: Data(text.utf8))
        #expect(Learner.samples(of: tasks, limit: 9).map(\.taskId) == ["3", "2"])
        #expect(Learner.samples(of: tasks, limit: 1).map(\.taskId) == ["3"])
    }

    @Test func anImageIsForetoldUnderAnyOfItsNames() {
        let digest = "sha256:" + String(repeating: "a", count: 64)
        let ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
        let foretold = ForetoldImages([
            ["docker.io/library/ubuntu:22.04", "\(ecr)/hub/library/ubuntu:22.04", "ubuntu:22.04"],
            ["quay.io/a/b@\(digest)", "", "quay.io/a/b@\(digest)"],
        ])
        #expect(foretold.count == 2)
        for names in [
            ["ubuntu:22.04"], ["x/y:1", "\(ecr)/hub/library/ubuntu:22.04"], ["docker.io/ubuntu:22.04@\(digest)"],
            ["quay.io/a/b:2@\(digest)"],
        ] {
            #expect(foretold.covers(names), "\(names)")
        }
        #expect(!foretold.covers(["ubuntu"]) && !foretold.covers([]) && !foretold.covers(["", "quay.io/a/b:2"]))
    }
}
