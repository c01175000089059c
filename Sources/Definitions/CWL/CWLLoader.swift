/// Reads the files of a CWL definition, each once, and resolves what refers from one to another.
struct CWLLoader {
    /// Files of one definition that are read at most, and their bytes together.
    static let maximumFiles = 4_000
    static let maximumBytes = 64 << 20

    private let files: any DefinitionFiles
    private var documents: [String: Result<CWLDocument, Fault>] = [:]
    private var includes: [String: Result<String, Fault>] = [:]
    private var bytesRead = 0
    private(set) var notes: [DefinitionNote] = []
    private var noted: Set<DefinitionNote> = []
    private var graphs: [String: [String: CWLNode]] = [:]
    private var mains: [String: Result<CWLNode, Fault>] = [:]
    /// References followed inside one another, and so the stack.
    private var depth = 0
    private static let maximumDepth = 20

    /// Why a reference leads to nothing.
    struct Fault: Error, Hashable {
        var reason: String
    }

    init(_ files: any DefinitionFiles) { self.files = files }

    mutating func note(_ place: Evidence?, _ message: String) {
        let note = DefinitionNote(place: place, message: message)
        // Bounded: a hostile definition may repeat a fault without end.
        guard notes.count < 1_000, noted.insert(note).inserted else { return }
        notes.append(note)
    }

    mutating func document(_ path: String) throws(Fault) -> CWLDocument {
        if let known = documents[path] { return try known.get() }
        let result = load(path)
        documents[path] = result
        return try result.get()
    }

    private mutating func load(_ path: String) -> Result<CWLDocument, Fault> {
        switch read(path) {
        case .failure(let fault): return .failure(fault)
        case .success(let bytes):
            var parser = YAMLParser(bytes)
            do throws(YAMLFault) {
                return .success(CWLDocument(path: path, yaml: try parser.document()))
            } catch {
                return .failure(Fault(reason: "\(path):\(error.line) is not YAML: \(error.message)"))
            }
        }
    }

    private mutating func read(_ path: String) -> Result<[UInt8], Fault> {
        guard documents.count + includes.count < Self.maximumFiles, bytesRead < Self.maximumBytes else {
            return .failure(Fault(reason: "\(path) is not read: the definition reaches too many files"))
        }
        switch files.read(path) {
        case .missing: return .failure(Fault(reason: "\(path) is not in the definition"))
        case .refused(let reason): return .failure(Fault(reason: "\(path) is not read: \(reason)"))
        case .contents(let bytes):
            bytesRead += bytes.count
            return .success(bytes)
        }
    }

    /// The node that stands for this one: what `$import` leads to, through any number of files.
    ///
    /// - Returns: nil where it leads to nothing, which is noted.
    mutating func resolved(_ node: CWLNode) -> CWLNode? {
        var node = node
        for _ in 0..<Self.maximumDepth {
            guard let reference = CWLLoader.importReference(node) else { return node }
            do {
                node = try target(of: reference)
            } catch {
                note(reference.evidence, "$import: \(error.reason)")
                return nil
            }
        }
        note(node.evidence, "$import leads through more than \(Self.maximumDepth) files")
        return nil
    }

    private static func importReference(_ node: CWLNode) -> CWLNode? {
        guard node.isMapping else { return nil }
        for key in ["$import", "@import", "import"] {
            // The two old spellings only where nothing else is in the mapping.
            if let reference = node[key], reference.string != nil, key == "$import" || node.entries?.count == 1 {
                return reference
            }
        }
        return nil
    }

    /// The text of a scalar, or of the file that `$include` names.
    mutating func text(_ node: CWLNode) -> String? {
        guard let node = resolved(node) else { return nil }
        guard let reference = node["$include"], let name = reference.string else { return node.string }
        do {
            let path = try path(of: name, from: node.document.path).path
            let known = includes[path] ?? read(path).map { String(decoding: $0, as: UTF8.self) }
            includes[path] = known
            return try known.get()
        } catch {
            note(reference.evidence, "$include: \(error.reason)")
            return nil
        }
    }

