extension NextflowEvaluator {
    /// A method of a value that is not one of several.
    func method(_ value: NextflowValue, _ name: String, _ arguments: [NextflowValue]) -> NextflowValue {
        var trace = value.trace
        for argument in arguments { trace.add(argument.trace) }
        func made(_ kind: NextflowValue.Kind) -> NextflowValue { NextflowValue(kind, trace: trace) }
        if case .unknown = value.kind { return NextflowValue(value.kind, trace: trace) }
        guard spend() else { return made(.unknown(["the definition takes too much work to evaluate"])) }
        guard !value.isFile || name == "toString" else {
            return made(.unknown(["`\(name)()` of a file is not evaluated"]))
        }
        switch name {
        case "toString":
            if let text = value.text() { return made(.string(text)) }
        case "equals":
            if let other = arguments.first { return operate("==", value, other) }
        case "call":
            if case .function(let function) = value.kind { return call(function, arguments) }
        case "with":
            if case .function(let function)? = arguments.first?.kind { return call(function, [value]) }
        case "asBoolean", "toBoolean":
            if case .bool = value.kind { return value }
        case "toInteger", "toLong", "intValue", "longValue":
            if case .integer = value.kind { return value }
        default: break
        }
        let result: NextflowValue.Kind?
        switch value.kind {
        case .string(let text): result = self.text(text, name, arguments)
        case .list(let all): result = list(all, name, arguments)
        case .map(let map): result = self.map(map, name, arguments)
        case .object(let object):
            switch (name, arguments.first?.string) {
            case ("containsKey", let key?):
                let found = object.member(key)
                trace.add(found.trace)
                if case .unknown = found.kind {
                    result = found.kind
                } else {
                    result = .bool(value.map.map { $0[key] != nil } ?? !found.isNull)
                }
            case ("get", let key?), ("getOrDefault", let key?), ("getAt", let key?):
                let found = object.member(key)
                return found.isNull && arguments.count > 1 ? arguments[1].tracing(found.trace) : found
            default:
                let members = value.map
                if object.name == "params", let members { trace.add(NextflowTrace(parameters: members.keys.sorted())) }
                result = members.flatMap { self.map($0, name, arguments) }
            }
        case .null(let missing): return made(.null(missing))
        default: result = nil
        }
        if let result { return made(result) }
        let reasons = arguments.reduce([String]()) { NextflowValue.union($0, $1.reasons) }
        return made(.unknown(reasons.isEmpty ? ["`\(name)()` is not evaluated"] : reasons))
    }

    private func text(_ text: String, _ name: String, _ arguments: [NextflowValue]) -> NextflowValue.Kind? {
        let first = arguments.first?.text()
        let second = arguments.count > 1 ? arguments[1].text() : nil
        switch (name, first) {
        case ("contains", let part?): return .bool(Self.find(part, in: text) != nil)
        case ("startsWith", let part?): return .bool(text.utf8.starts(with: part.utf8))
        case ("endsWith", let part?): return .bool(text.utf8.reversed().starts(with: part.utf8.reversed()))
        case ("equalsIgnoreCase", let other?): return .bool(text.lowercased() == other.lowercased())
        case ("matches", let pattern?): return matches(pattern, text, isWhole: true).map { .bool($0) }
        case ("replace", let part?):
            guard let second, !part.isEmpty, spend(text.utf8.count / 8) else { return nil }
            return .string(Self.replacing(text, part, with: second))
        case ("replaceAll", let pattern?), ("replaceFirst", let pattern?):
            guard let second, spend(100 + text.utf8.count), let compiled = RegularExpression(pattern) else {
                return nil
            }
            let isFirst = name == "replaceFirst"
            return compiled.replacing(in: text, with: second, onlyFirst: isFirst, maximum: Self.maximumText)
                .map { .string($0) }
        case ("minus", let part?): return .string(Self.replacing(text, part, with: "", once: true))
        case ("plus", let part?), ("concat", let part?):
            return text.utf8.count + part.utf8.count <= Self.maximumText ? .string(text + part) : nil
        case ("split", _), ("tokenize", _):
            return split(text, by: first, isPattern: name == "split", isBlank: arguments.isEmpty)
        case ("trim", _), ("strip", _):
            let scalars = text.unicodeScalars
            let start = scalars.firstIndex { $0.value > 0x20 } ?? scalars.endIndex
            let stop = scalars.lastIndex { $0.value > 0x20 }.map { scalars.index(after: $0) } ?? start
            return .string(String(scalars[start..<stop]))
        case ("stripIndent", _), ("stripMargin", _), ("intern", _): return .string(text)
        case ("toLowerCase", _): return .string(text.lowercased())
        case ("toUpperCase", _): return .string(text.uppercased())
        case ("capitalize", _): return .string(text.prefix(1).uppercased() + text.dropFirst())
        case ("length", _), ("size", _): return .integer(text.utf16.count)
        case ("isEmpty", _): return .bool(text.isEmpty)
        case ("isBlank", _): return .bool(text.unicodeScalars.allSatisfy { $0.value <= 0x20 })
        case ("toBoolean", _): return .bool(["true", "y", "1"].contains(text.lowercased()))
        case ("toInteger", _), ("toLong", _): return Int(text).map { .integer($0) }
        case ("isInteger", _), ("isLong", _), ("isNumber", _):
            if Int(text) != nil { return .bool(true) }
            // What else Groovy takes for a number is left open.
            return text.utf8.contains { 48...57 ~= $0 } ? nil : .bool(false)
        case ("indexOf", let part?): return .integer(Self.find(part, in: text) ?? -1)
        case ("lastIndexOf", let part?):
            guard let last = text.utf8.lastIndex(where: { [$0] == Array(part.utf8) }) else { return nil }
            return .integer(text.utf8.distance(from: text.startIndex, to: last))
        case ("take", _), ("drop", _), ("substring", _):
            guard case .integer(let count)? = arguments.first?.kind, count >= 0 else { return nil }
            if name == "take" { return .string(String(text.prefix(count))) }
            guard arguments.count > 1 else { return .string(String(text.dropFirst(count))) }
            guard case .integer(let stop) = arguments[1].kind, stop >= count else { return nil }
            return .string(String(text.prefix(stop).dropFirst(count)))
        default: return nil
        }
    }

