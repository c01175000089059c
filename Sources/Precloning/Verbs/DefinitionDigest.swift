package import Definitions
import Foundation
package import Names

/// A digest of a definition on disk: of an archive's bytes, else of the names and bytes of its files.
package enum DefinitionDigest {
    package static func of(_ path: String, _ files: any DefinitionFiles) -> Digest {
        if files is ZipFiles, let data = FileManager.default.contents(atPath: path) { return Digest.of(data) }
        var lines: [String] = []
        for name in files.paths {
            // What is no text of a definition (data, links out of it) counts by its name alone.
            guard case .contents(let bytes) = files.read(name) else {
                lines.append("\(name) -")
                continue
            }
            lines.append("\(name) \(Digest.of(bytes))")
        }
        return Digest.of(lines.joined(separator: "\n").utf8)
    }
}