    /// What a scalar with a reference names: a file, a part of a file, or a part of its own file.
    mutating func target(of reference: CWLNode) throws(Fault) -> CWLNode {
        guard let text = reference.string else { throw Fault(reason: "an empty reference") }
        guard depth < Self.maximumDepth else {
            throw Fault(reason: "`\(text.prefix(200))` leads through more than \(Self.maximumDepth) files")
        }
        depth += 1
        defer { depth -= 1 }
        let document = reference.document
        let (path, fragment) = try path(of: text, from: document.path)
        let target = try self.document(path)
        if let fragment {
            guard let node = part(fragment, of: target) else {
                throw Fault(reason: "\(path) holds nothing with the id `\(fragment)`")
            }
            return node
        }
        if path == document.path { throw Fault(reason: "\(path) refers to itself") }
        return try main(of: target)
    }

    /// The process of a document: its root, or of a packed one `main`, or the only one.
    mutating func main(of document: CWLDocument) throws(Fault) -> CWLNode {
        if let known = mains[document.path] { return try known.get() }
        let found: Result<CWLNode, Fault>
        // A `$graph` may import what asks for this very document.
        mains[document.path] = .failure(Fault(reason: "\(document.path) imports itself"))
        do throws(Fault) { found = .success(try findMain(of: document)) } catch { found = .failure(error) }
        mains[document.path] = found
        return try found.get()
    }

    private mutating func findMain(of document: CWLDocument) throws(Fault) -> CWLNode {
        guard let list = document.root["$graph"], let elements = resolved(list)?.elements else { return document.root }
        let graph = elements.compactMap { resolved($0) }
        let ids = graph.map { $0["id"]?.string.map(CWLLoader.shortID) ?? "" }
        if let index = ids.lastIndex(of: "main") { return graph[index] }
        let processes = graph.filter { $0["class"] != nil }
        if processes.count == 1 { return processes[0] }
        guard !processes.isEmpty else { throw Fault(reason: "\(document.path) holds no process in its `$graph`") }
        throw Fault(
            reason: "\(document.path) holds several processes and none is `main`; name one as "
                + "\(document.path)#ID: \(ids.prefix(10).joined(separator: ", "))"
        )
    }

    /// The element with an id, anywhere in a document; ids of a packed document come first.
    mutating func part(_ fragment: String, of document: CWLDocument) -> CWLNode? {
        if graphs[document.path] == nil {
            graphs[document.path] = [:]
            graphs[document.path] = parts(of: document)
        }
        let parts = graphs[document.path] ?? [:]
        return parts[fragment] ?? parts[CWLLoader.shortID(fragment)]
    }

    private mutating func parts(of document: CWLDocument) -> [String: CWLNode] {
        var parts: [String: CWLNode] = [:]
        func add(_ node: CWLNode, _ id: String) {
            for name in [id, CWLLoader.shortID(id)] where parts[name] == nil { parts[name] = node }
        }
        for index in document.yaml.nodes.indices {
            let node = CWLNode(document: document, index: index)
            guard node.isMapping, let id = node["id"]?.string, node["class"] != nil else { continue }
            add(node, id)
        }
        // A packed document may import its processes.
        guard let list = document.root["$graph"], let elements = resolved(list)?.elements else { return parts }
        for element in elements {
            guard let process = resolved(element), let id = process["id"]?.string else { continue }
            add(process, id)
        }
        return parts
    }

    /// `#main` and `file.cwl#main` are `main`.
    static func shortID(_ id: String) -> String {
        part(of: id, behindLast: UInt8(ascii: "#"))
    }

    /// What stands behind the last of an ASCII character, or all.
    static func part(of text: String, behindLast mark: UInt8) -> String {
        guard let place = text.utf8.lastIndex(of: mark) else { return text }
        return String(text[text.utf8.index(after: place)...])
    }

    /// The file that a reference names, and the part of it.
    private func path(of reference: String, from base: String) throws(Fault) -> (path: String, fragment: String?) {
        var file = reference[...]
        var fragment: String?
        if let hash = reference.firstIndex(of: "#") {
            file = reference[..<hash]
            fragment = String(reference[reference.index(after: hash)...])
        }
        if let colon = file.firstIndex(of: ":"), file[..<colon].utf8.count > 1, !file[..<colon].contains("/") {
            throw Fault(reason: "`\(reference.prefix(200))` is remote or absolute and is never read")
        }
        if file.isEmpty { return (base, fragment) }
        let decoded = file.contains("%") ? CWLLoader.percentDecoded(file) : String(file)
        guard let path = DefinitionPath.resolve(decoded, from: base) else {
            throw Fault(reason: "`\(reference.prefix(200))` leads out of the definition and is not read")
        }
        return (path, fragment)
    }

    private static func percentDecoded(_ text: Substring) -> String {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let byte = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
            {
                result.append(byte)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
