import Configuring
package import Definitions
package import Foundation
package import Model
import Names
package import Record

/// Answers what is asked on the control socket, for the caller whom the kernel named. What is to be done is a row of the
/// record before it is answered.
package struct ControlDesk: Sendable {
    /// Carries out a tool for a caller.
    package typealias Tools =
        @Sendable (AgentTool, _ arguments: [String: ParameterValue], Caller) async throws -> ToolAnswer

    /// Images that one request may name.
    package static let mostImages = 1000

    private let ledger: Ledger
    private let settings: Settings
    private let region: String
    private let now: @Sendable () -> Date
    private let asked: @Sendable () -> Void
    private let tools: Tools

    /// - Parameters:
    ///   - region: where the daemon works.
    ///   - asked: told that there is a request.
    package init(
        ledger: Ledger,
        settings: Settings,
        region: String,
        now: @escaping @Sendable () -> Date,
        asked: @escaping @Sendable () -> Void,
        tools: @escaping Tools
    ) {
        self.ledger = ledger
        self.settings = settings
        self.region = region
        self.now = now
        self.asked = asked
        self.tools = tools
    }

    /// - Parameter user: whom the kernel named.
    package func answer(_ line: [UInt8], from user: Caller) async -> ControlAnswer {
        do {
            return .result(try await answer(to: try ControlRequest(line: line), from: user))
        } catch let fault as ControlFault {
            return .fault(fault)
        } catch let error as LedgerError {
            return .fault(ControlFault(error.description, kind: .failed))
        } catch {
            return .fault(ControlFault("\(error)", mend: "see `preclone status`", kind: .failed))
        }
    }

    /// - Throws: `ControlFault`: what is wrong with the request, or what policy says against it; `LedgerError`.
    package func answer(to request: ControlRequest, from user: Caller) async throws -> ParameterValue {
        guard let verb = ControlVerb(rawValue: request.verb) else {
            throw ControlFault(
                "there is no verb \"\(PrintableText.stripped(String(request.verb.prefix(100))))\"",
                at: "verb",
                mend: "name one of: \(ControlVerb.names)"
            )
        }
        var caller = settings.current.policy.identity(of: user, agent: request.agent)
        caller.program = request.program
        switch verb {
        case .hello: return try hello(request, caller)
        case .clone: return try clone(request, caller)
        case .retry: return try retry(request, caller)
        case .forget: return try forget(request, caller)
        case .call: return try await call(request, caller)
        }
    }

    private func call(_ request: ControlRequest, _ caller: Caller) async throws -> ParameterValue {
        let arguments = try NamedArguments(request.arguments, known: ["tool", "arguments"])
        let name = try arguments.requiredString("tool")
        guard let tool = ToolCatalogue.tool(name) else {
            throw ControlFault("there is no such tool", at: "tool", mend: "see `preclone mcp`")
        }
        try check(caller, may: name)
        switch arguments.value("arguments") {
        case nil: return try await tools(tool, [:], caller).control
        case .object(let members)?: return try await tools(tool, members, caller).control
        default: throw ControlFault("this is no object", at: "arguments", mend: "give the arguments by name")
        }
    }

    /// Policy's word on a tool that the daemon is not asked for, but answers from the record.
    ///
    /// - Throws: `ControlFault` where the user may not call it.
    package func check(_ user: Caller, mayRead tool: AgentTool) throws { try check(user, may: tool.name) }

    /// Policy's word on a call, kept in the audit where it is not plainly allowed.
    ///
    /// - Parameter images: what it is for; none: for no image.
    /// - Throws: `ControlFault` where the caller may not, or not now.
    private func check(_ caller: Caller, may tool: String, for images: [String] = []) throws {
        let policy = ToolPolicy(settings.current.policy)
        // What is no image's name is refused when it is looked at.
        let parsed = images.compactMap { try? ImageReference($0) }.map(PolicyImage.init)
        for image in parsed.isEmpty ? [nil] : parsed.map(Optional.some) {
            let decision = policy.decide(tool, caller: caller, image: image)
            for warning in decision.warnings {
                try ledger.audit(
                    .init(rule: warning.rule, reason: caller.detail(warning.reason) ?? warning.reason),
                    source: image?.reference ?? tool,
                    destination: nil,
                    caller: caller.description,
                    now: now()
                )
            }
            if let denial = decision.denial {
                var entry = AuditEntry(.decided, by: caller, detail: "\(tool): \(denial)", at: now())
                entry.source = image?.reference
                entry.rule = decision.rule
                entry.after = PolicyDecision.Verdict.deny.rawValue
                try ledger.audit(entry)
                if let rule = decision.rule { try ledger.count(.denied, of: rule, now: now()) }
                throw ControlFault(
                    "denied by policy (\(decision.rule ?? "-")): \(denial)",
                    mend: decision.mend,
                    kind: .denied
                )
            }
            guard let rule = decision.rule else { continue }
            if let rate = decision.rate {
                switch try ledger.reserve(rule: rule, rate: rate, caller: caller.description, now: now()) {
                case .reserved(let place): try ledger.commit(place)
                case .later(let until):
                    throw ControlFault(
                        "policy rule `\(rule)` lets no more through before \(until.formatted(.iso8601))",
                        mend: "ask again then",
                        kind: .temporary
                    )
                }
            }
            try ledger.count(.allowed, of: rule, now: now())
        }
    }

    private func hello(_ request: ControlRequest, _ caller: Caller) throws -> ParameterValue {
        _ = try NamedArguments(request.arguments, known: [])
        return .object([
            "version": .string(Version.current), "region": .string(region),
            "profile": settings.current.aws.profile.map(ParameterValue.string) ?? .null,
            "caller": .string(caller.description),
        ])
    }

    private func clone(_ request: ControlRequest, _ caller: Caller) throws -> ParameterValue {
        let arguments = try NamedArguments(
            request.arguments,
            known: ["images", "key", "targetRepository", "targetTag", "destination", "urgency"]
        )
        guard let images = try arguments.strings("images", most: Self.mostImages), !images.isEmpty else {
            throw ControlFault("this is missing", at: "images", mend: "name at least one image")
        }
        let urgency = try arguments.string("urgency")
        guard urgency == nil || urgency == "run" else {
            throw ControlFault("there is no such urgency", at: "urgency", mend: "leave it out, or say \"run\"")
        }
        let options = CloneOptions(
            targetRepository: try arguments.string("targetRepository"),
            targetTag: try arguments.string("targetTag"),
            destination: try arguments.string("destination"),
            urgency: urgency.map { _ in .run }
        )
        if options != CloneOptions(urgency: options.urgency), images.count > 1 {
            throw ControlFault("a target takes one image", at: "images", mend: "ask for each image by itself")
        }
        try check(caller, may: "CloneContainerToECR", for: images)
        let ids = try ledger.request(
            images,
            options: options,
            caller: caller,
            key: try arguments.string("key", longest: 100),
            now: now()
        )
        asked()
        return .object(["requests": .array(ids.map { .number("\($0)") }), "caller": .string(caller.description)])
    }

    private func forget(_ request: ControlRequest, _ caller: Caller) throws -> ParameterValue {
        let arguments = try NamedArguments(request.arguments, known: ["images"])
        guard let images = try arguments.strings("images", most: Self.mostImages), !images.isEmpty else {
            throw ControlFault("this is missing", at: "images", mend: "name at least one image")
        }
        try check(caller, may: "ForgetImages")
        let answers = try ledger.forget(images, caller: caller, now: now())
        return .object([
            "images": .array(
                answers.map { image in
                    .object([
                        "id": .number("\(image.id)"), "source": .string(image.source),
                        "destination": .string(image.destination),
                        "kept": image.kept.map(ParameterValue.string) ?? .null,
                    ])
                }
            )
        ])
    }

    private func retry(_ request: ControlRequest, _ caller: Caller) throws -> ParameterValue {
        let arguments = try NamedArguments(request.arguments, known: ["images", "all"])
        let images = try arguments.strings("images", most: Self.mostImages) ?? []
        let all = try arguments.bool("all", default: false)
        guard all != !images.isEmpty else {
            throw ControlFault("all, or some?", at: "images", mend: "name images, or say \"all\": true")
        }
        try check(caller, may: "RetryImages", for: images)
        let retried = try ledger.retry(all ? nil : images, caller: caller, now: now())
        asked()
        return .object([
            "retried": .array(
                retried.map { image in
                    .object([
                        "source": .string(image.source), "destination": .string(image.destination),
                        "state": .string(image.state), "reason": image.reason.map(ParameterValue.string) ?? .null,
                    ])
                }
            )
        ])
    }
}
