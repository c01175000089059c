package import Definitions

/// A tool of `preclone mcp`: what it takes, what it gives, and what it does to the world.
package struct AgentTool: Sendable {
    /// Whose tools are asked for with `--tools`.
    package enum Selection: String, Sendable, CaseIterable {
        case all
        /// The eight of the tool that preclone replaces.
        case predecessor
        /// Those that change nothing.
        case readOnly = "read-only"
    }

    /// Who carries it out.
    package enum Place: Sendable, Hashable {
        /// The process that was called, on what it was given.
        case here
        /// The process that was called, from the record.
        case record
        /// The daemon; without one, the process that was called, with its own rights, since nothing is changed.
        case reading
        /// The daemon; without one, nobody, unless the process was started to work alone.
        case changing
        /// A request to the daemon, followed by the process that was called.
        case requesting
    }

    package var name: String
    package var title: String
    /// For a model that has never heard of preclone.
    package var description: String
    package var parameters: [Parameter]
    package var output: ToolSchema
    package var place: Place
    package var isReadOnly: Bool
    package var isIdempotent: Bool
    package var isDestructive: Bool
    /// It reaches beyond the account: registries.
    package var isOpenWorld: Bool
    /// One of the eight: its result stands below `result`, as the tool's did that preclone replaces.
    package var isPredecessors: Bool

    package struct Parameter: Sendable {
        package var name: String
        package var schema: ToolSchema
        package var isRequired: Bool

        package init(_ name: String, _ schema: ToolSchema, isRequired: Bool = false) {
            self.name = name
            self.schema = schema
            self.isRequired = isRequired
        }
    }

    package init(
        _ name: String,
        title: String,
        _ description: String,
        place: Place,
        readOnly: Bool = true,
        idempotent: Bool = true,
        openWorld: Bool = false,
        predecessor: Bool = false,
        parameters: [Parameter],
        output: ToolSchema
    ) {
        self.name = name
        self.title = title
        self.description = description
        self.parameters = parameters
        self.output = output
        self.place = place
        isReadOnly = readOnly
        isIdempotent = idempotent
        // Nothing that preclone does takes anything away.
        isDestructive = false
        isOpenWorld = openWorld
        isPredecessors = predecessor
    }

    /// Whether it is among a selection.
    package func belongs(to selection: Selection) -> Bool {
        switch selection {
        case .all: true
        case .predecessor: isPredecessors
        case .readOnly: isReadOnly
        }
    }

    /// The tool as it is at the control socket, where nothing on the caller's disk can be read; nil: there is none.
    package var overSocket: AgentTool? {
        guard place != .here else { return nil }
        var tool = self
        tool.parameters.removeAll { ["definition", "engine", "main"].contains($0.name) }
        return tool
    }

    /// The tool as `tools/list` shows it.
    package var listing: ParameterValue {
        let input = ToolSchema.record(
            parameters.map { ($0.name, $0.schema) },
            required: parameters.filter(\.isRequired).map(\.name),
            isClosed: true
        )
        let result = isPredecessors ? ToolSchema.record([("result", output)], required: ["result"]) : output
        return .object([
            "name": .string(name), "title": .string(title), "description": .string(description),
            "inputSchema": input.json, "outputSchema": result.json,
            "annotations": .object([
                "title": .string(title), "readOnlyHint": .bool(isReadOnly), "idempotentHint": .bool(isIdempotent),
                "destructiveHint": .bool(isDestructive), "openWorldHint": .bool(isOpenWorld),
            ]),
        ])
    }
}

/// A JSON schema, of the few forms that tools need.
package struct ToolSchema: Sendable, Hashable {
    package let json: ParameterValue

    private init(_ members: [String: ParameterValue]) { json = .object(members) }

    private static func described(
        _ members: [String: ParameterValue],
        _ description: String?,
        default value: ParameterValue? = nil
    ) -> ToolSchema {
        var members = members
        if let description { members["description"] = .string(description) }
        if let value { members["default"] = value }
        return ToolSchema(members)
    }

    package static func text(_ description: String? = nil, default value: String? = nil) -> ToolSchema {
        described(["type": .string("string")], description, default: value.map(ParameterValue.string))
    }

    /// One of some words.
    package static func word(_ words: [String], _ description: String? = nil, default value: String? = nil)
        -> ToolSchema
    {
        described(
            ["type": .string("string"), "enum": .array(words.map(ParameterValue.string))],
            description,
            default: value.map(ParameterValue.string)
        )
    }

    package static func flag(_ description: String? = nil, default value: Bool? = nil) -> ToolSchema {
        described(["type": .string("boolean")], description, default: value.map(ParameterValue.bool))
    }

    package static func count(
        _ description: String? = nil,
        default value: Int? = nil,
        in range: ClosedRange<Int>? = nil
    ) -> ToolSchema {
        var members: [String: ParameterValue] = ["type": .string("integer")]
        if let range {
            members["minimum"] = .number("\(range.lowerBound)")
            members["maximum"] = .number("\(range.upperBound)")
        }
        return described(members, description, default: value.map { .number("\($0)") })
    }

    package static func list(_ element: ToolSchema, _ description: String? = nil) -> ToolSchema {
        described(["type": .string("array"), "items": element.json], description)
    }

    /// An object whose values are texts.
    package static let texts = ToolSchema([
        "type": .string("object"), "additionalProperties": .object(["type": .string("string")]),
    ])

    /// An object of any kind.
    package static func any(_ description: String? = nil) -> ToolSchema {
        described(["type": .string("object")], description)
    }

    /// The same, or null, which is also what holds where nothing is given.
    package func orNull(_ description: String? = nil, hasDefault: Bool = true) -> ToolSchema {
        Self.described(
            ["anyOf": .array([json, .object(["type": .string("null")])])],
            description,
            default: hasDefault ? .null : nil
        )
    }

    /// An object with these members.
    ///
    /// - Parameter isClosed: it has no others.
    package static func record(
        _ members: [(String, ToolSchema)],
        required: [String]? = nil,
        isClosed: Bool = false
    ) -> ToolSchema {
        var schema: [String: ParameterValue] = [
            "type": .string("object"),
            "properties": .object(Dictionary(members.map { ($0.0, $0.1.json) }) { first, _ in first }),
        ]
        let required = required ?? members.map(\.0)
        if !required.isEmpty { schema["required"] = .array(required.map(ParameterValue.string)) }
        if isClosed { schema["additionalProperties"] = .bool(false) }
        return ToolSchema(schema)
    }
}
