import Configuring
import Definitions
import Foundation
import Precloning
import Record

/// What commands ask of the account that change nothing: on a record in memory, so that none has to be there.
enum AccountReading {
    /// Lends the working parts of a configuration, with a record in memory and a folder that is removed.
    static func with<Value>(
        _ configuration: Configuration,
        profile: String? = nil,
        region: String? = nil,
        _ body: (Works, Composition) async throws -> Value
    ) async throws -> Value {
        var configuration = configuration
        let folder = FileManager.default.temporaryDirectory.appending(path: "preclone-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        configuration.record.path = folder.appending(path: "record.sqlite").path
        return try await Composition.with(configuration, profile: profile, region: region) { composition in
            try await body(try composition.works(on: try Ledger()), composition)
        }
    }

    /// Lends what is asked of the account by one command. What it knows of hosts and places is what the record knows, where
    /// one can be read.
    ///
    /// - Parameter audit: takes what is changed; nil: nothing is.
    static func verbs<Value>(
        _ configuration: Configuration,
        audit: ChangeAudit? = nil,
        _ body: (AccountVerbs) async throws -> Value
    ) async throws -> Value {
        let record = configuration.record.path
        return try await with(configuration) { works, composition in
            try await body(
                composition.verbs(
                    works.account,
                    known: { try? RecordReader(path: record) },
                    audit: { try audit?.keep($0) }
                )
            )
        }
    }

    /// A workflow's name from the command line.
    ///
    /// - Throws: `CommandFailure` that ends with code 2.
    static func name(_ text: String) throws -> WorkflowName {
        guard let name = WorkflowName(text) else {
            throw CommandFailure("`\(text)` names no workflow: write its number, or ID/VERSION", ending: .usage)
        }
        return name
    }

    /// An answer that a person does not wait for at any length.
    ///
    /// - Throws: what `body` throws; `CommandFailure` where it takes longer.
    static func answer<Value: Sendable>(
        within limit: Duration,
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw CommandFailure("no answer within \(limit.formatted())", ending: .temporary)
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }
}
