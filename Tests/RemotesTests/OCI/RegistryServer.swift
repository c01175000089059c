import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Names
import Remotes
import Synchronization

/// A registry in this process, on a free port of loopback, that does what a test tells it to.
final class RegistryServer: Sendable {
    struct Request: Sendable {
        var method: HTTPMethod
        var uri: String
        var headers: HTTPHeaders
        var body: [UInt8] = []

        var path: String { String(uri.prefix { $0 != "?" }) }
        func query(_ name: String) -> String? {
            guard let mark = uri.firstIndex(of: "?") else { return nil }
            for item in uri[uri.index(after: mark)...].split(separator: "&") where item.hasPrefix(name + "=") {
                return item.dropFirst(name.count + 1).removingPercentEncoding
            }
            return nil
        }
    }

    struct Reply: Sendable {
        var status: HTTPResponseStatus
        var headers: HTTPHeaders = [:]
        var body: [UInt8] = []
        /// Ends the connection after so many bytes of the body.
        var cutAfter: Int?
        /// Sends so many bytes of the body, and then nothing for ever.
        var stallAfter: Int?
        /// Does not say how long the body is.
        var isChunked = false
        /// Sends nothing before so long has passed.
        var delay: TimeAmount?

        static func error(_ status: HTTPResponseStatus, _ code: String, _ message: String = "no") -> Reply {
            Reply(
                status: status,
                headers: ["content-type": "application/json"],
                body: Array(#"{"errors":[{"code":"\#(code)","message":"\#(message)"}]}"#.utf8)
            )
        }
    }

    enum Mounting: Sendable { case off, on, afterCommit, forbidden }

    /// Says what to do instead of the right thing; nil: the right thing.
    typealias Fault = @Sendable (Request) -> Reply?

    struct State: Sendable {
        var blobs: [String: [String: [UInt8]]] = [:]
        var manifests: [String: [String: (type: String, bytes: [UInt8])]] = [:]
        var uploads: Set<String> = []
        var uploadsBegun = 0
        var log: [Request] = []
        var faults: [Fault] = []
        /// The connection of the next upload is closed after so many bytes of its body.
        var cutUploadAfter: Int?
        var mounting = Mounting.off
        var supportsRange = true
        /// A blob is handed out only when a manifest of its repository names it, as ECR does.
        var readsAfterCommit = false
        var token: String?
        var tokensGiven = 0
        var blobHost: String?
        var uploadHost: String?
        var immutable = false
        /// Whether it tells what refers to a manifest, and how many on a page.
        var listsReferrers = false
        var referrersPage = 100
        /// Whether it lists the tags of a repository.
        var listsTags = false
        /// How many on a page, and whether a page may begin anywhere.
        var tagsPage = 1000
        var knowsLast = true
    }

    private let state = Mutex(State())
    private let channel: any Channel
    let port: Int

    var host: String { "127.0.0.1:\(port)" }
    var origin: WebAddress.Origin { .init(scheme: .http, host: "127.0.0.1", port: port) }

    private init(channel: any Channel, box: Box) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
        box.server.withLock { $0 = self }
    }

    private final class Box: Sendable {
        let server = Mutex<RegistryServer?>(nil)
    }

    /// Runs a test with servers that end with it.
    static func with<Value: Sendable>(
        _ body: (RegistryServer, RegistryServer) async throws -> Value
    ) async throws -> Value {
        let source = try await start()
        let destination = try await start()
        do {
            let value = try await body(source, destination)
            await source.stop()
            await destination.stop()
            return value
        } catch {
            await source.stop()
            await destination.stop()
            throw error
        }
    }

    static func start() async throws -> RegistryServer {
        let box = Box()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(Handler(box: box))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return RegistryServer(channel: channel, box: box)
    }

    func stop() async { try? await channel.close() }

    func change<Value: Sendable>(_ body: (inout State) -> Value) -> Value { state.withLock { body(&$0) } }

    var log: [Request] { state.withLock { $0.log } }

    func count(_ method: HTTPMethod, _ fragment: String) -> Int {
        log.filter { $0.method == method && $0.uri.contains(fragment) }.count
    }

    /// Misbehaves on the next request that this matches, and on no other.
    func once(_ matches: @escaping @Sendable (Request) -> Bool, _ reply: @escaping @Sendable () -> Reply) {
        let used = Mutex(false)
        let fault: Fault = { request in
            guard matches(request) else { return nil }
            return used.withLock { used -> Bool in
                defer { used = true }
                return !used
            } ? reply() : nil
        }
        change { $0.faults.append(fault) }
    }

