import Foundation
import Names
import Remotes
import Synchronization

/// Everything the sandbox knows, behind one lock; services change it in short synchronous steps.
final class World: Sendable {
    let configuration: SandboxConfiguration
    private let state: Mutex<WorldState>

    init(configuration: SandboxConfiguration) {
        self.configuration = configuration
        state = Mutex(WorldState(configuration: configuration))
    }

    func with<Result: Sendable, Failure: Error>(
        _ body: (inout WorldState) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try state.withLock { state throws(Failure) in try body(&state) }
    }

    /// Answers a request: the faults that match it first, then the service, then the log.
    func serve(
        _ call: Call,
        wire: Wire,
        expired: AWSFailure? = nil,
        _ answer: () async throws -> Reply
    ) async throws -> Reply {
        var reply: Reply
        do {
            for fault in with({ $0.faults(for: call, effects: Fault.Effect.before) }) {
                switch fault.effect {
                case .delay:
                    try await configuration.timeline.sleep(.milliseconds(Int((fault.seconds ?? 0) * 1000)))
                case .throttle:
                    throw wire.throttled(retryAfter: fault.retryAfter)
                case .error:
                    var failure = wire.broken(status: fault.status ?? 500, code: fault.code, message: fault.message)
                    if let seconds = fault.retryAfter { failure.headers["Retry-After"] = String(seconds) }
                    throw failure
                case .expiredToken:
                    throw expired ?? wire.expired
                case .cut, .corrupt, .wrongDigest, .cutUpload, .slow:
                    continue
                }
            }
            reply = try await answer()
        } catch let failure as AWSFailure {
            reply = wire.reply(failure)
        } catch is CancellationError {
            throw CancellationError()
        } catch is CutConnection {
            with { $0.log.add(call, status: 0) }
            throw CutConnection()
        } catch {
            reply = wire.reply(wire.broken(status: 500, code: nil, message: String(describing: error)))
        }
        // Only a good answer is spoilt: a challenge or a refusal uses up no fault.
        let spoils = reply.status < 300 ? with { $0.faults(for: call, effects: Fault.Effect.after) } : []
        for fault in spoils {
            switch fault.effect {
            case .cut: reply.cutAfter = fault.bytes ?? 0
            case .corrupt: reply.isCorrupt = true
            case .wrongDigest:
                reply.headers = reply.headers.map { header in
                    header.name == "Docker-Content-Digest"
                        ? (header.name, SandboxDigest.of(Array("not \(header.value)".utf8))) : header
                }
            case .delay, .throttle, .error, .expiredToken, .cutUpload, .slow: continue
            }
        }
        let status = reply.status
        if status < 300, with({ $0.pace(of: call) }) != nil {
            let timeline = configuration.timeline
            // Asked again for every piece: the rest comes at once when the fault is taken back.
            reply.pace = { [self] bytes in
                guard let rate = with({ $0.pace(of: call) }), rate > 0 else { return }
                try await timeline.sleep(.microseconds(Int64(bytes) * 1_000_000 / rate))
            }
        }
        with { $0.log.add(call, status: status) }
        return reply
    }

    /// How many bytes of a request's body may be read before the connection ends; nil: all.
    func uploadCut(for call: Call) -> Int64? {
        with { $0.faults(for: call, effects: [.cutUpload]).first?.bytes }
    }
}

/// The state behind the lock.
struct WorldState: Sendable {
    let configuration: SandboxConfiguration
    /// Seconds the sandbox's clock is ahead of the machine's.
    var skew: TimeInterval = 0
    var addresses: SandboxAddresses
    var keys: [String: AccessKey]
    /// All blob bytes, by digest, whichever registry holds them.
    var blobs: [String: BlobContent] = [:]
    var upstreams: [String: UpstreamState]
    var ecr = ECRState()
    var omics = OmicsState()
    var queues: [String: SandboxQueue] = [:]
    var secrets: [String: SandboxSecret] = [:]
    /// Objects behind presigned addresses, by key.
    var objects: [String: BlobContent] = [:]
    /// Actions SimulatePrincipalPolicy says no to, and the APIs refuse: `ecr:CreateRepository`.
    var deniedActions: Set<String> = []
    var log = RequestLog()
    private var active: [ActiveFault] = []
    private var random = SplitMix(state: 0x7072_6563_6C6F_6E65)

    private struct ActiveFault: Sendable {
        var fault: Fault
        var seen = 0
        var taken = 0
    }

    init(configuration: SandboxConfiguration) {
        self.configuration = configuration
        upstreams = configuration.upstreams.mapValues { UpstreamState(settings: $0) }
        keys = [
            configuration.accessKeyID: AccessKey(
                secret: configuration.secretAccessKey,
                principal: "arn:aws:iam::\(configuration.accountID):user/sandbox",
                userID: "AIDASANDBOX0000000001"
            )
        ]
        addresses = SandboxAddresses(
            aws: "",
            ecr: "",
            ecrName: configuration.registryName,
            storage: "",
            registries: [:],
            region: configuration.region,
            accountID: configuration.accountID,
            accessKeyID: configuration.accessKeyID,
            secretAccessKey: configuration.secretAccessKey,
            queues: [:]
        )
        ecr.pullThrough = configuration.pullThrough
    }

    /// The sandbox's time: the machine's, moved forward by those who test expiry.
    var now: Date { configuration.timeline.now().addingTimeInterval(skew) }

    /// Random-looking text of lower-case hexadecimal digits, the same in every run of the same steps.
    mutating func token(_ length: Int) -> String {
        var text = ""
        while text.utf8.count < length {
            text += SandboxDigest.hex(withUnsafeBytes(of: random.next().bigEndian, Array.init))
        }
        return String(text.prefix(length))
    }

    /// A version 4 UUID.
    mutating func uuid() -> String {
        let hex = Array(token(32))
        let parts = [hex[0..<8], hex[8..<12], ["4"] + hex[13..<16], ["8"] + hex[17..<20], hex[20..<32]]
        return parts.map { String($0) }.joined(separator: "-")
    }

    mutating func add(_ fault: Fault) { active.append(ActiveFault(fault: fault)) }

    mutating func clearFaults() { active = [] }

    /// The faults still in force, for the admin page.
    var activeFaults: [Fault] { active.map(\.fault) }

    /// How many bytes a second the body of an answer may have; nil: as many as go.
    func pace(of call: Call) -> Int64? {
        active.first { $0.fault.effect == .slow && $0.fault.matches(call) }?.fault.bytes
    }

    /// Takes the faults that this request meets; each counts its own requests.
    mutating func faults(for call: Call, effects: Set<Fault.Effect>) -> [Fault] {
        var met: [Fault] = []
        for index in active.indices where active[index].fault.matches(call) {
            let fault = active[index].fault
            guard effects.contains(fault.effect) else { continue }
            active[index].seen += 1
            guard active[index].seen > fault.after ?? 0 else { continue }
            active[index].taken += 1
            met.append(fault)
        }
        active.removeAll { entry in entry.taken >= entry.fault.times ?? .max }
        return met
    }
}
