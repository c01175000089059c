import Foundation
import GRDB
import Model
import Precloning
import Sandbox
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// The record is taken away or spoilt while the daemon works, or the daemon falls silent: `status`, `clone` and the log say
/// so at once.
@Suite("A record that is lost, a daemon that is silent")
struct RecordLossTests {
    @Test(
        "is said by status, log and exit, and what was being copied ends",
        arguments: ["removed", "emptied", "written over", "log removed"]
    )
    func lost(kind: String) async throws {
        let image = "quay.io/org/tool:1"
        try await RunningSandbox.with { world in
            try world.put(image, size: 4 << 20)
            let daemon = try world.start("run")
            try await world.until("idle") { (try? await world.status())?.report.health.state == .idle }
            world.sandbox.add(Fault(.slow, operation: "GetBlob", registry: "quay.io", bytes: 1 << 16))
            try world.startRun("one", of: [image])
            try await world.until([image: "cloning"])
            let file = URL(filePath: world.record)
            switch kind {
            case "removed": try FileManager.default.removeItem(at: file)
            case "emptied": try FileHandle(forWritingTo: file).truncate(atOffset: 0)
            case "written over": try FileHandle(forWritingTo: file).write(contentsOf: Data("This is no record".utf8))
            default: try FileManager.default.removeItem(atPath: world.record + "-wal")
            }
            try await world.until("word of it in status") {
                let answer = try await world.run("status")
                return answer.standardOutput.hasPrefix("degraded: ") && answer.code == 4
                    && answer.standardOutput.contains(world.record)
            }
            try await world.until("word of it in the log") {
                daemon.standardError.contains("critical The record cannot be used")
            }
            world.sandbox.clearFaults()
            let answer = await daemon.end()
            #expect(answer.code == 1)
            #expect(answer.standardError.contains("error: \(world.record)"), "\(answer.standardError.telling)")
            // Where the record could still take it, nothing was left half done.
            if kind.hasSuffix("removed") { #expect(world.count("PutManifest", registry: "ecr") > 0) }
        }
    }

    @Test("a clone beside a daemon whose record was removed is told, and ends")
    func cloneBeside() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1", size: 4 << 20)
            world.sandbox.add(Fault(.slow, operation: "GetBlob", registry: "quay.io", bytes: 1 << 16))
            let daemon = try world.start("run")
            try await world.until("idle") { (try? await world.status())?.report.health.state == .idle }
            let clone = try world.start("clone", "quay.io/org/tool:1")
            try await world.until(["quay.io/org/tool:1": "cloning"])
            try FileManager.default.removeItem(atPath: world.record)
            try await world.until("word of it") { clone.standardError.contains("was removed") }
            world.sandbox.clearFaults()
            #expect(await daemon.end().code == 1)
            #expect(await clone.end().code != 0)
        }
    }

    @Test("a daemon that hangs is told beside the clone that waits for it, and by status")
    func silent() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1")
            let daemon = try world.start("run")
            try await world.until("idle") { (try? await world.status())?.report.health.state == .idle }
            daemon.signal(SIGSTOP)
            try world.change("UPDATE daemon SET aliveAt = ?", [Date(timeIntervalSinceNow: -25).milliseconds])
            let status = try await world.run("status")
            #expect(
                status.standardOutput.hasPrefix("degraded: process \(daemon.id) is there but has given no sign of life")
            )
            #expect(status.code == 4)
            let clone = try world.start("clone", "quay.io/org/tool:1")
            try await world.until("word of it") {
                clone.standardError.contains("process \(daemon.id), which would do it, has given no sign of life for ")
            }
            daemon.signal(SIGCONT)
            #expect(await clone.end().code == 0)
            daemon.signal(SIGTERM)
            #expect(await daemon.end().code == 0)
        }
    }

    @Test("credentials that can no longer be renewed, and that are gone, are told with who refused")
    func credentials() async throws {
        try await RunningSandbox.with(keys: ["aws": ["profile": "own"]]) { world in
            let keys = world.folder.appending(path: "keys.json")
            let environment = world.sandbox.addresses.environment
            func write(_ lasting: Double) throws {
                let end = Date(timeIntervalSinceNow: lasting).formatted(.iso8601)
                let document = [
                    "Version": "1", "AccessKeyId": environment["AWS_ACCESS_KEY_ID"] ?? "",
                    "SecretAccessKey": environment["AWS_SECRET_ACCESS_KEY"] ?? "", "Expiration": end,
                ]
                let json = try JSONEncoder().encode(document)
                try Data(String(decoding: json, as: UTF8.self).replacing("\"1\"", with: "1").utf8).write(to: keys)
            }
            try write(600)
            let config = world.folder.appending(path: "aws-config")
            try Data("[profile own]\ncredential_process = /bin/cat \(keys.path)\n".utf8).write(to: config)
            let daemon = try world.start("run", environment: ["AWS_CONFIG_FILE": config.path])
            try await world.until("idle") { (try? await world.status())?.report.health.state == .idle }
            // Those held hold for ten minutes more; whoever would renew them has gone.
            try FileManager.default.removeItem(at: keys)
            try await world.until("word of it") {
                let answer = try await world.run("status")
                return answer.standardOutput.hasPrefix("degraded: AWS credentials: cannot be renewed: ")
                    && answer.code == 4
            }
            daemon.signal(SIGTERM)
            #expect(await daemon.end().code == 0)
            // And at the next start there are none at all.
            let next = try world.start("run", environment: ["AWS_CONFIG_FILE": config.path])
            try await world.until("word of it") {
                try await world.run("status").standardOutput.hasPrefix("degraded: AWS credentials: ")
            }
            next.signal(SIGTERM)
            #expect(await next.end().code == 0)
        }
    }

    @Test("an ECR that answers nobody, and a list that is denied, are in the first line")
    func services() async throws {
        let image = "quay.io/org/tool:1"
        try await RunningSandbox.with { world in
            try world.put(image)
            try await world.withDaemon { _ in
                try await world.until("idle") { (try? await world.status())?.report.health.state == .idle }
                world.sandbox.add(Fault(.error, service: "ecr", status: 503))
                try world.startRun("one", of: [image])
                try await world.until("word of ECR") {
                    let (report, code) = try await world.status()
                    return code == 4 && report.health.reasons.contains { $0.hasPrefix("ECR does not answer: HTTP 503") }
                }
                world.sandbox.clearFaults()
                try await world.until([image: "ready"])
                try await world.until("the end of it") {
                    try await !world.status().report.health.reasons.contains { $0.hasPrefix("ECR") }
                }
                world.sandbox.deny(["omics:ListWorkflows"])
                try await world.until("word of the list") {
                    try await world.run("status").standardOutput.hasPrefix("degraded: workflows are not listed: ")
                }
            }
        }
    }
}
