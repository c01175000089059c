/// The parts of an `if … else …`.
struct NextflowBranch {
    var condition: ArraySlice<NextflowToken>
    var yes: ArraySlice<NextflowToken>
    var no: ArraySlice<NextflowToken>?
    /// Behind the whole statement.
    var end: Int

    /// - Parameter start: where the word `if` stands.
    init(_ tokens: ArraySlice<NextflowToken>, _ start: Int) {
        func skip(_ index: Int) -> Int {
            var index = index
            while index < tokens.endIndex, tokens[index].isNewline || tokens[index].isSymbol(";") { index += 1 }
            return index
        }
        func body(_ index: Int) -> (ArraySlice<NextflowToken>, Int) {
            guard index < tokens.endIndex else { return (tokens[tokens.endIndex...], tokens.endIndex) }
            if tokens[index].isSymbol("{") {
                let (inner, end) = NextflowTokens.balanced(tokens, from: index)
                return (inner, end)
            }
            if tokens[index].isWord("if") {
                let inner = NextflowBranch(tokens, index)
                return (tokens[index..<inner.end], inner.end)
            }
            let end = max(NextflowTokens.statementEnd(tokens, from: index), index + 1)
            return (tokens[index..<min(end, tokens.endIndex)], end)
        }
        var index = skip(start + 1)
        guard index < tokens.endIndex, tokens[index].isSymbol("(") else {
            condition = tokens[start..<start]
            yes = tokens[start..<start]
            end = min(start + 1, tokens.endIndex)
            return
        }
        (condition, index) = NextflowTokens.balanced(tokens, from: index)
        (yes, index) = body(skip(index))
        end = min(index, tokens.endIndex)
        let next = skip(index)
        if next < tokens.endIndex, tokens[next].isWord("else") {
            let (inner, after) = body(skip(next + 1))
            no = inner
            end = min(after, tokens.endIndex)
        }
    }
}
