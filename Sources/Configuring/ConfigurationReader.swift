import Model

/// Reads one JSON object, notes which keys were asked for, and collects what is wrong instead of stopping at it.
///
/// Every accessor gives nil when the key is absent or its value is unusable; the problem is then in `problems`.
struct ConfigurationReader {
    typealias Problem = ConfigurationError.Problem

    /// Shared by the readers of one document.
    final class Findings {
        var problems: [Problem] = []
    }

    let path: String
    let findings: Findings
    /// Whether the node was an object at all.
    let isObject: Bool
    private let members: [JSONNode.Member]
    private var asked: Set<String> = []

    /// A reader over a node that should be an object; another kind is reported and reads as an empty object.
    init(_ node: JSONNode, path: String, findings: Findings) {
        self.path = path
        self.findings = findings
        guard case .object(let members) = node.value else {
            self.members = []
            isObject = false
            findings.problems.append(
                Problem(
                    path: path,
                    line: node.position.line,
                    column: node.position.column,
                    message: "expected an object, found \(node.kind)"
                )
            )
            return
        }
        isObject = true
        var first: [String: JSONNode.Position] = [:]
        var kept: [JSONNode.Member] = []
        for member in members {
            if let earlier = first[member.key] {
                findings.problems.append(
                    Problem(
                        path: Self.join(path, member.key),
                        line: member.position.line,
                        column: member.position.column,
                        message: "this key already stands in line \(earlier.line); remove one of the two"
                    )
                )
            } else {
                first[member.key] = member.position
                kept.append(member)
            }
        }
        self.members = kept
    }

    static func join(_ path: String, _ key: String) -> String {
        let plain = key.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
        let step = plain ? key : "[\"\(key)\"]"
        if path.isEmpty { return step }
        return plain ? "\(path).\(step)" : path + step
    }

    /// All keys with their values, for objects whose keys are names; they count as asked for.
    mutating func entries() -> [(key: String, node: JSONNode, path: String)] {
        members.map { member in
            asked.insert(member.key)
            return (member.key, member.value, Self.join(path, member.key))
        }
    }

    /// Reports keys that nobody asked for, with the nearest one that exists.
    func finish() {
        for member in members where !asked.contains(member.key) {
            var message = "unknown key"
            if let near = Self.nearest(member.key, among: asked) {
                message += "; did you mean \"\(near)\"?"
            } else if !asked.isEmpty {
                message += "; known here: \(asked.sorted().joined(separator: ", "))"
            }
            findings.problems.append(
                Problem(
                    path: Self.join(path, member.key),
                    line: member.position.line,
                    column: member.position.column,
                    message: message
                )
            )
        }
    }

    func complain(_ node: JSONNode, _ path: String, _ message: String) {
        findings.problems.append(
            Problem(path: path, line: node.position.line, column: node.position.column, message: message)
        )
    }

    /// The value of a key; nil when it is absent.
    mutating func node(_ key: String) -> JSONNode? {
        asked.insert(key)
        return members.first { $0.key == key }?.value
    }

    /// Reads a sub-object, and reports its unknown keys afterwards.
    mutating func object(_ key: String, _ read: (inout ConfigurationReader) -> Void) {
        guard let node = node(key) else { return }
        var reader = ConfigurationReader(node, path: Self.join(path, key), findings: findings)
        read(&reader)
        reader.finish()
    }

    /// The general form: `convert` gives nil for a value it can't use, which `expected` then describes.
    mutating func value<Value>(_ key: String, expected: String, _ convert: (JSONNode) -> Value?) -> Value? {
        guard let node = node(key) else { return nil }
        if let value = convert(node) { return value }
        complain(node, Self.join(path, key), "expected \(expected), found \(Self.show(node))")
        return nil
    }

    /// The same where `null` is a value too: the outer nil is "absent or unusable".
    mutating func nullable<Value>(_ key: String, expected: String, _ convert: (JSONNode) -> Value?) -> Value?? {
        value(key, expected: expected + " or null") { node -> Value?? in
            if case .null = node.value { return .some(nil) }
            return convert(node).map { .some($0) }
        }
    }

    mutating func list<Value>(_ key: String, of expected: String, _ convert: (JSONNode) -> Value?) -> [Value]? {
        guard let node = node(key) else { return nil }
        let path = Self.join(path, key)
        guard case .array(let elements) = node.value else {
            complain(node, path, "expected an array of \(expected), found \(node.kind)")
            return nil
        }
        var values: [Value] = []
        for (index, element) in elements.enumerated() {
            if let value = convert(element) {
                values.append(value)
            } else {
                complain(element, "\(path)[\(index)]", "expected \(expected), found \(Self.show(element))")
            }
        }
        return values
    }

    /// A value as an error shows it: kinds for containers, the text itself (shortened) for the rest.
    static func show(_ node: JSONNode) -> String {
        switch node.value {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let text): String(text.prefix(40))
        case .string(let text): "\"\(String(text.prefix(60)))\""
        case .array, .object: node.kind
        }
    }

    /// The known key with the smallest edit distance, if it is small enough to be a slip.
    static func nearest(_ key: String, among known: Set<String>) -> String? {
        let bound = max(1, min(3, key.count / 3 + 1))
        let ranked = known.map { (name: $0, distance: distance(key.lowercased(), $0.lowercased())) }
            .filter { $0.distance <= bound }
            .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
        return ranked.first?.name
    }

    private static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left.prefix(64))
        let right = Array(right.prefix(64))
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (a == b ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[right.count]
    }
}

/// Conversions of single values; each gives nil for what it can't use.
extension JSONNode {
    var string: String? {
        if case .string(let text) = value { text } else { nil }
    }

    /// A string with something in it and no control characters.
    var text: String? {
        string.flatMap { text in
            !text.isEmpty && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F } ? text : nil
        }
    }

    var bool: Bool? {
        if case .bool(let flag) = value { flag } else { nil }
    }

    func integer(in range: ClosedRange<Int>) -> Int? {
        guard case .number(let text) = value, let number = Int(text), range.contains(number) else { return nil }
        return number
    }

    func number(above low: Double, atMost high: Double) -> Double? {
        guard case .number(let text) = value, let number = Double(text), number > low, number <= high else {
            return nil
        }
        return number
    }

    func duration(in range: ClosedRange<Duration>) -> Duration? {
        guard let text = string, let duration = DurationText.parse(text), range.contains(duration) else { return nil }
        return duration
    }

    var byteCount: ByteCount? { string.flatMap(ByteCount.init(parsing:)) }

    var glob: Glob? { string.flatMap(Glob.init) }

    func choice<Choice: RawRepresentable & CaseIterable>(_: Choice.Type) -> Choice? where Choice.RawValue == String {
        string.flatMap(Choice.init(rawValue:))
    }
}