    private func split(_ text: String, by separator: String?, isPattern: Bool, isBlank: Bool) -> NextflowValue.Kind? {
        guard isBlank || separator != nil, spend(text.utf8.count / 4) else { return nil }
        var parts: [String] = []
        if isPattern, !isBlank, let separator {
            guard let compiled = RegularExpression(separator),
                let found = compiled.splitting(text, maximum: Self.maximumElements)
            else { return nil }
            parts = found
        } else {
            let marks = separator.map { Array($0.utf8) } ?? [0x20, 0x09, 0x0A, 0x0D]
            parts = Array(text.utf8).split { marks.contains($0) }.map { String(decoding: $0, as: UTF8.self) }
        }
        return parts.count > Self.maximumElements ? nil : .list(parts.map { NextflowValue(.string($0)) })
    }

    private func list(_ all: [NextflowValue], _ name: String, _ arguments: [NextflowValue]) -> NextflowValue.Kind? {
        guard spend(1 + all.count / 4) else { return nil }
        let first = arguments.first
        if case .function(let function)? = first?.kind { return list(all, name, function) }
        switch name {
        case "contains":
            return first.flatMap { self.contains(NextflowValue(.list(all)), $0) }.map { .bool($0) }
        case "join":
            var result = NextflowValue(.string(""))
            for (index, element) in all.enumerated() {
                if index > 0, let separator = first { result = joined(result, separator) }
                result = joined(result, element)
            }
            return result.kind
        case "size", "length": return .integer(all.count)
        case "isEmpty": return .bool(all.isEmpty)
        case "first", "head": return all.first?.kind ?? .null(nil)
        case "last": return all.last?.kind ?? .null(nil)
        case "tail": return .list(Array(all.dropFirst()))
        case "init": return .list(Array(all.dropLast()))
        case "reverse": return .list(all.reversed())
        case "flatten":
            return .list(
                all.flatMap { element -> [NextflowValue] in
                    if case .list(let inner) = element.kind { inner } else { [element] }
                }
            )
        case "get", "getAt":
            guard case .integer(let index)? = first?.kind, all.indices.contains(index) else { return nil }
            return all[index].kind
        case "unique", "toSet", "toUnique":
            guard all.count <= 300 else { return nil }
            var distinct: [NextflowValue] = []
            for element in all where !distinct.contains(where: { $0.equals(element) == true }) {
                distinct.append(element)
            }
            return .list(distinct)
        case "any":
            let truths = all.map(\.truth)
            return truths.contains(true) ? .bool(true) : truths.contains(nil) ? nil : .bool(false)
        case "every":
            let truths = all.map(\.truth)
            return truths.contains(false) ? .bool(false) : truths.contains(nil) ? nil : .bool(true)
        case "disjoint", "intersect", "containsAll":
            guard case .list(let others)? = first?.kind, all.count <= 300, others.count <= 300 else { return nil }
            var shared: [NextflowValue] = []
            for other in others {
                guard let isShared = contains(NextflowValue(.list(all)), other) else { return nil }
                if isShared { shared.append(other) }
            }
            if name == "containsAll" { return .bool(shared.count == others.count) }
            return name == "disjoint" ? .bool(shared.isEmpty) : .list(shared)
        case "toList", "asList": return .list(all)
        case "plus", "minus":
            return first.map { self.operate(name == "plus" ? "+" : "-", NextflowValue(.list(all)), $0).kind }
        case "sort":
            let texts = all.compactMap(\.string)
            return texts.count == all.count ? .list(texts.sorted().map { NextflowValue(.string($0)) }) : nil
        default: return nil
        }
    }

