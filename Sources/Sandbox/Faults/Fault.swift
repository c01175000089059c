/// Misbehaviour on demand: which requests, and what happens to them.
package struct Fault: Sendable, Hashable, Codable {
    /// What happens.
    package enum Effect: String, Sendable, Hashable, Codable {
        /// The service's own throttling answer.
        case throttle
        /// A status (500 by default) with `code` and `message`.
        case error
        /// The answer comes `seconds` later.
        case delay
        /// The connection ends after `bytes` bytes of the answer's body.
        case cut
        /// One bit of the answer's body is another.
        case corrupt
        /// A manifest's Docker-Content-Digest header is not the digest of its body.
        case wrongDigest
        /// The service's own answer to an expired token or credential.
        case expiredToken
        /// The connection ends before the request's body was read to `bytes` bytes.
        case cutUpload
        /// The answer's body comes at `bytes` bytes a second for as long as the fault is in force; it is never used up.
        case slow

        /// Those that come instead of the service's answer, or before it.
        static let before: Set<Effect> = [.throttle, .error, .delay, .expiredToken]
        /// Those that spoil a good answer.
        static let after: Set<Effect> = [.cut, .corrupt, .wrongDigest]
    }

    /// `omics`, `ecr`, `sts`, `sqs`, `secretsmanager`, `iam`, `registry` or `storage`; nil: any.
    package var service: String?
    /// An API operation, or for a registry `Ping`, `Token`, `GetManifest`, `HeadManifest`, `PutManifest`, `GetBlob`,
    /// `HeadBlob`, `StartUpload`, `UploadChunk`, `FinishUpload`, `ListTags`, and `GetObject` for storage; nil: any.
    package var operation: String?
    /// The host name of an upstream registry, or `ecr`; nil: any.
    package var registry: String?
    /// The repository (or for storage the object's key) contains this; nil: any.
    package var repository: String?
    package var effect: Effect
    /// How many requests it takes; nil: all of them.
    package var times: Int?
    /// How many matching requests pass untouched first.
    package var after: Int?
    package var status: Int?
    package var code: String?
    package var message: String?
    package var seconds: Double?
    package var bytes: Int64?
    /// Seconds for the Retry-After header of `throttle` and `error`.
    package var retryAfter: Int?

    package init(
        _ effect: Effect,
        service: String? = nil,
        operation: String? = nil,
        registry: String? = nil,
        repository: String? = nil,
        times: Int? = nil,
        after: Int? = nil,
        status: Int? = nil,
        code: String? = nil,
        message: String? = nil,
        seconds: Double? = nil,
        bytes: Int64? = nil,
        retryAfter: Int? = nil
    ) {
        self.effect = effect
        self.service = service
        self.operation = operation
        self.registry = registry
        self.repository = repository
        self.times = times
        self.after = after
        self.status = status
        self.code = code
        self.message = message
        self.seconds = seconds
        self.bytes = bytes
        self.retryAfter = retryAfter
    }

    func matches(_ call: Call) -> Bool {
        (service == nil || service == call.service)
            && (operation == nil || operation == call.operation)
            && (registry == nil || registry == call.registry)
            && (repository.map { (call.repository ?? "").contains($0) } ?? true)
    }
}

/// What a request is about: the key of faults and counters.
package struct Call: Sendable, Hashable, Codable {
    package var service: String
    package var operation: String
    /// The host name of an upstream registry, or `ecr`; nil for API calls.
    package var registry: String?
    package var repository: String?
    /// A tag, a digest or an object's key.
    package var reference: String?

    package init(
        service: String,
        operation: String,
        registry: String? = nil,
        repository: String? = nil,
        reference: String? = nil
    ) {
        self.service = service
        self.operation = operation
        self.registry = registry
        self.repository = repository
        self.reference = reference
    }
}

/// The requests that came, counted, and the last of them one by one.
package struct RequestLog: Sendable {
    /// One request.
    package struct Entry: Sendable, Hashable, Codable {
        package var call: Call
        package var status: Int
    }

    /// The newest entries, oldest first; older ones are only in the counts.
    package private(set) var entries: [Entry] = []
    /// Requests by service, registry and operation: `ecr/BatchGetImage`, `registry:quay.io/GetManifest`.
    package private(set) var counts: [String: Int] = [:]

    private static let kept = 20_000

    mutating func add(_ call: Call, status: Int) {
        counts[Self.key(call), default: 0] += 1
        entries.append(Entry(call: call, status: status))
        if entries.count > Self.kept * 2 { entries.removeFirst(entries.count - Self.kept) }
    }

    static func key(_ call: Call) -> String {
        "\(call.service)\(call.registry.map { ":" + $0 } ?? "")/\(call.operation)"
    }

    var json: SandboxJSON {
        [
            "counts": .object(counts.mapValues { .integer(Int64($0)) }),
            "requests": .array(
                entries.map { entry in
                    .compact([
                        "service": .string(entry.call.service),
                        "operation": .string(entry.call.operation),
                        "registry": SandboxJSON.text(entry.call.registry),
                        "repository": SandboxJSON.text(entry.call.repository),
                        "reference": SandboxJSON.text(entry.call.reference),
                        "status": .integer(Int64(entry.status)),
                    ])
                }
            ),
        ]
    }
}
