/// The selectors of a configuration, in the order in which they first appear.
final class NextflowSelectors {
    private struct Selector {
        var pattern: NextflowSelectorPattern
        var isLabel: Bool
        var isInverted: Bool
        var settings: NextflowMap
    }

    private static let maximumComparisons = 10_000_000

    private let sources: NextflowSources
    private var comparisons = 0
    private var selectors: [Selector] = []
    private var byLabel: [String: [Int]] = [:]
    private var byName: [String: [Int]] = [:]

    init(_ configuration: NextflowConfiguration, sources: NextflowSources) {
        self.sources = sources
        guard let process = configuration.root["process"]?.map else { return }
        for key in process.keys {
            let isLabel = key.utf8.starts(with: "withLabel:".utf8)
            guard isLabel || key.utf8.starts(with: "withName:".utf8), let value = process[key], let settings = value.map
            else { continue }
            guard !settings.keys.isEmpty else { continue }
            var pattern = Self.trimmed(key.utf8.dropFirst(isLabel ? 10 : 9))
            let isInverted = pattern.utf8.first == UInt8(ascii: "!")
            if isInverted { pattern = Self.trimmed(pattern.utf8.dropFirst()) }
            guard let compiled = NextflowSelectorPattern(pattern) else {
                sources.note(nil, "the selector \(pattern) is not understood and selects nothing")
                continue
            }
            selectors.append(
                Selector(pattern: compiled, isLabel: isLabel, isInverted: isInverted, settings: settings)
            )
        }
    }

    private static func trimmed(_ bytes: Substring.UTF8View) -> String {
        let start = bytes.drop { $0 <= 0x20 }
        return String(decoding: start.reversed().drop { $0 <= 0x20 }.reversed(), as: UTF8.self)
    }

    func `default`(_ name: String, _ configuration: NextflowConfiguration) -> NextflowTask.Setting? {
        configuration.value(["process", name]).map(configuration.setting)
    }

    /// Settings that hold for a process, the strongest last.
    ///
    /// - Parameter names: The defined name, the alias and the qualified name.
    func matching(labels: [String], names: [String]) -> [NextflowMap] {
        // A process without labels has the empty one.
        let hits = Set((labels.isEmpty ? [""] : labels).flatMap { selected(by: $0, isLabel: true) })
        var found: [NextflowMap] = []
        for (index, selector) in selectors.enumerated() where selector.isLabel {
            if hits.contains(index) != selector.isInverted { found.append(selector.settings) }
        }
        var seen: [String] = []
        for name in names where !seen.contains(name) {
            seen.append(name)
            found += selected(by: name, isLabel: false).map { selectors[$0].settings }
        }
        return found
    }

    /// The places of the selectors that a label matches, or that hold for a name; each text is looked at once.
    private func selected(by text: String, isLabel: Bool) -> [Int] {
        if let known = isLabel ? byLabel[text] : byName[text] { return known }
        let bytes = Array(text.utf8)
        comparisons += selectors.count
        guard comparisons <= Self.maximumComparisons else {
            sources.note(nil, "the selectors of the configuration are too many: not all are looked at")
            return []
        }
        let found = selectors.indices.filter { index in
            guard selectors[index].isLabel == isLabel else { return false }
            return selectors[index].pattern.matches(bytes) != (!isLabel && selectors[index].isInverted)
        }
        if isLabel { byLabel[text] = found } else { byName[text] = found }
        return found
    }
}

/// The pattern of a selector, which has to match a whole name (nextflow.io/docs/latest/config.html, "Selector
/// expressions"). Nearly all are names with `.*` and `|`, for which no regular expression has to be run.
private enum NextflowSelectorPattern {
    /// Any of these; each is the texts between its `.*`.
    case names([[[UInt8]]])
    case expression(RegularExpression)

    /// - Returns: nil for a pattern that is not understood.
    init?(_ pattern: String) {
        let bytes = Array(pattern.utf8)
        var names: [[[UInt8]]] = [[[]]]
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "|"): names.append([[]])
            case UInt8(ascii: ".") where index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "*"):
                names[names.count - 1].append([])
                index += 1
            case let byte where "\\^$.?*+()[]{}".utf8.contains(byte):
                guard let expression = RegularExpression(pattern) else { return nil }
                self = .expression(expression)
                return
            case let byte: names[names.count - 1][names[names.count - 1].count - 1].append(byte)
            }
            index += 1
        }
        self = .names(names)
    }

    func matches(_ text: [UInt8]) -> Bool {
        switch self {
        case .names(let names): return names.contains { Self.matches($0[...], text[...]) }
        case .expression(let expression): return expression.matchesWhole(text) == true
        }
    }

    private static func matches(_ parts: ArraySlice<[UInt8]>, _ text: ArraySlice<UInt8>) -> Bool {
        guard let first = parts.first, let last = parts.last, text.starts(with: first) else { return false }
        if parts.count == 1 { return text.count == first.count }
        var rest = text.dropFirst(first.count)
        guard rest.count >= last.count, rest.suffix(last.count).elementsEqual(last) else { return false }
        rest = rest.dropLast(last.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            while !rest.starts(with: part) {
                if rest.isEmpty { return false }
                rest = rest.dropFirst()
            }
            rest = rest.dropFirst(part.count)
        }
        return true
    }
}
