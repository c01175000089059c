package import Names

/// A durable count of the manifest GETs that registries such as Docker Hub limit. The ledger conforms to it.
package protocol PullBudget: Sendable {
    /// Takes one pull out of the allowance before it is spent.
    ///
    /// - Throws: `RegistryError` of kind `quotaExhausted`, with `retryAfter`, when none is left.
    func reserve(registry: String) async throws -> PullReservation
    /// The request was answered: it counts.
    func commit(_ reservation: PullReservation) async
    /// The request may have arrived and has no answer: it counts from now on, until the registry says what it counted.
    func lose(_ reservation: PullReservation) async
    /// The request was refused or never sent: it does not count.
    func release(_ reservation: PullReservation) async
    /// The registry refused, since the allowance is used up, whatever we had counted.
    ///
    /// - Parameter retryAfter: how long it asks to be left alone; nil where it does not say.
    func exhaust(_ reservation: PullReservation, retryAfter: Duration?) async
}

/// Where the uploads of very large layers are noted, so that a restarted daemon goes on with them. The ledger conforms
/// to it. It is a convenience: losing an entry costs bytes, never correctness.
package protocol UploadJournal: Sendable {
    /// The upload of a blob to a repository that was begun and not finished.
    func load(registry: String, repository: String, digest: Digest) async -> UploadRecord?
    func save(_ record: UploadRecord) async
    func drop(registry: String, repository: String, digest: Digest) async
}

/// An upload in parts (ECR's InitiateLayerUpload).
package struct UploadRecord: Hashable, Sendable {
    package var registry: String
    package var repository: String
    package var digest: Digest
    package var uploadID: String
    /// The part size the registry asked for, in bytes.
    package var partSize: Int
    /// Bytes the registry has confirmed.
    package var bytesSent: Int64

    package init(
        registry: String,
        repository: String,
        digest: Digest,
        uploadID: String,
        partSize: Int,
        bytesSent: Int64
    ) {
        self.registry = registry
        self.repository = repository
        self.digest = digest
        self.uploadID = uploadID
        self.partSize = partSize
        self.bytesSent = bytesSent
    }
}
