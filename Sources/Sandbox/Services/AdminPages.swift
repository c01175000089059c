import Foundation

/// The sandbox's own pages below `/_sandbox/`: no signature needed, loopback only.
///
/// - `GET addresses`
/// - `GET requests`, `DELETE requests`
/// - `GET faults`, `POST faults` (one fault or an array), `DELETE faults`
/// - `POST clock` `{"advance": SECONDS}`
/// - `POST runs/ID` `{"status": STATUS}`
/// - `POST images` `{"registry", "repository", "tags", "name", "platforms", "size"}`: puts an image upstream
/// - `POST referrers` `{"registry", "repository", "digest", "tag" | "artifactType"}`: signs an image upstream, by a tag that
///   ends so, or by subject
/// - `POST upstreams/HOST` `{"isDown": true}`; `{"accounts": {USER: PASSWORD}}`: who alone may pull there
/// - `POST settings` `{"layerDelay", "layerPolls", "layersOnlyOnRequest", "patchEndsUpload", "deniedActions"}`
/// - `POST layers/drop` `{"repository", "digest"}`: a layer is gone from ECR though the manifest stays
struct AdminPages: Sendable {
    let world: World

    func respond(to request: Incoming, path: [String]) async -> Reply {
        do {
            let input = try SandboxJSON(json: await request.wholeBody())
            return try answer(request.method, path, input)
        } catch let failure as AWSFailure {
            return Wire.json11.reply(failure)
        } catch {
            return Wire.json11.reply(AWSFailure("BadRequest", String(describing: error)))
        }
    }

    private func answer(_ method: String, _ path: [String], _ input: SandboxJSON) throws -> Reply {
        switch (method, path.first, path.count) {
        case ("GET", "addresses", 1):
            return try encoded(world.with { $0.addresses })
        case ("GET", "requests", 1):
            return .json(world.with { $0.log.json })
        case ("DELETE", "requests", 1):
            world.with { $0.log = RequestLog() }
        case ("GET", "faults", 1):
            return try encoded(world.with { $0.activeFaults })
        case ("POST", "faults", 1):
            let list = input.array ?? [input]
            let faults = try list.map { try JSONDecoder().decode(Fault.self, from: $0.data) }
            world.with { state in faults.forEach { state.add($0) } }
        case ("DELETE", "faults", 1):
            world.with { $0.clearFaults() }
        case ("POST", "clock", 1):
            guard let seconds = input["advance"]?.double else { throw AWSFailure.missing("advance") }
            world.with { $0.skew += seconds }
        case ("POST", "runs", 2):
            guard let status = input["status"]?.string else { throw AWSFailure.missing("status") }
            try world.with { try $0.setRun(path[1], status: status) }
        case ("POST", "images", 1):
            return try putImage(input)
        case ("POST", "referrers", 1):
            return try putReferrer(input)
        case ("POST", "upstreams", 2):
            let isDown = input["isDown"]?.bool
            var accounts: [String: String]?
            if case .object(let members) = input["accounts"] { accounts = members.compactMapValues(\.string) }
            guard isDown != nil || accounts != nil else { throw AWSFailure.missing("isDown") }
            try world.with { state in
                guard state.upstreams[path[1]] != nil else { throw WorldState.notFound("Registry \(path[1])") }
                if let isDown { state.upstreams[path[1]]?.isDown = isDown }
                guard let accounts else { return }
                state.upstreams[path[1]]?.settings.accounts = accounts
                state.upstreams[path[1]]?.settings.isAnonymousAllowed = false
            }
        case ("POST", "settings", 1):
            world.with { $0.apply(input) }
        case ("POST", "layers", 2) where path[1] == "drop":
            guard let repository = input["repository"]?.string, let digest = input["digest"]?.string else {
                throw AWSFailure.missing("digest")
            }
            world.with { $0.ecr.repositories[repository]?.layers[digest] = nil }
        default:
            throw AWSFailure("NotFound", "The sandbox has no page \(path.joined(separator: "/")).", status: 404)
        }
        return .json([:])
    }

    private func putReferrer(_ input: SandboxJSON) throws -> Reply {
        guard let host = input["registry"]?.string, let repository = input["repository"]?.string,
            let digest = input["digest"]?.string
        else { throw AWSFailure.missing("digest") }
        let form = input["tag"]?.string.map(ReferrerForm.tag) ?? .subject(input["artifactType"]?.string ?? "a/b")
        let made = try world.with { state in
            try state.putReferrer(to: digest, form, host: host, repository: repository, name: "a")
        }
        return .json(["digest": .string(made)])
    }

    private func encoded(_ value: some Encodable) throws -> Reply {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Reply(200, headers: [("Content-Type", "application/json")], body: .data(try encoder.encode(value)))
    }

    private func putImage(_ input: SandboxJSON) throws -> Reply {
        guard let host = input["registry"]?.string, let repository = input["repository"]?.string,
            let tags = input["tags"]?.strings
        else { throw AWSFailure.missing("tags") }
        let name = input["name"]?.string ?? "\(host)/\(repository)"
        let layers = input["size"]?.integer.map { [ImageRecipe.Layer("layer of " + name, size: Int64($0))] }
        let image = ImageRecipe(
            name,
            platforms: input["platforms"]?.strings ?? ["linux/amd64"],
            layers: layers
        ).made()
        try world.with { try $0.putUpstream(image, host: host, repository: repository, tags: tags) }
        return .json(["digest": .string(image.root)])
    }
}

extension WorldState {
    mutating func apply(_ settings: SandboxJSON) {
        if let value = settings["layerDelay"]?.double { ecr.pullThrough.layerDelay = value }
        if let value = settings["layerPolls"]?.integer { ecr.pullThrough.layerPolls = value }
        if let value = settings["layersOnlyOnRequest"]?.bool { ecr.pullThrough.layersOnlyOnRequest = value }
        if let value = settings["refreshAfter"]?.double { ecr.pullThrough.refreshAfter = value }
        if let value = settings["patchEndsUpload"]?.bool { ecr.patchEndsUpload = value }
        if let value = settings["deniedActions"]?.strings { deniedActions = Set(value) }
    }

    /// Puts an image into an upstream registry; a tag that is there moves.
    mutating func putUpstream(_ image: MadeImage, host: String, repository: String, tags: [String]) throws {
        guard upstreams[host] != nil else { throw Self.notFound("Registry \(host)") }
        blobs.merge(image.blobs) { old, _ in old }
        upstreams[host]?.push(image, repository: repository, tags: tags)
    }
}
