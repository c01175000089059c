import Definitions
import Precloning

extension ToolAnswer {
    /// What failed before there was a result has the fields too that callers of the predecessor look at, as far as they are
    /// known to be so: nothing was done.
    func withPredecessorsFields(of tool: String, _ arguments: [String: ParameterValue]) -> ToolAnswer {
        guard case .object(var members) = value, let error = members["error"]?.string else { return self }
        members["message"] = .string([members["where"]?.string, error].compactMap(\.self).joined(separator: ": "))
        let known: [String: ParameterValue] =
            switch tool {
            case "CloneContainerToECR":
                [
                    "source_image": .text(arguments["source_image"]?.string ?? ""), "source_registry": .string(""),
                    "source_digest": .null, "ecr_uri": .null, "ecr_digest": .null, "repository_created": .bool(false),
                    "used_pull_through_cache": .bool(false), "used_codebuild": .bool(false),
                    "pull_through_cache_prefix": .null, "healthomics_accessible": .string("unknown"),
                ]
            case "CheckContainerAvailability":
                [
                    "available": .bool(false), "image": .null, "healthomics_accessible": .string("unknown"),
                    "missing_permissions": .array([]), "pull_through_initiated": .bool(false),
                    "pull_through_initiation_message": .null,
                ]
            case "CreatePullThroughCacheForHealthOmics":
                [
                    "rule": .null, "registry_policy_updated": .bool(false),
                    "repository_template_created": .bool(false),
                ]
            case "GrantHealthOmicsRepositoryAccess":
                [
                    "repository_name": .text(arguments["repository_name"]?.string ?? ""),
                    "policy_updated": .bool(false), "policy_created": .bool(false),
                    "previous_healthomics_accessible": .string("unknown"),
                    "current_healthomics_accessible": .string("unknown"),
                ]
            default: [:]
            }
        members.merge(known) { given, _ in given }
        return ToolAnswer(.object(members), isError: true)
    }
}
