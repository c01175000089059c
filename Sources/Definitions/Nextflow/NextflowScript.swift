/// What a script declares: processes, workflows, functions and includes. Bodies are kept as tokens.
struct NextflowScript {
    struct Process {
        var name: String
        var body: [NextflowToken]
        var line: Int
    }

    struct Include {
        var name: String
        var alias: String
        var source: String
        var line: Int
    }

    var path: String
    var processes: [String: Process] = [:]
    /// Workflows by name; the entry has the empty name.
    var workflows: [String: [NextflowToken]] = [:]
    var functions: [String: NextflowEvaluator.Code] = [:]
    var includes: [Include] = []
    /// Statements of the script outside of all declarations: a DSL1 script, or parameters.
    var loose: [ArraySlice<NextflowToken>] = []

    init(path: String, tokens: [NextflowToken]) {
        self.path = path
        let all = tokens[...]
        var index = all.startIndex
        while index < all.endIndex {
            let token = all[index]
            if token.isNewline || token.isSymbol(";") {
                index += 1
            } else if token.isWord("process"), let (name, open) = Self.declaration(all, index) {
                let (body, end) = NextflowTokens.balanced(all, from: open)
                processes[name] = Process(name: name, body: Array(body), line: token.line)
                index = end
            } else if token.isWord("workflow"), let (name, open) = Self.declaration(all, index, mayBeNameless: true) {
                let (body, end) = NextflowTokens.balanced(all, from: open)
                workflows[name] = Array(body)
                index = end
            } else if token.isWord("include") {
                index = include(all, index)
            } else if let (name, arguments, open) = Self.function(all, index) {
                let (body, end) = NextflowTokens.balanced(all, from: open)
                functions[name] = NextflowEvaluator.Code(
                    parameters: Self.parameterNames(arguments),
                    body: Array(body),
                    scope: [:]
                )
                index = end
            } else {
                let end = max(NextflowTokens.statementEnd(all, from: index), index + 1)
                loose.append(all[index..<min(end, all.endIndex)])
                index = end
            }
        }
    }

    /// The name and the opening brace of `process NAME {`.
    private static func declaration(
        _ tokens: ArraySlice<NextflowToken>,
        _ start: Int,
        mayBeNameless: Bool = false
    ) -> (name: String, open: Int)? {
        var index = start + 1
        var name = ""
        if index < tokens.endIndex, let found = tokens[index].word ?? tokens[index].plainString {
            name = found
            index += 1
        } else if !mayBeNameless {
            return nil
        }
        while index < tokens.endIndex, tokens[index].isNewline { index += 1 }
        guard index < tokens.endIndex, tokens[index].isSymbol("{") else { return nil }
        return (name, index)
    }

    /// `def name(a, b) {` or `Type name(a, b) {`.
    private static func function(
        _ tokens: ArraySlice<NextflowToken>,
        _ start: Int
    ) -> (name: String, arguments: ArraySlice<NextflowToken>, open: Int)? {
        var index = start
        var words = 0
        while index < tokens.endIndex, tokens[index].word != nil, words < 4 {
            words += 1
            index += 1
        }
        guard words >= 2, index < tokens.endIndex, tokens[index].isSymbol("("), let name = tokens[index - 1].word else {
            return nil
        }
        let (arguments, end) = NextflowTokens.balanced(tokens, from: index)
        var open = end
        while open < tokens.endIndex, tokens[open].isNewline { open += 1 }
        guard open < tokens.endIndex, tokens[open].isSymbol("{") else { return nil }
        return (name, arguments, open)
    }

    static func parameterNames(_ tokens: ArraySlice<NextflowToken>) -> [String] {
        tokens.split(whereSeparator: { $0.isSymbol(",") }).compactMap { part in
            part.prefix { !$0.isSymbol("=") && !$0.isSymbol(":") }.last { $0.word != nil }?.word
        }
    }

    /// `include { A; B as C } from './x'`, and the older `include A from`, `include './x'`.
    private mutating func include(_ tokens: ArraySlice<NextflowToken>, _ start: Int) -> Int {
        let line = tokens[start].line
        var index = start + 1
        var names: [(String, String)] = []
        if index < tokens.endIndex, tokens[index].isSymbol("{") {
            let (inner, end) = NextflowTokens.balanced(tokens, from: index)
            for part in inner.split(whereSeparator: { $0.isSymbol(";") || $0.isNewline || $0.isSymbol(",") }) {
                let words = part.compactMap(\.word)
                if words.count == 3, words[1] == "as" {
                    names.append((words[0], words[2]))
                } else if let only = words.first {
                    names.append((only, only))
                }
            }
            index = end
        } else {
            let words = tokens[index...].prefix { $0.word != nil && !$0.isWord("from") }.compactMap(\.word)
            index += words.count
            if words.count == 3, words[1] == "as" {
                names.append((words[0], words[2]))
            } else if let only = words.first {
                names.append((only, only))
            }
        }
        while index < tokens.endIndex, tokens[index].isNewline { index += 1 }
        guard index + 1 < tokens.endIndex, tokens[index].isWord("from") else {
            return max(NextflowTokens.statementEnd(tokens, from: start), index, start + 1)
        }
        let source = Self.path(tokens[index + 1])
        for (name, alias) in names {
            includes.append(Include(name: name, alias: alias, source: source, line: line))
        }
        return max(NextflowTokens.statementEnd(tokens, from: index), index + 2)
    }

    /// The text of a path; folders of the project in front of it mean the definition's root.
    private static func path(_ token: NextflowToken) -> String {
        guard case .string(let parts) = token.kind else { return "" }
        var text = ""
        for part in parts {
            switch part {
            case .text(let piece): text += piece
            case .expression(let inner):
                let name = inner.compactMap(\.word).joined(separator: ".")
                text += name == "projectDir" || name == "baseDir" ? "\u{0}root" : "\u{0}unknown"
            }
        }
        return text
    }

    /// An expression as written, shortened.
    static func text(_ tokens: ArraySlice<NextflowToken>) -> String {
        var text = ""
        for token in tokens {
            if text.utf8.count > 200 { break }
            switch token.kind {
            case .word(let word): text += (text.last.map { $0.isLetter || $0.isNumber } ?? false ? " " : "") + word
            case .number(let number): text += number
            case .symbol(let symbol): text += symbol
            case .newline: continue
            case .string(let parts):
                text += "\""
                for part in parts {
                    switch part {
                    case .text(let piece): text += piece
                    case .expression(let inner): text += "${" + self.text(inner[...]) + "}"
                    }
                }
                text += "\""
            }
        }
        return String(text.prefix(200))
    }
}
