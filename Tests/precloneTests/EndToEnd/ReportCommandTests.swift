import Foundation
import Testing

/// `preclone report` and `preclone unused` as their users meet them.
@Suite("The report and unused images, end to end")
struct ReportCommandTests {
    @Test("a page of a day's work is readable in Chromium, wide and narrow, in light and dark")
    func page() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1")
            try world.put("quay.io/org/a-tool-whose-name-is-rather-long-as-those-of-biocontainers-are:1.17--h00cdaf9_0")
            try world.startRun(
                "one",
                of: [
                    "quay.io/org/tool:1", "quay.io/org/missing:1",
                    "quay.io/org/a-tool-whose-name-is-rather-long-as-those-of-biocontainers-are:1.17--h00cdaf9_0",
                ]
            )
            #expect(try await world.run("run", "--once").code == 4)
            let page = world.folder.appending(path: "report.html")
            let answer = try await world.run("report", "--since", "1d", "-o", page.path)
            #expect(answer.code == 0, "\(answer.standardError)")
            #expect(answer.standardOutput.isEmpty)
            let pictures = ProcessInfo.processInfo.environment["REPORT_PICTURES"].map { [$0] } ?? []
            let looked = try await RunningProgram(
                [BuiltProgram.project.appendingPathComponent("Tests/Clients/look_at_page.py").path, page.path]
                    + pictures,
                program: BuiltProgram.project.appendingPathComponent(".venv/bin/python"),
                environment: ["HOME": world.folder.path, "PATH": ProcessInfo.processInfo.environment["PATH"] ?? ""]
            ).end()
            #expect(looked.code == 0, "\(looked.standardOutput)\(looked.standardError)")
            let piped = try await world.run("report", "--since", "1d")
            #expect(piped.standardOutput.hasPrefix("<!doctype html>"))
            let document = try await world.run("report", "--since", "1d", "--format", "json")
            #expect(document.standardOutput.contains("\"schemaVersion\" : 1"))
            let wrong = try await world.run("report", "--since", "yesterday")
            #expect(wrong.code == 2)
            #expect(wrong.standardError.contains("--since `yesterday` is no time"))
            let nowhere = try await world.run("report", "-o", "/nowhere/report.html")
            #expect(nowhere.code == 1)
            #expect(nowhere.standardError.contains("/nowhere/report.html can't be written"))
        }
    }

    @Test("what is wanted is not unused; what is not has a rule, unless another tag or a lock keeps it")
    func unused() async throws {
        try await RunningSandbox.with { world in
            for name in ["tool:1", "old:1", "kept:1"] { try world.put("quay.io/org/\(name)") }
            try world.startRun("one", of: ["quay.io/org/tool:1"])
            #expect(try await world.run("run", "--once").code == 0)
            for name in ["old:1", "kept:1"] {
                #expect(
                    try await world.run(
                        "clone",
                        "quay.io/org/\(name)",
                        "--target-repository",
                        "org/\(name.prefix { $0 != ":" })"
                    ).code == 0
                )
            }
            let soon = try await world.run("unused")
            #expect(soon.code == 0)
            #expect(soon.standardOutput.contains("nothing: every ready image is wanted, or was used since"))
            // The others were asked for a moment ago: since then nobody wants them.
            let answer = try await world.run("unused", "--since", "1ms", "--format", "json")
            #expect(answer.code == 0, "\(answer.standardError)")
            #expect(answer.standardOutput.contains("/org/old:1"))
            #expect(!answer.standardOutput.contains("/org/tool:1\""))
            #expect(answer.standardOutput.contains("it was pushed not long ago"))
            let alone = try await world.run("unused", "--since", "1ms", "--offline")
            #expect(alone.standardOutput.contains("ECR was not asked, so no lifecycle policy is proposed"))
        }
    }
}
