/// A kind of value in the configuration: how it is read, how it is written, and what the schema says of it.
struct ValueKind<Value: Sendable>: Sendable {
    /// Completes "expected …".
    let expected: String
    /// An object, without a description.
    let schema: JSONText
    /// What the schema can only say in words: a whole sentence.
    var note: String?
    /// Nil for a value that cannot be used; then the place has a complaint.
    let read: @Sendable (JSONNode, Place) -> Value?
    let write: @Sendable (Value) -> JSONText
}

extension ValueKind {
    /// Values that are complained of as a whole.
    init(
        _ expected: String,
        _ schema: JSONText,
        note: String? = nil,
        write: @escaping @Sendable (Value) -> JSONText,
        parse: @escaping @Sendable (JSONNode) -> Value?
    ) {
        let read: @Sendable (JSONNode, Place) -> Value? = { node, place in
            let value = parse(node)
            if value == nil { place.expected(expected, node) }
            return value
        }
        self.init(expected: expected, schema: schema, note: note, read: read, write: write)
    }

    /// The same, or `null`.
    static func nullable<Wrapped>(_ kind: ValueKind<Wrapped>) -> ValueKind where Value == Wrapped? {
        ValueKind(
            expected: kind.expected,
            schema: kind.schema.orNull,
            note: kind.note,
            read: { node, place in
                if case .null = node.value { return .some(nil) }
                return kind.read(node, place.orNull).map { .some($0) }
            },
            write: { $0.map(kind.write) ?? .null }
        )
    }

    /// - Parameter limits: What the schema says of the array itself.
    static func list<Element>(of kind: ValueKind<Element>, _ limits: JSONText = [:]) -> ValueKind
    where Value == [Element] {
        ValueKind(
            expected: "an array of \(kind.expected)",
            schema: (["type": "array", "items": kind.schema] as JSONText).adding(limits),
            read: { node, place in
                guard case .array(let elements) = node.value else {
                    place.expectedParts("an array of \(kind.expected)", node)
                    return nil
                }
                let values = elements.enumerated().compactMap { kind.read($0.element, place.element($0.offset)) }
                return values.count == elements.count ? values : nil
            },
            write: { .array($0.map(kind.write)) }
        )
    }

    /// An object whose keys are names of the operator's.
    ///
    /// - Parameter limits: What the schema says of the object itself.
    /// - Parameter complaint: What is wrong with a name; nil: nothing.
    static func map<Element>(
        of kind: ValueKind<Element>,
        _ limits: JSONText,
        names complaint: @escaping @Sendable (String) -> String?
    ) -> ValueKind where Value == [String: Element] {
        ValueKind(
            expected: "an object",
            schema: (["type": "object", "additionalProperties": kind.schema] as JSONText).adding(limits),
            read: { node, place in
                guard let members = place.members(of: node) else { return nil }
                var values: Value = [:]
                for member in members {
                    let inner = place.key(member.key)
                    if let message = complaint(member.key) { inner.complain(member.value.position, message) }
                    values[member.key] = kind.read(member.value, inner)
                }
                return values
            },
            write: { values in
                .object(values.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: kind.write($0.value)) })
            }
        )
    }

    /// An object with keys of its own.
    ///
    /// - Parameter definition: The name below which the schema has it already.
    static func object(_ table: KeyTable<Value>, definition: String? = nil) -> ValueKind {
        let schema = definition.map(JSONText.reference) ?? table.schema
        return ValueKind(expected: "objects", schema: schema, read: table.read, write: table.write)
    }

    /// An object with exactly one of several keys.
    static func oneOf(_ expected: String, @KeysBuilder<Value?> keys: () -> [Key<Value?>]) -> ValueKind {
        let table = KeyTable<Value?>(nil, keys: keys)
        let forms = table.keys.map { key in
            [
                "type": "object", "additionalProperties": false, "required": [.string(key.name)],
                "properties": .object([.init(key: key.name, value: key.schema(nil))]),
            ] as JSONText
        }
        return ValueKind(
            expected: "one of " + expected,
            schema: ["anyOf": .array(forms)],
            read: { node, place in
                let value = table.read(node, place)
                guard case .object(let members) = node.value, members.count != 1 else { return value ?? nil }
                place.complain(node.position, "expected one of " + expected)
                return nil
            },
            write: { table.write($0) }
        )
    }
}

extension JSONText {
    static func reference(_ definition: String) -> JSONText { ["$ref": .string("#/$defs/\(definition)")] }

    /// The schema of the same values and null.
    fileprivate var orNull: JSONText {
        guard case .object(var members) = self,
            let index = members.firstIndex(where: { $0.key == "type" && $0.value != "object" })
        else { return or(["type": "null"]) }
        members[index].value = [members[index].value, "null"]
        return .object(members)
    }

    /// The schema of the values of both.
    func or(_ other: JSONText) -> JSONText {
        guard case .object(let members) = self, members.first?.key == "anyOf", case .array(let forms) = members[0].value
        else { return ["anyOf": [self, other]] }
        return ["anyOf": .array(forms + [other])]
    }
}
