import Foundation

/// In which way something refers to an image.
package enum ReferrerForm: Sendable, Hashable {
    /// By a tag of cosign's scheme that ends so: `sig`, `att`, `sbom`.
    case tag(String)
    /// By its `subject`, as cosign 3 and notation do; with its artifact type.
    case subject(String)
    /// The same, at a registry that does not know subjects: the tag that stands for the image lists it.
    case listedSubject(String)

    package static let bundle = ReferrerForm.subject("application/vnd.dev.sigstore.bundle.v0.3+json")
    package static let notation = ReferrerForm.subject("application/vnd.cncf.notary.signature")
}

extension MadeImage {
    /// A signature of a manifest, which does not verify.
    ///
    /// - Parameter name: goes into its layer, so that several differ.
    static func referrer(to subject: StoredManifest, _ form: ReferrerForm, name: String) -> MadeImage {
        var image = MadeImage()
        func descriptor(_ content: BlobContent, _ type: String) -> SandboxJSON {
            ["mediaType": .string(type), "digest": .string(content.digest), "size": .integer(content.size)]
        }
        let layer = BlobContent.bytes(Array("signature \(name) of \(subject.digest)".utf8))
        let config = BlobContent.bytes(Array("{}".utf8))
        image.add([config, layer])
        var document: [String: SandboxJSON] = [
            "schemaVersion": 2,
            "mediaType": .string(ManifestType.ociManifest),
            "layers": [descriptor(layer, "application/vnd.dev.cosign.simplesigning.v1+json")],
            "annotations": ["org.opencontainers.image.created": "2026-01-01T00:00:00Z"],
        ]
        switch form {
        case .tag:
            document["config"] = descriptor(config, ManifestType.ociConfig)
        case .subject(let type), .listedSubject(let type):
            document["config"] = descriptor(config, "application/vnd.oci.empty.v1+json")
            document["artifactType"] = .string(type)
            document["subject"] = [
                "mediaType": .string(subject.mediaType), "digest": .string(subject.digest),
                "size": .integer(Int64(subject.bytes.count)),
            ]
        }
        image.setRoot(.object(document))
        return image
    }
}

extension StoredManifest {
    /// The tag that stands for a digest.
    static func tag(of digest: String) -> String { digest.replacing(":", with: "-") }

    /// The index of manifests that a registry answers with, or that stands below the tag of a digest.
    static func list(_ manifests: [StoredManifest]) -> SandboxJSON {
        let entries = manifests.sorted { $0.digest < $1.digest }.map { manifest -> SandboxJSON in
            let document = try? SandboxJSON(json: Data(manifest.bytes))
            return .compact([
                "mediaType": .string(manifest.mediaType),
                "digest": .string(manifest.digest),
                "size": .integer(Int64(manifest.bytes.count)),
                "artifactType": SandboxJSON.text(manifest.artifactType),
                "annotations": document?["annotations"],
            ])
        }
        return ["schemaVersion": 2, "mediaType": .string(ManifestType.ociIndex), "manifests": .array(entries)]
    }

}

extension Reply {
    /// The answer to a request for what refers to a digest, a page of it where `size` is given.
    static func referrers(of digest: String, among all: [StoredManifest], _ request: Incoming, size: Int?) -> Reply {
        var found = all.filter { $0.subject == digest }.sorted { $0.digest < $1.digest }
        var headers = [(name: "Content-Type", value: ManifestType.ociIndex)]
        if let type = request.value("artifactType") {
            found.removeAll { $0.artifactType != type }
            headers.append(("OCI-Filters-Applied", "artifactType"))
        }
        if let size {
            let last = request.value("last") ?? ""
            let rest = found.filter { $0.digest > last }
            found = Array(rest.prefix(size))
            if rest.count > size, let end = found.last?.digest {
                headers.append(("Link", "<\(request.path)?last=\(end)>; rel=\"next\""))
            }
        }
        return Reply(200, headers: headers, body: .data(StoredManifest.list(found).data))
    }
}

extension Sandbox {
    /// Puts something that refers to an image into its upstream registry.
    ///
    /// - Parameters:
    ///   - digest: of a manifest that is there: an image, an index, or another referrer.
    ///   - name: tells several of one form apart.
    /// - Returns: its digest.
    /// - Throws: `AWSFailure` when there is no such manifest.
    @discardableResult
    package func putReferrer(
        to digest: String,
        _ form: ReferrerForm,
        registry: String,
        repository: String,
        name: String = "a"
    ) throws -> String {
        try world.with { try $0.putReferrer(to: digest, form, host: registry, repository: repository, name: name) }
    }

    /// Digests of what refers to a manifest in a private repository by its subject, sorted.
    package func privateReferrers(to digest: String, repository: String) -> [String] {
        world.with { state in
            let images = state.ecr.repositories[repository]?.images.values.filter { $0.manifest.subject == digest }
            return (images ?? []).map(\.manifest.digest).sorted()
        }
    }
}

extension WorldState {
    /// - Returns: its digest.
    mutating func putReferrer(
        to digest: String,
        _ form: ReferrerForm,
        host: String,
        repository: String,
        name: String
    ) throws -> String {
        guard let subject = upstreams[host]?.manifest(repository, digest) else {
            throw Self.notFound("Manifest \(digest)")
        }
        let image = MadeImage.referrer(to: subject, form, name: name)
        var tags: [String] = []
        if case .tag(let end) = form { tags = ["\(StoredManifest.tag(of: digest)).\(end)"] }
        try putUpstream(image, host: host, repository: repository, tags: tags)
        if case .listedSubject = form {
            let all = upstreams[host]?.repositories[repository]?.manifests.values.filter { $0.subject == digest }
            var list = MadeImage()
            list.setRoot(StoredManifest.list(all ?? []))
            try putUpstream(list, host: host, repository: repository, tags: [StoredManifest.tag(of: digest)])
        }
        return image.root
    }
}

extension WorldState {
    /// ECR's own words for what refers to an image.
    func listImageReferrers(_ input: SandboxJSON) throws -> SandboxJSON {
        guard let subject = input["subjectId"]?["imageDigest"]?.string else { throw AWSFailure.missing("subjectId") }
        let types = input["filter"]?["artifactTypes"]?.strings ?? []
        let found = try repository(input).images.values.filter { image in
            image.manifest.subject == subject && image.status == "ACTIVE"
                && (types.isEmpty || types.contains(image.manifest.artifactType ?? ""))
        }
        let entries = StoredManifest.list(found.map(\.manifest))["manifests"]?.array ?? []
        let page = try Page.cut(
            entries.map { entry -> SandboxJSON in
                guard case .object(var members) = entry else { return entry }
                members["artifactStatus"] = "ACTIVE"
                return .object(members)
            },
            maxResults: input["maxResults"]?.integer,
            token: input["nextToken"]?.string,
            limit: 50,
            usual: 50
        )
        return .compact(["referrers": .array(page.items), "nextToken": page.next])
    }
}
