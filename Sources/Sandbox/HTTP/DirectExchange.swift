import Hummingbird
package import NIOCore

/// A request that is passed in as a value, where there are no sockets.
package struct DirectRequest: Sendable {
    package var method: String
    package var host: String
    /// As it would be sent, percent-encoded, with the query.
    package var target: String
    package var headers: [(name: String, value: String)]
    package var body: [ByteBuffer]
    /// The connection ended behind these pieces, before the body's end.
    package var isCut: Bool

    package init(
        method: String,
        host: String,
        target: String,
        headers: [(name: String, value: String)],
        body: [ByteBuffer] = [],
        isCut: Bool = false
    ) {
        self.method = method
        self.host = host
        self.target = target
        self.headers = headers
        self.body = body
        self.isCut = isCut
    }
}

/// The answer to it, whose bytes are taken piece by piece.
package struct DirectReply: Sendable {
    package let status: Int
    package let headers: [(name: String, value: String)]
    /// Bytes of the body that are sent: fewer than the length header says where the connection is to end before.
    package let length: Int64
    /// Whether the connection ends behind them.
    package let isCut: Bool
    private let content: BlobContent
    private let offset: Int64
    private let isCorrupt: Bool

    init(_ reply: Reply) {
        status = reply.status
        var headers = reply.headers
        let whole = reply.body.length
        switch reply.body {
        case .none: (content, offset) = (.bytes([]), 0)
        case .head: (content, offset) = (.bytes([]), 0)
        case .data(let data): (content, offset) = (.bytes(Array(data)), 0)
        case .content(let found, let from, _): (content, offset) = (found, from)
        }
        let sent = if case .head = reply.body { Int64(0) } else { whole }
        length = min(sent, reply.cutAfter ?? sent)
        isCut = length < sent
        isCorrupt = reply.isCorrupt
        headers.append((name: "Content-Length", value: String(whole)))
        self.headers = headers
    }

    /// At most `atMost` bytes of the body from `position`; never none before the end.
    package func piece(at position: Int64, atMost: Int) -> ByteBuffer {
        var piece = content.piece(at: offset + position, atMost: min(atMost, Int(length - position)))
        if isCorrupt, position == 0, let first: UInt8 = piece.getInteger(at: piece.readerIndex) {
            piece.setInteger(first ^ 1, at: piece.readerIndex)
        }
        return piece
    }
}

extension Sandbox {
    /// A sandbox that listens nowhere: its services have the names they have in the world, and `answer` is the way to them.
    package static func withoutSockets(_ configuration: SandboxConfiguration) -> Sandbox {
        let world = World(configuration: configuration)
        let addresses = world.with { state in
            state.addresses.aws = ""
            state.addresses.ecr = "https://\(configuration.registryName)"
            state.addresses.storage = "https://\(storageHost(configuration.region))"
            for host in state.upstreams.keys { state.addresses.registries[host] = "https://\(host)" }
            return state.addresses
        }
        return Sandbox(addresses: addresses, world: world)
    }

    private static func storageHost(_ region: String) -> String { "sandbox-objects.s3.\(region).amazonaws.com" }

    /// Whether there is anybody under a host name.
    package func isKnown(host: String) -> Bool { service(host) != nil }

    /// Answers a request to any of the services.
    ///
    /// - Returns: nil when the connection ends without an answer, or nobody is there.
    /// - Throws: `CancellationError`.
    package func answer(_ request: DirectRequest) async throws -> DirectReply? {
        guard let service = service(request.host) else { return nil }
        let cut = request.target.firstIndex(of: "?")
        var fields: [String: String] = ["host": request.host]
        for (name, value) in request.headers {
            let name = name.lowercased()
            fields[name] = name == "host" ? value : fields[name].map { $0 + "," + value } ?? value
        }
        let incoming = Incoming(
            method: request.method,
            path: String(request.target[..<(cut ?? request.target.endIndex)]),
            rawQuery: cut.map { String(request.target[request.target.index(after: $0)...]) } ?? "",
            headers: fields,
            body: RequestBody(asyncSequence: Pieces(pieces: request.body, isCut: request.isCut))
        )
        do { return DirectReply(try await service(incoming)) } catch is CutConnection { return nil }
    }

    private func service(_ host: String) -> ((Incoming) async throws -> Reply)? {
        let world = world
        if world.configuration.upstreams[host] != nil {
            return { try await UpstreamRegistry(world: world, host: host).respond(to: $0) }
        }
        guard host.hasSuffix(".amazonaws.com") else { return nil }
        if host == world.configuration.registryName { return { try await ECRRegistry(world: world).respond(to: $0) } }
        if host == Self.storageHost(world.configuration.region) {
            return { try await PresignedStorage(world: world).respond(to: $0) }
        }
        if host.contains(".dkr.ecr.") { return nil }
        return { try await AWSFront(world: world).respond(to: $0) }
    }
}

/// The pieces of a request's body.
private struct Pieces: AsyncSequence, Sendable {
    var pieces: [ByteBuffer]
    var isCut: Bool

    func makeAsyncIterator() -> Iterator { Iterator(rest: pieces[...], isCut: isCut) }

    struct Iterator: AsyncIteratorProtocol {
        var rest: ArraySlice<ByteBuffer>
        var isCut: Bool

        mutating func next() async throws -> ByteBuffer? {
            if let piece = rest.popFirst() { return piece }
            if isCut { throw CutConnection() }
            return nil
        }
    }
}
