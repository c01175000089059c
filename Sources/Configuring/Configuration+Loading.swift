import Foundation

extension Configuration {
    /// Reads a file.
    ///
    /// - Parameter path: nil for `defaultPath`, where a missing file means the defaults; a file that is named must be
    ///   there.
    /// - Throws: `ConfigurationError` with every problem found.
    package static func load(path: String?) throws(ConfigurationError) -> Configuration {
        let name = path ?? defaultPath
        guard FileManager.default.fileExists(atPath: name) else {
            if path == nil { return defaults }
            throw ConfigurationError(
                file: name,
                problems: [.init(path: "", message: "no such file; name another with --config, or leave it out")]
            )
        }
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: name))
        } catch {
            let reason =
                FileManager.default.isReadableFile(atPath: name)
                ? "it cannot be read" : "permission denied for the user this runs as"
            throw ConfigurationError(file: name, problems: [.init(path: "", message: reason)])
        }
        return try parse(Array(data), file: name)
    }

    /// Reads a document; `file` is only its name in errors.
    package static func parse(_ bytes: [UInt8], file: String) throws(ConfigurationError) -> Configuration {
        let root: JSONNode
        do {
            root = try StrictJSON.parse(bytes)
        } catch {
            throw ConfigurationError(
                file: file,
                problems: [
                    .init(path: "", line: error.position.line, column: error.position.column, message: error.message)
                ]
            )
        }
        let findings = Place.Findings()
        let configuration = keys.read(root, Place(path: "", findings: findings))
        guard let configuration, findings.problems.isEmpty else {
            let sorted = findings.problems.enumerated().sorted { left, right in
                (left.element.line ?? 0, left.element.column ?? 0, left.offset)
                    < (right.element.line ?? 0, right.element.column ?? 0, right.offset)
            }
            throw ConfigurationError(file: file, problems: sorted.map(\.element))
        }
        return configuration
    }
}