    // MARK: Content

    @discardableResult
    func put(blob: [UInt8], in repository: String) -> Digest {
        let digest = Digest.of(blob)
        change { $0.blobs[repository, default: [:]][digest.description] = blob }
        return digest
    }

    @discardableResult
    func put(manifest: String, type: MediaType, tag: String?, in repository: String) -> Digest {
        let bytes = Array(manifest.utf8)
        let digest = Digest.of(bytes)
        change {
            $0.manifests[repository, default: [:]][digest.description] = (type.rawValue, bytes)
            if let tag { $0.manifests[repository]?[tag] = (type.rawValue, bytes) }
        }
        return digest
    }

    /// Stores an image of these layers; returns its digest.
    @discardableResult
    func putImage(
        _ repository: String,
        tag: String?,
        layers: [[UInt8]],
        architecture: String = "amd64",
        type: MediaType = .ociManifest
    ) -> Digest {
        let config = Array(
            #"{"os":"linux","architecture":"\#(architecture)","created":"2024-05-06T07:08:09.123456789Z"}"#.utf8
        )
        put(blob: config, in: repository)
        for layer in layers { put(blob: layer, in: repository) }
        func descriptor(_ bytes: [UInt8], _ type: String) -> String {
            #"{"mediaType":"\#(type)","digest":"\#(Digest.of(bytes))","size":\#(bytes.count)}"#
        }
        let list = layers.map { descriptor($0, "application/vnd.oci.image.layer.v1.tar+zstd") }.joined(separator: ",")
        let text = """
            {"schemaVersion":2,"mediaType":"\(type)","config":\(descriptor(config, MediaType.ociConfig.rawValue)),\
            "layers":[\(list)]}
            """
        return put(manifest: text, type: type, tag: tag, in: repository)
    }

    /// Stores an index over images that are there.
    @discardableResult
    func putIndex(_ repository: String, tag: String, _ children: [(Digest, String)]) -> Digest {
        let entries = children.map { digest, platform -> String in
            let size = change { $0.manifests[repository]?[digest.description]?.bytes.count ?? 0 }
            let parts = platform.split(separator: "/")
            return #"{"mediaType":"\#(MediaType.ociManifest)","digest":"\#(digest)","size":\#(size),"#
                + #""platform":{"os":"\#(parts[0])","architecture":"\#(parts[1])"}}"#
        }
        return put(
            manifest:
                #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":[\#(entries.joined(separator: ","))]}"#,
            type: .ociIndex,
            tag: tag,
            in: repository
        )
    }

    func manifest(_ repository: String, _ reference: String) -> [UInt8]? {
        change { $0.manifests[repository]?[reference]?.bytes }
    }

    func blob(_ repository: String, _ digest: Digest) -> [UInt8]? {
        change { $0.blobs[repository]?[digest.description] }
    }

    // MARK: Answers

    fileprivate func answer(_ request: Request) -> Reply {
        let faults = change { state -> [Fault] in
            state.log.append(request)
            return state.faults
        }
        for fault in faults {
            if let reply = fault(request) { return reply }
        }
        return change { respond(request, &$0) }
    }

    fileprivate func uploadLimit(_ length: Int) -> Int? {
        change { state in
            guard let limit = state.cutUploadAfter, length > limit else { return nil }
            state.cutUploadAfter = nil
            return limit
        }
    }

