/// The standard library, as far as it can be known before a run. Everything that reads what a task writes is unknown.
extension WDLEvaluator {
    func apply(_ name: String, _ arguments: [WDLValue], in scope: WDLScope) -> WDLValue {
        for argument in arguments { spend(argument.weight * (argument.depth > 1 ? 50 : 1)) }
        switch name {
        case "select_first": return selectFirst(arguments)
        case "select_all": return lift(arguments) { selectAll($0) }
        case "defined": return defined(arguments.first ?? .null)
        case "read_json", "read_map", "read_object", "read_string", "read_lines", "read_int", "read_float",
            "read_boolean", "read_tsv":
            return lift(arguments) { read(name, $0, in: scope) }
        case "size", "stdout", "stderr", "glob", "write_lines", "write_tsv", "write_map", "write_object",
            "write_objects", "write_json", "read_objects":
            let reasons = arguments.reduce([]) { WDLValue.union($0, $1.reasons) }
            return .unknown(reasons.isEmpty ? [WDLReasons.taskOutput] : reasons)
        default: break
        }
        return lift(arguments) { arguments in
            if ["sub", "matches", "find"].contains(name), arguments.count > 1 {
                // Text times program; a back reference or a look around may take many times as much.
                let pattern = arguments[1].string ?? ""
                let isCostly = pattern.contains("(?") || pattern.contains("\\")
                spend((arguments[0].string?.utf8.count ?? 0) * pattern.utf8.count / 100 + (isCostly ? 500 : 5))
            }
            if let known = WDLFunctions.apply(name, arguments) { return known }
            let reasons = arguments.reduce([]) { WDLValue.union($0, $1.reasons) }
            return .unknown(reasons.isEmpty ? [reason("`\(name.prefix(80))()` is known only in the run")] : reasons)
        }
    }

    /// Applies a function to each combination of what its arguments may be.
    private func lift(_ arguments: [WDLValue], _ function: ([WDLValue]) -> WDLValue) -> WDLValue {
        guard let index = arguments.firstIndex(where: { if case .oneOf = $0.kind { true } else { false } }) else {
            return function(arguments)
        }
        return arguments[index].lifted { candidate in
            var fixed = arguments
            fixed[index] = candidate
            return lift(fixed, function)
        }
    }

    private func selectFirst(_ arguments: [WDLValue]) -> WDLValue {
        guard let list = arguments.first else { return unknown("select_first without an array") }
        return list.lifted { list in
            var elements: [WDLValue]
            switch list.kind {
            case .array(let known): elements = known
            case .repeated(let element): elements = [element]
            default: return .unknown(list.reasons.isEmpty ? [WDLReasons.taskOutput] : list.reasons)
            }
            elements += arguments.dropFirst()
            var candidates: [WDLValue] = []
            var reasons: [Int32] = []
            for element in elements where !element.isNull {
                candidates += element.candidates.filter { !$0.isNull }
                reasons = WDLValue.union(reasons, element.reasons)
                if !element.candidates.contains(where: \.isNull) { return .oneOf(candidates, reasons) }
            }
            if !candidates.isEmpty { return .oneOf(candidates, reasons) }
            let places = elements.reduce([]) { WDLValue.union($0, $1.places) }.prefix(6).map { "\(evidence($0))" }
            let origin = places.isEmpty ? "" : ", of " + places.joined(separator: ", ")
            return unknown("select_first finds only nulls\(origin)")
        }
    }

    private func selectAll(_ arguments: [WDLValue]) -> WDLValue {
        guard let list = arguments.first, case .array(let elements) = list.kind else {
            return arguments.first ?? .unknown([WDLReasons.taskOutput])
        }
        var kept: [WDLValue] = []
        for element in elements where !element.isNull {
            guard element.candidates.contains(where: \.isNull) else {
                kept.append(element)
                continue
            }
            return .unknown(element.reasons)
        }
        return WDLValue(.array(kept), places: list.places)
    }

    private func defined(_ value: WDLValue) -> WDLValue {
        let nulls = value.candidates.count { $0.isNull }
        if nulls == 0 { return WDLValue(.bool(true)) }
        return nulls == value.candidates.count ? WDLValue(.bool(false)) : .unknown(value.reasons)
    }

    /// Reads a file of the definition that is named by a known path; any other file is the run's.
    private func read(_ name: String, _ arguments: [WDLValue], in scope: WDLScope) -> WDLValue {
        let document = scope.callable.document
        guard let argument = arguments.first else { return .unknown([WDLReasons.taskOutput]) }
        guard !scope.callable.isTask || !scope.callable.isOutput(scope.block), let path = argument.string,
            let bytes = library.dataFile(path, from: document), bytes.count <= Self.maximumText * 16
        else {
            if let path = argument.string, !scope.callable.isTask {
                return unknown("file \(path.prefix(120)) is not in the definition")
            }
            return .unknown(argument.reasons.isEmpty ? [WDLReasons.taskOutput] : argument.reasons)
        }
        return WDLFunctions.contents(bytes, as: name, places: argument.places)
            ?? unknown("file \(path.prefix(120)) cannot be read by \(name)")
    }
}
