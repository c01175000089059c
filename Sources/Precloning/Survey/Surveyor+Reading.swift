package import Definitions
import Foundation
import Model
package import Names
import Remotes

/// What a workflow needs that nobody has started, or a definition that nobody has registered.
package struct SubjectReading: Sendable {
    /// How people name it: `workflow 123/v2`, or the definition's path.
    package var label: String
    package var engine: String
    package var main: String?
    /// The service's digest of the definition; nil where there is none.
    package var digest: String?
    package var map: ContainerRegistryMap?
    package var inspection: Inspection

    package init(
        label: String,
        engine: String,
        main: String? = nil,
        digest: String? = nil,
        map: ContainerRegistryMap? = nil,
        inspection: Inspection
    ) {
        self.label = label
        self.engine = engine
        self.main = main
        self.digest = digest
        self.map = map
        self.inspection = inspection
    }
}

/// A workflow, or one of its versions, as people name it.
package struct WorkflowName: Sendable, Hashable, CustomStringConvertible {
    package var id: String
    /// Empty for the workflow's own definition.
    package var version: String

    /// From `ID` or `ID/VERSION`; nil where it is neither.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let id = parts.first, !id.isEmpty, id.allSatisfy(\.isNumber), parts.last?.isEmpty == false else {
            return nil
        }
        self.id = id
        version = parts.count == 2 ? parts[1] : ""
    }

    package var description: String { version.isEmpty ? id : "\(id)/\(version)" }
}

extension Surveyor {
    /// What a version needs with these parameters, and what its registry map is now.
    ///
    /// - Throws: `UnreadDefinition` where the service does not show it, `DefinitionError` where it cannot be read, what the
    ///   record throws.
    package func reading(
        of name: WorkflowName,
        parameters: [String: ParameterValue] = [:],
        profiles: [String] = []
    ) async throws -> SubjectReading {
        var row = VersionRow(workflowID: name.id, name: name.version, status: "ACTIVE", seenAt: now().milliseconds)
        do {
            row = try await refreshed(row)
        } catch let error as AWSError where error.isNotFound {
            throw UnreadDefinition(
                "HealthOmics knows no workflow \(name) of this account and Region; one that another account shares gives "
                    + "its definition to that account alone"
            )
        } catch let error as AWSError {
            throw UnreadDefinition(of: row, error)
        }
        let found = try await definitions.inspection(
            of: row,
            parameters: parameters,
            profiles: profiles,
            engineVersion: nil
        )
        return SubjectReading(
            label: "workflow \(name)",
            engine: row.engine ?? "",
            main: row.main,
            digest: row.digest,
            map: Self.map(of: row),
            inspection: found.inspection
        )
    }
}
