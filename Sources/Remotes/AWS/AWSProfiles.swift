import Foundation

/// The shared configuration of AWS tools: `~/.aws/config` and `~/.aws/credentials`, read as values.
///
/// Source: AWS SDKs and Tools reference, "Shared config and credentials files".
package struct AWSProfiles: Sendable, Hashable {
    /// Section name (`default`, `NAME`, `sso-session NAME`, `services NAME`) to its settings.
    package private(set) var sections: [String: [String: String]] = [:]
    /// Settings nested below a key, such as a services section's `ecr =` with `endpoint_url` indented below.
    package private(set) var nested: [String: [String: [String: String]]] = [:]

    package init(config: String = "", credentials: String = "") {
        read(config, isConfig: true)
        // The credentials file goes before the config file for the same key.
        read(credentials, isConfig: false)
    }

    package func profile(_ name: String) -> [String: String]? { sections[name] }

    /// The service-specific settings that a profile's `services` names.
    package func services(of profile: String) -> [String: [String: String]] {
        guard let name = sections[profile]?["services"] else { return [:] }
        return nested["services \(name)"] ?? [:]
    }

    private mutating func read(_ text: String, isConfig: Bool) {
        var section: String?
        var key: String?
        for raw in text.split(whereSeparator: \.isNewline) {
            let isIndented = raw.first == " " || raw.first == "\t"
            let line = Self.trimmed(raw)
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("[") {
                section = line.firstIndex(of: "]").map { end in
                    Self.sectionName(line[line.index(after: line.startIndex)..<end], isConfig: isConfig)
                }
                key = nil
                if let section, sections[section] == nil { sections[section] = [:] }
                continue
            }
            guard let section, let equals = line.firstIndex(of: "=") else { continue }
            let name = Self.trimmed(line[..<equals]).lowercased()
            var value = Self.trimmed(line[line.index(after: equals)...])
            for mark in [" #", " ;", "\t#"] {
                if let comment = value.range(of: mark) { value = Self.trimmed(value[..<comment.lowerBound]) }
            }
            if isIndented, let key {
                nested[section, default: [:]][key, default: [:]][name] = value
            } else {
                sections[section, default: [:]][name] = value
                key = name
            }
        }
    }

    /// `[profile x]` of the config file and `[x]` of the credentials file are one.
    private static func sectionName(_ text: Substring, isConfig: Bool) -> String {
        // A name with blanks stands in quotes.
        let words = CredentialProviders.words(String(text))
        if isConfig, words.count == 2, words[0] == "profile" { return words[1] }
        return words.joined(separator: " ")
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var rest = Substring(text)
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
