import Foundation
import Precloning
import Sandbox
import Testing

/// Every `preclone` line of README is run, in README's order, with its placeholders filled in.
@Suite("README's commands, end to end")
struct ReadmeRunTests {
    @Test("each does what README says, against a sandbox")
    func commands() async throws {
        let data = try Data(contentsOf: BuiltProgram.project.appendingPathComponent("README.md"))
        let text = Self.withoutRoad(String(decoding: data, as: UTF8.self))
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("    preclone ") }
        try await RunningSandbox.with { world in
            let image = "quay.io/biocontainers/samtools:1.17--h00cdaf9_0"
            try world.put(image)
            let recipe = RunningSandbox.wdl("one", [image])
            let workflow = world.sandbox.addWorkflow(recipe)
            let run = try world.sandbox.startRun(workflow: workflow, name: "one")
            #expect(try await world.run("run", "--once").code == 0)
            let zip = world.folder.appending(path: "workflow.zip")
            try Data(StoredZip.archive(recipe.files)).write(to: zip)
            let map = world.folder.appending(path: "map.json")
            try RunningSandbox.registryMap.data.write(to: map)
            try world.sandbox.ecr("CreateRepository", ["repositoryName": "biocontainers/samtools"])
            try world.put("quay.io/org/mine:1")
            #expect(try await world.run("clone", "quay.io/org/mine:1").code == 0)
            func host(_ address: String?) -> String { (address ?? "").replacing("http://", with: "") }
            let ecr = host(world.sandbox.addresses.ecr)
            let token = try world.sandbox.ecr("GetAuthorizationToken", [:])["authorizationData"]?.array?.first?[
                "authorizationToken"
            ]
            let logins = SandboxJSON.object(["auths": .object([ecr: ["auth": token ?? ""]])])
            let authfile = world.folder.appending(path: "auth.json")
            try logins.data.write(to: authfile)
            try world.sandbox.ecr("CreateRepository", ["repositoryName": "copied/samtools"])
            let cases = world.folder.appending(path: "cases.json")
            try Data(#"{"cases": [{"image": "ubuntu", "expect": "allow"}]}"#.utf8).write(to: cases)
            let filled = [
                "1234567": run, "7654321": workflow, "IMAGE": image, "workflow.zip": zip.path,
                "map.json": map.path, "report.html": world.folder.appending(path: "report.html").path,
                "cases.json": cases.path,
                "SOURCE":
                    "\(host(world.sandbox.addresses.registries["quay.io"]))/biocontainers/samtools:1.17--h00cdaf9_0",
                "DESTINATION": "\(ecr)/copied/samtools:1",
            ]
            // Beside `status`, which tells that no daemon runs, all are well.
            for line in lines {
                let words = line.prefix { $0 != "#" }.split(separator: " ").dropFirst().map {
                    filled[String($0)] ?? String($0)
                }
                let isCopy = words.first == "copy"
                let answer = try await world.start(
                    words + (isCopy ? ["--plain-http", "--authfile", authfile.path] : [])
                ).end()
                #expect(
                    answer.code == (words == ["status"] ? 3 : 0),
                    "\(line): \(answer.standardOutput)\(answer.standardError)"
                )
            }
            #expect(world.sandbox.isWhole("copied/samtools", "1"))
            // The query of the record that README shows.
            let query = try #require(text.split(separator: "\n").first { $0.hasPrefix("    sqlite3 -readonly ") })
            let sql = query.split(separator: "\"")[1]
            #expect(try world.rows(String(sql)).isEmpty)
            #expect(try world.rows(String(sql).replacing("'blocked'", with: "'ready'")).map { $0["source"] } == [image])
        }
    }

    /// README's own road from a folder to a run has a test of its own.
    private static let road = "## From a pipeline's folder to a run that starts"

    private static func withoutRoad(_ text: String) -> String {
        guard let start = text.range(of: road), let end = text[start.upperBound...].range(of: "\n## ") else {
            return text
        }
        return String(text[..<start.lowerBound] + text[end.lowerBound...])
    }

    @Test("from a pipeline's folder to a run that starts: README's commands, one after the other, as a shell runs them")
    func road() async throws {
        let text = String(
            decoding: try Data(contentsOf: BuiltProgram.project.appendingPathComponent("README.md")),
            as: UTF8.self
        )
        let start = try #require(text.range(of: Self.road))
        let end = try #require(text[start.upperBound...].range(of: "\n## "))
        let commands = text[start.upperBound..<end.lowerBound].replacing(/\\\n +/, with: "").split(separator: "\n")
            .filter { $0.hasPrefix("    ") }.map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(commands.count == 5)
        try await RunningSandbox.with { world in
            let images = [
                "quay.io/biocontainers/fastqc:0.12.1--hdfd78af_0", "quay.io/biocontainers/multiqc:1.25--pyhdfd78af_0",
            ]
            for image in images { try world.put(image) }
            let pipeline = world.folder.appending(path: "pipeline")
            try FileManager.default.createDirectory(at: pipeline, withIntermediateDirectories: true)
            let script = """
                process FASTQC { container "\(images[0])"; script: "fastqc" }
                process MULTIQC { container "\(images[1])"; script: "multiqc" }
                workflow { FASTQC(); MULTIQC() }
                """
            try Data(script.utf8).write(to: pipeline.appending(path: "main.nf"))
            try Data("{}".utf8).write(to: world.folder.appending(path: "run.json"))
            let tools = BuiltProgram.project.appendingPathComponent(".venv/bin").path
            let shell = """
                PATH="\(BuiltProgram.executable.deletingLastPathComponent().path):\(tools):$PATH"
                preclone() { "\(BuiltProgram.executable.path)" "$@" $([ "$1" = inspect ] || echo --config "\(world.config)"); }
                cd "\(world.folder.path)"
                """
            let environment = world.sandbox.addresses.environment.merging(
                ["HOME": world.folder.path, "NO_PROXY": "*", "PATH": "/usr/bin:/bin"]
            ) { $1 }
            var workflow = "7654321"
            var answers: [BuiltProgram.Answer] = []
            for command in commands {
                let line = command.replacing("7654321", with: workflow)
                    .replacing("ROLE", with: "arn:aws:iam::123456789012:role/omics")
                let answer = try await RunningProgram(
                    ["-euc", shell + "\n" + line],
                    program: URL(filePath: "/bin/bash"),
                    environment: environment
                ).end()
                #expect(answer.code == 0, "\(command): \(answer.standardOutput)\(answer.standardError)")
                if command.contains("create-workflow") {
                    let created = try SandboxJSON(json: Data(answer.standardOutput.utf8))
                    workflow = try #require(created["id"]?.string)
                }
                answers.append(answer)
            }
            #expect(answers[0].standardOutput == images.map { $0 + "\n" }.joined())
            #expect(answers[4].standardOutput.contains("2 of 2 ready"))
            // The run that started finds everything where it looks.
            let run = try #require(try await runID(world))
            let status = try await world.run("ready", "--run", run)
            #expect(status.code == 0, "\(status.standardOutput)")
            for name in ["fastqc", "multiqc"] {
                #expect(try #require(world.sandbox.privateTags("quay/biocontainers/\(name)")).count == 1)
            }
        }
    }

    private func runID(_ world: RunningSandbox) async throws -> String? {
        let answer = try await RunningProgram(
            ["omics", "list-runs", "--query", "items[0].id", "--output", "text"],
            program: BuiltProgram.project.appendingPathComponent(".venv/bin/aws"),
            environment: world.sandbox.addresses.environment.merging(["HOME": world.folder.path]) { $1 }
        ).end()
        return answer.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test("every other line of README's command blocks is one that CI or the package's own test runs")
    func others() throws {
        func script(_ path: String) throws -> String {
            String(decoding: try Data(contentsOf: BuiltProgram.project.appendingPathComponent(path)), as: UTF8.self)
        }
        let lines = Self.withoutRoad(try script("README.md")).split(separator: "\n").filter { line in
            line.hasPrefix("    .ci/") || line.hasPrefix("    ") && line.dropFirst(4).first?.isLetter == true
        }.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.hasPrefix("preclone ") }
        #expect(lines.count >= 8)
        let checks = try [".ci/run", "Tests/service-test", "Tests/Clients/deploy_setup.py"].map(script).joined()
        // What the checks run for a line that they cannot take as it stands.
        let instead = [
            "apt install ./preclone_*.deb": "inside dpkg -i",
            // It begins with the package, whose build does the same.
            "systemd/build-deb": "systemd/build-release",
            "swift build -c release": "systemd/build-release", "systemd/install": "systemd/install\" \"$work/plain",
            "sqlite3 -readonly": "Tests/service-test",
            // By an emulator of CloudFormation.
            "aws cloudformation": "create_stack",
        ]
        for line in lines {
            let words = line.split(separator: " ").prefix(2).joined(separator: " ")
            let taken = instead.first { line.hasPrefix($0.key) }?.value ?? words
            #expect(checks.contains(taken), "\(line) is run nowhere")
        }
    }

    @Test(
        "README's plain install puts every file where the unit looks for it",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-sysusers"), "needs systemd")
    )
    func plainInstall() async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "preclone-root-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: root) }
        let installed = try await RunningProgram(
            [root.path],
            program: BuiltProgram.project.appendingPathComponent("systemd/install"),
            environment: ["PRECLONE_BINARY": BuiltProgram.executable.path]
        ).end()
        #expect(installed.code == 0, "\(installed.standardError)")
        let users = try await RunningProgram(
            ["--root=\(root.path)"],
            program: URL(filePath: "/usr/bin/systemd-sysusers")
        ).end()
        #expect(users.code == 0, "\(users.standardError)")
        let accounts = try String(contentsOf: root.appending(path: "etc/passwd"), encoding: .utf8)
        #expect(accounts.contains("preclone:"))
        for path in [
            "usr/bin/preclone", "usr/lib/systemd/system/preclone.service", "etc/preclone/config.json",
            "usr/share/man/man1/preclone.1.gz", "usr/share/preclone/iam-policy.json",
        ] {
            #expect(FileManager.default.fileExists(atPath: root.appending(path: path).path), "\(path)")
        }
    }
}
