import ArgumentParser
import Configuring
import Foundation
import Precloning

/// `--config`, with the rule that a file named must be there.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: .customLong("config"),
        help: ArgumentHelp(
            "The configuration; without it \(Configuration.defaultPath), and the defaults where that is missing.",
            valueName: "file"
        ),
        completion: .file(extensions: ["json"])
    )
    var path: String?

    /// - Throws: `ConfigurationError`, which ends the process with code 2.
    func load() throws -> Configuration { try Configuration.load(path: path) }

    /// Where the record is, for commands that only look: also while the file is bad, since that is when they are needed.
    ///
    /// - Throws: `ConfigurationError` where a file that was named is not there or is no JSON.
    func recordPath() throws -> String {
        do {
            return try load().record.path
        } catch let error as ConfigurationError {
            let file = path ?? Configuration.defaultPath
            guard let data = FileManager.default.contents(atPath: file),
                let document = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
            else { throw error }
            for problem in error.problems { Terminal.complain("\(error.file): \(problem)") }
            let record = document["record"] as? [String: Any]
            return record?["path"] as? String ?? Configuration.defaults.record.path
        }
    }
}

/// Output for people or for programs.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
    case table, json
}

/// `--format table|json`.
struct FormatOptions: ParsableArguments {
    @Option(help: "table for people, json for programs.")
    var format: OutputFormat = .table
}

/// JSON for programs: keys sorted, dates in ISO 8601, one document.
enum JSONOutput {
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