    private func respond(_ request: Request, _ state: inout State) -> Reply {
        if request.path == "/token" {
            state.tokensGiven += 1
            return Reply(status: .ok, body: Array(#"{"token":"token-\#(state.tokensGiven)","expires_in":300}"#.utf8))
        }
        let shown = request.headers.first(name: "authorization")
        if state.token != nil, !(0...state.tokensGiven).dropFirst().contains(where: { shown == "Bearer token-\($0)" }) {
            var reply = Reply.error(.unauthorized, "UNAUTHORIZED")
            reply.headers.add(
                name: "www-authenticate",
                value: #"Bearer realm="http://\#(host)/token",service="test""#
            )
            return reply
        }
        guard request.path.hasPrefix("/v2/") else { return .error(.notFound, "NOT_HERE") }
        let rest = String(request.path.dropFirst(4))
        if let reply = list(request, rest, state) { return reply }
        for kind in ["/manifests/", "/blobs/uploads/", "/blobs/"] {
            guard let range = rest.range(of: kind, options: .backwards) else { continue }
            let repository = String(rest[..<range.lowerBound])
            let name = String(rest[range.upperBound...])
            switch kind {
            case "/manifests/": return manifests(request, repository, name, &state)
            case "/blobs/uploads/": return uploads(request, repository, name, &state)
            default: return blobs(request, repository, name, &state)
            }
        }
        return .error(.notFound, "NOT_HERE")
    }

    /// Tags of a repository, or what refers to a manifest of it; nil for another request.
    private func list(_ request: Request, _ rest: String, _ state: State) -> Reply? {
        func reply(_ object: [String: Any], type: String = "application/json") -> Reply {
            let body = (try? JSONSerialization.data(withJSONObject: object)) ?? Data()
            return Reply(status: .ok, headers: ["content-type": type], body: Array(body))
        }
        if state.listsTags, rest.hasSuffix("/tags/list") {
            let repository = String(rest.dropLast("/tags/list".count))
            let last = state.knowsLast ? request.query("last") ?? "" : ""
            let tags = (state.manifests[repository] ?? [:]).keys.filter { !$0.contains(":") && $0 > last }.sorted()
            let page = Array(tags.prefix(state.tagsPage))
            var answer = reply(["name": repository, "tags": page])
            if page.count < tags.count, let last = page.last {
                answer.headers.add(name: "link", value: "<\(request.path)?n=1000&last=\(last)>; rel=\"next\"")
            }
            return answer
        }
        guard state.listsReferrers, let range = rest.range(of: "/referrers/") else { return nil }
        let (repository, digest) = (String(rest[..<range.lowerBound]), String(rest[range.upperBound...]))
        var found: [[String: Any]] = []
        for (name, manifest) in (state.manifests[repository] ?? [:]).sorted(by: { $0.key < $1.key })
        where name.contains(":") && name > request.query("last") ?? "" {
            let content = (try? JSONSerialization.jsonObject(with: Data(manifest.bytes))) as? [String: Any]
            guard (content?["subject"] as? [String: Any])?["digest"] as? String == digest else { continue }
            found.append([
                "mediaType": manifest.type, "digest": name, "size": manifest.bytes.count,
                "artifactType": content?["artifactType"] as? String ?? "",
            ])
        }
        let page = Array(found.prefix(state.referrersPage))
        var answer = reply(
            ["schemaVersion": 2, "mediaType": MediaType.ociIndex.rawValue, "manifests": page],
            type: MediaType.ociIndex.rawValue
        )
        if page.count < found.count, let last = page.last?["digest"] as? String {
            answer.headers.add(name: "link", value: "<\(request.path)?last=\(last)>; rel=\"next\"")
        }
        return answer
    }

    private func manifests(_ request: Request, _ repository: String, _ name: String, _ state: inout State) -> Reply {
        if request.method == .PUT {
            let digest = Digest.of(request.body)
            if state.immutable, let there = state.manifests[repository]?[name], there.bytes != request.body {
                return .error(.badRequest, "TAG_INVALID", "the tag is immutable")
            }
            let type = request.headers.first(name: "content-type") ?? ""
            state.manifests[repository, default: [:]][name] = (type, request.body)
            state.manifests[repository]?[digest.description] = (type, request.body)
            return Reply(status: .created, headers: ["docker-content-digest": digest.description])
        }
        guard let found = state.manifests[repository]?[name] else { return .error(.notFound, "MANIFEST_UNKNOWN") }
        return Reply(
            status: .ok,
            headers: ["content-type": found.type, "docker-content-digest": Digest.of(found.bytes).description],
            body: found.bytes
        )
    }

    private func blobs(_ request: Request, _ repository: String, _ name: String, _ state: inout State) -> Reply {
        guard let bytes = state.blobs[repository]?[name] else { return .error(.notFound, "BLOB_UNKNOWN") }
        if request.method == .GET, state.readsAfterCommit, !Self.isCommitted(name, repository, state) {
            return .error(.notFound, "BLOB_UNKNOWN")
        }
        if request.method == .GET, let host = state.blobHost {
            return Reply(status: .temporaryRedirect, headers: ["location": "http://\(host)\(request.uri)?signed=1"])
        }
        if state.supportsRange, let range = request.headers.first(name: "range"),
            let first = Int(range.dropFirst(6).prefix { $0 != "-" }), first < bytes.count
        {
            let last = min(Int(range.split(separator: "-").last ?? "") ?? bytes.count, bytes.count - 1)
            return Reply(
                status: .partialContent,
                headers: ["content-range": "bytes \(first)-\(last)/\(bytes.count)"],
                body: Array(bytes[first...last])
            )
        }
        return Reply(status: .ok, body: bytes)
    }

    private static func isCommitted(_ digest: String, _ repository: String, _ state: State) -> Bool {
        (state.manifests[repository] ?? [:]).values.contains {
            String(decoding: $0.bytes, as: UTF8.self).contains(digest)
        }
    }

    private func uploads(_ request: Request, _ repository: String, _ name: String, _ state: inout State) -> Reply {
        if request.method == .POST {
            if let digest = request.query("mount"), let from = request.query("from"),
                let bytes = state.blobs[from]?[digest]
            {
                if state.mounting == .forbidden { return .error(.forbidden, "DENIED") }
                let isCommitted = Self.isCommitted(digest, from, state)
                if state.mounting == .on || (state.mounting == .afterCommit && isCommitted) {
                    state.blobs[repository, default: [:]][digest] = bytes
                    return Reply(status: .created)
                }
            }
            // A number of its own: by the log's length two that come at once would share one.
            state.uploadsBegun += 1
            let id = "upload-\(state.uploadsBegun)"
            state.uploads.insert(id)
            let host = state.uploadHost.map { "http://\($0)" } ?? ""
            return Reply(
                status: .accepted,
                headers: ["location": "\(host)/v2/\(repository)/blobs/uploads/\(id)?state=x"]
            )
        }
        guard state.uploads.contains(name) else { return .error(.notFound, "BLOB_UPLOAD_UNKNOWN") }
        guard request.method == .PUT else {
            state.uploads.remove(name)
            return Reply(status: .noContent)
        }
        guard let digest = request.query("digest"), Digest.of(request.body).description == digest else {
            return .error(.badRequest, "DIGEST_INVALID")
        }
        state.uploads.remove(name)
        state.blobs[repository, default: [:]][digest] = request.body
        return Reply(status: .created, headers: ["docker-content-digest": digest])
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let box: Box
        private var current: Request?
        private var limit: Int?

        init(box: Box) { self.box = box }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                current = Request(method: head.method, uri: head.uri, headers: head.headers)
                limit =
                    head.method == .PUT && head.uri.contains("/uploads/")
                    ? server?.uploadLimit(Int(head.headers.first(name: "content-length") ?? "") ?? 0) : nil
            case .body(let piece):
                current?.body.append(contentsOf: piece.readableBytesView)
                if let limit, (current?.body.count ?? 0) >= limit { context.close(promise: nil) }
            case .end:
                guard let request = current, let server else { return }
                current = nil
                let reply = server.answer(request)
                guard let delay = reply.delay else {
                    send(reply, to: request, context)
                    return
                }
                let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
                context.eventLoop.scheduleTask(in: delay) { bound.value.0.send(reply, to: request, bound.value.1) }
            }
        }

        private var server: RegistryServer? { box.server.withLock { $0 } }

        private func send(_ reply: Reply, to request: Request, _ context: ChannelHandlerContext) {
            var headers = reply.headers
            if reply.isChunked {
                headers.replaceOrAdd(name: "transfer-encoding", value: "chunked")
            } else {
                headers.replaceOrAdd(name: "content-length", value: String(reply.body.count))
            }
            context.write(
                wrapOutboundOut(.head(.init(version: .http1_1, status: reply.status, headers: headers))),
                promise: nil
            )
            if request.method != .HEAD {
                let part = reply.cutAfter ?? reply.stallAfter ?? reply.body.count
                let bytes = ByteBuffer(bytes: reply.body.prefix(part))
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
                if reply.stallAfter != nil { return }
                if reply.cutAfter != nil {
                    context.close(promise: nil)
                    return
                }
            }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}

/// A timeline whose sleeps are over at once and remembered.
final class HastyTime: Sendable {
    private let state = Mutex((elapsed: Duration.zero, slept: [Duration]()))
    let start = Date(timeIntervalSince1970: 1_790_000_000)

    var slept: [Duration] { state.withLock { $0.slept } }

    var timeline: Timeline {
        Timeline(
            elapsed: { self.state.withLock { $0.elapsed } },
            sleep: { duration in
                try Task.checkCancellation()
                self.state.withLock {
                    $0.elapsed += duration
                    $0.slept.append(duration)
                }
            },
            now: { self.start.addingTimeInterval(Double(self.state.withLock { $0.elapsed }.components.seconds)) },
            random: { 1 }
        )
    }
}
