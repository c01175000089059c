import Configuring
import Foundation
import Testing

/// `config/preclone.json` and `config/preclone.schema.json` are written from the table of keys, never by hand.
@Suite("Configuration files")
struct ConfigurationFilesTests {
    private static let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test(
        "both are what the table of keys gives; PRECLONE_WRITE_CONFIG=1 writes them",
        arguments: ["preclone.json", "preclone.schema.json"]
    )
    func generated(name: String) throws {
        let text = name == "preclone.json" ? Configuration.defaults.json() : Configuration.schema
        let file = Self.project.appendingPathComponent("config/\(name)")
        if ProcessInfo.processInfo.environment["PRECLONE_WRITE_CONFIG"] != nil {
            try Data((text + "\n").utf8).write(to: file)
        }
        let written = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        #expect(
            written == text + "\n",
            """
            config/\(name) is not what the table of keys gives. Write it anew, and look at what has changed:
            PRECLONE_WRITE_CONFIG=1 .build/debug/preclonePackageTests.xctest --testing-library swift-testing \
            --filter ConfigurationFilesTests
            """
        )
    }

    private static let python = project.appendingPathComponent(".venv/bin/python").path

    /// What the schema refuses of documents, by their places in the list.
    private func refused(_ documents: [String]) throws -> [Int] {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString).json")
        try Data("[\([Configuration.schema, "[\(documents.joined(separator: ","))]"].joined(separator: ","))]".utf8)
            .write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.python)
        process.arguments = [
            "-c",
            """
            import json, sys, jsonschema
            schema, documents = json.load(open(sys.argv[1]))
            jsonschema.Draft202012Validator.check_schema(schema)
            validator = jsonschema.Draft202012Validator(schema)
            print(json.dumps([i for i, document in enumerate(documents) if not validator.is_valid(document)]))
            """, file.path,
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return try JSONDecoder().decode([Int].self, from: answer)
    }

    private func isRead(_ document: String) -> Bool {
        (try? Configuration.parse(Array(document.utf8), file: "c")) != nil
    }

    @Test(
        "the schema accepts what the program reads",
        .enabled(if: FileManager.default.isExecutableFile(atPath: python), "needs .venv, see Tests/requirements.txt")
    )
    func accepts() throws {
        let full = try Configuration.parse(Array(ConfigurationTests.full.utf8), file: "c")
        let documents = [
            ConfigurationTests.full, full.json(), full.json(resolvingRegistries: true), Configuration.defaults.json(),
            #"{"$schema": "./preclone.schema.json", "version": 1}"#,
            #"{"version": 1, "clone": {"repository": {"tags": {"empty": ""}, "mutabilityExclusions": ["a*"]}}}"#,
            #"{"version": 1, "registries": {"public.ecr.aws": {"credentials": {"ecrPublic": true}}}}"#,
            #"{"version": 1, "registries": {"[fd00::7]:5000": {"credentials": null, "quota": null}}}"#,
        ]
        #expect(documents.allSatisfy(isRead))
        #expect(try refused(documents) == [])
    }

    @Test(
        "the schema refuses what no single key may hold",
        .enabled(if: FileManager.default.isExecutableFile(atPath: python), "needs .venv, see Tests/requirements.txt")
    )
    func refuses() throws {
        let members = [
            #""aws": {"region": "Frankfurt"}"#, #""aws": {"callsPerSecond": {"PutImage": 1}}"#, #""aws": []"#,
            #""network": {"proxy": "socks5://x:1"}"#, #""watch": {"pollInterval": "30"}"#, #""wach": {}"#,
            #""clone": {"platforms": []}"#, #""clone": {"certainty": ["inactive"]}"#,
            #""clone": {"maxBytesPerDay": "500"}"#, #""clone": {"maxBytesPerDay": 500}"#,
            #""registries": {"default": {"quota": {"pulls": 5}}}"#, #""registries": {"quay.io": {"quota": 5}}"#,
            #""registries": {"default": {"credentials": {"file": "a", "helper": "b"}}}"#,
            #""registries": {"default": {"credentials": {"file": "../a"}}}"#,
            #""registries": {"default": {"credentials": {"environment": ["A"]}}}"#,
            #""registries": {"default": {"credentials": {}}}"#, #""retry": {"image": {"attempts": 0}}"#,
            #""policy": {"rules": [{"action": "allow"}]}"#, #""policy": {"rules": {}}"#,
            #""policy": {"rules": [{"name": "a", "action": "allow", "match": {"tag": ""}}]}"#,
            #""policy": {"rules": [{"name": "a", "action": "allow", "match": {"reference": []}}]}"#,
            #""record": {"path": "record.sqlite"}"#, #""log": {"level": null}"#, #""metrics": {"textFile": "/x/y"}"#,
        ]
        let documents = members.map { "{\"version\": 1, \($0)}" } + ["{}", "[]", #"{"version": 2}"#]
        #expect(documents.filter(isRead) == [])
        #expect(try refused(documents) == Array(documents.indices))
    }
}
