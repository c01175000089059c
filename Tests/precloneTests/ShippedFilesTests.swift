import Configuring
import Foundation
import Precloning
import Testing

@testable import preclone

/// Files that operators read and rely on agree with the program.
@Suite("Shipped files")
struct ShippedFilesTests {
    private func json(_ path: String) throws -> [String: Any] {
        let data = try Data(contentsOf: BuiltProgram.project.appendingPathComponent(path))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: BuiltProgram.project.appendingPathComponent(path)), as: UTF8.self)
    }

    /// Every path of keys in the schema below `properties`, references followed; tags and host names are free.
    private func schemaPaths(_ node: [String: Any], _ definitions: [String: Any], _ path: String) -> Set<String> {
        var node = node
        if let reference = node["$ref"] as? String, let name = reference.split(separator: "/").last {
            node = definitions[String(name)] as? [String: Any] ?? [:]
        }
        var paths: Set<String> = []
        for (key, value) in node["properties"] as? [String: Any] ?? [:] {
            let inner = path.isEmpty ? key : "\(path).\(key)"
            paths.insert(inner)
            paths.formUnion(schemaPaths(value as? [String: Any] ?? [:], definitions, inner))
        }
        return paths
    }

    private func paths(_ value: [String: Any], _ path: String = "") -> Set<String> {
        var paths: Set<String> = []
        for (key, value) in value {
            let inner = path.isEmpty ? key : "\(path).\(key)"
            paths.insert(inner)
            if inner != "clone.repository.tags", let object = value as? [String: Any] {
                paths.formUnion(self.paths(object, inner))
            }
        }
        return paths
    }

    @Test("the schema has every key of the configuration, and no other")
    func schemaKeys() throws {
        let schema = try json("config/preclone.schema.json")
        let written = try #require(
            try JSONSerialization.jsonObject(with: Data(Configuration.defaults.json().utf8)) as? [String: Any]
        )
        let definitions = schema["$defs"] as? [String: Any] ?? [:]
        // What editors look for is allowed, and never written.
        #expect(schemaPaths(schema, definitions, "") == paths(written).union(["$schema"]))
    }

    @Test("the schema explains every key")
    func schemaDescriptions() throws {
        var bare: [String] = []
        func visit(_ value: Any, _ path: String) {
            guard let object = value as? [String: Any] else { return }
            for (key, property) in object["properties"] as? [String: Any] ?? [:] {
                let property = property as? [String: Any] ?? [:]
                if property["description"] == nil, property["$ref"] == nil { bare.append("\(path).\(key)") }
            }
            for (key, inner) in object {
                visit(inner, "\(path).\(key)")
                for element in inner as? [Any] ?? [] { visit(element, "\(path).\(key)") }
            }
        }
        visit(try json("config/preclone.schema.json"), "")
        #expect(bare == [])
    }

    @Test("the schema's defaults are the program's")
    func schemaDefaults() throws {
        let schema = try json("config/preclone.schema.json")
        var properties = try #require(schema["properties"] as? [String: Any])
        properties["version"] = nil
        properties["registries"] = nil
        properties["$schema"] = nil
        func defaults(_ node: [String: Any]) -> Any? {
            if let value = node["default"] { return value }
            guard let properties = node["properties"] as? [String: Any] else { return nil }
            return properties.compactMapValues { defaults($0 as? [String: Any] ?? [:]) }
        }
        var document = properties.compactMapValues { defaults($0 as? [String: Any] ?? [:]) }
        document["version"] = 1
        let bytes = try JSONSerialization.data(withJSONObject: document)
        #expect(try Configuration.parse(Array(bytes), file: "schema") == Configuration.defaults)
    }

    @Test("the IAM policy never asks for more than named actions")
    func policy() throws {
        let policy = try json("config/iam-policy.json")
        let statements = try #require(policy["Statement"] as? [[String: Any]])
        for statement in statements {
            let actions = statement["Action"] as? [String] ?? [statement["Action"] as? String ?? "*"]
            #expect(actions.allSatisfy { !$0.contains("*") })
            #expect(actions == actions.sorted())
            let writes = actions.contains { action in
                ["Create", "Delete", "Put", "Set", "Tag", "Upload"].contains { action.contains(":" + $0) }
            }
            if writes { #expect(statement["Resource"] as? String != "*") }
        }
    }

    @Test("the IAM policy has every action that check looks at, and no other; README has a row for each")
    func policyActions() throws {
        let policy = try json("config/iam-policy.json")
        let statements = try #require(policy["Statement"] as? [[String: Any]])
        let actions = statements.flatMap { $0["Action"] as? [String] ?? [$0["Action"] as? String ?? ""] }
        let readme = try text("README.md")
        #expect(Set(actions).count == actions.count)
        #expect(
            Set(actions)
                == Set(PermissionCheck.actions).union(["secretsmanager:GetSecretValue", "iam:SimulatePrincipalPolicy"])
        )
        for action in actions {
            let name = action.split(separator: ":").last.map(String.init) ?? action
            #expect(readme.contains("`\(action)`") || readme.contains("`\(name)`"), "\(action)")
        }
    }

    @Test("the queue's reader in the template may do what the IAM policy lets it do with the queue")
    func templateActions() throws {
        let policy = try json("config/iam-policy.json")
        let statements = try #require(policy["Statement"] as? [[String: Any]])
        let receive = statements.first { $0["Sid"] as? String == "ReceiveEvents" }
        let actions = try #require(receive?["Action"] as? [String])
        let template = try text("config/events.cfn.yaml")
        for action in actions { #expect(template.contains("- \(action)\n")) }
    }

    @Test("the unit runs the program that the package installs, and its user is the one that is made")
    func unit() throws {
        let unit = try text("systemd/preclone.service")
        for line in ["Type=notify", "ExecReload=/bin/kill -HUP $MAINPID", "StateDirectoryMode=2750", "User=preclone"] {
            #expect(unit.split(separator: "\n").contains(Substring(line)))
        }
        #expect(try text("systemd/preclone.sysusers").contains("\nu preclone "))
    }
}

