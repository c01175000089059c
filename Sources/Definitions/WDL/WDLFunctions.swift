/// Functions of known arguments.
enum WDLFunctions {
    /// - Returns: nil where the function is not known here, or an argument is not.
    static func apply(_ name: String, _ arguments: [WDLValue]) -> WDLValue? {
        switch name {
        case "sub", "matches", "find", "basename", "sep", "prefix", "suffix", "quote", "squote", "join_paths", "split":
            text(name, arguments)
        case "length", "range", "flatten", "zip", "cross", "transpose", "unzip", "chunk", "contains":
            arrays(name, arguments)
        case "keys", "values", "as_map", "as_pairs", "collect_by_key", "contains_key", "object_to_map":
            maps(name, arguments)
        case "floor", "ceil", "round", "min", "max": numbers(name, arguments)
        default: nil
        }
    }

    private static func elements(_ value: WDLValue?) -> [WDLValue]? {
        if case .array(let elements)? = value?.kind { elements } else { nil }
    }

    private static func entries(_ value: WDLValue?) -> [(key: WDLValue, value: WDLValue)]? {
        switch value?.kind {
        case .map(let entries)?: entries
        case .object(let members)?:
            members.sorted { $0.key < $1.key }.map { (key: WDLValue(.string($0.key)), value: $0.value) }
        default: nil
        }
    }

    // MARK: Text

    private static func text(_ name: String, _ arguments: [WDLValue]) -> WDLValue? {
        let places = arguments.reduce([]) { WDLValue.union($0, $1.places) }
        switch (name, arguments.count) {
        case ("sub", 3): return substituted(arguments, places: places)
        case ("matches", 2), ("find", 2):
            guard let text = arguments[0].interpolated, let written = arguments[1].string,
                let pattern = RegularExpression(written, dialect: .wdl), let search = pattern.firstMatch(in: text)
            else { return nil }
            if name == "matches" { return WDLValue(.bool(search.match != nil)) }
            return search.match.map { WDLValue(.string($0), places: places) } ?? .null
        case ("basename", 1), ("basename", 2):
            guard let path = arguments[0].string else { return arguments[0].isNull ? .null : nil }
            var base = path.split(separator: "/").last.map(String.init) ?? ""
            if arguments.count == 2 {
                guard let suffix = arguments[1].string else { return nil }
                if base.hasSuffix(suffix) { base = String(base.dropLast(suffix.count)) }
            }
            return WDLValue(.string(base), places: places)
        case ("sep", 2):
            guard let list = elements(arguments[1]) else { return nil }
            return WDLOperators.joined(list, separator: arguments[0])
        case ("prefix", 2): return each(arguments[1]) { WDLOperators.joined(arguments[0], $0) }
        case ("suffix", 2): return each(arguments[1]) { WDLOperators.joined($0, arguments[0]) }
        case ("quote", 1): return each(arguments[0]) { quoted($0, "\"") }
        case ("squote", 1): return each(arguments[0]) { quoted($0, "'") }
        case ("join_paths", 1): return elements(arguments[0]).flatMap(joinedPaths)
        case ("join_paths", 2):
            return elements(arguments[1]).map { [arguments[0]] + $0 }.flatMap(joinedPaths) ?? joinedPaths(arguments)
        case ("split", 2):
            guard let text = arguments[0].string, let separator = arguments[1].string,
                separator.utf8.count == 1, text.utf8.count < WDLEvaluator.maximumElements
            else { return nil }
            let parts = text.split(separator: Character(separator), omittingEmptySubsequences: false)
            return WDLValue(.array(parts.map { WDLValue(.string(String($0)), places: places) }))
        default: return nil
        }
    }

    private static func substituted(_ arguments: [WDLValue], places: [UInt64]) -> WDLValue? {
        if arguments[0].isNull { return .null }
        guard let text = arguments[0].interpolated, let written = arguments[1].string,
            let replacement = arguments[2].interpolated,
            let pattern = RegularExpression(written, dialect: .wdl),
            let result = pattern.replacing(in: text, with: replacement, maximum: WDLEvaluator.maximumText)
        else { return nil }
        return WDLValue(.string(result), places: places)
    }

    private static func quoted(_ value: WDLValue, _ quote: String) -> WDLValue {
        let mark = WDLValue(.string(quote))
        return WDLOperators.joined(WDLOperators.joined(mark, value), mark)
    }

