import Foundation
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
                _ = try await world.run("retry", "--all")
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
}
