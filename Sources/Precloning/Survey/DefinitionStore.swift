package import Definitions
package import Foundation
package import Model
import Names
package import Remotes

/// The definitions of the account's workflows on disk: each read from the service once per digest, evaluated once per
/// set of parameters that its images depend on.
package actor DefinitionStore {
    /// The bytes that stored definitions may take together; those read longest ago are dropped and fetched again
    /// when they are wanted.
    private static let keptBytes: Int64 = 2 << 30

    private let memory: any SurveyMemory
    private let folder: String
    private let healthOmics: HealthOmicsClient
    private let now: @Sendable () -> Date
    /// Definitions being fetched or evaluated, with those who wait for their turn: nothing is done twice at one time.
    private var busy: [String: [CheckedContinuation<Void, Never>]] = [:]

    /// - Parameter folder: where the zips are kept; made when the first one comes.
    package init(
        memory: any SurveyMemory,
        folder: String,
        healthOmics: HealthOmicsClient,
        now: @escaping @Sendable () -> Date
    ) {
        self.memory = memory
        self.folder = folder
        self.healthOmics = healthOmics
        self.now = now
    }

    /// What a version's definition needs for one set of parameters and profiles.
    ///
    /// - Returns: the stored inspection's number and the inspection.
    /// - Throws: `DefinitionError` for a definition that no other try will read; `UnreadDefinition` and errors of the service
    ///   and of the record, after which another try may.
    package func inspection(
        of version: VersionRow,
        parameters: [String: ParameterValue],
        profiles: [String],
        engineVersion: String?
    ) async throws -> (id: Int64, inspection: Inspection) {
        guard let name = version.engine else {
            throw UnreadDefinition("HealthOmics does not say which engine workflow \(version.label) is for")
        }
        guard let engine = WorkflowEngine(name: name) else {
            throw DefinitionError("workflow \(version.label) names engine `\(name)`, which preclone does not read")
        }
        let key = Self.key(of: version)
        let main = version.main ?? ""
        // A later preclone may read a definition better: what an earlier one made of it does not hold for it.
        // And what holds before any run does not hold for a run that gives nothing of what matters.
        let form = Self.program + (parameters.isEmpty ? Self.anyRun : "")
        let profileText = try InspectionCoding.text([profiles, engineVersion.map { [$0] } ?? [], [form]])
        // What depends on a parameter is kept by the name that the engine gives it.
        let given = ParameterValue.object(engine == .nextflow ? NextflowDefinition.named(parameters) : parameters)
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
        let path = try await file(for: version, key: key)
        let request = DefinitionRequest(
            engine: engine,
            main: version.main,
            parameters: parameters,
            profiles: profiles,
            engineVersion: engineVersion
        )
        let inspection: Inspection
        do {
            inspection = try await Self.evaluate(path, request)
        } catch let error as DefinitionError {
            // It was whole when it was stored.
            guard let damage = await Self.damage(of: path) else { throw error }
            try? FileManager.default.removeItem(atPath: path)
            throw UnreadDefinition("the stored definition of workflow \(version.label): \(damage)")
        }
        let id = try memory.storeInspection(
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

    /// What reads definitions: another one may read them otherwise.
    static let program = "\(Version.current), form \(InspectionCoding.format)"
    private static let anyRun = ", any run"

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
        let known = try memory.inspections(definition: key, engine: engine.rawValue, main: main, profiles: profiles)
        let same = known.first {
            given.restricted(to: JSONColumn.strings($0.relevant) + Self.alwaysRelevant).canonicalText == $0.parameters
        }
        guard let same, let row = try memory.inspection(same.id) else { return nil }
        return (row.id, try InspectionCoding.decode(row.result))
    }

    /// A stored inspection of a version's present definition by this program, whatever its parameters were; nil where it
    /// is of another.
    nonisolated package func inspection(_ id: Int64, of version: VersionRow) throws -> Inspection? {
        guard let row = try memory.inspection(id), row.definition == Self.key(of: version),
            version.engine.flatMap(WorkflowEngine.init(name:))?.rawValue == row.engine, row.main == version.main ?? "",
            let made = try? JSONDecoder().decode([[String]].self, from: Data(row.profiles.utf8)),
            made.last == [Self.program] || made.last == [Self.program + Self.anyRun]
        else { return nil }
        return try InspectionCoding.decode(row.result)
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

    private func file(for version: VersionRow, key: String) async throws -> String {
        if let stored = try memory.definition(key, program: Self.program) {
            if let trouble = stored.trouble { throw DefinitionError(trouble) }
            if let file = stored.file {
                let path = "\(folder)/\(file)"
                if FileManager.default.fileExists(atPath: path) { return path }
            }
        }
        return try await fetch(version, key: key)
    }

    private func fetch(_ version: VersionRow, key: String) async throws -> String {
        guard version.ownerID.isEmpty else {
            // GetWorkflow's documentation: whoever a workflow is shared with cannot export it.
            throw DefinitionError(
                "workflow \(version.label) is shared by account \(version.ownerID), and HealthOmics gives its definition "
                    + "to that account alone; its images are learned from the tasks of finished runs"
            )
        }
        guard let address = try await export(version) else {
            throw UnreadDefinition(
                "the service gives no definition of workflow \(version.label); its images are learned from tasks"
            )
        }
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o2750]
        )
        let name = Self.fileName(key)
        let path = "\(folder)/\(name)"
        // On the disk from the first byte: a definition may be larger than what this process should take.
        let arriving = path + ".part"
        defer { try? FileManager.default.removeItem(atPath: arriving) }
        let (bytes, digest): (Int, Digest)
        do {
            (bytes, digest) = try await healthOmics.downloadDefinition(address, to: arriving)
        } catch let error as AWSError where error.code == "TooLarge" {
            // No bytes prove it, but it is the definition's own, and asking again would move as much for nothing.
            throw try unreadable(version, key, bytes: nil, error.message)
        }
        if Self.isProven(key, digest) {
            do { _ = try ZipFiles(path: arriving) } catch {
                throw try unreadable(version, key, bytes: bytes, error.message.replacing("\(arriving): ", with: ""))
            }
        } else if let damage = await Self.damage(of: arriving) {
            throw UnreadDefinition("the definition of workflow \(version.label) did not arrive whole: \(damage)")
        }
        guard rename(arriving, path) == 0 else {
            throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path])
        }
        try memory.storeDefinition(
            key,
            file: name,
            bytes: bytes,
            trouble: nil,
            program: Self.program,
            now: now()
        )
        for (_, old) in try memory.definitionsToDrop(keepingBytes: Self.keptBytes) where old != name {
            try? FileManager.default.removeItem(atPath: "\(folder)/\(old)")
        }
        return path
    }

    private func unreadable(_ version: VersionRow, _ key: String, bytes: Int?, _ why: String) throws -> DefinitionError
    {
        let trouble = "the definition of workflow \(version.label): \(why)"
        try memory.storeDefinition(
            key,
            file: nil,
            bytes: bytes,
            trouble: trouble,
            program: Self.program,
            now: now()
        )
        return DefinitionError(trouble)
    }

    /// What is wrong with an archive as such, whatever is in it: it is none, or a file in it does not unpack.
    @concurrent
    private static func damage(of path: String) async -> String? {
        do { return try ZipFiles(path: path).damage } catch {
            return error.message.replacing("\(path): ", with: "")
        }
    }

    /// Whether what has this digest are the very bytes that the service's digest is of.
    private static func isProven(_ digest: String, _ own: Digest) -> Bool {
        digest.lowercased() == own.encoded || digest.lowercased() == own.description
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
        Digest.of(key.utf8).encoded + ".zip"
    }
}

/// A definition that could not be read this time, and may be the next.
package struct UnreadDefinition: Error, Sendable, CustomStringConvertible {
    package var description: String
    /// What the service answered, where it did.
    package var cause: AWSError?

    package init(_ description: String) { self.description = description }

    package init(of version: VersionRow, _ cause: AWSError) {
        description = "workflow \(version.label) cannot be read: \(cause)"
        self.cause = cause
    }
}
