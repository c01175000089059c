/// The selectors of a configuration, in the order in which they first appear.
final class NextflowSelectors {
    private struct Selector {
        /// nil: not one that is evaluated here.
        var pattern: NextflowSelectorPattern?
        var written: String
        var isLabel: Bool
        var isInverted: Bool
        var settings: NextflowMap
    }

    private static let maximumComparisons = 10_000_000

    private let sources: NextflowSources
    private var comparisons = 0
    private var selectors: [Selector] = []
    /// Steps that regular expressions may still take, for all names together.
    private var work = 20_000_000
    private var byLabel: [String: [Int: Bool]] = [:]
    private var byName: [String: [Int: Bool]] = [:]

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
            selectors.append(
                Selector(
                    pattern: NextflowSelectorPattern(pattern),
                    written: pattern,
                    isLabel: isLabel,
                    isInverted: isInverted,
                    settings: settings
                )
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

    /// Settings that hold for a process, the strongest last. Those of a selector of which that is not known hold or are
    /// absent.
    ///
    /// - Parameter names: The defined name, the alias and the qualified name.
    func matching(labels: [String], names: [String]) -> [NextflowMap] {
        var found: [NextflowMap] = []
        // A process without labels has the empty one; one label that matches is enough.
        var hits: [Int: Bool] = [:]
        for label in labels.isEmpty ? [""] : labels {
            hits.merge(selected(by: label, isLabel: true)) { $0 || $1 }
        }
        for (index, selector) in selectors.enumerated() where selector.isLabel {
            switch hits[index] {
            case true?: if !selector.isInverted { found.append(selector.settings) }
            case false?: found.append(unsure(selector))
            case nil: if selector.isInverted { found.append(selector.settings) }
            }
        }
        var seen: [String] = []
        for name in names where !seen.contains(name) {
            seen.append(name)
            let hits = selected(by: name, isLabel: false)
            for (index, selector) in selectors.enumerated() where !selector.isLabel {
                switch hits[index] {
                case true?: if !selector.isInverted { found.append(selector.settings) }
                case false?: found.append(unsure(selector))
                case nil: if selector.isInverted { found.append(selector.settings) }
                }
            }
        }
        return found
    }

    /// The places of the selectors whose pattern matches a text, and whether that is known; each text is looked at once.
    private func selected(by text: String, isLabel: Bool) -> [Int: Bool] {
        if let known = isLabel ? byLabel[text] : byName[text] { return known }
        comparisons += selectors.count
        let isTooMuch = comparisons > Self.maximumComparisons
        if isTooMuch {
            sources.note(nil, "the selectors of the configuration are too many: not all are looked at")
        }
        let bytes = Array(text.utf8)
        var found: [Int: Bool] = [:]
        for index in selectors.indices where selectors[index].isLabel == isLabel {
            switch isTooMuch ? nil : selectors[index].pattern?.matches(text, bytes, &work) {
            case true?: found[index] = true
            case false?: break
            case nil: found[index] = false
            }
        }
        if isLabel { byLabel[text] = found } else { byName[text] = found }
        return found
    }

    /// The settings of a selector of which it is not known whether it selects.
    private func unsure(_ selector: Selector) -> NextflowMap {
        let kind = selector.isLabel ? "withLabel" : "withName"
        let reason =
            "whether `\(kind): \(selector.written.prefix(200))` selects it is not known: the regular "
            + "expression is wrong, not one that is evaluated here, or takes too much work"
        return Self.optional(selector.settings, reason, 0)
    }

    private static func optional(_ settings: NextflowMap, _ reason: String, _ depth: Int) -> NextflowMap {
        var result = NextflowMap()
        for key in settings.keys {
            guard let value = settings[key] else { continue }
            if case .map(let inner) = value.kind, depth < 10 {
                result[key] = NextflowValue(.map(optional(inner, reason, depth + 1)), trace: value.trace)
            } else {
                result[key] = NextflowValue.oneOf([value, NextflowValue(.absent)], [reason])
            }
        }
        return result
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

    /// - Returns: nil where it is not known.
    func matches(_ text: String, _ bytes: [UInt8], _ work: inout Int) -> Bool? {
        switch self {
        case .names(let names): return names.contains { Self.matches($0[...], bytes[...]) }
        case .expression(let expression):
            var share = min(work, 200_000)
            let before = share
            defer { work -= before - max(share, 0) }
            return expression.matchesWhole(text, work: &share)
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
