import Foundation

/// What HealthOmics knows of workflows, runs, tasks and batches.
struct OmicsState: Sendable {
    /// What a workflow and each of its versions have of their own.
    struct Definition: Sendable {
        /// `WDL`, `WDL_LENIENT`, `NEXTFLOW` or `CWL`.
        var engine: String
        var main: String?
        var zip: [UInt8]
        var parameterTemplate: SandboxJSON?
        var registryMap: SandboxJSON?
        var description: String?
        var accelerators: String?
        var digest: String { SandboxDigest.of(zip) }
    }

    struct Version: Sendable {
        var name: String
        var uuid: String
        var status: String
        var digest: String
        var definition: Definition
        var createdAt: Date
    }

    struct Workflow: Sendable {
        var id: String
        var name: String
        var uuid: String
        /// `PRIVATE` or `READY2RUN`.
        var type: String
        /// Another account's for a shared workflow.
        var owner: String
        var status: String
        var digest: String
        var definition: Definition
        var createdAt: Date
        var tags: SandboxJSON
        var versions: [Version] = []
        var requestID: String?
    }

    struct Task: Sendable {
        var id: String
        var uuid: String
        var name: String
        var status: String
        var isCacheHit: Bool
        var createdAt: Date
        var image: String?
        var imageDigest: String?
        var sourceImage: String?
    }

    struct Run: Sendable {
        var id: String
        var uuid: String
        var name: String?
        var status: String
        var workflowID: String
        var workflowType: String
        var versionName: String?
        var ownerID: String?
        var batchID: String?
        /// The members of StartRun that GetRun tells again.
        var settings: [String: SandboxJSON]
        var createdAt: Date
        var startedAt: Date?
        var stoppedAt: Date?
        var tasks: [Task] = []
    }

    struct Batch: Sendable {
        var id: String
        var uuid: String
        var name: String?
        var status: String
        var defaults: SandboxJSON
        var createdAt: Date
        var runs: [(settingID: String, runID: String)] = []
        var requestID: String?
    }

    var workflows: [String: Workflow] = [:]
    var runs: [String: Run] = [:]
    var batches: [String: Batch] = [:]
    /// Files of parameters by the `s3:` URI that runs are started with.
    var parameterFiles: [String: [UInt8]] = [:]
    /// Run ids by StartRun's requestId: asked twice, started once.
    var requests: [String: String] = [:]
    /// Runs that so many lists more leave out.
    var hidden: [String: Int] = [:]
    private var serial = 1_000_000

    /// The next seven-digit id.
    mutating func nextID() -> String {
        serial += 1
        return String(serial)
    }
}

/// Pages of HealthOmics lists. The order is not that of ids or times, since the service promises none.
enum OmicsPage {
    /// - Throws: ValidationException.
    static func cut(_ items: [(key: String, value: SandboxJSON)], _ request: Incoming) throws -> SandboxJSON {
        var size = 10
        if let text = request.value("maxResults") {
            guard let number = Int(text), (1...100).contains(number) else {
                throw AWSFailure("ValidationException", "maxResults must be from 1 to 100.")
            }
            size = number
        }
        var rest = items.map { (key: String($0.key.reversed()), value: $0.value) }.sorted { $0.key < $1.key }
        if let token = request.value("startingToken") {
            guard let data = Data(base64Encoded: token) else {
                throw AWSFailure("ValidationException", "startingToken is not valid.")
            }
            let last = String(decoding: data, as: UTF8.self)
            rest.removeAll { $0.key <= last }
        }
        let page = rest.prefix(size)
        let next = rest.count > size ? page.last.map { Data($0.key.utf8).base64EncodedString() } : nil
        return .compact(["items": .array(page.map(\.value)), "nextToken": SandboxJSON.text(next)])
    }
}