    private static func each(_ value: WDLValue, _ function: (WDLValue) -> WDLValue) -> WDLValue? {
        switch value.kind {
        case .array(let elements): WDLValue(.array(elements.map(function)))
        case .repeated(let element): WDLValue(.repeated(function(element)))
        default: nil
        }
    }

    private static func joinedPaths(_ parts: [WDLValue]) -> WDLValue? {
        var path = ""
        for part in parts {
            guard let text = part.string, path.utf8.count + text.utf8.count < WDLEvaluator.maximumText else {
                return nil
            }
            path = text.hasPrefix("/") || path.isEmpty ? text : path.hasSuffix("/") ? path + text : path + "/" + text
        }
        return WDLValue(.string(path), places: parts.reduce([]) { WDLValue.union($0, $1.places) })
    }

    // MARK: Arrays

    private static func arrays(_ name: String, _ arguments: [WDLValue]) -> WDLValue? {
        guard let first = arguments.first else { return nil }
        let limit = WDLEvaluator.maximumElements
        switch (name, arguments.count) {
        case ("length", 1):
            switch first.kind {
            case .array(let elements): return WDLValue(.integer(elements.count))
            case .map(let entries): return WDLValue(.integer(entries.count))
            case .object(let members): return WDLValue(.integer(members.count))
            case .string(let text): return WDLValue(.integer(text.count))
            default: return nil
            }
        case ("range", 1):
            guard case .integer(let count) = first.kind, count >= 0, count <= limit else { return nil }
            return WDLValue(.array((0..<count).map { WDLValue(.integer($0)) }))
        case ("flatten", 1):
            if case .repeated(let inner) = first.kind {
                if case .array(let elements) = inner.kind, let one = elements.first, elements.count == 1 {
                    return WDLValue(.repeated(one))
                }
                if case .repeated = inner.kind { return inner }
                return nil
            }
            var all: [WDLValue] = []
            for part in elements(first) ?? [] {
                guard let inner = elements(part), all.count + inner.count <= limit else { return nil }
                all += inner
            }
            return elements(first).map { _ in WDLValue(.array(all)) }
        case ("zip", 2):
            guard let left = elements(first), let right = elements(arguments[1]), left.count == right.count else {
                return nil
            }
            return WDLValue(.array(zip(left, right).map { WDLValue(.pair($0, $1)) }))
        case ("cross", 2):
            guard let left = elements(first), let right = elements(arguments[1]),
                left.count * right.count <= limit
            else { return nil }
            return WDLValue(.array(left.flatMap { one in right.map { WDLValue(.pair(one, $0)) } }))
        case ("transpose", 1):
            guard let rows = elements(first).map({ $0.compactMap { elements($0) } }),
                rows.count == elements(first)?.count,
                let width = rows.first?.count, rows.allSatisfy({ $0.count == width })
            else { return nil }
            return WDLValue(.array((0..<width).map { column in WDLValue(.array(rows.map { $0[column] })) }))
        case ("unzip", 1):
            var sides: (left: [WDLValue], right: [WDLValue]) = ([], [])
            for part in elements(first) ?? [] {
                guard case .pair(let left, let right) = part.kind else { return nil }
                sides.left.append(left)
                sides.right.append(right)
            }
            return elements(first).map { _ in
                WDLValue(.pair(WDLValue(.array(sides.left)), WDLValue(.array(sides.right))))
            }
        case ("chunk", 2):
            guard let all = elements(first), case .integer(let size) = arguments[1].kind, size > 0 else { return nil }
            let starts = stride(from: 0, to: all.count, by: min(size, max(all.count, 1)))
            return WDLValue(
                .array(starts.map { WDLValue(.array(Array(all[$0..<min(all.count, $0 + min(size, all.count))]))) })
            )
        case ("contains", 2):
            guard let all = elements(first) else { return nil }
            let answers = all.map { $0.isEqual(to: arguments[1]) }
            if answers.contains(true) { return WDLValue(.bool(true)) }
            return answers.contains(nil) ? nil : WDLValue(.bool(false))
        default: return nil
        }
    }

    // MARK: Maps

