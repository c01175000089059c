/// A YAML or JSON text as nodes in one array, so that an alias is an index and neither depth nor sharing costs stack.
final class YAMLDocument: Sendable {
    /// A scalar, sequence or mapping.
    enum Kind: Sendable {
        /// Plain scalars may be null, a truth value or a number; others are strings.
        case scalar(String, isPlain: Bool)
        case sequence([Int])
        /// In the order of the text; of equal keys the last one holds.
        case mapping([Entry])
    }

    /// Indices of a key and its value.
    struct Entry: Sendable {
        var key: Int
        var value: Int
    }

    struct Node: Sendable {
        var kind: Kind
        /// From 1.
        var line: Int
    }

    let nodes: [Node]
    let root: Int

    init(nodes: [Node], root: Int) {
        self.nodes = nodes
        self.root = root
    }
}

/// A text that is not YAML.
struct YAMLFault: Error, Equatable {
    /// From 1.
    var line: Int
    var message: String
}
