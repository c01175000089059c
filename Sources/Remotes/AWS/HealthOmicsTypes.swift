package import Foundation
package import Names

/// A status of a run. Open: values that are not known are kept.
package struct RunStatus: RawRepresentable, Hashable, Sendable, Codable {
    package var rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    package static let pending = RunStatus(rawValue: "PENDING")
    package static let starting = RunStatus(rawValue: "STARTING")
    package static let running = RunStatus(rawValue: "RUNNING")
}

/// A type of workflow: PRIVATE or READY2RUN.
package struct WorkflowType: RawRepresentable, Hashable, Sendable, Codable {
    package var rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    package static let `private` = WorkflowType(rawValue: "PRIVATE")
}

/// A status of a workflow or version, such as ACTIVE.
package struct WorkflowStatus: RawRepresentable, Hashable, Sendable, Codable {
    package var rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// The engine of a workflow, by HealthOmics' name.
package struct WorkflowEngineName: RawRepresentable, Hashable, Sendable, Codable {
    package var rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// One run of ListRuns.
package struct RunListItem: Codable, Sendable {
    package var id: String
    package var arn: String?
    package var name: String?
    package var status: RunStatus?
    package var workflowId: String?
    package var workflowVersionName: String?
    package var batchId: String?
    package var creationTime: Date?
}

/// GetRun's answer, as far as we use it.
package struct Run: Codable, Sendable {
    package var id: String?
    package var uuid: String?
    package var status: RunStatus?
    package var workflowId: String?
    package var workflowType: WorkflowType?
    package var workflowVersionName: String?
    package var workflowOwnerId: String?
    package var batchId: String?
    package var name: String?
    package var parameters: JSONValue?
    /// Where the parameters are, for a run that was started with a file of them: a presigned address, which is a secret,
    /// or, until HealthOmics has stored its copy, the `s3:` URI that was submitted.
    package var parametersUri: String?
    package var engineSettings: JSONValue?
    package var engineVersion: String?
    package var creationTime: Date?
    /// The whole answer, in which the numbers of `parameters` stand as they were written.
    package var text: Data?

    private enum CodingKeys: CodingKey {
        case id, uuid, status, workflowId, workflowType, workflowVersionName, workflowOwnerId, batchId, name
        case parameters, parametersUri, engineSettings, engineVersion, creationTime
    }
}

/// One task of ListRunTasks. It does not name its image.
package struct TaskListItem: Codable, Sendable {
    package var taskId: String
    package var name: String?
    package var status: String?
    package var cacheHit: Bool?
    package var startTime: Date?
}

/// GetRunTask's answer, as far as we use it.
package struct RunTask: Codable, Sendable {
    /// What the task really used.
    package struct ImageDetails: Codable, Sendable {
        /// The URI in ECR.
        package var image: String?
        package var imageDigest: String?
        /// The upstream URI before any mapping.
        package var sourceImage: String?
    }

    package var taskId: String?
    package var name: String?
    package var imageDetails: ImageDetails?
}

/// One workflow of ListWorkflows.
package struct WorkflowListItem: Codable, Sendable {
    package var id: String
    package var arn: String?
    package var name: String?
    package var status: WorkflowStatus?
    package var type: WorkflowType?
    package var digest: String?
    package var creationTime: Date?
}

/// One version of ListWorkflowVersions.
package struct WorkflowVersionListItem: Codable, Sendable {
    package var versionName: String
    package var workflowId: String?
    package var status: WorkflowStatus?
    package var digest: String?
    package var creationTime: Date?
}

/// GetWorkflow's or GetWorkflowVersion's answer, as far as we use it.
package struct WorkflowDetails: Codable, Sendable {
    package var id: String?
    package var name: String?
    package var engine: WorkflowEngineName?
    package var main: String?
    package var digest: String?
    package var status: WorkflowStatus?
    package var type: WorkflowType?
    package var creationTime: Date?
    /// With `export=DEFINITION`: a presigned address of a zip, to be fetched at once and never stored or shown.
    package var definition: String?
    package var containerRegistryMap: ContainerRegistryMap?
}

/// GetBatch's answer, as far as we use it.
package struct RunBatch: Codable, Sendable {
    package struct RunSetting: Codable, Sendable {
        package var workflowId: String?
        package var workflowVersionName: String?
        package var workflowOwnerId: String?
        package var parameters: JSONValue?
        package var engineSettings: JSONValue?
        package var engineVersion: String?
    }

    package var id: String?
    package var defaultRunSetting: RunSetting?
    /// The whole answer, in which the numbers of `parameters` stand as they were written.
    package var text: Data?

    private enum CodingKeys: CodingKey { case id, defaultRunSetting }
}
