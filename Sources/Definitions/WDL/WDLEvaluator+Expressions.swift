/// Expressions, node by node.
extension WDLEvaluator {
    func expression(_ node: WDLExpression.ID, in scope: WDLScope, excluding: Int?) -> WDLValue {
        let document = library.documents[scope.callable.document]
        switch document.nodes[Int(node)] {
        case .null: return .null
        case .bool(let value): return WDLValue(.bool(value))
        case .integer(let value): return WDLValue(.integer(value))
        case .float(let value): return isLenient ? .unknown([WDLReasons.number]) : WDLValue(.float(value))
        case .oddNumber: return .unknown([WDLReasons.number])
        case .string(let parts): return string(parts, line: document.lines[Int(node)], in: scope, excluding)
        case .name(let name): return value(name: name, in: scope, excluding: excluding)
        case .member(let base, let field): return member(base, field, in: scope, excluding)
        case .index(let base, let key):
            return index(value(base, in: scope, excluding: excluding), value(key, in: scope, excluding: excluding))
        case .apply(let name, let arguments):
            return apply(name, arguments.map { value($0, in: scope, excluding: excluding) }, in: scope)
        case .not(let operand):
            return value(operand, in: scope, excluding: excluding).lifted {
                if case .bool(let value) = $0.kind { WDLValue(.bool(!value)) } else { .unknown($0.reasons) }
            }
        case .negative(let operand): return WDLOperators.negative(value(operand, in: scope, excluding: excluding))
        case .binary: return binary(node, in: scope, excluding)
        case .choice(let condition, let then, let otherwise):
            return choice(condition, then, otherwise, in: scope, excluding)
        case .array(let elements):
            return WDLValue(.array(elements.map { value($0, in: scope, excluding: excluding) }))
        case .pair(let left, let right):
            return WDLValue(
                .pair(value(left, in: scope, excluding: excluding), value(right, in: scope, excluding: excluding))
            )
        case .map(let entries): return map(entries, in: scope, excluding)
        case .object(let members):
            var values: [String: WDLValue] = [:]
            for member in members { values[member.key] = value(member.value, in: scope, excluding: excluding) }
            return WDLValue(.object(values))
        }
    }

    private func map(
        _ entries: [(key: WDLExpression.ID, value: WDLExpression.ID)],
        in scope: WDLScope,
        _ excluding: Int?
    ) -> WDLValue {
        WDLValue(
            .map(
                entries.map { entry in
                    (
                        value(entry.key, in: scope, excluding: excluding),
                        value(entry.value, in: scope, excluding: excluding)
                    )
                }
            )
        )
    }

    private func choice(
        _ condition: WDLExpression.ID,
        _ then: WDLExpression.ID,
        _ otherwise: WDLExpression.ID,
        in scope: WDLScope,
        _ excluding: Int?
    ) -> WDLValue {
        let met = value(condition, in: scope, excluding: excluding)
        if case .bool(let isTrue) = met.kind {
            return value(isTrue ? then : otherwise, in: scope, excluding: excluding)
        }
        let reasons = met.reasons.isEmpty ? [reason("a condition that is neither true nor false")] : met.reasons
        return .oneOf(
            [value(then, in: scope, excluding: excluding), value(otherwise, in: scope, excluding: excluding)],
            reasons
        )
    }

    /// A row of operators of one kind is a spine to the left: walked in a loop, so that its length is no depth.
    private func binary(_ node: WDLExpression.ID, in scope: WDLScope, _ excluding: Int?) -> WDLValue {
        let nodes = library.documents[scope.callable.document].nodes
        var spine: [(sign: UInt8, right: WDLExpression.ID)] = []
        var leftmost = node
        while case .binary(let sign, let left, let right) = nodes[Int(leftmost)] {
            spine.append((sign, right))
            leftmost = left
        }
        var result = value(leftmost, in: scope, excluding: excluding)
        for step in spine.reversed() {
            switch (step.sign, result.kind) {
            case (WDLSign.and, .bool(false)), (WDLSign.or, .bool(true)): continue
            case (WDLSign.and, _): result = WDLOperators.and(result, value(step.right, in: scope, excluding: excluding))
            case (WDLSign.or, _): result = WDLOperators.or(result, value(step.right, in: scope, excluding: excluding))
            default:
                let right = value(step.right, in: scope, excluding: excluding)
                result = WDLOperators.apply(step.sign, result, right)
            }
        }
        return result
    }

    // MARK: Members

