extension NextflowEvaluator {
    func call(
        _ base: NextflowExpression?,
        _ name: String,
        _ arguments: [NextflowExpression],
        _ scope: Scope
    ) -> NextflowValue {
        guard let base else {
            if let code = functions[name] { return call(code, arguments.map { value($0, scope) }) }
            if case .closure = scope[name] { return settled(scope[name] ?? .null, scope) }
            if name == "file", let first = arguments.first { return value(first, scope) }
            return .unknown("`\(name)(…)`")
        }
        if case .name("System", _) = base, name == "getenv" {
            let variable = arguments.first.map { value($0, scope) }?.text
            return variable == "AWS_WORKFLOW_RUN" ? .string("run") : .null
        }
        if case .name("params", _) = base, scope["params"] == nil {
            return method(.map(parameters), name, arguments.map { value($0, scope) }, base, scope)
        }
        let receiver = value(base, scope)
        if case .closure = receiver, name == "call" { return settled(receiver, scope) }
        return method(receiver, name, arguments.map { value($0, scope) }, base, scope)
    }

    private func method(
        _ receiver: NextflowValue,
        _ name: String,
        _ arguments: [NextflowValue],
        _ base: NextflowExpression,
        _ scope: Scope
    ) -> NextflowValue {
        if case .oneOf(let values, let why) = receiver {
            return .either(values.map { method($0, name, arguments, base, scope) }, why)
        }
        if let why = receiver.missing { return .unknown(why) }
        if let why = arguments.compactMap(\.missing).first { return .unknown(why) }
        let texts = arguments.compactMap(\.text)
        switch receiver {
        case .string(let text): return ofString(text, name, texts)
        case .list(let values):
            switch name {
            case "contains": return .bool(arguments.first.map(values.contains) ?? false)
            case "size": return .number(String(values.count))
            case "join":
                return .list(values).text.map { _ in
                    .string(values.compactMap(\.text).joined(separator: texts.first ?? ""))
                } ?? .unknown("a list")
            case "first": return values.first ?? .null
            case "last": return values.last ?? .null
            case "isEmpty": return .bool(values.isEmpty)
            case "any", "every", "find", "collect", "findAll": return each(values, name, arguments, scope)
            case "flatten", "unique", "toList": return receiver
            default: break
            }
        case .map(let members):
            switch name {
            case "get":
                if case .name("params", _) = base, let key = texts.first { note(parameter: key) }
                return texts.first.flatMap { members[$0] } ?? (arguments.count > 1 ? arguments[1] : .null)
            case "containsKey":
                if case .name("params", _) = base, let key = texts.first { note(parameter: key) }
                return .bool(texts.first.map { members[$0] != nil } ?? false)
            case "keySet": return .list(members.keys.sorted().map(NextflowValue.string))
            case "size": return .number(String(members.count))
            case "isEmpty": return .bool(members.isEmpty)
            default: break
            }
        case .null: return .null
        case .number(let text) where name == "toString": return .string(text)
        case .bool(let value) where name == "toString" || name == "toBoolean":
            return name == "toString" ? .string(value ? "true" : "false") : receiver
        default: break
        }
        return .unknown("`\(Self.describe(base)).\(name)(…)`")
    }

    private func each(
        _ values: [NextflowValue],
        _ name: String,
        _ arguments: [NextflowValue],
        _ scope: Scope
    ) -> NextflowValue {
        guard case .closure = arguments.first else { return .unknown("`\(name)`") }
        var results: [NextflowValue] = []
        for item in values.prefix(200) {
            var inner = scope
            inner["it"] = item
            results.append(apply(arguments[0], item, inner))
        }
        switch name {
        case "collect": return .list(results)
        case "any":
            if results.contains(where: { $0.truth == true }) { return .bool(true) }
            return results.allSatisfy { $0.truth == false } ? .bool(false) : .unknown("a condition")
        case "every":
            if results.contains(where: { $0.truth == false }) { return .bool(false) }
            return results.allSatisfy { $0.truth == true } ? .bool(true) : .unknown("a condition")
        case "find":
            for (item, result) in zip(values, results) {
                guard let truth = result.truth else { return .unknown(result.missing ?? "a condition") }
                if truth { return item }
            }
            return .null
        default:
            guard results.allSatisfy({ $0.truth != nil }) else { return .unknown("a condition") }
            return .list(zip(values, results).filter { $0.1.truth == true }.map(\.0))
        }
    }

    private func ofString(_ text: String, _ name: String, _ arguments: [String]) -> NextflowValue {
        switch (name, arguments.count) {
        case ("contains", 1): return .bool(text.contains(arguments[0]))
        case ("startsWith", 1): return .bool(text.hasPrefix(arguments[0]))
        case ("endsWith", 1): return .bool(text.hasSuffix(arguments[0]))
        case ("equals", 1): return .bool(text == arguments[0])
        case ("equalsIgnoreCase", 1): return .bool(text.lowercased() == arguments[0].lowercased())
        case ("replace", 2): return .string(text.replacing(arguments[0], with: arguments[1]))
        case ("replaceAll", 2), ("replaceFirst", 2):
            guard arguments[0].utf8.count < 500, let pattern = try? Regex(arguments[0]) else {
                return .unknown("a pattern")
            }
            return .string(
                text.replacing(pattern, maxReplacements: name == "replaceAll" ? .max : 1) { _ in arguments[1] }
            )
        case ("split", 1), ("tokenize", 1):
            guard let separator = arguments[0].first else { return .list([.string(text)]) }
            return .list(text.split(separator: separator).map { .string(String($0)) })
        case ("trim", 0), ("strip", 0): return .string(Self.trimmed(text))
        case ("toLowerCase", 0): return .string(text.lowercased())
        case ("toUpperCase", 0): return .string(text.uppercased())
        case ("minus", 1):
            guard let range = text.firstRange(of: arguments[0]) else { return .string(text) }
            return .string(String(text[..<range.lowerBound] + text[range.upperBound...]))
        case ("toString", 0): return .string(text)
        case ("size", 0), ("length", 0): return .number(String(text.count))
        case ("isEmpty", 0): return .bool(text.isEmpty)
        case ("toBoolean", 0): return .bool(["true", "1", "y"].contains(text.lowercased()))
        case ("matches", 1):
            return patterns.matches(arguments[0], text, whole: true).map(NextflowValue.bool)
                ?? .unknown("a pattern")
        default: return .unknown("`\(name)(…)` of a text")
        }
    }

    static func trimmed(_ text: String) -> String {
        var rest = Substring(text)
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
