/// Bodies of tasks and workflows.
extension WDLParser {
    /// Reads elements up to the brace that ends the block, which it leaves.
    mutating func readBlock(_ block: Int, of callable: WDLCallable) {
        depth += 1
        defer { depth -= 1 }
        while token.kind != .end, !isSign("}"), !isNextCallable {
            let start = index
            do throws(WDLFault) {
                guard depth < Self.maximumBlocks else {
                    throw WDLFault(line: Int(token.line), message: "blocks are nested too deep")
                }
                try readElement(in: block, of: callable)
            } catch {
                record(error)
                recover(from: start)
            }
            _ = take(",")
        }
    }

    /// Whether the next task begins, as where the brace that ends this one is missing.
    private var isNextCallable: Bool {
        (isWord("task") || isWord("workflow")) && token.startsLine && token(ahead: 1).kind == .name
            && isSign("{", ahead: 2)
    }

    private mutating func readElement(in block: Int, of callable: WDLCallable) throws(WDLFault) {
        let section = isSign("{", ahead: 1)
        if section, isWord("input") {
            advance()
            try expect("{")
            try readDeclarations(in: block, of: callable, areInputs: true)
        } else if section, isWord("output") {
            advance()
            try expect("{")
            let output = add(WDLBlock(kind: .output, parent: block, line: Int(token.line)), to: callable)
            callable.outputBlock = callable.outputBlock ?? output
            try readDeclarations(in: output, of: callable, areInputs: false)
        } else if section, isWord("meta") || isWord("parameter_meta") || isWord("hints") {
            advance()
            try skipBraces()
        } else if section, isWord("runtime") || isWord("requirements") {
            try readRequirements(of: callable)
        } else if isWord("command"), token(ahead: 1).kind == .command {
            advance()
            advance()
        } else if isWord("call"), token(ahead: 1).kind == .name {
            try readCall(in: block, of: callable)
        } else if isWord("scatter"), isSign("(", ahead: 1) {
            try readScatter(in: block, of: callable)
        } else if isWord("if"), isSign("(", ahead: 1) {
            try readConditional(in: block, of: callable)
        } else {
            try readDeclaration(in: block, of: callable, isInput: document.isDraft2)
        }
    }

    private func add(_ block: WDLBlock, to callable: WDLCallable) -> Int {
        callable.blocks.append(block)
        let number = callable.blocks.count - 1
        callable.blocks[block.parent].elements.append(.block(number))
        return number
    }

    private func declare(_ name: String, _ meaning: WDLName.Meaning, in block: Int, of callable: WDLCallable) {
        callable.names[name, default: []].append(WDLName(meaning: meaning, block: block))
    }

    private mutating func readDeclarations(
        in block: Int,
        of callable: WDLCallable,
        areInputs: Bool
    ) throws(WDLFault) {
        while token.kind != .end, !isSign("}") {
            let start = index
            do throws(WDLFault) {
                // draft-2: `call.output` or `call.*` in the outputs of a workflow.
                if token.kind == .name, isSign(".", ahead: 1) {
                    recover(from: start)
                } else {
                    try readDeclaration(in: block, of: callable, isInput: areInputs)
                }
            } catch {
                record(error)
                recover(from: start)
            }
            _ = take(",")
        }
        try expect("}")
    }

    private mutating func readDeclaration(
        in block: Int,
        of callable: WDLCallable,
        isInput: Bool
    ) throws(WDLFault) {
        if isWord("env"), token(ahead: 1).kind == .name, token(ahead: 2).kind == .name || isSign("?", ahead: 2) {
            advance()
        }
        let type = try type()
        let line = Int(token.line)
        let name = try name()
        let value = take("=") ? try expression() : nil
        callable.declarations.append(
            WDLDeclaration(type: type, name: name, value: value, isInput: isInput, line: line)
        )
        let number = callable.declarations.count - 1
        callable.blocks[block].elements.append(.declaration(number))
        declare(name, .declaration(number), in: block, of: callable)
    }

    private mutating func type() throws(WDLFault) -> WDLType {
        var type = WDLType(name: try name(), isOptional: false)
        if take("[") {
            var open = 1
            while open > 0 {
                if token.kind == .end { throw unexpected("`]`") }
                if isSign("[") { open += 1 }
                if isSign("]") { open -= 1 }
                advance()
            }
        }
        while isSign("?") || isSign("+") {
            if isSign("?") { type.isOptional = true }
            advance()
        }
        return type
    }

