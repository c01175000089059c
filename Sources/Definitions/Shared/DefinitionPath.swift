/// Paths inside a definition: relative to its root, parts joined by `/`, no `.`, `..` or empty parts.
package enum DefinitionPath {
    /// A path written by a person or in an archive, brought into the form that `DefinitionFiles` takes.
    ///
    /// - Returns: nil where the path is empty, absolute, or leaves the root.
    package static func normalized(_ path: String) -> String? {
        path.utf8.first == UInt8(ascii: "/") ? nil : join([], path)
    }

    /// The path that `reference`, written in the file `base`, means.
    ///
    /// - Returns: nil where it is absolute or leaves the root.
    package static func resolve(_ reference: String, from base: String) -> String? {
        guard reference.utf8.first != UInt8(ascii: "/") else { return nil }
        return join(Array(base.split(separator: "/").dropLast()), reference)
    }

    /// The folder that holds a path; empty for the root.
    package static func folder(of path: String) -> String {
        path.split(separator: "/").dropLast().joined(separator: "/")
    }

    /// Whether a file is one that macOS packs beside every file of an archive: `__MACOSX/…`, `._main.wdl`.
    static func isCompanion(_ path: String) -> Bool {
        path.hasPrefix("__MACOSX/") || path.hasSuffix(".DS_Store")
            || path.split(separator: "/").last?.hasPrefix("._") == true
    }

    private static func join(_ folders: [Substring], _ path: String) -> String? {
        var parts = folders
        for part in path.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(part)
            } else if parts.popLast() == nil {
                return nil
            }
        }
        return parts.isEmpty || path.utf8.contains(0) ? nil : parts.joined(separator: "/")
    }
}

extension DefinitionFiles {
    /// The main file of a definition, looked for as HealthOmics does: the path that was given, else the engine's own
    /// name, at the root, else in the only folder at the root (archives often hold one), else the only file of the
    /// language there is.
    ///
    /// - Parameters:
    ///   - given: The path from the request; nil for the engine's own name.
    ///   - defaults: The engine's own names, best first (`main.nf`).
    ///   - extensions: Endings of files of the language, without the dot.
    /// - Throws: `DefinitionError` that names what was looked for and what is there.
    package func mainFile(
        given: String?,
        defaults: [String],
        extensions: [String]
    ) throws(DefinitionError) -> String {
        var names = defaults
        if let given {
            guard let path = DefinitionPath.normalized(given) else {
                throw DefinitionError("main file \(given): the path must be relative and stay inside the definition")
            }
            names = [path]
        }
        for name in names where exists(name) { return name }
        // Only now: to list a large folder takes longer than to read the definition.
        let all = paths.filter { !DefinitionPath.isCompanion($0) }
        if let folder = onlyFolder(of: all) {
            for name in names where exists("\(folder)/\(name)") { return "\(folder)/\(name)" }
        }
        let endings = extensions.map { "." + $0 }
        let candidates = all.filter { path in endings.contains { path.hasSuffix($0) } }
        if given == nil, candidates.count == 1 { return candidates[0] }
        let wanted = given.map { "main file \($0)" } ?? "main file (\(defaults.joined(separator: ", ")))"
        let shown = candidates.prefix(5).joined(separator: ", ") + (candidates.count > 5 ? ", …" : "")
        throw DefinitionError(
            candidates.isEmpty
                ? "\(wanted): not in the definition, and no .\(extensions.joined(separator: " or .")) file is"
                : "\(wanted): not in the definition; name the main file, perhaps one of \(shown)"
        )
    }

    /// The only folder at the root, where no file lies beside it.
    private func onlyFolder(of paths: [String]) -> Substring? {
        guard let first = paths.first?.split(separator: "/", maxSplits: 1), first.count == 2 else { return nil }
        let prefix = first[0] + "/"
        return paths.allSatisfy { $0.hasPrefix(prefix) } ? first[0] : nil
    }
}
