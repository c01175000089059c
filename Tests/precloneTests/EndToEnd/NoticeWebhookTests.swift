import Foundation
import Sandbox
import TestSupport
import Testing

/// A webhook as an operator sets it up.
@Suite("Notices by webhook, end to end")
struct NoticeWebhookTests {
    @Test("a blocked image and a ready run are told of, each once, over ends and starts")
    func webhook() async throws {
        try await RunningSandbox.with { world in
            let told = world.folder.appending(path: "told.jsonl")
            let receiver = try ServerProcess(
                BuiltProgram.project.appending(path: ".venv/bin/python"),
                [BuiltProgram.project.appending(path: "Tests/Clients/webhook_receiver.py").path, told.path],
                environment: ["PATH": "/usr/bin:/bin"],
                mend: "run .ci/test, which makes .venv"
            )
            try world.configure(["notify": ["webhook": .string("http://127.0.0.1:\(receiver.port)/secret?token=1")]])
            try world.put("quay.io/org/tool:1")
            try world.startRun("good", of: ["quay.io/org/tool:1"])
            try world.startRun("bad", of: ["quay.io/org/missing:1"])
            for _ in 0..<2 { #expect(try await world.run("run", "--once").code == 4) }
            let lines = try String(contentsOf: told, encoding: .utf8).split(separator: "\n")
            #expect(
                lines.count { $0.contains(#""kind":"blocked""#) && $0.contains("quay.io/org/missing:1") } == 1,
                "\(lines)"
            )
            #expect(lines.count { $0.contains(#""kind":"ready""#) } == 1, "\(lines)")
        }
    }
}
