import Foundation
import Hummingbird
import NIOCore
import Names

/// The account's registry over HTTP (`ACCOUNT.dkr.ecr.REGION.amazonaws.com`): Basic authentication with a password
/// from GetAuthorizationToken, uploads, and blobs behind presigned addresses (aws-facts 4.4).
struct ECRRegistry: Sendable {
    let world: World

    func respond(to request: Incoming) async throws -> Reply {
        guard let path = RegistryPath(request.segments) else {
            return Wire.registry.reply(AWSFailure("NOT_FOUND", "no such page", status: 404))
        }
        let call = path.call(method: request.method, registry: "ecr")
        let cut = world.uploadCut(for: call)
        return try await world.serve(call, wire: .registry) {
            try authenticate(request)
            var reply =
                if case .upload(let repository, let session) = path {
                    try await upload(request, repository, session, cut: cut)
                } else {
                    try await answer(request, path)
                }
            reply.headers.append(("Docker-Distribution-Api-Version", "registry/2.0"))
            return reply
        }
    }

    private func authenticate(_ request: Incoming) throws {
        let header = request.headers["authorization"] ?? ""
        try world.with { state in
            let challenge = AWSFailure(
                "UNAUTHORIZED",
                "Not Authorized",
                status: 401,
                headers: ["WWW-Authenticate": "Basic realm=\"\(state.addresses.ecr)/\",service=\"ecr.amazonaws.com\""]
            )
            guard header.lowercased().hasPrefix("basic "), let data = Data(base64Encoded: String(header.dropFirst(6)))
            else { throw challenge }
            let pair = String(decoding: data, as: UTF8.self).split(separator: ":", maxSplits: 1).map(String.init)
            guard pair.count == 2, pair[0] == "AWS", let expires = state.ecr.passwords[pair[1]] else { throw challenge }
            guard expires > state.now else { throw Wire.registry.expired }
        }
    }

    private func nameUnknown(_ name: String, _ state: WorldState) -> AWSFailure {
        AWSFailure(
            "NAME_UNKNOWN",
            "The repository with name '\(name)' does not exist in the registry with id '\(state.accountID)'",
            status: 404
        )
    }

    // MARK: Reading, and manifests

    private func answer(_ request: Incoming, _ path: RegistryPath) async throws -> Reply {
        switch (path, request.method) {
        case (.ping, _):
            return .json([:])
        case (.manifest(let repository, let reference), "GET"), (.manifest(let repository, let reference), "HEAD"):
            let reply = try world.with { try manifest(repository, reference, &$0) }
            return request.method == "HEAD" ? reply.withoutBytes : reply
        case (.manifest(let repository, let reference), "PUT"):
            let body = try await request.wholeBody()
            return try world.with { state in
                try put(Array(body), request.headers["content-type"], repository, reference, &state)
            }
        case (.blob(let repository, let digest), "HEAD"):
            return try world.with { state in
                guard let entry = state.ecr.repositories[repository] else { throw nameUnknown(repository, state) }
                guard let layer = entry.layers[digest], layer.isHere(state.now) else {
                    throw AWSFailure("BLOB_UNKNOWN", "blob unknown to registry", status: 404)
                }
                return Reply(
                    200,
                    headers: [("Docker-Content-Digest", digest), ("Content-Type", "application/octet-stream")],
                    body: .head(length: layer.size)
                )
            }
        case (.blob(let repository, let digest), "GET"):
            return try world.with { state in
                guard state.ecr.repositories[repository] != nil else { throw nameUnknown(repository, state) }
                do {
                    guard state.isReferenced(digest, in: repository),
                        let content = try state.fetchLayer(repository, digest)
                    else { throw AWSFailure("BLOB_UNKNOWN", "blob unknown to registry", status: 404) }
                    return Reply(307, headers: [("Location", state.layerURL(digest, content))])
                } catch let failure as PullFailure {
                    throw upstreamFailure(failure)
                }
            }
        case (.tags(let repository), "GET"):
            return try world.with { state in
                guard let entry = state.ecr.repositories[repository] else { throw nameUnknown(repository, state) }
                if let count = request.value("n").flatMap({ Int($0) }), !(1...1000).contains(count) {
                    throw AWSFailure("UNSUPPORTED", "Invalid parameter at 'maxResults': 1 to 1000", status: 405)
                }
                let tags = entry.tags.keys.sorted().map { SandboxJSON.string($0) }
                return .json(["name": .string(repository), "tags": .array(tags)])
            }
        case (.referrers(let repository, let digest), "GET"):
            return try world.with { state in
                guard let entry = state.ecr.repositories[repository] else { throw nameUnknown(repository, state) }
                let all = entry.images.values.filter { $0.status == "ACTIVE" }.map(\.manifest)
                return .referrers(of: digest, among: all, request, size: nil)
            }
        default:
            throw AWSFailure("UNSUPPORTED", "The operation is unsupported.", status: 405)
        }
    }

