/// A node of an expression; children are indices into the document's nodes, so that no depth of nesting is a depth of
/// memory.
enum WDLExpression {
    typealias ID = Int32

    enum Part {
        case text(String)
        case placeholder(ID, WDLPlaceholderOptions)
    }

    case null
    case bool(Bool)
    case integer(Int)
    case float(Double)
    /// An integer with a leading zero, or one too long: engines do not agree on its value.
    case oddNumber
    case string([Part])
    case name(String)
    case member(ID, String)
    case index(ID, ID)
    case apply(String, [ID])
    case not(ID)
    case negative(ID)
    case binary(UInt8, ID, ID)
    case choice(condition: ID, then: ID, otherwise: ID)
    case array([ID])
    case pair(ID, ID)
    case map([(key: ID, value: ID)])
    case object([(key: String, value: ID)])
}

/// `~{sep=", " array}` and its kin, of draft-2 to 1.0.
struct WDLPlaceholderOptions {
    var separator: String?
    var standIn: WDLExpression.ID?
    var whenTrue: String?
    var whenFalse: String?
}

/// What of a type matters to a value.
struct WDLType {
    var name: String
    var isOptional: Bool
}

/// `String docker = "…"`.
struct WDLDeclaration {
    var type: WDLType
    var name: String
    var value: WDLExpression.ID?
    var isInput: Bool
    var line: Int
}

/// `call target as name after other { input: … }`.
struct WDLCall {
    var target: String
    var name: String
    var inputs: [(name: String, value: WDLExpression.ID, line: Int)]
    var line: Int
    /// Calls that have to have ended, whatever this one takes from them.
    var after: [String] = []
}

/// A block of a task or workflow; block 0 is its body.
struct WDLBlock {
    enum Kind {
        case body
        case output
        /// Entered where every guard has its value; `else` adds guards that must be false.
        case conditional([(condition: WDLExpression.ID, value: Bool)])
        case scatter(variable: String, over: WDLExpression.ID)
    }

    enum Element {
        case declaration(Int)
        case call(Int)
        case block(Int)
    }

    var kind: Kind
    var parent: Int
    var line: Int
    var elements: [Element] = []
}

/// What a name means inside a task or workflow.
struct WDLName {
    enum Meaning {
        case declaration(Int)
        case call(Int)
        /// The variable of the block, a scatter.
        case scatterVariable
    }

    var meaning: Meaning
    var block: Int
}

/// One attribute of `runtime` or `requirements` that names an image.
struct WDLContainerAttribute {
    var expression: WDLExpression.ID
    var line: Int
    /// As written, at most 200 characters.
    var text: String
}

/// A task or a workflow.
final class WDLCallable {
    let name: String
    let isTask: Bool
    let line: Int
    /// Index of the document it stands in.
    let document: Int
    var declarations: [WDLDeclaration] = []
    var calls: [WDLCall] = []
    var blocks: [WDLBlock] = []
    var names: [String: [WDLName]] = [:]
    /// The block of its outputs.
    var outputBlock: Int?
    /// By the rank of the key: `requirements.container`, `runtime.container`, `runtime.docker`.
    var containers: [Int: WDLContainerAttribute] = [:]

    init(name: String, isTask: Bool, line: Int, document: Int) {
        self.name = name
        self.isTask = isTask
        self.line = line
        self.document = document
        blocks.append(WDLBlock(kind: .body, parent: -1, line: line))
    }

    /// The attribute that holds: WDL 1.2 section "requirements" replaces `runtime`, `container` replaces `docker`.
    var container: WDLContainerAttribute? { containers.min { $0.key < $1.key }?.value }
}

/// `import "uri" as namespace`.
struct WDLImport {
    var reference: String
    var namespace: String
    var line: Int
}

/// One file, read.
final class WDLDocument {
    let path: String
    /// draft-2: no version statement; declarations anywhere are inputs.
    var isDraft2 = true
    var imports: [WDLImport] = []
    var tasks: [String: WDLCallable] = [:]
    var workflows: [WDLCallable] = []
    var nodes: [WDLExpression] = []
    var lines: [Int32] = []
    var faults: [WDLFault] = []
    /// Namespace to what was imported under it; filled by the reader of imports.
    var namespaces: [String: WDLNamespace] = [:]

    init(path: String) { self.path = path }
}

/// What an import led to.
enum WDLNamespace {
    case document(Int)
    /// Remote, missing or refused, with the reason in words.
    case absent(String)
}
