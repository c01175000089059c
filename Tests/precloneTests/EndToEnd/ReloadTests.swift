import Foundation
import Model
import Precloning
import Sandbox
import Testing

/// SIGHUP, as `systemctl reload` sends it.
@Suite("Reload, end to end")
struct ReloadTests {
    @Test("a good file holds from then on and stops nothing; a bad one changes nothing and is told")
    func reload() async throws {
        let keys: [String: SandboxJSON] = [
            "policy": ["rules": [["name": "no-quay", "action": "deny", "match": ["registry": "quay.io"]]]]
        ]
        try await RunningSandbox.with(keys: keys) { world in
            let (large, quay, ghcr) = ("ghcr.io/org/large:1", "quay.io/org/tool:1", "ghcr.io/org/tool:1")
            try world.put(large, size: 4 << 20)
            try world.put(quay)
            try world.put(ghcr)
            // The large one is under way while everything else happens.
            world.sandbox.add(
                Fault(.slow, operation: "GetBlob", registry: "ghcr.io", repository: "org/large", bytes: 100_000)
            )
            try world.startRun("first", of: [large, quay])
            try await world.withDaemon { daemon in
                try await world.until([large: "cloning", quay: "blocked"])
                let process = try await world.status().report.daemon.pid

                try Data("{ \"version\": 1, \"polizy\": {} }".utf8).write(to: URL(filePath: world.config))
                daemon.signal(SIGHUP)
                try await world.until("the bad file in status") {
                    try !world.rows("SELECT 1 FROM daemon WHERE configTrouble LIKE '%polizy%'").isEmpty
                }
                #expect(daemon.standardError.contains("The new configuration is not used"))
                try world.configure(keys)
                let bad = try await world.status().report
                #expect(bad.daemon.configurationTrouble?.contains("polizy") == true)
                _ = try await world.run("retry", "--all")
                try await world.until([quay: "blocked"])

                try world.configure([:])
                daemon.signal(SIGHUP)
                try await world.until("the good file") {
                    try world.rows("SELECT 1 FROM daemon WHERE configTrouble IS NOT NULL").isEmpty
                }
                // What the old rules denied is looked at again without anybody asking.
                try world.startRun("second", of: [ghcr])
                try await world.until([quay: "ready", ghcr: "ready"])
                #expect(try world.states()[large] == "cloning", "the copy goes on through all of it")
                world.sandbox.clearFaults()
                try await world.until([large: "ready"])
                #expect(try await world.status().report.daemon.pid == process)
            }
            #expect(try world.rows("SELECT 1 FROM audit WHERE action = 'configReloaded'").count == 1)
            #expect(world.count("PutManifest", registry: "ecr", repository: "ghcr/org/large") == 1)
        }
    }

    @Test("files that the configuration names are looked at first, and what takes a restart is told")
    func parts() async throws {
        try await RunningSandbox.with { world in
            try await world.withDaemon { daemon in
                try await world.until("the daemon") { try !world.rows("SELECT 1 FROM daemon").isEmpty }
                func reload(_ keys: [String: SandboxJSON], _ trouble: String) async throws {
                    try world.configure(keys)
                    daemon.signal(SIGHUP)
                    try await world.until(trouble) {
                        try !world.rows("SELECT 1 FROM daemon WHERE configTrouble \(trouble)").isEmpty
                    }
                }
                func reloads() throws -> Int {
                    try world.rows("SELECT 1 FROM audit WHERE action = 'configReloaded'").count
                }
                let missing = world.folder.appending(path: "no-such-ca.pem").path
                try await reload(["registries": ["quay.io": ["caFile": .string(missing)]]], "LIKE '%no-such-ca.pem%'")
                #expect(try reloads() == 0)
                try await reload(
                    ["aws": ["region": "eu-west-1"], "log": ["format": "json"]],
                    "LIKE 'aws.region, log.format:%'"
                )
                #expect(try reloads() == 1)
                let status = try await world.run("status")
                #expect(status.code == 4)
                #expect(
                    status.standardOutput.contains(
                        "the changed configuration is not in force: aws.region, log.format: restart preclone for it"
                    ),
                    "\(status.standardOutput)"
                )
                try await reload([:], "IS NULL")
                try await world.until("the second reload in the audit") { try reloads() == 2 }
            }
        }
    }
}