    private mutating func readRequirements(of callable: WDLCallable) throws(WDLFault) {
        let isRequirements = isWord("requirements")
        advance()
        try expect("{")
        while token.kind != .end, !isSign("}") {
            let start = index
            do throws(WDLFault) {
                let isString = token.kind == .stringStart
                let key = isString ? try literalString() : try name()
                try expect(isSign("=") ? "=" : ":")
                let first = token
                let value = try expression()
                if key == "container" || key == "docker" {
                    let last = tokens[index - 1]
                    let rank = (isRequirements ? 0 : 2) + (key == "container" ? 0 : 1)
                    let source = bytes[Int(first.start)..<max(Int(first.start), Int(last.end))]
                    var text = String(decoding: source.prefix(800), as: UTF8.self)
                    if last.kind == .stringEnd, source.count <= 800 {
                        text.unicodeScalars.append(Unicode.Scalar(last.sign))
                    }
                    callable.containers[rank] = WDLContainerAttribute(
                        expression: value,
                        line: Int(first.line),
                        text: String(text.prefix(200))
                    )
                }
            } catch {
                record(error)
                recover(from: start)
            }
            _ = take(",")
        }
        try expect("}")
    }

    private mutating func readCall(in block: Int, of callable: WDLCallable) throws(WDLFault) {
        let line = Int(token.line)
        advance()
        var target = try name()
        while take(".") { target += "." + (try name()) }
        var call = WDLCall(target: target, name: "", inputs: [], line: line)
        call.name = target.split(separator: ".").last.map(String.init) ?? target
        while isWord("as") || (isWord("after") && token(ahead: 1).kind == .name) {
            let isAlias = isWord("as")
            advance()
            let name = try name()
            if isAlias { call.name = name } else { call.after.append(name) }
        }
        // The call stands even where its inputs are broken.
        callable.calls.append(call)
        let number = callable.calls.count - 1
        callable.blocks[block].elements.append(.call(number))
        declare(call.name, .call(number), in: block, of: callable)
        guard isSign("{") else { return }
        advance()
        while token.kind != .end, !isSign("}") {
            let start = index
            do throws(WDLFault) {
                if isWord("input"), isSign(":", ahead: 1) {
                    advance()
                    advance()
                    continue
                }
                let line = Int(token.line)
                let name = try name()
                // `input: x` means `x = x`.
                let value = take("=") ? try expression() : add(.name(name), line: Int32(clamping: line))
                callable.calls[number].inputs.append((name, value, line))
            } catch {
                record(error)
                recover(from: start)
            }
            _ = take(",")
        }
        try expect("}")
    }

    private mutating func readScatter(in block: Int, of callable: WDLCallable) throws(WDLFault) {
        let line = Int(token.line)
        advance()
        try expect("(")
        let variable = try name()
        guard isWord("in") else { throw unexpected("`in`") }
        advance()
        let over = try expression()
        try expect(")")
        try expect("{")
        let number = add(
            WDLBlock(kind: .scatter(variable: variable, over: over), parent: block, line: line),
            to: callable
        )
        declare(variable, .scatterVariable, in: number, of: callable)
        readBlock(number, of: callable)
        try expect("}")
    }

    /// `if (…) { … }`, and of WDL 1.3 `else if` and `else`.
    private mutating func readConditional(in block: Int, of callable: WDLCallable) throws(WDLFault) {
        var failed: [(condition: WDLExpression.ID, value: Bool)] = []
        while true {
            let line = Int(token.line)
            var guards = failed
            if isWord("if") {
                advance()
                try expect("(")
                let condition = try expression()
                try expect(")")
                guards.append((condition, true))
                failed.append((condition, false))
            }
            let isLast = guards.count == failed.count && guards.last?.value != true
            try expect("{")
            let number = add(WDLBlock(kind: .conditional(guards), parent: block, line: line), to: callable)
            readBlock(number, of: callable)
            try expect("}")
            guard !isLast, isWord("else"), failed.count < 64 else { return }
            advance()
        }
    }
}
