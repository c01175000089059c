import Foundation

/// The service's file of environment variables, as systemd reads it (systemd.exec(5), `EnvironmentFile=`), so that whoever
/// looks from a terminal sees what the service would.
enum EnvironmentFile {
    static let path = "/etc/preclone/environment"

    /// The variables in a text: `NAME=VALUE` lines, the value perhaps in quotes; lines that begin with `#` or `;` are none.
    static func variables(_ text: String) -> [String: String] {
        var found: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.trimmingCharacters(in: .whitespaces)
            guard let first = line.first, first != "#", first != ";", let equals = line.firstIndex(of: "=") else {
                continue
            }
            let name = line[..<equals].trimmingCharacters(in: .whitespaces)
            guard !name.isEmpty, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }) else {
                continue
            }
            var value = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
            if let quote = value.first, quote == "\"" || quote == "'", value.count > 1, value.last == quote {
                value = String(value.dropFirst().dropLast())
            }
            found[name] = value
        }
        return found
    }
}
