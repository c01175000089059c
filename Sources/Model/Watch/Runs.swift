package import Foundation

/// A row of `run`.
package struct RunRow: Codable, Sendable, Equatable {
    /// `id@milliseconds of creation`: run ids are used again after deletion.
    package var key: String
    package var id: String
    package var uuid: String?
    package var name: String?
    package var status: String
    package var workflowID: String?
    package var workflowType: String?
    package var ownerID: String
    package var versionName: String
    package var batchID: String?
    package var inspection: Int64?
    /// When its demands were known last.
    package var surveyedAt: Milliseconds?
    /// What decided them; nil while they are not known.
    package var surveyMark: String?
    package var surveyAttempts: Int
    package var surveyDueAt: Milliseconds?
    package var trouble: String?
    package var createdAt: Milliseconds?
    package var seenAt: Milliseconds
    package var endedAt: Milliseconds?
    package var learnedAt: Milliseconds?

    package init(
        key: String,
        id: String,
        uuid: String? = nil,
        name: String? = nil,
        status: String,
        workflowID: String? = nil,
        workflowType: String? = nil,
        ownerID: String,
        versionName: String,
        batchID: String? = nil,
        inspection: Int64? = nil,
        surveyedAt: Milliseconds? = nil,
        surveyMark: String? = nil,
        surveyAttempts: Int,
        surveyDueAt: Milliseconds? = nil,
        trouble: String? = nil,
        createdAt: Milliseconds? = nil,
        seenAt: Milliseconds,
        endedAt: Milliseconds? = nil,
        learnedAt: Milliseconds? = nil
    ) {
        self.key = key
        self.id = id
        self.uuid = uuid
        self.name = name
        self.status = status
        self.workflowID = workflowID
        self.workflowType = workflowType
        self.ownerID = ownerID
        self.versionName = versionName
        self.batchID = batchID
        self.inspection = inspection
        self.surveyedAt = surveyedAt
        self.surveyMark = surveyMark
        self.surveyAttempts = surveyAttempts
        self.surveyDueAt = surveyDueAt
        self.trouble = trouble
        self.createdAt = createdAt
        self.seenAt = seenAt
        self.endedAt = endedAt
        self.learnedAt = learnedAt
    }
}

/// What a list of runs says of one run.
package struct RunSighting: Sendable, Hashable {
    package var id: String
    package var created: Date?
    package var name: String?
    package var status: String
    package var workflowID: String?
    package var versionName: String
    package var batchID: String?

    package init(
        id: String,
        created: Date?,
        name: String?,
        status: String,
        workflowID: String?,
        versionName: String,
        batchID: String?
    ) {
        self.id = id
        self.created = created
        self.name = name
        self.status = status
        self.workflowID = workflowID
        self.versionName = versionName
        self.batchID = batchID
    }

    /// The second counts, not its fraction, which one operation tells and another does not.
    package var key: String { "\(id)@\((created?.milliseconds ?? 0) / 1000 * 1000)" }

    /// Whether tasks of the run may still ask for images.
    package var isLive: Bool { ["PENDING", "STARTING", "RUNNING"].contains(status) }
}
