import Crypto
package import Definitions
package import Foundation
import Logging
package import Model
package import Record
package import Remotes

/// The definitions of the account's workflows on disk: each read from the service once per digest, evaluated once per
/// set of parameters that its images depend on.
package actor DefinitionStore {
    /// The bytes that stored definitions may take together; those read longest ago are dropped and fetched again
    /// when they are wanted.
    private static let keptBytes: Int64 = 2 << 30

    private let ledger: Ledger
    private let folder: String
    private let healthOmics: HealthOmicsClient
    private let now: @Sendable () -> Date
    /// Definitions being fetched or evaluated, with those who wait for their turn: nothing is done twice at one time.
    private var busy: [String: [CheckedContinuation<Void, Never>]] = [:]

    /// - Parameter folder: where the zips are kept; made when the first one comes.
    package init(
        ledger: Ledger,
        folder: String,
        healthOmics: HealthOmicsClient,
        now: @escaping @Sendable () -> Date
    ) {
        self.ledger = ledger
        self.folder = folder
        self.healthOmics = healthOmics
        self.now = now
    }

    /// What a version's definition needs for one set of parameters and profiles.
    ///
    /// - Parameter exported: a presigned address of the definition that the caller just got, if it did.
    /// - Returns: the stored inspection's number and the inspection.
    /// - Throws: `DefinitionError` for a definition that cannot be read; errors of the service and of the record.
    package func inspection(
        of version: VersionRow,
        parameters: [String: ParameterValue],
        profiles: [String],
        engineVersion: String?,
        exported: String? = nil
    ) async throws -> (id: Int64, inspection: Inspection) {
        guard let engine = version.engine.flatMap(WorkflowEngine.init(name:)) else {
            throw DefinitionError(
                "workflow \(version.label) names engine `\(version.engine ?? "none")`, which preclone does not read"
            )
        }
        let key = Self.key(of: version)
        let main = version.main ?? ""
        // A later preclone may read a definition better: what an earlier one made of it does not hold for it.
        // And what holds before any run does not hold for a run that gives nothing of what matters.
        let form = "\(Version.current), form \(InspectionCoding.format)" + (parameters.isEmpty ? ", any run" : "")
        let profileText = try InspectionCoding.text([profiles, engineVersion.map { [$0] } ?? [], [form]])
        let given = ParameterValue.object(parameters)
        if let stored = try stored(key, engine, main, profileText, given) { return stored }
        while busy[key] != nil {
            await withCheckedContinuation { busy[key, default: []].append($0) }
        }
        busy[key] = []
        defer {
            for waiter in busy.removeValue(forKey: key) ?? [] { waiter.resume() }
        }
        // Another caller may have evaluated it while this one waited.
        if let stored = try stored(key, engine, main, profileText, given) { return stored }
        let path = try await file(for: version, key: key, exported: exported)
        let request = DefinitionRequest(
            engine: engine,
            main: version.main,
            parameters: parameters,
            profiles: profiles,
            engineVersion: engineVersion
        )
        let inspection = try await Self.evaluate(path, request)
        let id = try ledger.storeInspection(
            definition: key,
            engine: engine.rawValue,
            main: main,
            profiles: profileText,
            parameters: given.restricted(to: inspection.relevantParameters + Self.alwaysRelevant).canonicalText,
            relevant: InspectionCoding.text(inspection.relevantParameters),
            result: InspectionCoding.encode(inspection),
            now: now()
        )
        return (id, inspection)
    }

    /// Parameters that count although no definition declares them.
    private static let alwaysRelevant = ["cwl:requirements"]

    /// An earlier inspection whose relevant parameters have the same values: its result is this one's too, since nothing
    /// else was looked at on the way to it.
    private func stored(
        _ key: String,
        _ engine: WorkflowEngine,
        _ main: String,
        _ profiles: String,
        _ given: ParameterValue
    ) throws -> (id: Int64, inspection: Inspection)? {
        for row in try ledger.inspections(
            definition: key,
            engine: engine.rawValue,
            main: main,
            profiles: profiles
        )
        where given.restricted(to: JSONColumn.strings(row.relevant) + Self.alwaysRelevant).canonicalText
            == row.parameters
        {
            return (row.id, try InspectionCoding.decode(row.result))
        }
        return nil
    }

    @concurrent
    private static func evaluate(_ path: String, _ request: DefinitionRequest) async throws -> Inspection {
        try WorkflowDefinition.inspect(try ZipFiles(path: path), request)
    }

    /// The service's digest; where it gives none, the version's own name.
    private static func key(of version: VersionRow) -> String {
        if let digest = version.digest, !digest.isEmpty { return digest }
        return "\(version.ownerID)/\(version.label)"
    }

    // MARK: The zip

    private func file(for version: VersionRow, key: String, exported: String?) async throws -> String {
        if let stored = try ledger.definition(key) {
            if let trouble = stored.trouble { throw DefinitionError(trouble) }
            if let file = stored.file {
                let path = "\(folder)/\(file)"
                if FileManager.default.fileExists(atPath: path) { return path }
            }
        }
        return try await fetch(version, key: key, exported: exported)
    }

    private func fetch(_ version: VersionRow, key: String, exported: String?) async throws -> String {
        guard version.ownerID.isEmpty else {
            // GetWorkflow's documentation: whoever a workflow is shared with cannot export it.
            throw DefinitionError(
                "workflow \(version.label) is shared by account \(version.ownerID), and HealthOmics gives its definition "
                    + "to that account alone; its images are learned from the tasks of finished runs"
            )
        }
        let address: String
        if let exported {
            address = exported
        } else if let fresh = try await export(version) {
            address = fresh
        } else {
            let trouble =
                "the service gives no definition of workflow \(version.label); its images are learned from tasks"
            try ledger.storeDefinition(key, file: nil, bytes: nil, trouble: trouble, now: now())
            throw DefinitionError(trouble)
        }
        let bytes: [UInt8]
        do {
            bytes = try await healthOmics.downloadDefinition(address)
        } catch let error as AWSError where exported != nil && error.status == 403 {
            // The presigned address ran out; one fresh one.
            guard let fresh = try await export(version) else { throw error }
            bytes = try await healthOmics.downloadDefinition(fresh)
        } catch let error as AWSError where error.code == "TooLarge" {
            let trouble = "the definition of workflow \(version.label): \(error.message)"
            try ledger.storeDefinition(key, file: nil, bytes: nil, trouble: trouble, now: now())
            throw DefinitionError(trouble)
        }
        do {
            _ = try ZipFiles(bytes)
        } catch {
            let trouble = "the definition of workflow \(version.label): \(error)"
            try ledger.storeDefinition(key, file: nil, bytes: bytes.count, trouble: trouble, now: now())
            throw DefinitionError(trouble)
        }
        let name = Self.fileName(key)
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o2770]
        )
        let path = "\(folder)/\(name)"
        try Data(bytes).write(to: URL(filePath: path), options: .atomic)
        try ledger.storeDefinition(key, file: name, bytes: bytes.count, trouble: nil, now: now())
        for (_, old) in try ledger.definitionsToDrop(keepingBytes: Self.keptBytes) where old != name {
            try? FileManager.default.removeItem(atPath: "\(folder)/\(old)")
        }
        return path
    }

    private func export(_ version: VersionRow) async throws -> String? {
        if version.name.isEmpty {
            try await healthOmics.getWorkflow(
                id: version.workflowID,
                workflowOwnerID: version.ownerID.isEmpty ? nil : version.ownerID,
                exportDefinition: true
            ).definition
        } else {
            try await healthOmics.getWorkflowVersion(
                workflowID: version.workflowID,
                versionName: version.name,
                workflowOwnerID: version.ownerID.isEmpty ? nil : version.ownerID,
                exportDefinition: true
            ).definition
        }
    }

    private static func fileName(_ key: String) -> String {
        SHA256.hash(data: Data(key.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined() + ".zip"
    }
}
