/// What a person asks for with `preclone clone`.
package struct CloneOptions: Codable, Sendable, Hashable {
    package var targetRepository: String?
    package var targetTag: String?
    /// The place in ECR that a workflow's map leads to, where whoever asks knows it.
    package var destination: String?
    /// How soon it is wanted, where that is sooner than a person's wish: `ready` asks as a run does.
    package var urgency: Urgency?

    package init(
        targetRepository: String? = nil,
        targetTag: String? = nil,
        destination: String? = nil,
        urgency: Urgency? = nil
    ) {
        self.targetRepository = targetRepository
        self.targetTag = targetTag
        self.destination = destination
        self.urgency = urgency
    }
}

/// A row of `request`: one image that one person asked for.
package struct CloneRequestRow: Codable, Sendable {
    package var id: Int64
    package var image: String
    package var options: String
    package var userID: Int64
    package var userName: String
    package var createdAt: Milliseconds
    package var state: String
    package var imageID: Int64?
    package var result: String?
    package var endedAt: Milliseconds?
    /// The lowest generation of the image that answers it.
    package var generation: Int?
    /// The agent that the person's program spoke for; nil: for the person.
    package var agent: String?

    package var caller: Caller {
        Caller(userID: UInt32(clamping: userID), userName: userName, agent: agent)
    }
}
