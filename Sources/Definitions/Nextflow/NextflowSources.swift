/// The files of a Nextflow definition that were reached, and what is to be said about them.
final class NextflowSources {
    private static let maximumBytes = 64 << 20
    /// Some times what the largest public pipelines hold. What is made of each takes up to 120 bytes.
    private static let maximumWords = 400_000
    private static let maximumNotes = 200
    /// What stands for the definition's root in paths; no image can hold it.
    static let rootFolder = "{definition}"

    struct Source {
        var bytes: [UInt8]
        var tokens: [NextflowToken]
    }

    private let files: any DefinitionFiles
    /// The folder of the main file; empty for the root.
    let projectFolder: String
    private var read: [String: Source?] = [:]
    private var bytesRead = 0
    private var wordsRead = 0
    private(set) var notes: [DefinitionNote] = []

    init(_ files: any DefinitionFiles, main: String) {
        self.files = files
        projectFolder = DefinitionPath.folder(of: main)
    }

    func note(_ place: Evidence?, _ message: String) {
        let note = DefinitionNote(place: place, message: message)
        if notes.count < Self.maximumNotes, !notes.contains(note) { notes.append(note) }
    }

    func exists(_ path: String) -> Bool { files.exists(path) }

    /// The parameters that `nextflow_schema.json` beside the main file declares (nf-core's and Seqera's convention), and
    /// those of them that are paths; nil where there is none that can be read.
    lazy var declaredParameters: (all: Set<String>, paths: Set<String>)? = {
        let path = projectFolder.isEmpty ? "nextflow_schema.json" : projectFolder + "/nextflow_schema.json"
        guard files.exists(path), case .contents(let bytes) = files.read(path), bytes.count <= 4 << 20,
            case .object(let schema)? = try? ParameterValue(json: bytes)
        else { return nil }
        var names: Set<String> = []
        var paths: Set<String> = []
        func add(_ value: ParameterValue?) {
            guard case .object(let part)? = value, case .object(let properties)? = part["properties"] else { return }
            for (name, property) in properties {
                names.insert(name)
                guard case .object(let members) = property, case .string(let format)? = members["format"],
                    NextflowEvaluator.find("path", in: format) != nil
                else { continue }
                paths.insert(name)
            }
        }
        add(.object(schema))
        for groups in ["definitions", "$defs", "defs"] {
            if case .object(let all)? = schema[groups] { all.values.forEach(add) }
        }
        return names.isEmpty ? nil : (names, paths)
    }()

    /// A file that was reached; nil with a note where it cannot be read.
    func source(_ path: String, from place: Evidence?, purpose: String) -> Source? {
        if let known = read[path] { return known }
        var source: Source?
        switch files.read(path) {
        case .contents(let bytes):
            bytesRead += bytes.count
            if bytesRead > Self.maximumBytes {
                note(
                    place,
                    "\(purpose) \(path) is not read: the definition's texts are above \(Self.maximumBytes) bytes"
                )
            } else {
                if let words = NextflowLexer.tokens(of: bytes, maximum: Self.maximumWords - wordsRead) {
                    wordsRead += words.count
                    source = Source(bytes: bytes, tokens: words.tokens)
                } else {
                    note(
                        place,
                        "\(purpose) \(path) is not read: the definition's texts hold more than "
                            + "\(Self.maximumWords) words"
                    )
                }
            }
        case .missing: note(place, "\(purpose) \(path) is not in the definition")
        case .refused(let why): note(place, "\(purpose) \(path) is not read: \(why)")
        }
        read[path] = .some(source)
        return source
    }

    /// The path in the definition that a text in a file means; nil with a note where it leads out of it.
    func resolve(_ text: String, from file: String, at place: Evidence?, purpose: String) -> String? {
        let shown = text.prefix(200)
        if NextflowEvaluator.find("://", in: text) != nil {
            note(place, "\(purpose) \(shown) is remote and is not read")
            return nil
        }
        let path: String?
        if let rest = Self.rest(of: text, after: NextflowConfiguration.projectFolder) {
            path = DefinitionPath.normalized(projectFolder.isEmpty ? rest : projectFolder + "/" + rest)
        } else if let rest = Self.rest(of: text, after: Self.rootFolder) {
            path = DefinitionPath.normalized(rest)
        } else {
            path = DefinitionPath.resolve(text, from: file)
        }
        if path == nil { note(place, "\(purpose) \(shown) lies outside the definition and is not read") }
        return path
    }

    private static func rest(of text: String, after prefix: String) -> String? {
        guard text.utf8.starts(with: prefix.utf8) else { return nil }
        return String(decoding: text.utf8.dropFirst(prefix.utf8.count).drop { $0 == 0x2F }, as: UTF8.self)
    }

    /// An expression as written, on one line of at most 200 characters.
    func text(_ expression: NextflowExpression, _ file: String) -> String {
        text(bytes: Int(expression.start)..<max(Int(expression.start), Int(expression.stop)), file)
    }

    /// Words as written.
    func text(_ words: Range<Int>, _ file: String) -> String {
        guard let tokens = read[file]??.tokens, words.lowerBound < words.upperBound, words.upperBound <= tokens.count
        else { return "" }
        let start = Int(tokens[words.lowerBound].start)
        return text(bytes: start..<max(start, Int(tokens[words.upperBound - 1].stop)), file)
    }

    private func text(bytes range: Range<Int>, _ file: String) -> String {
        guard let bytes = read[file]??.bytes else { return "" }
        let start = range.lowerBound
        let stop = min(range.upperBound, start + 1000, bytes.count)
        guard start < stop else { return "" }
        var result: [UInt8] = []
        var count = 0
        var isBlank = false
        for byte in bytes[start..<stop] {
            if byte <= 0x20 {
                isBlank = count > 0
                continue
            }
            // A character begins where no byte continues one.
            if byte & 0xC0 != 0x80 {
                if count + (isBlank ? 2 : 1) > 199 { return String(decoding: result, as: UTF8.self).prefix(199) + "…" }
                count += isBlank ? 2 : 1
            }
            if isBlank { result.append(0x20) }
            isBlank = false
            result.append(byte)
        }
        let text = String(decoding: result, as: UTF8.self)
        // Bytes that are no UTF-8 become a character each.
        return result.count > 200 && text.count > 200 ? text.prefix(199) + "…" : text
    }
}
