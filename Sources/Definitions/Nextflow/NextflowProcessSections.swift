/// Where the sections of a process's body are.
struct NextflowProcessSections {
    private static let labels: Set<String> = [
        "input", "output", "script", "shell", "exec", "when", "stub", "stage", "topic",
    ]

    /// The directives, before the first section.
    private(set) var head: Range<Int>
    private var parts: [(label: String, words: Range<Int>)] = []
    private let tokens: [NextflowToken]

    init(_ process: NextflowScript.Definition) {
        tokens = process.script.tokens
        let body = process.body
        head = body
        var label: String?
        var start = body.lowerBound
        var depth = 0
        func close(_ index: Int, _ sections: inout NextflowProcessSections) {
            let words = start..<max(start, index)
            if let label { sections.parts.append((label, words)) } else { sections.head = words }
        }
        for index in body {
            switch tokens[index].kind {
            case .symbol("("), .symbol("["), .symbol("{"): depth += 1
            case .symbol(")"), .symbol("]"), .symbol("}"): depth -= 1
            case .name(let name) where depth == 0 && Self.labels.contains(name):
                guard index + 1 < body.upperBound, tokens[index + 1].isSymbol(":"),
                    index == body.lowerBound || tokens[index - 1].isNewline || tokens[index - 1].isSymbol(";")
                else { break }
                close(index, &self)
                label = name
                start = index + 2
            default: break
            }
        }
        close(body.upperBound, &self)
    }

    /// The names in the inputs: whatever they are, they hide what else has the name.
    var inputs: Set<String> {
        var names: Set<String> = []
        for part in parts where part.label == "input" || part.label == "stage" {
            for index in part.words {
                if let name = tokens[index].name { names.insert(name) }
            }
        }
        return names
    }

    /// The condition under which it runs.
    var when: (statements: [NextflowStatement], words: Range<Int>)? {
        guard var words = parts.first(where: { $0.label == "when" })?.words else { return nil }
        while let first = words.first, tokens[first].isNewline { words.removeFirst() }
        while let last = words.last, tokens[last].isNewline { words = words.dropLast() }
        guard !words.isEmpty else { return nil }
        var parser = NextflowParser(tokens, words)
        return (parser.statements(inBlock: false), words)
    }
}
