/// A node of a CWL document together with the file it came from, so that references in it can be resolved and lines
/// named wherever it was imported to.
struct CWLNode: Sendable {
    let document: CWLDocument
    let index: Int

    private var kind: YAMLDocument.Kind { document.yaml.nodes[index].kind }

    var line: Int { document.yaml.nodes[index].line }

    var evidence: Evidence {
        document.parameter.map { .parameter(path: $0) } ?? .source(file: document.path, line: line)
    }

    /// What tells this node from all others.
    var identity: Identity { Identity(path: document.path, index: index) }

    struct Identity: Hashable, Sendable {
        var path: String
        var index: Int
    }

    /// The text of a scalar; nil for null and for collections.
    var string: String? {
        guard case .scalar(let text, let isPlain) = kind else { return nil }
        return isPlain && CWLNode.isNull(text) ? nil : text
    }

    var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = kind else { return false }
        return CWLNode.isNull(text)
    }

    var elements: [CWLNode]? {
        guard case .sequence(let elements) = kind else { return nil }
        return elements.map { CWLNode(document: document, index: $0) }
    }

    /// Keys that are scalars, with their values, in the order of the text; of equal keys the last one.
    var entries: [(key: String, value: CWLNode)]? {
        guard case .mapping(let entries) = kind else { return nil }
        var found: [(key: String, value: CWLNode)] = []
        var places: [String: Int] = [:]
        for entry in entries {
            guard case .scalar(let key, _) = document.yaml.nodes[entry.key].kind else { continue }
            let value = CWLNode(document: document, index: entry.value)
            if let place = places[key] {
                found[place].value = value
            } else {
                places[key] = found.count
                found.append((key, value))
            }
        }
        return found
    }

    /// Elements or entries; 0 for a scalar.
    var count: Int {
        switch kind {
        case .scalar: 0
        case .sequence(let elements): elements.count
        case .mapping(let entries): entries.count
        }
    }

    var isMapping: Bool {
        if case .mapping = kind { true } else { false }
    }

    subscript(key: String) -> CWLNode? {
        guard case .mapping(let entries) = kind else { return nil }
        for entry in entries.reversed() {
            if case .scalar(let text, _) = document.yaml.nodes[entry.key].kind, text == key {
                return CWLNode(document: document, index: entry.value)
            }
        }
        return nil
    }

    /// The node as a JSON value, plain scalars resolved by the core schema of YAML 1.2.
    ///
    /// - Parameter budget: Values that may still be made; aliases can make a short text a long value.
    func value(budget: inout Int, depth: Int = 0) -> ParameterValue? {
        budget -= 1
        guard budget > 0, depth < YAMLParser.maximumDepth else { return nil }
        switch kind {
        case .scalar(let text, let isPlain): return isPlain ? CWLNode.resolved(text) : .string(text)
        case .sequence(let elements):
            var values: [ParameterValue] = []
            for element in elements {
                let node = CWLNode(document: document, index: element)
                guard let value = node.value(budget: &budget, depth: depth + 1) else { return nil }
                values.append(value)
            }
            return .array(values)
        case .mapping:
            var members: [String: ParameterValue] = [:]
            for entry in entries ?? [] {
                guard let value = entry.value.value(budget: &budget, depth: depth + 1) else { return nil }
                members[entry.key] = value
            }
            return .object(members)
        }
    }

    private static func isNull(_ text: String) -> Bool {
        text.isEmpty || text == "~" || text == "null" || text == "Null" || text == "NULL"
    }

    private static func resolved(_ text: String) -> ParameterValue {
        if isNull(text) { return .null }
        switch text {
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        // Numbers stay as they are written: how they look in a text is another question.
        return isNumber(Array(text.utf8)) ? .number(text) : .string(text)
    }

    /// An integer, of base 8 and 16 too, or a float of the core schema (YAML 1.2, 10.3.2).
    private static func isNumber(_ bytes: [UInt8]) -> Bool {
        func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }
        if bytes.count > 2, bytes[0] == UInt8(ascii: "0"),
            bytes[1] == UInt8(ascii: "x") || bytes[1] == UInt8(ascii: "o")
        {
            let digits = String(decoding: bytes[2...], as: UTF8.self)
            return UInt64(digits, radix: bytes[1] == UInt8(ascii: "x") ? 16 : 8) != nil
        }
        guard let first = bytes.first, bytes.contains(where: isDigit) else { return false }
        let isSigned = first == UInt8(ascii: "-") || first == UInt8(ascii: "+")
        guard let start = bytes.dropFirst(isSigned ? 1 : 0).first, isDigit(start) || start == UInt8(ascii: ".") else {
            return false
        }
        // YAML 1.1, and some readers of 1.2, have `_` in numbers.
        if bytes.dropFirst(isSigned ? 1 : 0).allSatisfy({ isDigit($0) || $0 == UInt8(ascii: "_") }) { return true }
        return bytes.allSatisfy { isDigit($0) || "+-.eE".utf8.contains($0) }
            && Double(String(decoding: bytes, as: UTF8.self)) != nil
    }
}

/// A file of the definition that was read as YAML, or a parameter of the run.
final class CWLDocument: Sendable {
    let path: String
    let parameter: String?
    let yaml: YAMLDocument

    init(path: String, parameter: String? = nil, yaml: YAMLDocument) {
        self.path = path
        self.parameter = parameter
        self.yaml = yaml
    }

    var root: CWLNode { CWLNode(document: self, index: yaml.root) }
}
