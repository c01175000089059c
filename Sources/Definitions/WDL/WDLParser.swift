/// Reads the declarations of a WDL text, draft-2 to 1.2 and a little beyond. Types are not checked. A part that cannot be
/// read becomes a fault of the document and the reading goes on behind it.
struct WDLParser {
    static let maximumDepth = 120
    /// Blocks in blocks.
    static let maximumBlocks = 50
    private static let maximumFaults = 50

    let bytes: [UInt8]
    let document: WDLDocument
    let number: Int
    var tokens: [WDLToken]
    var index = 0
    var depth = 0
    /// Tokens still to be passed, so that going on behind faults stays linear.
    private var budget: Int

    /// - Parameters:
    ///   - number: The index that the document will have among all that are read.
    ///   - words: How many may be read yet; lessened by those of this text. Each costs memory, whatever it means.
    /// - Returns: nil where there are more.
    static func read(_ bytes: [UInt8], path: String, number: Int, words: inout Int) -> WDLDocument? {
        let document = WDLDocument(path: path)
        guard !bytes.starts(with: [0xFF, 0xFE]), !bytes.starts(with: [0xFE, 0xFF]) else {
            document.faults = [WDLFault(line: 1, message: "the text is UTF-16; save it as UTF-8")]
            return document
        }
        var lexer = WDLLexer(bytes)
        guard lexer.read(atMost: words) else { return nil }
        words -= lexer.tokens.count
        document.faults = lexer.faults
        document.nodes.reserveCapacity(lexer.tokens.count / 3)
        document.lines.reserveCapacity(lexer.tokens.count / 3)
        var parser = WDLParser(bytes, document, number: number, lexer.tokens)
        parser.readDocument()
        return document
    }

    private init(_ bytes: [UInt8], _ document: WDLDocument, number: Int, _ tokens: [WDLToken]) {
        self.bytes = bytes
        self.document = document
        self.number = number
        self.tokens = tokens
        budget = 20 * tokens.count + 10_000
    }

    // MARK: Tokens

    var token: WDLToken { tokens[index] }

    func token(ahead: Int) -> WDLToken { tokens[min(index + ahead, tokens.count - 1)] }

    mutating func advance() {
        budget -= 1
        if budget > 0 {
            if index + 1 < tokens.count { index += 1 }
        } else {
            if budget == 0 { record(WDLFault(line: Int(token.line), message: "the file is too broken to be read on")) }
            index = tokens.count - 1
        }
    }

    func isSign(_ sign: UInt8, ahead: Int = 0) -> Bool {
        let token = token(ahead: ahead)
        return token.kind == .punctuation && token.sign == sign
    }

    func isSign(_ character: Unicode.Scalar, ahead: Int = 0) -> Bool { isSign(UInt8(ascii: character), ahead: ahead) }

    func isWord(_ word: StaticString, ahead: Int = 0) -> Bool {
        let token = token(ahead: ahead)
        let count = Int(token.end - token.start)
        guard token.kind == .name, count == word.utf8CodeUnitCount else { return false }
        return word.withUTF8Buffer { buffer in
            buffer.elementsEqual(bytes[Int(token.start)..<Int(token.end)])
        }
    }

    func text(of token: WDLToken) -> String {
        String(decoding: bytes[Int(token.start)..<Int(token.end)], as: UTF8.self)
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard isSign(character) else { return false }
        advance()
        return true
    }

    mutating func expect(_ character: Unicode.Scalar) throws(WDLFault) {
        guard take(character) else { throw unexpected("`\(character)`") }
    }

    mutating func name() throws(WDLFault) -> String {
        guard token.kind == .name else { throw unexpected("a name") }
        guard token.end - token.start <= 250 else {
            throw WDLFault(line: Int(token.line), message: "a name is longer than 250 letters")
        }
        let text = text(of: token)
        advance()
        return text
    }

    func unexpected(_ wanted: String) -> WDLFault {
        let written = bytes[Int(token.start)..<max(Int(token.start), min(Int(token.end), Int(token.start) + 40))]
        let found = token.kind == .end ? "the end of the file" : "`\(String(decoding: written, as: UTF8.self))`"
        return WDLFault(line: Int(token.line), message: "expected \(wanted), found \(found)")
    }

    mutating func record(_ fault: WDLFault) {
        if document.faults.count < Self.maximumFaults { document.faults.append(fault) }
    }

    /// Goes on behind a part that could not be read: at the next line that begins with a name, or at the brace that
    /// ends the block.
    mutating func recover(from start: Int) {
        index = start
        advance()
        var open = 0
        while token.kind != .end {
            if token.kind == .punctuation {
                switch token.sign {
                case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "("): open += 1
                case UInt8(ascii: "}") where open == 0: return
                case UInt8(ascii: "}"), UInt8(ascii: "]"), UInt8(ascii: ")"): open = max(0, open - 1)
                default: break
                }
            } else if open == 0, token.startsLine, token.kind == .name {
                return
            }
            advance()
        }
    }

    /// Passes over `{ … }`.
    mutating func skipBraces() throws(WDLFault) {
        try expect("{")
        var open = 1
        while token.kind != .end {
            if isSign("{") { open += 1 }
            if isSign("}") {
                open -= 1
                if open == 0 { return advance() }
            }
            advance()
        }
        throw unexpected("`}`")
    }

    // MARK: Document

    private mutating func readDocument() {
        while token.kind != .end {
            let start = index
            do throws(WDLFault) {
                try readItem()
            } catch {
                record(error)
                recover(from: start)
                if isSign("}") { advance() }
            }
        }
    }

    private mutating func readItem() throws(WDLFault) {
        if isWord("version") {
            advance()
            // `1.0`, `1.1`, `development`: what follows up to the end of the line.
            document.isDraft2 = isWord("draft")
            while token.kind != .end, !token.startsLine { advance() }
        } else if isWord("import") {
            try readImport()
        } else if isWord("task") {
            try readCallable(isTask: true)
        } else if isWord("workflow") {
            try readCallable(isTask: false)
        } else if isWord("struct") || isWord("enum") {
            advance()
            _ = try name()
            if isSign("[") { while token.kind != .end, !isSign("{") { advance() } }
            try skipBraces()
        } else {
            throw unexpected("`import`, `task`, `workflow` or `struct`")
        }
    }

    private mutating func readImport() throws(WDLFault) {
        let line = Int(token.line)
        advance()
        let reference = try literalString()
        let file = reference.split(separator: "/").last.map(String.init) ?? reference
        var namespace = file.hasSuffix(".wdl") ? String(file.dropLast(4)) : file
        while token.kind == .name, !token.startsLine || isWord("as") || isWord("alias") {
            if isWord("as") {
                advance()
                namespace = try name()
            } else if isWord("alias") {
                // Structs are not looked up by name, so their aliases mean nothing here.
                advance()
                _ = try name()
                guard isWord("as") else { throw unexpected("`as`") }
                advance()
                _ = try name()
            } else {
                break
            }
        }
        document.imports.append(WDLImport(reference: reference, namespace: namespace, line: line))
    }

    private mutating func readCallable(isTask: Bool) throws(WDLFault) {
        let line = Int(token.line)
        advance()
        let callable = WDLCallable(name: try name(), isTask: isTask, line: line, document: number)
        try expect("{")
        // Known by name even where its body is broken.
        if isTask {
            if document.tasks[callable.name] == nil { document.tasks[callable.name] = callable }
        } else {
            document.workflows.append(callable)
        }
        readBlock(0, of: callable)
        if !take("}") { record(unexpected("`}` at the end of \(isTask ? "task" : "workflow") \(callable.name)")) }
    }
}
