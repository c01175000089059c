/// A configuration that cannot be used: every problem found in it, in the order of the file.
///
/// Not worth retrying before the file has changed; the process exits with code 2.
package struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One thing that is wrong.
    package struct Problem: Sendable, Hashable, CustomStringConvertible {
        /// The path of the value, as `watch.pollInterval` or `policy.rules[2].name`; empty for the whole file.
        package var path: String
        /// The line, from 1; nil where no place in the file is to blame.
        package var line: Int?
        /// The column in characters, from 1.
        package var column: Int?
        /// What is wrong and how to mend it.
        package var message: String

        package var description: String {
            var place = ""
            if let line { place += "line \(line)" }
            if let column, line != nil { place += ", column \(column)" }
            let parts = [place, path].filter { !$0.isEmpty }
            return parts.isEmpty ? message : parts.joined(separator: ": ") + ": " + message
        }
    }

    /// The file, as it was named.
    package var file: String
    /// At least one.
    package var problems: [Problem]

    /// One line for each problem, each beginning with the file's name.
    package var description: String {
        problems.map { "\(file): \($0)" }.joined(separator: "\n")
    }
}
