import Definitions
import Model
import Names
import Remotes

extension RegistryTools {
    /// A run, or a workflow with the parameters that its run will have.
    private static func subject(_ arguments: NamedArguments) throws(ControlFault) -> ReadySubject? {
        let run = try arguments.string("run_id")
        let workflow = try arguments.string("workflow_id")
        if run != nil, workflow != nil {
            throw ControlFault("only one of both", at: "workflow_id", mend: "give run_id or workflow_id")
        }
        if let run { return .run(run) }
        guard let workflow else { return nil }
        guard let name = WorkflowName(workflow) else {
            throw ControlFault("this names no workflow", at: "workflow_id", mend: "give its number, or ID/VERSION")
        }
        var parameters: [String: ParameterValue] = [:]
        switch arguments.value("parameters") {
        case nil, .null?: break
        case .object(let members)?: parameters = members
        default: throw ControlFault("this is no object", at: "parameters", mend: "give the run's parameters by name")
        }
        return .workflow(name, parameters: parameters, profiles: try arguments.strings("profiles", most: 100) ?? [])
    }

    /// What kept a verb from its answer, in the words of the command line.
    static func asked<Value>(_ verb: () async throws -> Value) async throws -> Value {
        do {
            return try await verb()
        } catch let error as LedgerError {
            throw ControlFault(error.description, kind: .failed)
        } catch let error as UnreadDefinition {
            throw ControlFault("\(error)", kind: .failed)
        } catch let error as DefinitionError {
            throw ControlFault(error.message, kind: .failed)
        }
    }

    func explanation(_ arguments: NamedArguments, _ caller: Caller) async throws -> ToolAnswer {
        let image = try arguments.requiredString("image")
        let subject = try Self.subject(arguments)
        let answer = try await Self.asked { try await verbs.explain(image, for: subject, as: caller) }
        return ToolAnswer(try ParameterValue(encoding: answer).printable, isError: answer.reading == nil)
    }

    func readiness(_ arguments: NamedArguments) async throws -> ToolAnswer {
        let images = try arguments.strings("images", most: 1000) ?? []
        var subject = try Self.subject(arguments)
        guard (subject == nil) != images.isEmpty else {
            throw ControlFault(
                "of what?",
                at: "arguments",
                mend: "give one of run_id, workflow_id and images"
            )
        }
        if !images.isEmpty {
            var inspection = Inspection()
            inspection.images = images.map { ImageMention(text: $0, places: [], tasks: []) }
            let label = Phrase.count(images.count, "image")
            subject = .definition(
                SubjectReading(label: label, engine: "", main: nil, digest: nil, map: nil, inspection: inspection)
            )
        }
        guard let subject else { throw ControlFault("of what?", at: "arguments") }
        let answer = try await Self.asked { try await verbs.ready(subject) }
        return ToolAnswer(try ParameterValue(encoding: answer).printable)
    }

    /// The map, and what it comes to for each image; the images are brought by whoever asks.
    func preparation(_ arguments: NamedArguments) async throws -> ToolAnswer {
        let subject = try Self.subject(arguments)
        let images = try arguments.strings("images", most: 1000) ?? []
        guard (subject == nil) != images.isEmpty else {
            throw ControlFault(
                "what is to be prepared?",
                at: "arguments",
                mend: "give definition, workflow_id or images"
            )
        }
        let answer = try await Self.asked { try await verbs.map(subject, images: images) }
        guard case .object(var members) = try ParameterValue(encoding: answer).printable else {
            return ToolAnswer(.null)
        }
        // Of registries that no rule caches so far.
        let copied = Set(
            answer.images.filter { $0.basis == .registryMapping && $0.rule == nil }
                .compactMap { $0.source.flatMap { try? ImageReference($0) }?.registry }
        )
        members["proposed_rules"] = .texts(
            Self.upstreams.filter { copied.contains(PullThroughUpstream.registry(named: $0)) }
        )
        return ToolAnswer(.object(members))
    }

    // MARK: The pull-through cache

    private static let upstreams = ["docker-hub", "quay", "ecr-public"]

    func createRule(_ arguments: NamedArguments, _ caller: Caller) async throws -> ToolAnswer {
        let name = try arguments.requiredString("upstream_registry")
        guard Self.upstreams.contains(name) else {
            throw ControlFault(
                "there is no such upstream here",
                at: "upstream_registry",
                mend: "give one of: \(Self.upstreams.joined(separator: ", "))"
            )
        }
        let prefix = try arguments.string("ecr_repository_prefix") ?? name
        if let fault = ECRLocation.fault(inRepository: prefix) {
            throw ControlFault(fault, at: "ecr_repository_prefix", mend: "give a prefix that ECR takes")
        }
        let secret = try arguments.string("credential_arn")
        if name == "docker-hub", secret == nil {
            throw ControlFault(
                "Docker Hub's rule needs a secret",
                at: "credential_arn",
                mend: "give the ARN of a secret whose name begins with ecr-pullthroughcache/"
            )
        }
        let registry = PullThroughUpstream.registry(named: name)
        let creation = try await Self.asked {
            try await verbs.createRules([RuleWish(registry, prefix: prefix, secret: secret)], by: caller)
        }
        let standing = try await verbs.rules().rules.first { $0.prefix == prefix }
        let isUsable = standing?.isUsable == true
        func isChanged(_ kind: String) -> Bool { creation.changes.contains { $0.kind == kind && $0.isDone } }
        var words = creation.refusals
        if words.isEmpty {
            words = [
                isUsable
                    ? "HealthOmics can pull \(registry) through `\(prefix)/`"
                    : "the rule is there, and HealthOmics cannot use it: "
                        + (standing?.problems.joined(separator: "; ") ?? "it is not shown")
            ]
            if creation.changes.isEmpty { words.append("nothing had to be changed") }
        }
        return ToolAnswer(
            .object([
                "success": .bool(isUsable && creation.refusals.isEmpty), "rule": standing.map(Self.json) ?? .null,
                "registry_policy_updated": .bool(isChanged("registryPolicy")),
                "repository_template_created": .bool(isChanged("creationTemplate")),
                "message": .text(words.joined(separator: "; ")),
            ]),
            isError: !isUsable || !creation.refusals.isEmpty
        )
    }
}
