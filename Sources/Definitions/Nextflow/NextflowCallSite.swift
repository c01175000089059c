/// A place in a body that calls something by name.
struct NextflowCallSite {
    var name: String
    /// The word, and the byte it begins with.
    var word: Int
    var start: Int32
}

extension NextflowLibrary {
    /// The calls in a body, in the order of the source.
    func sites(in definition: NextflowScript.Definition) -> [NextflowCallSite] {
        if let known = definition.sites { return known }
        let script = definition.script
        let tokens = script.tokens
        var sites: [NextflowCallSite] = []
        var isFunction: [String: Bool?] = [:]
        for index in definition.body {
            guard let name = tokens[index].name else { continue }
            let kind: Bool?
            if let known = isFunction[name] {
                kind = known
            } else {
                let target = definitions(name, in: script).first?.definition
                if let target {
                    if case .function = target.kind { kind = true } else { kind = false }
                } else {
                    kind = script.missing[name] == nil ? nil : false
                }
                isFunction.updateValue(kind, forKey: name)
            }
            guard let kind else { continue }
            if index > 0, let symbol = tokens[index - 1].symbol, symbol == "." || symbol == "?." { continue }
            // Any mention of a function counts: it may be passed on and called there.
            guard kind || Self.isCall(tokens, index, definition.body) else { continue }
            sites.append(NextflowCallSite(name: name, word: index, start: tokens[index].start))
        }
        definition.sites = sites
        return sites
    }

    private static func isCall(_ tokens: [NextflowToken], _ index: Int, _ body: Range<Int>) -> Bool {
        func significant(_ start: Int, _ step: Int) -> NextflowToken? {
            var place = start
            while body.contains(place) {
                if !tokens[place].isNewline { return tokens[place] }
                place += step
            }
            return nil
        }
        let next = index + 1 < body.upperBound ? tokens[index + 1] : nil
        if let next, next.isSymbol("(") { return true }
        // `PROCESS.scan(…)`, `PROCESS.recurse(…).times(…)`
        if let next, next.isSymbol("."), index + 3 < body.upperBound, let method = tokens[index + 2].name,
            ["scan", "recurse", "run"].contains(method), tokens[index + 3].isSymbol("(")
        {
            return true
        }
        // Pipes: `channel | A | (B & C)`.
        let pipes = ["|", "&"]
        if let before = significant(index - 1, -1)?.symbol, pipes.contains(before) { return true }
        if let after = significant(index + 1, 1)?.symbol, pipes.contains(after) {
            // `OUT.x | …` is a channel; here the name stands alone.
            return true
        }
        // `PROCESS channel, other`
        switch next?.kind {
        case .name(let name)?: return name != "in" && name != "as" && name != "instanceof"
        case .string?, .template?, .number?: return true
        default: return false
        }
    }
}
