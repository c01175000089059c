import ArgumentParser
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