    private func list(_ all: [NextflowValue], _ name: String, _ function: NextflowFunction) -> NextflowValue.Kind? {
        switch name {
        case "collect": return .list(all.map { call(function, [$0]) })
        case "each":
            for element in all { _ = call(function, [element]) }
            return .list(all)
        case "any", "every", "find", "findAll":
            var isKnown = true
            var found: [NextflowValue] = []
            for element in all {
                guard let truth = call(function, [element]).truth else {
                    isKnown = false
                    continue
                }
                if name == "any", truth { return .bool(true) }
                if name == "every", !truth { return .bool(false) }
                if truth { found.append(element) }
            }
            guard isKnown else { return nil }
            switch name {
            case "any": return .bool(false)
            case "every": return .bool(true)
            case "find": return found.first?.kind ?? .null(nil)
            default: return .list(found)
            }
        default: return nil
        }
    }

    private func map(_ map: NextflowMap, _ name: String, _ arguments: [NextflowValue]) -> NextflowValue.Kind? {
        guard spend(1 + map.keys.count / 4) else { return nil }
        let key = arguments.first?.text()
        func entry(_ key: String) -> NextflowValue {
            var entry = NextflowMap()
            entry["key"] = NextflowValue(.string(key))
            entry["value"] = map[key]
            return NextflowValue(.map(entry))
        }
        switch (name, key) {
        case ("containsKey", let key?):
            return .bool(map[key].map { if case .absent = $0.kind { false } else { true } } ?? false)
        case ("get", let key?), ("getAt", let key?), ("getOrDefault", let key?):
            if let found = map[key] { return found.kind }
            return arguments.count > 1 ? arguments[1].kind : .null("there is no `\(key)`")
        case ("keySet", _): return .list(map.keys.map { NextflowValue(.string($0)) })
        case ("values", _): return .list(map.keys.compactMap { map[$0] })
        case ("size", _): return .integer(map.keys.count)
        case ("isEmpty", _): return .bool(map.keys.isEmpty)
        case ("plus", _): return arguments.first.map { operate("+", NextflowValue(.map(map)), $0).kind }
        case ("find", _), ("any", _), ("every", _), ("collect", _), ("findAll", _), ("each", _):
            guard case .function(let function)? = arguments.first?.kind else { return nil }
            func answer(_ key: String) -> NextflowValue {
                if (function.closure.parameters?.count ?? 1) > 1 {
                    return call(function, [NextflowValue(.string(key)), map[key] ?? .null])
                }
                return call(function, [entry(key)])
            }
            if name == "collect" { return .list(map.keys.map(answer)) }
            if name == "each" {
                for key in map.keys { _ = answer(key) }
                return .map(map)
            }
            let answers = map.keys.map { ($0, answer($0).truth) }
            if name == "any", answers.contains(where: { $0.1 == true }) { return .bool(true) }
            if name == "every", answers.contains(where: { $0.1 == false }) { return .bool(false) }
            guard answers.allSatisfy({ $0.1 != nil }) else { return nil }
            let found = answers.filter { $0.1 == true }.map(\.0)
            switch name {
            case "any": return .bool(false)
            case "every": return .bool(true)
            case "find": return found.first.map { entry($0).kind } ?? .null(nil)
            default:
                var kept = NextflowMap()
                for key in found { kept[key] = map[key] }
                return .map(kept)
            }
        default: return nil
        }
    }
}