@Suite("README's commands")
struct ReadmeCommandTests {
    private func readme() throws -> [Substring] {
        let data = try Data(contentsOf: BuiltProgram.project.appendingPathComponent("README.md"))
        return String(decoding: data, as: UTF8.self).split(separator: "\n")
    }

    @Test("each names a subcommand that exists, with options that it takes")
    func commands() throws {
        let lines = try readme().filter { $0.hasPrefix("    preclone ") }
        #expect(lines.count >= 10)
        for line in lines {
            let words = line.prefix { $0 != "#" }.split(separator: " ").map(String.init)
            let name = try #require(words.dropFirst().first)
            let help = try BuiltProgram.run([name, "--help"])
            #expect(help.code == 0, "\(line)")
            #expect(help.standardOutput.contains("USAGE: preclone \(name)"), "\(line)")
            for option in words where option.hasPrefix("--") {
                #expect(help.standardOutput.contains(option), "\(option) in: \(line)")
            }
        }
    }

    @Test("the exit codes are the program's")
    func codes() throws {
        let rows = try readme().filter { $0.hasPrefix("| ") }.compactMap { row in
            Int32(row.dropFirst(2).prefix { $0 != " " })
        }
        #expect(rows == Ending.allCases.map(\.rawValue))
    }

    @Test("the scripts that it names are there and can be run")
    func scripts() throws {
        for script in [".ci/demo", ".ci/test", ".ci/run", "systemd/build-deb"] {
            #expect(try readme().contains { $0.contains(script) })
            let path = BuiltProgram.project.appendingPathComponent(script).path
            #expect(FileManager.default.isExecutableFile(atPath: path), "\(script)")
        }
    }

    @Test("the example policy for agents decides its cases as they say; others are told, and bad files")
    func policyCases() throws {
        let folder = BuiltProgram.project.appending(path: "config/examples")
        func check(_ cases: String) throws -> BuiltProgram.Answer {
            try BuiltProgram.run([
                "check", "--config", folder.appending(path: "agents.json").path, "--policy-case", cases,
            ])
        }
        let whole = try check(folder.appending(path: "cases/agents.json").path)
        #expect(whole.code == 0, "\(whole.standardOutput)\(whole.standardError)")
        #expect(whole.standardOutput.split(separator: "\n").allSatisfy { $0.hasPrefix("ok ") })
        let other = FileManager.default.temporaryDirectory.appending(path: "cases-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: other) }
        try Data(#"{"cases": [{"name": "a", "image": "ubuntu", "expect": "deny"}]}"#.utf8).write(to: other)
        let unmet = try check(other.path)
        #expect(unmet.code == 1)
        #expect(unmet.standardOutput.contains(" x a: allow by default for daemon"))
        #expect(unmet.standardOutput.contains("rule agents-pin (warn): does not match: `match.caller`"))
        try Data(#"{"cases": [{"image": "ubuntu", "expect": "deny", "rul": "x"}]}"#.utf8).write(to: other)
        let strange = try check(other.path)
        #expect(strange.code == 2)
        #expect(strange.standardError.contains("cases[0].rul: there is no such argument"), "\(strange.standardError)")
        #expect(try check("/nonexistent").code == 2)
    }
}
