package import Definitions
package import Model

extension ControlClient {
    /// How long a verb that only writes to the record may take.
    private static let patience = Duration.seconds(30)

    /// For whom it is asked, as far as the asker's program says it.
    package struct Asker: Sendable {
        package var agent: String?
        package var program: String?

        package init(agent: String? = nil, program: String? = nil) {
            self.agent = agent
            self.program = program
        }

        package func request(_ verb: ControlVerb, _ arguments: [String: ParameterValue] = [:]) -> ControlRequest {
            ControlRequest(verb: verb, arguments: arguments, agent: agent, program: program)
        }
    }

    /// Makes images due now.
    ///
    /// - Parameter images: nil: all that are blocked or wait.
    /// - Returns: nil where nobody listens.
    /// - Throws: `ControlFault`, as `ask`.
    package func retry(_ images: [String]?, for asker: Asker = Asker()) async throws -> [RetriedImage]? {
        let request = asker.request(
            .retry,
            images.map { ["images": .array($0.map { .string($0) })] } ?? ["all": .bool(true)]
        )
        return try await ask(request, atMost: Self.patience).map { answer in
            (answer["retried"]?.array ?? []).map { image in
                RetriedImage(
                    source: image["source"]?.string ?? "",
                    destination: image["destination"]?.string ?? "",
                    state: image["state"]?.string ?? "",
                    reason: image["reason"]?.string
                )
            }
        }
    }

    /// Takes images out of the record that nobody wants.
    ///
    /// - Returns: nil where nobody listens.
    /// - Throws: `ControlFault`, as `ask`.
    package func forget(_ images: [String], for asker: Asker = Asker()) async throws -> [ForgottenImage]? {
        let request = asker.request(.forget, ["images": .array(images.map { .string($0) })])
        return try await ask(request, atMost: Self.patience).map { answer in
            (answer["images"]?.array ?? []).map { image in
                var forgotten = ForgottenImage(
                    id: image["id"]?.integer.map(Int64.init) ?? 0,
                    source: image["source"]?.string ?? "",
                    destination: image["destination"]?.string ?? ""
                )
                forgotten.kept = image["kept"]?.string
                return forgotten
            }
        }
    }

    /// Asks for images; rows of the record by the time of the answer.
    ///
    /// - Parameter key: with the same it is the same question, however often it is asked.
    /// - Returns: the requests' ids; nil where nobody listens.
    /// - Throws: `ControlFault`, as `ask`.
    package func clone(
        _ images: [String],
        _ options: CloneOptions,
        key: String,
        for asker: Asker,
        atMost limit: Duration
    ) async throws -> [Int64]? {
        var request = asker.request(.clone, ["images": .array(images.map { .string($0) }), "key": .string(key)])
        if let repository = options.targetRepository { request.arguments["targetRepository"] = .string(repository) }
        if let tag = options.targetTag { request.arguments["targetTag"] = .string(tag) }
        if let destination = options.destination { request.arguments["destination"] = .string(destination) }
        if options.urgency == .run { request.arguments["urgency"] = .string("run") }
        return try await ask(request, atMost: limit)?["requests"]?.array?.compactMap(\.integer).map(Int64.init)
    }

    /// Where the daemon works; nil where nobody listens.
    ///
    /// - Throws: `ControlFault`, as `ask`.
    package func home(for asker: Asker) async throws -> (profile: String?, region: String?)? {
        try await ask(asker.request(.hello), atMost: Self.patience).map {
            ($0["profile"]?.string, $0["region"]?.string)
        }
    }
}
