/// A definition found on disk.
package struct OpenedDefinition: Sendable {
    package var files: any DefinitionFiles
    /// The main file where the path itself was one; nil for a folder or archive.
    package var main: String?
}

extension WorkflowDefinition {
    /// Opens a folder, a zip archive, or a single file, whose folder is then the root of the definition.
    ///
    /// - Throws: `DefinitionError` where nothing is there, or it cannot be opened.
    package static func open(_ path: String) throws(DefinitionError) -> OpenedDefinition {
        guard let file = try? OpenFile(path) else {
            return OpenedDefinition(files: try FolderFiles(root: path), main: nil)
        }
        // `PK` and a local header, or the end record of an empty archive.
        let start = file.read(at: 0, count: min(4, file.size)) ?? []
        if start == [0x50, 0x4B, 3, 4] || start == [0x50, 0x4B, 5, 6] || path.lowercased().hasSuffix(".zip") {
            return OpenedDefinition(files: try ZipFiles(path: path), main: nil)
        }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let folder = parts.dropLast().joined(separator: "/")
        let root = folder.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : folder
        return OpenedDefinition(files: try FolderFiles(root: root), main: parts.last.map(String.init))
    }
}
