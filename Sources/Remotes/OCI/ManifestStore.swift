package import Names

/// Manifests by digest, which never change: what was read once is not asked for again. The ledger conforms to it. It is a
/// convenience: losing an entry costs a request, never correctness.
package protocol ManifestStore: Sendable {
    func load(_ digest: Digest) async -> ManifestDocument?
    func keep(_ document: ManifestDocument) async
}

extension ImageCopy.Source {
    /// A manifest of the repository: one that was kept, else read and kept.
    ///
    /// Whoever names a digest knows from the registry that it is there, by its tag or its index; but for the digest that
    /// the source itself names, which is looked for.
    ///
    /// - Parameter descriptor: what another manifest says of it, where one names it.
    /// - Throws: `RegistryError`, `CancellationError`.
    package func manifest(
        _ reference: ManifestReference,
        _ descriptor: Descriptor? = nil
    ) async throws -> ManifestDocument {
        if let digest = reference.digest, let kept = await manifests?.load(digest) {
            if self.reference != reference { return kept }
            if let head = try await client.headManifest(repository, reference), head.isCertain { return kept }
        }
        let document: ManifestDocument
        do {
            document = try await client.getManifest(repository, reference, budget: budget, descriptor: descriptor)
        } catch let error as RegistryError where error.isSchema1 && reference != self.reference {
            // What to use instead is told by the tag.
            throw await client.advised(error, repository, self.reference)
        }
        await manifests?.keep(document)
        return document
    }
}
