import Configuring
import Foundation
import Testing

/// What an account needs, as it is shipped: the template, and configurations to begin with.
@Suite("Setting an account up")
struct SetupTests {
    private func config(_ name: String) -> URL { BuiltProgram.project.appending(path: "config/\(name)") }

    @Test("the template of everything is deployed, its role is the IAM policy, and check looks at the result")
    func template() async throws {
        try await RunningSandbox.with { world in
            let deployed = try await RunningProgram(
                [
                    BuiltProgram.project.appending(path: "Tests/Clients/deploy_setup.py").path,
                    config("preclone.cfn.yaml").path, config("iam-policy.json").path, BuiltProgram.executable.path,
                ],
                program: BuiltProgram.project.appending(path: ".venv/bin/python"),
                environment: ["HOME": world.folder.path, "PATH": ProcessInfo.processInfo.environment["PATH"] ?? ""]
            ).end()
            #expect(deployed.code == 0, "\(deployed.standardOutput)\(deployed.standardError.suffix(2000))")
        }
    }

    @Test("every configuration among the examples is a good one")
    func examples() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: config("examples").path).filter {
            $0.hasSuffix(".json")
        }
        #expect(files.count >= 4)
        for file in files {
            let path = config("examples/\(file)").path
            #expect(throws: Never.self, "\(file)") { try Configuration.load(path: path) }
        }
    }
}
