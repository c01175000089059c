import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
package import Names

/// The HealthOmics calls that watching needs. Source: the service model `omics/2022-11-28`.
package struct HealthOmicsClient: Sendable {
    let client: AWSClient
    let transport: any HTTPTransport
    private static let largestDefinition = 256 << 20
    /// HealthOmics takes 50,000 bytes.
    private static let largestParameters = 4 << 20
    /// A definition that trickles ends then.
    private static let longestDownload = Duration.seconds(1_800)
    /// How often a definition is asked for before whoever wants it waits.
    private static let downloads = 3

    package init(client: AWSClient, transport: any HTTPTransport) {
        self.client = client
        self.transport = transport
    }

    /// All runs of one status or batch, or of any; every page, since their order is not documented. Each page is handed
    /// on as it comes: thousands of new runs need not wait for the last page's.
    package func eachPageOfRuns(
        status: RunStatus?,
        batchID: String? = nil,
        _ take: ([RunListItem]) throws -> Void
    ) async throws {
        struct Page: Decodable {
            var items: [RunListItem]?
            var nextToken: String?
        }
        try await client.eachPage("ListRuns") { token in
            var query = [(name: "maxResults", value: "100")]
            if let status { query.append((name: "status", value: status.rawValue)) }
            if let batchID { query.append((name: "batchId", value: batchID)) }
            if let token { query.append((name: "startingToken", value: token)) }
            let page = try await client.rest("ListRuns", path: "/run", query: query, as: Page.self)
            return (page.items ?? [], page.nextToken)
        } _: {
            try take($0)
        }
    }

    /// A run, or nil when it is gone.
    package func getRun(id: String) async throws -> Run? {
        try await orNil {
            var (run, text): (Run, Data) = try await client.restWithText("GetRun", path: "/run/\(SigV4.encoded(id))")
            run.text = text
            return run
        }
    }

    package func allRunTasks(runID: String) async throws -> [TaskListItem] {
        struct Page: Decodable {
            var items: [TaskListItem]?
            var nextToken: String?
        }
        return try await client.pages("ListRunTasks") { token in
            var query = [(name: "maxResults", value: "100")]
            if let token { query.append((name: "startingToken", value: token)) }
            let page = try await client.rest(
                "ListRunTasks",
                path: "/run/\(SigV4.encoded(runID))/task",
                query: query,
                as: Page.self
            )
            return (page.items ?? [], page.nextToken)
        }
    }

    package func getRunTask(runID: String, taskID: String) async throws -> RunTask? {
        try await orNil {
            try await client.rest("GetRunTask", path: "/run/\(SigV4.encoded(runID))/task/\(SigV4.encoded(taskID))")
        }
    }

    /// All workflows of a type, each page as it comes.
    package func eachPageOfWorkflows(
        type: WorkflowType,
        _ take: ([WorkflowListItem]) throws -> Void
    ) async throws {
        struct Page: Decodable {
            var items: [WorkflowListItem]?
            var nextToken: String?
        }
        try await client.eachPage("ListWorkflows") { token in
            var query = [(name: "maxResults", value: "100"), (name: "type", value: type.rawValue)]
            if let token { query.append((name: "startingToken", value: token)) }
            let page = try await client.rest("ListWorkflows", path: "/workflow", query: query, as: Page.self)
            return (page.items ?? [], page.nextToken)
        } _: {
            try take($0)
        }
    }

    package func allWorkflowVersions(workflowID: String) async throws -> [WorkflowVersionListItem] {
        struct Page: Decodable {
            var items: [WorkflowVersionListItem]?
            var nextToken: String?
        }
        return try await client.pages("ListWorkflowVersions") { token in
            var query = [(name: "maxResults", value: "100")]
            if let token { query.append((name: "startingToken", value: token)) }
            let page = try await client.rest(
                "ListWorkflowVersions",
                path: "/workflow/\(SigV4.encoded(workflowID))/version",
                query: query,
                as: Page.self
            )
            return (page.items ?? [], page.nextToken)
        }
    }

    /// A workflow; with `exportDefinition` also a presigned address of its zip.
    package func getWorkflow(
        id: String,
        workflowOwnerID: String? = nil,
        exportDefinition: Bool
    ) async throws -> WorkflowDetails {
        try await client.rest(
            "GetWorkflow",
            path: "/workflow/\(SigV4.encoded(id))",
            query: Self.query(owner: workflowOwnerID, exportDefinition)
        )
    }

    /// A version of a workflow; with `exportDefinition` also a presigned address of its zip.
    package func getWorkflowVersion(
        workflowID: String,
        versionName: String,
        workflowOwnerID: String? = nil,
        exportDefinition: Bool
    ) async throws -> WorkflowDetails {
        try await client.rest(
            "GetWorkflowVersion",
            path: "/workflow/\(SigV4.encoded(workflowID))/version/\(SigV4.encoded(versionName))",
            query: Self.query(owner: workflowOwnerID, exportDefinition)
        )
    }

    /// A batch of runs, or nil when it is gone.
    package func getBatch(id: String) async throws -> RunBatch? {
        try await orNil {
            var (batch, text): (RunBatch, Data) = try await client.restWithText(
                "GetBatch",
                path: "/runBatch/\(SigV4.encoded(id))"
            )
            batch.text = text
            return batch
        }
    }

    /// Fetches an exported definition into a file, which it replaces: a plain, unsigned GET. The address is a secret: errors
    /// show its host only.
    ///
    /// - Returns: how many bytes there are, and their digest.
    /// - Throws: `AWSError`, `TransportError`; what kept the file from being written.
    package func downloadDefinition(
        _ address: String,
        to path: String
    ) async throws -> (bytes: Int, digest: Digest) {
        let what = "the definition"
        return try await retrying(what) {
            try await fetch(address, what: what, within: Self.longestDownload) { body in
                guard FileManager.default.createFile(atPath: path, contents: nil) else {
                    throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path])
                }
                let file = try FileHandle(forWritingTo: URL(filePath: path))
                defer { try? file.close() }
                var hasher = Digest.Hasher(.sha256)
                var count = 0
                for try await piece in body {
                    count += piece.readableBytes
                    guard count <= Self.largestDefinition else { throw Self.tooLarge(what, Self.largestDefinition) }
                    piece.withUnsafeReadableBytes { hasher.update($0) }
                    try file.write(contentsOf: Data(buffer: piece))
                }
                return (count, hasher.finalize())
            }
        }
    }

    /// Fetches a run's file of parameters in the same way.
    package func downloadParameters(_ address: String) async throws -> [UInt8] {
        let what = "the run's parameters"
        return try await retrying(what) {
            try await fetch(address, what: what, within: nil) { body in
                do {
                    return Array(buffer: try await body.collect(upTo: Self.largestParameters))
                } catch is NIOTooManyBytesError {
                    throw Self.tooLarge(what, Self.largestParameters)
                }
            }
        }
    }

    private func retrying<Value>(_ what: String, _ body: () async throws -> Value) async throws -> Value {
        try await client.retry.repeating(
            on: client.timeline,
            atMost: Self.downloads,
            translate: { error in
                error as? AWSError ?? (error as? TransportError).map { AWSError($0, in: "omics:download of \(what)") }
            },
            isWorthIt: { failure, _ in failure.isWorthRetrying },
            body
        )
    }

    /// - Parameter within: how long the whole may take; nil: as long as small answers may.
    private func fetch<Value>(
        _ address: String,
        what: String,
        within limit: Duration?,
        _ read: (HTTPClientResponse.Body) async throws -> Value
    ) async throws -> Value {
        let host = URLComponents(string: address)?.host ?? "the host of \(what)"
        let patience = limit.map { Patience(whole: $0) } ?? Patience().forSmallBodies
        let response = try await transport.send(HTTPClientRequest(url: address), patience: patience)
        guard response.status == .ok else {
            throw AWSError(
                operation: "omics:download of \(what)",
                code: "HTTP\(response.status.code)",
                message: "\(host) answered \(response.status.code)",
                status: Int(response.status.code),
                // The address may have run out, the store may be late: the service, asked again, names another one.
                kind: .transient
            )
        }
        return try await read(response.body)
    }

    private static func tooLarge(_ what: String, _ limit: Int) -> AWSError {
        AWSError(
            operation: "omics:download of \(what)",
            code: "TooLarge",
            message: "\(what) has more than \(limit) bytes",
            kind: .permanent
        )
    }

    private static func query(owner: String?, _ exports: Bool) -> [(name: String, value: String)] {
        var query: [(name: String, value: String)] = []
        if exports { query.append((name: "export", value: "DEFINITION")) }
        if let owner { query.append((name: "workflowOwnerId", value: owner)) }
        return query
    }

    private func orNil<Output>(_ call: () async throws -> Output) async throws -> Output? {
        do { return try await call() } catch let error as AWSError where error.isNotFound { return nil }
    }
}
