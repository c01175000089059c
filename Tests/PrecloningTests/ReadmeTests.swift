import Configuring
import Foundation
import GRDB
import Model
import Names
import Precloning
import Record
import Testing

/// What README says of configuration and record holds.
@Suite("README")
struct ReadmeTests {
    private let text: String

    init() throws {
        let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        text = String(decoding: try Data(contentsOf: project.appendingPathComponent("README.md")), as: UTF8.self)
    }

    /// The cells of the tables' rows, without the backquotes.
    private var rows: [[String]] {
        text.split(separator: "\n").filter { $0.hasPrefix("| ") }.map { line in
            line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
                .map { $0.filter { $0 != "`" }.trimmingCharacters(in: .whitespaces) }
        }
    }

    @Test("has under 400 lines")
    func length() { #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count < 400) }

    @Test("lists every view with exactly its columns")
    func views() throws {
        let ledger = try Ledger()
        let views = try ledger.database.read { database in
            try String.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name")
                .map { name in
                    let columns = try Row.fetchAll(database, sql: "PRAGMA table_info(\(name))")
                    return (name, columns.map { $0["name"] as String }.joined(separator: " "))
                }
        }
        #expect(!views.isEmpty)
        for (name, columns) in views {
            let row = try #require(rows.first { $0.first == name }, "no row for the view \(name)")
            #expect(row.last == columns)
        }
    }

    @Test("the table of registries is the program's")
    func registries() throws {
        for known in Configuring.Configuration.Registries.knownHosts {
            let row = try #require(
                rows.first { $0.first?.split(separator: ", ").contains(Substring(known.host)) == true },
                "no row for \(known.host)"
            )
            #expect(row[1] == "\(Int(known.requestsPerSecond))")
            #expect(row[2] == "\(known.concurrentRequests)")
            if let quota = known.quota {
                #expect(
                    row[3].hasPrefix("\(quota.pulls) in \(quota.per.components.seconds / 3600) h, \(quota.keep) kept")
                )
            } else {
                #expect(row[3] == "")
            }
        }
        let other = try #require(rows.first { $0.first == "every other" })
        #expect(other[1] == "\(Int(RegistrySettings().requestsPerSecond))")
        #expect(other[2] == "\(RegistrySettings().concurrentRequests)")
    }

    @Test("its example is a valid configuration")
    func example() throws {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix("    { \"version\": 1") })
        let example = lines[start...].prefix { $0.hasPrefix("    ") }.joined(separator: "\n")
        let configuration = try Configuring.Configuration.parse(Array(example.utf8), file: "README.md")
        #expect(configuration.policy.rules.map(\.name) == ["no-latest", "too-large"])
        #expect(configuration.registries.settings(for: "docker.io").credentials == .file("docker-hub"))
    }

    @Test("the IAM table and the policy name the same actions")
    func actions() throws {
        let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let data = try Data(contentsOf: project.appendingPathComponent("config/iam-policy.json"))
        let policy = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        var granted: Set<String> = []
        for statement in policy["Statement"] as? [[String: Any]] ?? [] {
            granted.formUnion(statement["Action"] as? [String] ?? [statement["Action"] as? String ?? ""])
        }
        var named: Set<String> = []
        for row in rows {
            guard let first = row.first, let colon = first.firstIndex(of: ":"), !first.contains("/") else { continue }
            let service = first[..<colon]
            guard ["omics", "ecr", "sqs", "secretsmanager", "iam"].contains(String(service)) else { continue }
            for action in first.split(separator: ", ") {
                named.insert(action.contains(":") ? String(action) : "\(service):\(action)")
            }
        }
        #expect(named == granted)
    }
}
