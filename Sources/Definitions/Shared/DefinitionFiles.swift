/// The files of one definition, read on demand. Paths are relative to the root, with `/`, without `.` or `..`.
///
/// An implementation never leaves the root: a path or symbolic link that would is answered with `refused`.
package protocol DefinitionFiles: Sendable {
    /// The bytes of a file. Reads only this file from the archive or folder.
    func read(_ path: String) -> DefinitionFile
    /// Whether a file is there, without reading it.
    func exists(_ path: String) -> Bool
    /// All file paths, sorted.
    var paths: [String] { get }
    /// What a reader of the inspection should know of the files themselves: entries left out of an archive.
    var notes: [DefinitionNote] { get }
}

extension DefinitionFiles {
    package var notes: [DefinitionNote] { [] }
}

/// The answer for one path.
package enum DefinitionFile: Sendable, Equatable {
    case contents([UInt8])
    case missing
    /// There, but not to be read: outside the root, too large, or damaged; with the reason.
    case refused(String)
}

/// Files held in memory, for tests and for definitions made of one text.
package struct DefinitionFilesInMemory: DefinitionFiles {
    private let files: [String: [UInt8]]

    package init(_ files: [String: String]) {
        self.files = files.mapValues { Array($0.utf8) }
    }

    /// Files whose bytes need not be text.
    package init(bytes files: [String: [UInt8]]) {
        self.files = files
    }

    package func read(_ path: String) -> DefinitionFile {
        files[path].map(DefinitionFile.contents) ?? .missing
    }

    package func exists(_ path: String) -> Bool { files[path] != nil }

    package var paths: [String] { files.keys.sorted() }
}
