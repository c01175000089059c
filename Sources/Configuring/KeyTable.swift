import Names

/// One key of an object in the configuration: its name, kind of value, words, and whether it takes a restart.
///
/// Reader, writer, schema and the list of what a reload cannot take come from it. The default is the blank object's.
struct Key<Root: Sendable>: Sendable {
    typealias Path<Value> = WritableKeyPath<Root, Value> & Sendable

    let name: String
    let read: @Sendable (JSONNode, Place, inout Root) -> Void
    /// Nil where the key is not written.
    let write: @Sendable (Root) -> JSONText?
    /// What is said where the key is left out; nil: it may be.
    private(set) var missing: String?
    /// The paths of what has changed and takes a restart; the first argument is the key's own path.
    private(set) var restarts: @Sendable (String, Root, Root) -> [String] = { _, _, _ in [] }
    /// But for the description; with the blank object's default.
    private let fragment: @Sendable (Root) -> JSONText
    private var words: [String]

    private init<Value: Sendable>(
        _ name: String,
        _ kind: ValueKind<Value>,
        get: @escaping @Sendable (Root) -> Value?,
        set: @escaping @Sendable (inout Root, Value) -> Void,
        shown: @escaping @Sendable (Root) -> Value? = { _ in nil }
    ) {
        self.name = name
        read = { node, place, root in
            if let value = kind.read(node, place) { set(&root, value) }
        }
        write = { get($0).map(kind.write) }
        fragment = { kind.schema.adding(shown($0).map { ["default": kind.write($0)] } ?? [:]) }
        words = kind.note.map { [$0] } ?? []
    }

    /// - Parameter isRequired: The key must stand there; it has no default.
    /// - Parameter blank: The value at which the key is not written.
    init<Value: Sendable & Equatable>(
        _ name: String,
        _ path: any Path<Value>,
        _ kind: ValueKind<Value>,
        isRequired: Bool = false,
        omitting blank: Value? = nil,
        takesRestart: Bool = false
    ) {
        self.init(
            name,
            kind,
            get: { $0[keyPath: path] == blank ? nil : $0[keyPath: path] },
            set: { $0[keyPath: path] = $1 },
            shown: { isRequired || blank != nil ? nil : $0[keyPath: path] }
        )
        if isRequired { missing = "the key is missing" }
        guard takesRestart else { return }
        words.append("Takes a restart.")
        restarts = { name, old, new in old[keyPath: path] == new[keyPath: path] ? [] : [name] }
    }

    /// A key whose absence has a meaning of its own; then it is not written.
    ///
    /// - Parameter shown: The default that the schema shows.
    init<Value: Sendable>(
        _ name: String,
        optional path: any Path<Value?>,
        _ kind: ValueKind<Value>,
        default shown: Value? = nil
    ) {
        self.init(name, kind, get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 }, shown: { _ in shown })
    }

    /// An object with keys of its own.
    ///
    /// - Parameter definition: The name below which the schema has the object already.
    init<Value: Sendable>(
        _ name: String,
        _ path: any Path<Value>,
        _ table: KeyTable<Value>,
        definition: String? = nil
    ) {
        let kind = ValueKind.object(table, definition: definition)
        self.init(name, kind, get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
        restarts = { name, old, new in table.restarts(name + ".", old[keyPath: path], new[keyPath: path]) }
    }

    init<Value: Sendable>(
        _ name: String,
        _ path: any Path<Value>,
        _ blank: Value,
        check: @escaping @Sendable (Value, Said) -> Void = { _, _ in },
        @KeysBuilder<Value> keys: () -> [Key<Value>]
    ) {
        self.init(name, path, KeyTable(blank, check: check, keys: keys))
    }

    /// A key without a value in the object.
    ///
    /// - Parameter written: What is written; nil: the key is not.
    init<Value: Sendable>(_ name: String, _ kind: ValueKind<Value>, writing written: Value?, missing: String? = nil) {
        self.init(name, kind, get: { _ in written }, set: { _, _ in })
        self.missing = missing
    }

    /// One of several keys of which each alone makes the whole.
    init<Value: Sendable>(
        _ name: String,
        _ kind: ValueKind<Value>,
        make: @escaping @Sendable (Value) -> Root,
        part: @escaping @Sendable (Root) -> Value?
    ) {
        self.init(name, kind, get: part, set: { $0 = make($1) })
    }

    /// The key with its words for the schema: sentences, or pieces of a long one.
    func saying(_ words: String...) -> Key {
        var key = self
        key.words = words + key.words
        return key
    }

    func schema(_ blank: Root) -> JSONText {
        let described: JSONText = words.isEmpty ? [:] : ["description": .string(words.joined(separator: " "))]
        return described.adding(fragment(blank))
    }
}

