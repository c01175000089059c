#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The files of a definition laid out in a folder.
///
/// Symbolic links are followed where they end inside the folder; one that leads outside is refused.
package struct FolderFiles: DefinitionFiles {
    /// Far above any real definition; what is larger is data, not text.
    package static let maximumFileSize = 16 << 20
    private static let maximumEntries = 200_000
    private static let maximumDepth = 64

    private let root: String

    /// - Throws: `DefinitionError` where the folder is not there or cannot be opened.
    package init(root path: String) throws(DefinitionError) {
        guard let real = Self.realPath(path) else {
            throw DefinitionError("\(path): \(OpenFile.lastError)")
        }
        guard Self.kind(of: real) == S_IFDIR else { throw DefinitionError("\(path): not a folder") }
        root = real == "/" ? "" : real
    }

    package func read(_ path: String) -> DefinitionFile {
        guard let path = DefinitionPath.normalized(path) else { return .refused("the path leaves the definition") }
        guard let real = Self.realPath(root + "/" + path) else { return .missing }
        guard real.hasPrefix(root + "/") else { return .refused("a symbolic link leads out of the definition") }
        guard Self.kind(of: real) == S_IFREG else {
            return Self.kind(of: real) == S_IFDIR ? .missing : .refused("not a regular file")
        }
        do {
            let file = try OpenFile(real)
            guard file.size <= Self.maximumFileSize else {
                return .refused("\(file.size) bytes; at most \(Self.maximumFileSize) are read")
            }
            return file.read(at: 0, count: file.size).map(DefinitionFile.contents) ?? .refused("cannot be read")
        } catch {
            // The message holds the path on this machine, which is nobody's business in an inspection.
            return .refused("cannot be opened: \(OpenFile.lastError)")
        }
    }

    package func exists(_ path: String) -> Bool {
        guard let path = DefinitionPath.normalized(path), let real = Self.realPath(root + "/" + path) else {
            return false
        }
        // A link out of the root is there, and refused when read; what it leads to is not looked at.
        return !real.hasPrefix(root + "/") || Self.kind(of: real) == S_IFREG
    }

    package var paths: [String] {
        var found: [String] = []
        var folders = [("", 0)]
        while let (folder, depth) = folders.popLast(), found.count < Self.maximumEntries {
            for (name, isFolder) in Self.list(root + "/" + folder) {
                if isFolder {
                    if depth < Self.maximumDepth, name != ".git" { folders.append((folder + name + "/", depth + 1)) }
                } else if exists(folder + name) {
                    found.append(folder + name)
                }
            }
        }
        return found.sorted()
    }

    private static func list(_ folder: String) -> [(name: String, isFolder: Bool)] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [(String, Bool)] = []
        while names.count < maximumEntries, let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            var status = stat()
            // Not through links: a link to a folder above would never end.
            guard lstat(folder + "/" + name, &status) == 0 else { continue }
            names.append((name, status.st_mode & S_IFMT == S_IFDIR))
        }
        return names
    }

    private static func realPath(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    private static func kind(of path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
    }
}
