import Synchronization

/// What is read of a zip at most: a definition is text, so each limit is far above any real one.
package struct ZipLimits: Sendable {
    /// Entries of the directory.
    package var entries: Int
    /// Inflated bytes of one file.
    package var fileSize: Int
    /// Inflated bytes of all files read from one archive.
    package var totalSize: Int
    /// Inflated bytes per packed byte, for files above 1 MiB.
    package var ratio: Int

    package init(entries: Int = 100_000, fileSize: Int = 16 << 20, totalSize: Int = 256 << 20, ratio: Int = 250) {
        self.entries = entries
        self.fileSize = fileSize
        self.totalSize = totalSize
        self.ratio = ratio
    }
}

/// The files of a definition in a zip archive. The directory is read at once, a file's bytes when it is asked for.
package final class ZipFiles: DefinitionFiles {
    package let notes: [DefinitionNote]
    private let directory: ZipDirectory
    private let source: ZipSource
    private let limits: ZipLimits
    /// Where the symbolic links of the archive lead, as `unzip` would lay them out.
    private let links: [String: String]
    private let read = Mutex<(paths: Set<String>, bytes: Int)>(([], 0))

    /// - Throws: `DefinitionError` where the bytes are no zip, or its directory is damaged.
    package convenience init(_ bytes: [UInt8], limits: ZipLimits = ZipLimits()) throws(DefinitionError) {
        try self.init(source: .memory(bytes), limits: limits)
    }

    /// - Throws: `DefinitionError` where the file cannot be opened, is no zip, or its directory is damaged.
    package convenience init(path: String, limits: ZipLimits = ZipLimits()) throws(DefinitionError) {
        let file = try OpenFile(path)
        do {
            try self.init(source: .file(file), limits: limits)
        } catch {
            throw DefinitionError("\(path): \(error.message)")
        }
    }

    private init(source: ZipSource, limits: ZipLimits) throws(DefinitionError) {
        directory = try ZipDirectory(source, limits: limits)
        self.source = source
        self.limits = limits
        var links: [String: String] = [:]
        for (path, entry) in directory.entries where entry.isLink && links.count < Self.maximumLinks {
            // What a link's contents are is where it leads; no path is as long as this allows.
            guard !entry.isEncrypted, entry.method == 0 || entry.method == 8, entry.size <= 4096,
                let bytes = try? Self.contents(of: entry, in: source),
                let text = String(validating: bytes, as: UTF8.self)
            else { continue }
            links[path] = text
        }
        self.links = links
        let entries = directory.entries
        let dangling = entries.keys.filter { path in
            guard entries[path]?.isLink == true else { return false }
            guard let target = Self.target(of: path, entries, links) else { return true }
            // A link to a folder has no entry of its own to lead to.
            return entries[target] == nil && !entries.keys.contains { $0.hasPrefix(target + "/") }
        }
        notes =
            directory.notes
            + dangling.sorted().prefix(100).map { DefinitionNote(place: nil, message: "\($0): \(Self.notFollowed)") }
    }

    private static let notFollowed = "a symbolic link in the zip, not followed"

    /// Links that are followed; a definition has a handful.
    private static let maximumLinks = 1000
    /// Links on the way from one path to its file.
    private static let maximumSteps = 40

    /// The path of the entry that a path means, symbolic links followed; nil where one leads out of the archive, to
    /// itself, or is not read.
    private static func target(
        of path: String,
        _ entries: [String: ZipDirectory.Entry],
        _ links: [String: String]
    ) -> String? {
        guard !links.isEmpty || entries[path]?.isLink == true, entries[path].map(\.isLink) ?? true else { return path }
        var parts = path.split(separator: "/").map(String.init)
        var steps = 0
        var index = 0
        while index < parts.count {
            let here = parts[...index].joined(separator: "/")
            guard entries[here]?.isLink == true else {
                index += 1
                continue
            }
            steps += 1
            guard steps <= maximumSteps, let link = links[here],
                let target = DefinitionPath.resolve(link, from: here)
            else { return nil }
            parts = target.split(separator: "/").map(String.init) + parts[(index + 1)...]
            index = 0
        }
        return parts.joined(separator: "/")
    }

    private func target(of path: String) -> String? { Self.target(of: path, directory.entries, links) }

    package func exists(_ path: String) -> Bool { target(of: path).map { directory.entries[$0] != nil } ?? true }

    /// Files by their own names; links add none.
    package var paths: [String] { directory.entries.values.filter { !$0.isLink }.map(\.path).sorted() }

    package func read(_ path: String) -> DefinitionFile {
        guard let target = target(of: path) else {
            return .refused(Self.notFollowed)
        }
        guard let entry = directory.entries[target] else { return .missing }
        if let reason = refusal(of: entry) { return .refused(reason) }
        // Each file counts once, however often it is read: a definition is inspected again for every run.
        let fits = read.withLock { read in
            guard !read.paths.contains(target) else { return true }
            guard entry.size <= limits.totalSize - read.bytes else { return false }
            read.paths.insert(target)
            read.bytes += entry.size
            return true
        }
        guard fits else { return .refused("the files of this zip are more than \(limits.totalSize) bytes together") }
        do {
            return .contents(try Self.contents(of: entry, in: source))
        } catch {
            return .refused(error.message)
        }
    }

    /// The first file that does not unpack to what the directory says of it, and why; nil where all do. Files that are
    /// refused for what they are were not damaged on the way.
    package var damage: String? {
        for entry in directory.entries.values.sorted(by: { $0.path < $1.path }) where refusal(of: entry) == nil {
            do { _ = try Self.contents(of: entry, in: source) } catch { return "\(entry.path): \(error.message)" }
        }
        return nil
    }

    private func refusal(of entry: ZipDirectory.Entry) -> String? {
        if entry.isEncrypted { return "encrypted; make the zip without a password" }
        if entry.method != 0, entry.method != 8 {
            return "packed by zip method \(entry.method); only stored and deflated files are read"
        }
        if entry.size > limits.fileSize { return "\(entry.size) bytes; at most \(limits.fileSize) are read" }
        if entry.size > 1 << 20, entry.size / limits.ratio > entry.compressedSize {
            return "\(entry.size) bytes out of \(entry.compressedSize): packed more than \(limits.ratio) times"
        }
        return nil
    }

    private static func contents(
        of entry: ZipDirectory.Entry,
        in source: ZipSource
    ) throws(DefinitionError) -> [UInt8] {
        // The local header repeats the name; its extra field may differ from the directory's.
        let header = ZipBytes(try source.read(at: entry.headerOffset, count: 30, what: entry.path))
        guard header.uint32(0) == 0x0403_4B50 else {
            throw DefinitionError("damaged in the zip: not where its directory says; make the zip again")
        }
        let start = entry.headerOffset + 30 + Int(header.uint16(26)) + Int(header.uint16(28))
        let packed = try source.read(at: start, count: entry.compressedSize, what: entry.path)
        guard entry.method == 0 ? packed.count == entry.size : true,
            let bytes = entry.method == 0 ? packed : inflated(packed, size: entry.size)
        else { throw DefinitionError("damaged in the zip: it does not unpack to its size; make the zip again") }
        guard checksum(bytes) == entry.crc else {
            throw DefinitionError("damaged in the zip: its checksum differs; make the zip again")
        }
        return bytes
    }
}

/// The bytes of an archive, in memory or in a file.
enum ZipSource: Sendable {
    case memory([UInt8])
    case file(OpenFile)

    var count: Int {
        switch self {
        case .memory(let bytes): bytes.count
        case .file(let file): file.size
        }
    }

    /// Exactly `count` bytes.
    func read(at offset: Int, count: Int, what: String) throws(DefinitionError) -> [UInt8] {
        guard offset >= 0, count >= 0, count <= self.count, offset <= self.count - count else {
            throw DefinitionError("the zip is cut off: \(what) lies beyond its end; make or fetch it again")
        }
        switch self {
        case .memory(let bytes): return Array(bytes[offset..<offset + count])
        case .file(let file):
            guard let bytes = file.read(at: offset, count: count), bytes.count == count else {
                throw DefinitionError("the zip cannot be read at \(what): it changed, or the disk failed")
            }
            return bytes
        }
    }
}
