/// An expression of Groovy, as far as images need it.
struct NextflowExpression: Sendable {
    indirect enum Kind: Sendable {
        case null
        case bool(Bool)
        case number(String)
        case string(String)
        case template([Part])
        case name(String)
        case list([NextflowExpression])
        case map([(key: NextflowExpression, value: NextflowExpression)])
        case closure(NextflowClosure)
        case member(NextflowExpression, String)
        /// `list*.member`
        case spread(NextflowExpression, String)
        case index(NextflowExpression, NextflowExpression)
        case call(target: NextflowExpression?, name: String, arguments: [NextflowExpression])
        /// `{ … }()` and calls of other values.
        case apply(NextflowExpression, [NextflowExpression])
        case unary(String, NextflowExpression)
        case binary(String, NextflowExpression, NextflowExpression)
        case ternary(NextflowExpression, NextflowExpression, NextflowExpression)
        case elvis(NextflowExpression, NextflowExpression)
        /// Read, but without meaning here (`new Date()`, a cast to a type).
        case opaque(String)
    }

    enum Part: Sendable {
        case text(String)
        case value(NextflowExpression)
    }

    var kind: Kind
    var line: Int32
    /// Levels below; bounded, so that walking it is.
    var height: Int32
    /// Bytes of the source.
    var start: Int32
    var stop: Int32
}

/// A parameter of a closure or function.
struct NextflowParameter: Sendable {
    var name: String
    var fallback: NextflowExpression?
}

/// A block of code as a value.
struct NextflowClosure: Sendable {
    /// nil: the implicit `it`.
    var parameters: [NextflowParameter]?
    var body: [NextflowStatement]
    /// Names of variables that the body may change.
    var changed: [String] = []
}

/// A statement of a configuration, a closure or a process's head.
struct NextflowStatement: Sendable {
    indirect enum Kind: Sendable {
        case expression(NextflowExpression)
        /// `path = value`, `path += value`; the path's parts are names and texts.
        case assign([String], String, NextflowExpression)
        /// `path[key] = value` with a key that has to be evaluated.
        case assignElement([String], NextflowExpression, String, NextflowExpression)
        /// `def name = value`, with a type or without.
        case define([String], NextflowExpression?)
        /// `name { … }`
        case scope([String], [NextflowStatement])
        /// `withLabel: pattern { … }`, `withName: pattern { … }`
        case selector(String, NextflowExpression, [NextflowStatement])
        case choice(NextflowExpression, [NextflowStatement], [NextflowStatement])
        case attempt([NextflowStatement], [NextflowStatement], [NextflowStatement])
        case loop(String?, NextflowExpression?, [NextflowStatement])
        case selection(NextflowExpression, [(values: [NextflowExpression], body: [NextflowStatement])])
        case finish(NextflowExpression?)
        case raise
        /// `break`, `continue`
        case leave
        case function(String, NextflowClosure)
        /// Could not be read: why, and the dotted name it begins with.
        case broken(String, [String])
    }

    var kind: Kind
    var line: Int32
    /// The words it takes, by their places in the file; empty where it was not read from a block.
    var words: Range<Int> = 0..<0
    /// Of a statement with statements in it, or one that could not be read: names of variables that it may change.
    var changed: [String] = []
}
