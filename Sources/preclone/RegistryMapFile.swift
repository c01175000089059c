import Definitions
import Foundation
import Names
import Remotes

/// A container registry map in a file, in the form that CreateWorkflow takes it.
///
/// Source: HealthOmics API reference, ContainerRegistryMap, RegistryMapping and ImageMapping.
enum RegistryMapFile {
    /// - Throws: `CommandFailure` that names the file and every field that is wrong in it.
    static func read(_ path: String) throws -> ContainerRegistryMap {
        let file: [String: ParameterValue]
        do { file = try JSONFile.object(path, called: "registry map") } catch var failure as CommandFailure {
            failure.hint = failure.hint ?? "a registry map is the JSON object that `preclone map` prints"
            throw failure
        }
        var problems: [String] = []
        var members = file
        // As GetWorkflow prints it.
        if file.count == 1, case .object(let inner)? = file["containerRegistryMap"] { members = inner }
        var map = ContainerRegistryMap()
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            switch key {
            case "registryMappings":
                map.registryMappings = entries(value, key, &problems) { fields in
                    RegistryMapping(
                        upstreamRegistryUrl: fields.required("upstreamRegistryUrl"),
                        ecrRepositoryPrefix: fields.required("ecrRepositoryPrefix"),
                        upstreamRepositoryPrefix: fields.optional("upstreamRepositoryPrefix"),
                        ecrAccountId: fields.optional("ecrAccountId"),
                        credentialArn: fields.optional("credentialArn")
                    )
                }
            case "imageMappings":
                map.imageMappings = entries(value, key, &problems) { fields in
                    ImageMapping(
                        sourceImage: fields.required("sourceImage"),
                        destinationImage: fields.required("destinationImage")
                    )
                }
            default: problems.append("`\(key)`: no such key; a map has registryMappings and imageMappings")
            }
        }
        guard problems.isEmpty else {
            throw CommandFailure("registry map \(path): \(problems.joined(separator: "; "))", ending: .usage)
        }
        return map
    }

    private static func entries<Entry>(
        _ value: ParameterValue,
        _ key: String,
        _ problems: inout [String],
        _ make: (inout Fields) -> Entry
    ) -> [Entry] {
        guard case .array(let values) = value else {
            problems.append("`\(key)`: must be an array")
            return []
        }
        return values.enumerated().compactMap { index, value in
            guard case .object(let members) = value else {
                problems.append("`\(key)[\(index)]`: must be an object")
                return nil
            }
            var fields = Fields(members: members, path: "\(key)[\(index)]")
            let entry = make(&fields)
            problems += fields.problems
            return entry
        }
    }

    /// The texts of one entry, each asked for once; what is left over is a mistake.
    private struct Fields {
        var members: [String: ParameterValue]
        var path: String
        private var found: [String] = []

        init(members: [String: ParameterValue], path: String) {
            self.members = members
            self.path = path
        }

        mutating func required(_ key: String) -> String? {
            if members[key] == nil { found.append("`\(path).\(key)`: is missing") }
            return optional(key)
        }

        mutating func optional(_ key: String) -> String? {
            switch members.removeValue(forKey: key) {
            case .string(let text): return text
            case nil, .null: return nil
            default:
                found.append("`\(path).\(key)`: must be a string")
                return nil
            }
        }

        var problems: [String] { found + members.keys.sorted().map { "`\(path).\($0)`: no such key" } }
    }
}

/// JSON objects in files that a command was given.
enum JSONFile {
    /// - Parameter name: what the file is, for messages.
    /// - Throws: `CommandFailure` that ends with code 2.
    static func object(_ path: String, called name: String) throws -> [String: ParameterValue] {
        let data: Data
        do {
            // By a handle: the file may be a device or a pipe.
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            data = try handle.readToEnd() ?? Data()
        } catch {
            throw CommandFailure("\(name) \(path): cannot be read", ending: .usage)
        }
        do {
            guard case .object(let members) = try ParameterValue(json: Array(data)) else {
                throw DefinitionError("the file must hold one JSON object")
            }
            return members
        } catch {
            throw CommandFailure("\(name) \(path): \(error)", ending: .usage)
        }
    }
}