@resultBuilder
enum KeysBuilder<Root: Sendable> {
    static func buildExpression(_ key: Key<Root>) -> [Key<Root>] { [key] }
    static func buildExpression(_ keys: [Key<Root>]) -> [Key<Root>] { keys }
    static func buildBlock(_ keys: [Key<Root>]...) -> [Key<Root>] { keys.flatMap(\.self) }
}

/// Keys of one object, in the order of the file.
struct KeyTable<Root: Sendable>: Sendable {
    /// What holds where nothing is said.
    let blank: Root
    let keys: [Key<Root>]
    /// For members whose keys are names of the operator's; nil: there are none.
    var others: Others?
    /// Complains of what no key can see alone.
    let check: @Sendable (Root, Said) -> Void

    struct Others: Sendable {
        let read: @Sendable (JSONNode.Member, Place, inout Root) -> Void
        let write: @Sendable (Root) -> [JSONText.Member]
        /// Of one member.
        let schema: JSONText
    }

    init(
        _ blank: Root,
        check: @escaping @Sendable (Root, Said) -> Void = { _, _ in },
        @KeysBuilder<Root> keys: () -> [Key<Root>]
    ) {
        self.blank = blank
        self.keys = keys()
        self.check = check
    }

    /// Nil where the node is no object; every problem is in the place's findings.
    func read(_ node: JSONNode, _ place: Place) -> Root? {
        guard let members = place.members(of: node) else { return nil }
        var root = blank
        for member in members {
            let inner = place.key(member.key)
            if let key = keys.first(where: { $0.name == member.key }) {
                key.read(member.value, inner, &root)
            } else if let others {
                others.read(member, inner, &root)
            } else {
                inner.complain(member.position, unknown(member.key))
            }
        }
        let said = Said(members: members, place: place)
        for key in keys where said[key.name] == nil {
            // Of the whole file no line is to blame.
            let position = place.path.isEmpty ? nil : node.position
            if let missing = key.missing { place.key(key.name).complain(position, missing) }
        }
        check(root, said)
        return root
    }

    func write(_ root: Root) -> JSONText {
        let own = keys.compactMap { key in key.write(root).map { JSONText.Member(key: key.name, value: $0) } }
        return .object(own + (others?.write(root) ?? []))
    }

    var schema: JSONText {
        let required = keys.filter { $0.missing != nil }.map { JSONText.string($0.name) }
        let properties = keys.map { JSONText.Member(key: $0.name, value: $0.schema(blank)) }
        let schema: JSONText = ["type": "object", "additionalProperties": others?.schema ?? false]
        return schema.adding(required.isEmpty ? [:] : ["required": .array(required)])
            .adding(["properties": .object(properties)])
    }

    /// The paths of what differs and takes a restart, in the order of the file.
    func restarts(_ prefix: String, _ old: Root, _ new: Root) -> [String] {
        keys.flatMap { $0.restarts(prefix + $0.name, old, new) }
    }

    /// The complaint about a key that is not here, with the nearest one that is.
    private func unknown(_ key: String) -> String {
        let known = keys.map(\.name).sorted()
        return NearestName.of(key, among: known).map { "unknown key; did you mean \"\($0)\"?" }
            ?? "unknown key; known here: \(known.joined(separator: ", "))"
    }
}
