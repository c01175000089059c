/// An image of a registry as the generator thinks of it.
package struct ImageSpec: Sendable, Hashable {
    /// The host that requests go to.
    package var registry: String
    package var repository: String
    package var tag: String
    /// Which build of it: another number is another image under the same tag.
    package var build: Int
    package var platforms: [String]
    package var isDocker: Bool
    /// Names of its layers; images of one name share the blob. Bytes.
    package var layers: [String: Int]

    /// As references name the registry.
    package var host: String { registry == "registry-1.docker.io" ? "docker.io" : registry }

    /// `HOST/REPOSITORY:TAG`: the canonical reference, and what definitions write.
    package var reference: String { "\(host)/\(repository):\(tag)" }

    package var runsOnHealthOmics: Bool { platforms.contains("linux/amd64") }
}

/// A workflow's or a version's definition.
package struct DefinitionSpec: Sendable, Hashable {
    /// References that stand in the text.
    package var images: [String]
    /// The parameter that names one more, and what it is by default; nil: there is none.
    package var parameter: String?
    /// Makes definitions of the same images differ.
    package var revision: Int
    /// Registry host (as mappings name it) to the prefix in ECR.
    package var map: [String: String]
}

/// Something that people, services or the world do.
package enum Event: Sendable, Hashable {
    /// An image is pushed upstream; its tag moves to it.
    case push(ImageSpec)
    case removeUpstream(registry: String, repository: String, tag: String)
    /// Somebody deletes an image in ECR, or archives it, or takes the right to read its repository away.
    case deletePrivate(repository: String, tag: String)
    case archivePrivate(repository: String, tag: String)
    case closeRepository(String)
    /// Somebody pushes another image where a clone belongs.
    case overwrite(repository: String, tag: String)
    /// So many lists of runs leave a run out.
    case miss(run: String, lists: Int)
    /// `preclone retry --all`.
    case retry
    case workflow(name: String, DefinitionSpec)
    case version(workflow: String, name: String, DefinitionSpec)
    case retire(workflow: String)
    /// - Parameter image: for the definition's parameter; nil: its default.
    case run(name: String, workflow: String, version: String?, image: String?)
    case batch(name: String, workflow: String, runs: Int)
    case endRun(name: String, status: String)
    /// A person asks for an image.
    case ask(image: String, user: String)
    case deny([String])
    case begin(Spell, id: Int)
    case end(id: Int)
    case down(registry: String, Bool)
    /// The services' own throttling, expired tokens and the like: `times` requests meet it.
    case fault(service: String, operation: String?, effect: String, times: Int)
    case reload(ConfigurationChange)
    case kill(KillPoint)
    case stop
    /// The clock of the daemon's machine is so many seconds ahead from now on.
    case clock(ahead: Double)
    case diskFull(Bool)
    case question(Question)
    /// Layers that ECR pulls through arrive so many seconds after their manifest.
    case layersLate(Double)
}

/// When exactly a process dies.
package enum KillPoint: Sendable, Hashable {
    case now
    /// Right after so many more transactions were committed.
    case commits(Int)
    /// Right after a service has done what so many more requests asked, before the answer.
    case requests(Int)
}

/// What an operator changes in the configuration.
package enum ConfigurationChange: Sendable, Hashable {
    case concurrency(Int)
    case pollInterval(seconds: Int)
    case clonesUnmapped(Bool)
    case onTagMove(String)
    case deny(registry: String?)
    case bytesPerDay(Int?)
    case exclude(workflow: String?)
    /// Agents may ask for so many images an hour, and for none with tag `1.2`; nil: for all.
    case agents(perHour: Int?)
}

/// An event and its moment, in seconds from the start.
package struct Step: Sendable, Hashable, CustomStringConvertible {
    package var at: Double
    package var event: Event

    package var description: String { "\(Moment(.milliseconds(Int64(at * 1000)))) \(event.words)" }
}

/// All that will be done from outside in some days; what comes of it is for the daemon to show.
package struct Story: Sendable, Hashable {
    package var seed: UInt64
    package var days: Double
    package var choices: [ConfigurationChange]
    package var steps: [Step]
}

extension Event {
    /// In words, for people.
    package var words: String {
        switch self {
        case .push(let image):
            "\(image.reference) is pushed upstream (build \(image.build), \(image.platforms.joined(separator: " ")))"
        case .removeUpstream(let registry, let repository, let tag):
            "\(registry)/\(repository):\(tag) is removed upstream"
        case .deletePrivate(let repository, let tag): "somebody deletes \(repository):\(tag) in ECR"
        case .archivePrivate(let repository, let tag): "somebody archives \(repository):\(tag) in ECR"
        case .closeRepository(let name): "somebody takes the policy of \(name) away"
        case .overwrite(let repository, let tag): "somebody pushes another image to \(repository):\(tag)"
        case .miss(let run, let lists): "\(lists) lists leave run \(run) out"
        case .retry: "somebody asks for a retry of all"
        case .workflow(let name, let definition): "workflow \(name) is made: \(definition.words)"
        case .version(let workflow, let name, let definition):
            "version \(name) of workflow \(workflow) is made: \(definition.words)"
        case .retire(let workflow): "workflow \(workflow) is deleted"
        case .run(let name, let workflow, let version, let image):
            "run \(name) of \(workflow)\(version.map { "/" + $0 } ?? "") starts\(image.map { " with " + $0 } ?? "")"
        case .batch(let name, let workflow, let runs): "batch \(name) of \(runs) runs of \(workflow) starts"
        case .endRun(let name, let status): "run \(name) is \(status)"
        case .ask(let image, let user): "\(user) asks for \(image)"
        case .deny(let actions):
            actions.isEmpty ? "all permissions are given" : "no permission for \(actions.joined(separator: ", "))"
        case .begin(let spell, _): "from now on: \(spell)"
        case .end(let id): "spell \(id) is over"
        case .down(let registry, let isDown): "\(registry) \(isDown ? "goes down" : "is up again")"
        case .fault(let service, let operation, let effect, let times):
            "\(times) times \(effect) at \(service)\(operation.map { ":" + $0 } ?? "")"
        case .reload(let change): "the configuration is reloaded: \(change)"
        case .kill(.now): "the daemon is killed"
        case .kill(.commits(let count)): "the daemon is killed after \(count) more transactions"
        case .kill(.requests(let count)): "the daemon is killed after \(count) more requests"
        case .stop: "the daemon is restarted"
        case .clock(let ahead): "the daemon's clock is \(ahead) s ahead"
        case .diskFull(let isFull): isFull ? "the record's disk is full" : "the disk has room again"
        case .question(let question): question.words
        case .layersLate(let seconds): "layers come \(seconds) s after their manifest"
        }
    }
}

extension DefinitionSpec {
    fileprivate var words: String {
        let images = (images + [parameter.map { "parameter " + $0 }].compactMap(\.self)).joined(separator: ", ")
        let map = map.sorted { $0.key < $1.key }.map { "\($0.key) in \($0.value)" }.joined(separator: ", ")
        return "\(images); map: \(map.isEmpty ? "none" : map)"
    }
}