    private func manifest(_ repository: String, _ reference: String, _ state: inout WorldState) throws -> Reply {
        do {
            guard let image = try state.pull(repository, reference) else {
                guard state.ecr.repositories[repository] != nil else { throw nameUnknown(repository, state) }
                throw AWSFailure("MANIFEST_UNKNOWN", "Requested image not found", status: 404)
            }
            return Reply(
                200,
                headers: [
                    ("Content-Type", image.manifest.mediaType), ("Docker-Content-Digest", image.manifest.digest),
                ],
                body: .data(Data(image.manifest.bytes))
            )
        } catch let failure as PullFailure {
            throw upstreamFailure(failure)
        }
    }

    private func upstreamFailure(_ failure: PullFailure) -> AWSFailure {
        switch failure.kind {
        case .imageNotFound: AWSFailure("MANIFEST_UNKNOWN", failure.message, status: 404)
        case .accessDenied, .secretNotFound, .unsupported: AWSFailure("DENIED", failure.message, status: 403)
        case .tooManyRequests: AWSFailure("TOOMANYREQUESTS", failure.message, status: 429)
        case .unavailable: AWSFailure("UNAVAILABLE", failure.message, status: 503)
        }
    }

    private func put(
        _ bytes: [UInt8],
        _ contentType: String?,
        _ repository: String,
        _ reference: String,
        _ state: inout WorldState
    ) throws -> Reply {
        let isDigest = reference.contains(":")
        let manifest: StoredManifest
        do {
            manifest = try StoredManifest(bytes: bytes, contentType: contentType)
            _ = try state.push(
                manifest,
                to: repository,
                tag: isDigest ? nil : reference,
                digest: isDigest ? reference : nil
            )
        } catch let fault as ManifestFault {
            throw AWSFailure("MANIFEST_INVALID", fault.reason)
        } catch let refusal as PushRefusal {
            throw switch refusal {
            case .repositoryMissing(let name): nameUnknown(name, state)
            case .digestMismatch(let expected, let actual):
                AWSFailure("DIGEST_INVALID", "the manifest's digest is \(actual), not \(expected)")
            case .layersMissing(let digests): AWSFailure("MANIFEST_BLOB_UNKNOWN", "blobs unknown: \(digests)")
            case .childrenMissing(let digests):
                AWSFailure("MANIFEST_UNKNOWN", "manifests unknown: \(digests)", status: 404)
            case .tagImmutable(let tag):
                AWSFailure(
                    "TAG_INVALID",
                    "The image tag '\(tag)' already exists in the '\(repository)' repository and cannot be overwritten "
                        + "because the tag is immutable."
                )
            case .invalidTag(let tag): AWSFailure("TAG_INVALID", "the tag '\(tag)' is not valid")
            case .tooLarge: AWSFailure("SIZE_INVALID", "the manifest is larger than 4 MiB")
            }
        }
        var headers = [
            (name: "Location", value: "/v2/\(repository)/manifests/\(manifest.digest)"),
            (name: "Docker-Content-Digest", value: manifest.digest),
        ]
        if let subject = manifest.subject { headers.append(("OCI-Subject", subject)) }
        return Reply(201, headers: headers)
    }

    // MARK: Uploads

