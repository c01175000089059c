/// Lines of a definition's files, as people read them; each file is read once, and only so much in all.
struct SourceLines {
    /// A task, process or workflow around a line.
    struct Block {
        /// `task align`.
        var name: String
        var line: Int
        var isComment = false
    }

    private static let maximumFile = 4 << 20
    private static let maximumBytes = 64 << 20
    private static let maximumLine = 160
    private static let languages = [".wdl", ".nf", ".config", ".cwl", ".yml", ".yaml", ".json", ".groovy"]

    private let files: any DefinitionFiles
    private var known: [String: [Substring.UTF8View]] = [:]
    private var bytesRead = 0

    init(_ files: any DefinitionFiles) { self.files = files }

    private mutating func lines(_ path: String) -> [Substring.UTF8View] {
        if let lines = known[path] { return lines }
        var lines: [Substring.UTF8View] = []
        if bytesRead < Self.maximumBytes, case .contents(let bytes) = files.read(path), bytes.count <= Self.maximumFile
        {
            bytesRead += bytes.count
            let text = String(decoding: bytes, as: UTF8.self)
            lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).map { Substring($0).utf8 }
        }
        known[path] = lines
        return lines
    }

    /// Without blanks around it, shortened; empty where there is no such line.
    mutating func text(at place: Evidence) -> String {
        guard case .source(let path, let line) = place else { return "" }
        let lines = lines(path)
        guard line > 0, line <= lines.count else { return "" }
        let bytes = lines[line - 1].drop { $0 <= 0x20 }
        let text = String(decoding: bytes.reversed().drop { $0 <= 0x20 }.reversed(), as: UTF8.self)
        return text.count <= Self.maximumLine ? text : String(text.prefix(Self.maximumLine - 1)) + "…"
    }

    /// The lines that name an image: as a whole, or else without its tag, as where a value stands for it.
    mutating func naming(_ image: String) -> [(path: String, line: Int)] {
        let canonical = ImageExplanation.canonical(image)
        var whole: [(path: String, line: Int)] = []
        var without: [(path: String, line: Int)] = []
        let tagless = canonical.prefix { $0 != "@" }
        let slash = tagless.lastIndex(of: "/") ?? tagless.startIndex
        let repository = Array((tagless[slash...].lastIndex(of: ":").map { tagless[..<$0] } ?? tagless).utf8)
        let wanted = Array(canonical.utf8)
        guard repository.count > 2 else { return [] }
        for path in files.paths where Self.languages.contains(where: path.hasSuffix) {
            guard !DefinitionPath.isCompanion(path) else { continue }
            for (index, line) in lines(path).enumerated() {
                guard let found = Self.find(repository, in: line, isWhole: false) else { continue }
                if Self.find(wanted, in: line[found...], isWhole: true) != nil {
                    whole.append((path, index + 1))
                } else if whole.isEmpty, without.count < 100 {
                    without.append((path, index + 1))
                }
            }
            if whole.count >= 100 { break }
        }
        return whole.isEmpty ? without : whole
    }

    /// - Parameter isWhole: The name does not go on behind it.
    private static func find(_ wanted: [UInt8], in line: Substring.UTF8View, isWhole: Bool) -> Substring.Index? {
        var rest = line[...]
        while let start = rest.firstIndex(of: wanted[0]) {
            rest = rest[start...]
            if rest.starts(with: wanted) {
                let next = rest.dropFirst(wanted.count).first ?? 0x20
                let goesOn =
                    UInt8(ascii: "0")...UInt8(ascii: "9") ~= next
                    || UInt8(ascii: "a")...UInt8(ascii: "z") ~= next | 0x20
                    || next == UInt8(ascii: "_") || next == UInt8(ascii: "-") || next == UInt8(ascii: ".")
                if !isWhole || !goesOn { return start }
            }
            rest = rest.dropFirst()
        }
        return nil
    }

    /// What a line stands in: the nearest task, process or workflow that begins above it.
    mutating func block(around line: Int, in path: String) -> Block? {
        let lines = lines(path)
        guard line <= lines.count else { return nil }
        let here = lines[line - 1].drop { $0 <= 0x20 }
        let isComment = here.first == UInt8(ascii: "#") || here.starts(with: "//".utf8) || here.starts(with: "*".utf8)
        // In a configuration `process {` is no process.
        let first = path.hasSuffix(".wdl") || path.hasSuffix(".nf") ? 0 : line
        for index in stride(from: line - 1, through: first, by: -1) {
            let words = String(Substring(lines[index].prefix(200))).split { $0 == " " || $0 == "\t" || $0 == "{" }
            guard let first = words.first, ["task", "process", "workflow"].contains(first), !words[0].hasPrefix("//")
            else {
                continue
            }
            let name = words.count > 1 ? " \(words[1])" : ""
            return Block(name: "\(first)\(name)", line: index + 1, isComment: isComment)
        }
        return isComment ? Block(name: path, line: 1, isComment: true) : nil
    }
}
