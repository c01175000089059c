/// The documents of a definition, read when a call first needs them.
final class WDLLibrary {
    private static let maximumDocuments = 2000
    /// Of one file and of all; the largest known definition has 0.9 MB in all.
    private static let maximumFileBytes = 2 << 20
    private static let maximumBytes = 8 << 20
    /// In all; several times those of the largest known definition. What is made of each takes up to 300 bytes.
    static let maximumWords = 200_000
    private static let hasTooManyWords = "the definition's texts hold more than \(maximumWords) words"

    private let files: any DefinitionFiles
    private(set) var documents: [WDLDocument] = []
    private var numbers: [String: Int] = [:]
    private var bytesRead = 0
    private var wordsLeft = maximumWords
    private(set) var notes: [DefinitionNote] = []
    private let main: String

    /// - Throws: Where the main file cannot be read.
    init(_ files: any DefinitionFiles, main: String) throws(DefinitionError) {
        self.files = files
        self.main = main
        switch files.read(main) {
        case .contents(let bytes) where bytes.count <= Self.maximumFileBytes:
            guard add(bytes, path: main) != nil else {
                throw DefinitionError("main file \(main): \(Self.hasTooManyWords)")
            }
        case .contents: throw DefinitionError("main file \(main): larger than 2 MiB")
        case .missing: throw DefinitionError("main file \(main): not in the definition")
        case .refused(let why): throw DefinitionError("main file \(main): \(why)")
        }
    }

    /// - Returns: Its number; nil where it is not read, since there is too much in all.
    private func add(_ bytes: [UInt8], path: String) -> Int? {
        bytesRead += bytes.count
        let number = documents.count
        guard let document = WDLParser.read(bytes, path: path, number: number, words: &wordsLeft) else { return nil }
        documents.append(document)
        numbers[path] = number
        for fault in document.faults.sorted(by: { $0.line < $1.line }) {
            notes.append(DefinitionNote(place: .source(file: path, line: fault.line), message: fault.message))
        }
        for item in document.imports where Self.isRemote(item.reference) {
            let message = "remote import \(item.reference.prefix(200)) is not fetched"
            notes.append(DefinitionNote(place: .source(file: path, line: item.line), message: message))
        }
        // What leads out is said of every file that is read, whether or not anything is called from there.
        for item in document.imports where isOutside(item, from: path) {
            let message = "import \(item.reference.prefix(200)) leaves the definition"
            notes.append(DefinitionNote(place: .source(file: path, line: item.line), message: message))
        }
        return number
    }

    /// Engines look beside the importing file; packed definitions are often written against the root or the main file.
    private func bases(from path: String) -> [String] { [path, "", main] }

    private func isOutside(_ item: WDLImport, from path: String) -> Bool {
        guard !Self.isRemote(item.reference) else { return false }
        return item.reference.hasPrefix("file://")
            || bases(from: path).allSatisfy { DefinitionPath.resolve(item.reference, from: $0) == nil }
    }

    private static func isRemote(_ reference: String) -> Bool {
        reference.contains("://") && !reference.hasPrefix("file://")
    }

    /// The bytes of a file of the definition that a value names, as a literal path: for `read_json` and its kin.
    func dataFile(_ reference: String, from document: Int) -> [UInt8]? {
        guard !reference.isEmpty, !reference.contains("://"), bytesRead < Self.maximumBytes else { return nil }
        for base in [documents[document].path, main] {
            guard let path = DefinitionPath.resolve(reference, from: base), files.exists(path) else { continue }
            guard case .contents(let bytes) = files.read(path) else { return nil }
            bytesRead += bytes.count
            return bytes
        }
        return nil
    }

    /// What `a.b.Task` means in a document, or why there is no such thing.
    func callable(_ target: String, in document: Int) -> Result<WDLCallable, WDLAbsence> {
        var number = document
        let parts = target.split(separator: ".").map(String.init)
        for part in parts.dropLast() {
            switch namespace(part, in: number) {
            case .document(let next): number = next
            case .absent(let why): return .failure(WDLAbsence(reason: why))
            }
        }
        let name = parts.last ?? target
        let found = documents[number]
        // A task and a workflow may share a name in files that engines accept; the workflow is what a caller of
        // another file means.
        let workflow = found.workflows.first { $0.name == name }
        let task = found.tasks[name]
        let callable = number == document ? task ?? workflow : workflow ?? task
        if let callable { return .success(callable) }
        let broken = found.faults.isEmpty ? "" : ", which could not be read in full"
        return .failure(WDLAbsence(reason: "task or workflow `\(target)` is not in \(found.path)\(broken)"))
    }

    private func namespace(_ name: String, in document: Int) -> WDLNamespace {
        if let known = documents[document].namespaces[name] { return known }
        let found = open(name, in: document)
        documents[document].namespaces[name] = found
        if case .absent(let why) = found, let item = documents[document].imports.last(where: { $0.namespace == name }),
            !Self.isRemote(item.reference), !isOutside(item, from: documents[document].path)
        {
            notes.append(DefinitionNote(place: .source(file: documents[document].path, line: item.line), message: why))
        }
        return found
    }

    private func open(_ name: String, in document: Int) -> WDLNamespace {
        let from = documents[document].path
        guard let item = documents[document].imports.last(where: { $0.namespace == name }) else {
            return .absent("nothing is imported as `\(name)` in \(from)")
        }
        let reference = String(item.reference.prefix(200))
        if Self.isRemote(item.reference) { return .absent("remote import \(reference) is not fetched") }
        guard documents.count < Self.maximumDocuments, bytesRead < Self.maximumBytes else {
            return .absent("import \(reference) is not read: the definition imports too much")
        }
        guard !isOutside(item, from: from) else { return .absent("import \(reference) leaves the definition") }
        for base in bases(from: from) {
            guard let path = DefinitionPath.resolve(item.reference, from: base) else { continue }
            if let number = numbers[path] { return .document(number) }
            switch files.read(path) {
            case .contents(let bytes) where bytes.count <= Self.maximumFileBytes:
                guard let number = add(bytes, path: path) else {
                    return .absent("import \(reference) is not read: \(Self.hasTooManyWords)")
                }
                return .document(number)
            case .contents: return .absent("import \(reference) is not read: larger than 2 MiB")
            case .refused(let why): return .absent("import \(reference) is not read: \(why)")
            case .missing: continue
            }
        }
        return .absent("import \(reference) is not in the definition")
    }
}

/// Why a call leads nowhere.
struct WDLAbsence: Error {
    var reason: String
}