    private func upload(_ request: Incoming, _ repository: String, _ id: String?, cut: Int64?) async throws -> Reply {
        switch request.method {
        case "POST" where id == nil: return try await start(request, repository, cut: cut)
        case "PATCH", "PUT", "GET", "DELETE": break
        default: throw AWSFailure("UNSUPPORTED", "The operation is unsupported.", status: 405)
        }
        let (id, held) = try world.with { state in
            guard let id, let session = state.ecr.uploads[id], session.repository == repository else {
                throw AWSFailure("BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry", status: 404)
            }
            return (id, session)
        }
        switch request.method {
        case "GET":
            return progress(204, repository, id, held)
        case "DELETE":
            world.with { $0.ecr.uploads[id] = nil }
            return Reply(204)
        case "PATCH":
            try checkRange(request, held)
            let session = try await receive(request, held, id, cut: cut)
            let ends = world.with { state in
                if state.ecr.patchEndsUpload {
                    state.finish(session, digest: session.digest)
                    state.ecr.uploads[id] = nil
                } else {
                    state.ecr.uploads[id] = session
                }
                return state.ecr.patchEndsUpload
            }
            return ends ? created(repository, session.digest) : progress(202, repository, id, session)
        default:
            let session = try await receive(request, held, id, cut: cut)
            return try finish(request, repository, id, session)
        }
    }

    private func start(_ request: Incoming, _ repository: String, cut: Int64?) async throws -> Reply {
        let (id, mounted) = try world.with { state in
            guard state.ecr.repositories[repository] != nil else { throw nameUnknown(repository, state) }
            if let digest = request.value("mount"), let source = request.value("from"),
                state.mount(digest, from: source, into: repository)
            {
                return (String?.none, digest)
            }
            let id = state.uuid()
            state.ecr.uploads[id] = UploadSession(repository: repository)
            return (id, "")
        }
        guard let id else { return created(repository, mounted) }
        return progress(202, repository, id, UploadSession(repository: repository))
    }

    /// A chunk must begin where the last one ended.
    private func checkRange(_ request: Incoming, _ session: UploadSession) throws {
        guard let range = request.headers["content-range"] else { return }
        let first = range.replacing("bytes ", with: "").split(separator: "-").first.flatMap { Int64($0) }
        guard first == session.size else {
            throw AWSFailure(
                "BLOB_UPLOAD_INVALID",
                "the chunk does not continue the upload",
                status: 416,
                headers: ["Range": "0-\(max(0, session.size - 1))"]
            )
        }
    }

    private func receive(
        _ request: Incoming,
        _ held: UploadSession,
        _ id: String,
        cut: Int64?
    ) async throws -> UploadSession {
        var session = held
        do {
            for try await buffer in request.body {
                session.append(buffer)
                if let cut, session.size - held.size >= cut { throw CutConnection() }
            }
        } catch {
            // What came in before the connection ended is not kept: ECR promises no resumption here.
            world.with { $0.ecr.uploads[id] = nil }
            throw CutConnection()
        }
        return session
    }

    private func finish(
        _ request: Incoming,
        _ repository: String,
        _ id: String,
        _ session: UploadSession
    ) throws -> Reply {
        guard let wanted = request.value("digest") else {
            throw AWSFailure("DIGEST_INVALID", "the closing PUT names no digest")
        }
        let digest = session.digest
        guard digest == wanted else {
            world.with { $0.ecr.uploads[id] = nil }
            throw AWSFailure("DIGEST_INVALID", "the bytes have the digest \(digest), not \(wanted)")
        }
        guard session.size > 0 else {
            throw AWSFailure("UNSUPPORTED", "The operation is unsupported: the layer is empty", status: 405)
        }
        world.with { state in
            state.finish(session, digest: digest)
            state.ecr.uploads[id] = nil
        }
        return created(repository, digest)
    }

    private func created(_ repository: String, _ digest: String) -> Reply {
        Reply(
            201,
            headers: [("Location", "/v2/\(repository)/blobs/\(digest)"), ("Docker-Content-Digest", digest)]
        )
    }

    private func progress(_ status: Int, _ repository: String, _ id: String, _ session: UploadSession) -> Reply {
        Reply(
            status,
            headers: [
                ("Location", "/v2/\(repository)/blobs/uploads/\(id)"),
                ("Docker-Upload-Uuid", id),
                ("Range", "0-\(max(0, session.size - 1))"),
            ]
        )
    }
}