    private static func maps(_ name: String, _ arguments: [WDLValue]) -> WDLValue? {
        guard let first = arguments.first else { return nil }
        switch (name, arguments.count) {
        case ("keys", 1): return entries(first).map { WDLValue(.array($0.map(\.key))) }
        case ("values", 1): return entries(first).map { WDLValue(.array($0.map(\.value))) }
        case ("object_to_map", 1): return entries(first).map { WDLValue(.map($0)) }
        case ("as_pairs", 1):
            return entries(first).map { WDLValue(.array($0.map { WDLValue(.pair($0.key, $0.value)) })) }
        case ("as_map", 1):
            guard let pairs = pairs(first) else { return nil }
            return WDLValue(.map(pairs))
        case ("collect_by_key", 1):
            guard let pairs = pairs(first) else { return nil }
            var groups: [(key: WDLValue, values: [WDLValue])] = []
            for pair in pairs {
                if let index = groups.firstIndex(where: { $0.key.isSame(as: pair.key) }) {
                    groups[index].values.append(pair.value)
                } else {
                    groups.append((pair.key, [pair.value]))
                }
            }
            return WDLValue(.map(groups.map { (key: $0.key, value: WDLValue(.array($0.values))) }))
        case ("contains_key", 2):
            guard let entries = entries(first), let key = arguments[1].interpolated else { return nil }
            let keys = entries.map(\.key.interpolated)
            if keys.contains(key) { return WDLValue(.bool(true)) }
            return keys.contains(nil) ? nil : WDLValue(.bool(false))
        default: return nil
        }
    }

    private static func pairs(_ value: WDLValue) -> [(key: WDLValue, value: WDLValue)]? {
        guard let elements = elements(value), elements.count <= 500 else { return nil }
        var pairs: [(key: WDLValue, value: WDLValue)] = []
        for element in elements {
            guard case .pair(let key, let value) = element.kind else { return nil }
            pairs.append((key, value))
        }
        return pairs
    }

    // MARK: Numbers

    private static func numbers(_ name: String, _ arguments: [WDLValue]) -> WDLValue? {
        guard let first = arguments.first.flatMap(WDLOperators.number) else { return nil }
        switch (name, arguments.count) {
        case ("floor", 1): return Int(exactly: first.rounded(.down)).map { WDLValue(.integer($0)) }
        case ("ceil", 1): return Int(exactly: first.rounded(.up)).map { WDLValue(.integer($0)) }
        case ("round", 1): return Int(exactly: first.rounded()).map { WDLValue(.integer($0)) }
        case ("min", 2), ("max", 2):
            guard let second = WDLOperators.number(arguments[1]) else { return nil }
            return (first < second) == (name == "min") ? arguments[0] : arguments[1]
        default: return nil
        }
    }

    // MARK: Files

    /// The contents of a file of the definition as a `read_…` function gives them.
    static func contents(_ bytes: [UInt8], as function: String, places: [UInt64]) -> WDLValue? {
        guard let all = String(validating: bytes, as: UTF8.self) else { return nil }
        var lines = all.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        guard lines.count <= WDLEvaluator.maximumElements || function == "read_json" else { return nil }
        switch function {
        case "read_json":
            guard let json = try? ParameterValue(json: bytes) else { return nil }
            return WDLOperators.value(json, places: places)
        case "read_string": return WDLValue(.string(lines.joined(separator: "\n")), places: places)
        case "read_lines": return WDLValue(.array(lines.map { WDLValue(.string($0), places: places) }))
        case "read_int": return lines.first.flatMap { Int($0) }.map { WDLValue(.integer($0), places: places) }
        case "read_float": return lines.first.flatMap { Double($0) }.map { WDLValue(.float($0), places: places) }
        case "read_boolean": return lines.first.flatMap { Bool($0.lowercased()) }.map { WDLValue(.bool($0)) }
        case "read_map", "read_tsv":
            let rows = lines.map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
            let cells = rows.map { $0.map { WDLValue(.string($0), places: places) } }
            if function == "read_tsv" { return WDLValue(.array(cells.map { WDLValue(.array($0)) })) }
            guard cells.allSatisfy({ $0.count == 2 }) else { return nil }
            return WDLValue(.map(cells.map { (key: $0[0], value: $0[1]) }))
        case "read_object":
            guard lines.count == 2 else { return nil }
            let names = lines[0].split(separator: "\t").map(String.init)
            let values = lines[1].split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard names.count == values.count else { return nil }
            let pairs = zip(names, values).map { ($0, WDLValue(.string($1), places: places)) }
            return WDLValue(.object(Dictionary(pairs) { _, last in last }))
        default: return nil
        }
    }
}