    private func member(
        _ base: WDLExpression.ID,
        _ field: String,
        in scope: WDLScope,
        _ excluding: Int?
    ) -> WDLValue {
        if case .name(let name) = library.documents[scope.callable.document].nodes[Int(base)] {
            let found = meanings(name, in: scope, excluding: excluding)
            let calls = found.filter { if case .call = $0.meaning { true } else { false } }
            if !calls.isEmpty {
                return first(calls, in: scope) { entry, scope in
                    guard case .call(let number) = entry.meaning else { return .null }
                    return output(field, of: number, in: scope)
                }
            }
        }
        return member(value(base, in: scope, excluding: excluding), field)
    }

    private func member(_ base: WDLValue, _ field: String) -> WDLValue {
        base.lifted { base in
            switch base.kind {
            case .unknown: return base
            case .null: return .null
            case .object(let members): return (members[field] ?? .null).adding(places: base.places)
            case .map(let entries):
                return (entries.last { $0.key.string == field }?.value ?? .null).adding(places: base.places)
            case .pair(let left, let right):
                return field == "left" ? left : field == "right" ? right : unknown("a pair has no member `\(field)`")
            case .array(let elements): return WDLValue(.array(elements.map { member($0, field) }))
            case .repeated(let element): return WDLValue(.repeated(member(element, field)))
            default: return unknown("`.\(field)` of a value without members")
            }
        }
    }

    private func index(_ base: WDLValue, _ key: WDLValue) -> WDLValue {
        base.lifted { base in
            key.lifted { key in
                switch (base.kind, key.kind) {
                case (.unknown, _): return base
                case (.repeated(let element), _): return element
                case (.array(let elements), .integer(let number)):
                    if elements.indices.contains(number) { return elements[number].adding(places: base.places) }
                    return unknown("an array of \(elements.count) has no element \(number)")
                case (.array(let elements), .unknown(let reasons)): return .oneOf(elements, reasons)
                case (.map(let entries), .unknown(let reasons)): return .oneOf(entries.map(\.value), reasons)
                case (.map(let entries), _):
                    spend(entries.count / 4)
                    for entry in entries.reversed() {
                        let same = entry.key.isEqual(to: key) ?? false
                        if same || (entry.key.interpolated != nil && entry.key.interpolated == key.interpolated) {
                            return entry.value.adding(places: base.places)
                        }
                    }
                    if entries.contains(where: { $0.key.interpolated == nil }) {
                        return .unknown(entries.reduce([]) { WDLValue.union($0, $1.key.reasons) })
                    }
                    return unknown("a map has no key \"\(key.interpolated?.prefix(80) ?? "")\"")
                case (.object(let members), .string(let name)):
                    return members[name]?.adding(places: base.places)
                        ?? unknown("an object has no key \"\(name.prefix(80))\"")
                case (.object(let members), .unknown(let reasons)):
                    return .oneOf(members.sorted { $0.key < $1.key }.map(\.value), reasons)
                case (_, .unknown): return .unknown(key.reasons)
                default: return unknown("`[…]` of a value that is neither array nor map")
                }
            }
        }
    }

    // MARK: Strings

    private func string(
        _ parts: [WDLExpression.Part],
        line: Int32,
        in scope: WDLScope,
        _ excluding: Int?
    ) -> WDLValue {
        let place = place(document: scope.callable.document, line: Int(line))
        var result = WDLValue(.string(""), places: [place])
        for part in parts {
            let piece: WDLValue
            switch part {
            case .text(let text): piece = WDLValue(.string(text))
            case .placeholder(let node, let options):
                piece = placeholder(value(node, in: scope, excluding: excluding), options, in: scope, excluding)
            }
            result = WDLOperators.joined(result, piece)
        }
        return result
    }

    private func placeholder(
        _ value: WDLValue,
        _ options: WDLPlaceholderOptions,
        in scope: WDLScope,
        _ excluding: Int?
    ) -> WDLValue {
        value.lifted { value in
            switch value.kind {
            case .null:
                return options.standIn.map { self.value($0, in: scope, excluding: excluding) } ?? WDLValue(.string(""))
            case .bool(let isTrue) where options.whenTrue != nil || options.whenFalse != nil:
                return WDLValue(.string((isTrue ? options.whenTrue : options.whenFalse) ?? ""))
            case .array(let elements):
                spend(elements.count * 10)
                return WDLOperators.joined(elements, separator: WDLValue(.string(options.separator ?? ",")))
            default: return value
            }
        }
    }
}
