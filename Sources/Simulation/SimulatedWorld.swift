import Foundation
import Precloning
import Remotes
package import Sandbox
import Synchronization

/// The account, the registries and the people around the daemon: carries a story's events out, and knows what is true.
package final class SimulatedWorld: Sendable {
    package let sandbox: Sandbox
    let clock: SimulatedClock
    let weather: Weather
    let trace: Trace
    private let state = Mutex(State())

    private struct State {
        var workflows: [String: Workflow] = [:]
        var runs: [String: Run] = [:]
        var builds: [String: [Build]] = [:]
        /// When somebody else last touched what ECR holds, by repository.
        var touched: [String: Duration] = [:]
        var asked: [Asked] = []
        var ahead = 0.0
        var clockSetAt = Duration.zero
        /// Since when nothing but the daemon has gone wrong; nil: something does.
        var spells: Set<Int> = []
        var down: Set<String> = []
        var denied = false
        var full = false
        var lastTrouble = Duration.zero
        /// Since when nothing is wrong with a registry, by host; empty: with everything.
        var lastTroubleAt: [String: Duration] = [:]
        var spellHosts: [Int: String] = [:]
        var lastKill = Duration.zero
        var kills = 0
        var shipments: [String: Duration] = [:]
    }

    /// A workflow or a version of one.
    struct Workflow: Sendable {
        var id: String
        var definitions: [String: DefinitionSpec]
        var isRetired = false
        var madeAt: Duration
    }

    /// A run, or the runs of a batch.
    struct Run: Sendable {
        var ids: [String]
        var batch: String?
        var images: [Need]
        var startedAt: Duration
        var endedAt: Duration?
    }

    /// An image that a run must find, and where HealthOmics looks for it.
    struct Need: Sendable, Hashable {
        var reference: String
        /// nil: the run's map does not reach it.
        var place: Place?
    }

    struct Place: Sendable, Hashable {
        var repository: String
        var tag: String
    }

    /// A push upstream.
    struct Build: Sendable {
        var digest: String
        var platformDigest: String?
        var at: Duration
    }

    /// What a person asked for.
    struct Asked: Sendable {
        var request: Int64
        var image: String
        var at: Duration
    }

    /// Where the account is.
    static let region = "us-east-1"

    init(sandbox: Sandbox, clock: SimulatedClock, weather: Weather, trace: Trace) throws {
        self.sandbox = sandbox
        self.clock = clock
        self.weather = weather
        self.trace = trace
        for (prefix, registry) in [("quay", "quay.io"), ("ecr-public", "public.ecr.aws")] {
            try sandbox.ecr(
                "CreateRepositoryCreationTemplate",
                [
                    "prefix": .string(prefix), "appliedFor": ["PULL_THROUGH_CACHE"],
                    "repositoryPolicy": .string(Self.open),
                ]
            )
            try sandbox.ecr(
                "CreatePullThroughCacheRule",
                ["ecrRepositoryPrefix": .string(prefix), "upstreamRegistryUrl": .string(registry)]
            )
        }
        try sandbox.ecr("PutRegistryPolicy", ["policyText": .string(Self.registryPolicy)])
    }

    private static let open = """
        {"Version":"2012-10-17","Statement":[{"Sid":"omics","Effect":"Allow",\
        "Principal":{"Service":"omics.amazonaws.com"},"Action":["ecr:GetDownloadUrlForLayer","ecr:BatchGetImage",\
        "ecr:BatchCheckLayerAvailability"]}]}
        """

    private static let registryPolicy = """
        {"Version":"2012-10-17","Statement":[{"Sid":"omics","Effect":"Allow",\
        "Principal":{"Service":"omics.amazonaws.com"},"Action":["ecr:CreateRepository","ecr:BatchImportUpstreamImage"],\
        "Resource":"*"}]}
        """

    // MARK: What happens

    /// Carries an event out; those of the daemon's process are its host's.
    func carryOut(_ event: Event) {
        let now = clock.elapsed
        switch event {
        case .push(let image): push(image, now)
        case .removeUpstream(let registry, let repository, let tag):
            sandbox.removeUpstream(registry, repository, tag)
        case .deletePrivate(let repository, let tag):
            touch(repository, now)
            _ = try? sandbox.ecr(
                "BatchDeleteImage",
                ["repositoryName": .string(repository), "imageIds": [["imageTag": .string(tag)]]]
            )
        case .archivePrivate(let repository, let tag):
            touch(repository, now)
            _ = try? sandbox.ecr(
                "UpdateImageStorageClass",
                [
                    "repositoryName": .string(repository), "imageId": ["imageTag": .string(tag)],
                    "targetStorageClass": "ARCHIVE",
                ]
            )
        case .closeRepository(let repository):
            touch(repository, now)
            _ = try? sandbox.ecr("DeleteRepositoryPolicy", ["repositoryName": .string(repository)])
        case .overwrite(let repository, let tag):
            touch(repository, now)
            // Where there is no such repository, nobody pushes.
            guard sandbox.holding(repository, tag) != nil else { return }
            _ = try? sandbox.putPrivateImage(
                ImageRecipe("somebody's \(repository) \(tag)"),
                repository: repository,
                tags: [tag]
            )
        case .miss(let run, let lists):
            for id in state.withLock({ $0.runs[run]?.ids ?? [] }) { sandbox.hideRun(id, lists: lists) }
        case .workflow(let name, let definition):
            let id = sandbox.addWorkflow(recipe(name, definition))
            state.withLock { $0.workflows[name] = Workflow(id: id, definitions: ["": definition], madeAt: now) }
        case .version(let workflow, let name, let definition):
            guard let id = state.withLock({ $0.workflows[workflow]?.id }) else { return }
            sandbox.addVersion(recipe(name, definition), workflow: id)
            state.withLock { $0.workflows[workflow]?.definitions[name] = definition }
        case .retire(let workflow):
            guard let id = state.withLock({ $0.workflows[workflow]?.id }) else { return }
            sandbox.setWorkflow(id, status: "DELETED")
            state.withLock { $0.workflows[workflow]?.isRetired = true }
        case .run(let name, let workflow, let version, let image): start(name, workflow, version, image, now)
        case .batch(let name, let workflow, let count): startBatch(name, workflow, count, now)
        case .endRun(let name, let status): end(name, status, now)
        case .deny(let actions):
            sandbox.deny(Set(actions))
            trouble { $0.denied = !actions.isEmpty }
        case .begin(let spell, let id):
            weather.begin(spell, id: id)
            trouble(at: spell.host) { state in
                state.spells.insert(id)
                state.spellHosts[id] = spell.host
            }
        case .end(let id):
            weather.end(id)
            trouble(at: state.withLock { $0.spellHosts[id] } ?? "") { state in
                state.spells.remove(id)
                state.spellHosts[id] = nil
            }
        case .down(let registry, let isDown):
            sandbox.setDown(isDown, registry: registry)
            trouble(at: registry) { if isDown { $0.down.insert(registry) } else { $0.down.remove(registry) } }
        case .fault(let service, let operation, let effect, let times):
            guard let effect = Fault.Effect(rawValue: effect) else { return }
            sandbox.add(Fault(effect, service: service, operation: operation, times: times))
            trouble { _ in }
        case .clock(let ahead):
            trouble { state in
                state.ahead = ahead
                state.clockSetAt = now
            }
        case .diskFull(let isFull): trouble { $0.full = isFull }
        case .layersLate(let seconds): sandbox.change { $0.layerDelay = seconds }
        case .kill, .stop, .reload, .ask, .retry, .question: break
        }
    }

    /// All that is wrong is put right.
    func calm() {
        weather.clear()
        sandbox.clearFaults()
        sandbox.deny([])
        let down = state.withLock { state in
            let down = state.down
            state.down = []
            state.spells = []
            state.spellHosts = [:]
            state.denied = false
            state.full = false
            if state.ahead != 0 { state.clockSetAt = clock.elapsed }
            state.ahead = 0
            state.lastTrouble = clock.elapsed
            return down
        }
        for registry in down.sorted() { sandbox.setDown(false, registry: registry) }
    }

    /// - Parameter host: the one registry that it is about; nil: everything.
    private func trouble(at host: String? = nil, _ change: (inout State) -> Void) {
        let now = clock.elapsed
        let isOfOne = host.map { !$0.isEmpty && !$0.hasPrefix(".") && !$0.hasSuffix(".amazonaws.com") } ?? false
        state.withLock { state in
            change(&state)
            state.lastTrouble = now
            state.lastTroubleAt[isOfOne ? host ?? "" : ""] = now
        }
    }

    func touch(_ repository: String, _ now: Duration) { state.withLock { $0.touched[repository] = now } }

    private func push(_ image: ImageSpec, _ now: Duration) {
        let recipe = ImageRecipe(
            "\(image.reference) build \(image.build)",
            platforms: image.platforms,
            format: image.isDocker ? .docker : .oci,
            layers: image.layers.sorted { $0.key < $1.key }.map { ImageRecipe.Layer($0.key, size: Int64($0.value)) }
        )
        guard
            let made = try? sandbox.putImage(
                recipe,
                registry: image.registry,
                repository: image.repository,
                tags: [image.tag]
            )
        else { return }
        let build = Build(digest: made.root, platformDigest: made.digest(for: "linux/amd64"), at: now)
        state.withLock { state in
            // On Docker Hub and quay alike an image that runs nowhere here has no platform of ours.
            var build = build
            if !image.runsOnHealthOmics { build.platformDigest = nil }
            state.builds[image.reference, default: []].append(build)
        }
    }

    private func recipe(_ name: String, _ definition: DefinitionSpec) -> WorkflowRecipe {
        let mappings = definition.map.sorted { $0.key < $1.key }.map { host, prefix -> SandboxJSON in
            ["upstreamRegistryUrl": .string(host), "ecrRepositoryPrefix": .string(prefix)]
        }
        return WorkflowRecipe(
            name,
            engine: "WDL",
            main: "main.wdl",
            files: ["main.wdl": Self.text(definition)],
            registryMap: ["registryMappings": .array(mappings)]
        )
    }

    private static func text(_ definition: DefinitionSpec) -> String {
        var containers = definition.images.map { "\"\($0)\"" }
        if definition.parameter != nil { containers.append("image") }
        var text = "version 1.1\n# revision \(definition.revision)\nworkflow main {\n"
        if let fallback = definition.parameter { text += "  input { String image = \"\(fallback)\" }\n" }
        for index in containers.indices {
            let input = containers[index] == "image" ? " { input: image = image }" : ""
            text += "  call task\(index)\(input)\n"
        }
        text += "}\n"
        for (index, container) in containers.enumerated() {
            text += "task task\(index) {\n"
            if container == "image" { text += "  input { String image }\n" }
            text += "  command <<< true >>>\n  runtime { container: \(container) }\n}\n"
        }
        return text
    }

    // MARK: Runs

    private func needs(_ definition: DefinitionSpec, image: String?) -> [Need] {
        var references = definition.images
        if let fallback = definition.parameter { references.append(image ?? fallback) }
        return Set(references).sorted().map { Need(reference: $0, place: Self.place($0, definition.map)) }
    }

    /// Where HealthOmics looks for an image under a registry map.
    static func place(_ reference: String, _ map: [String: String]) -> Place? {
        guard let slash = reference.firstIndex(of: "/"), let colon = reference.lastIndex(of: ":") else { return nil }
        let host = String(reference[..<slash])
        let repository = reference[reference.index(after: slash)..<colon]
        guard let prefix = map[host == "docker.io" ? "registry-1.docker.io" : host] else { return nil }
        return Place(repository: "\(prefix)/\(repository)", tag: String(reference[reference.index(after: colon)...]))
    }

    private func start(_ name: String, _ workflow: String, _ version: String?, _ image: String?, _ now: Duration) {
        guard let known = state.withLock({ $0.workflows[workflow] }), !known.isRetired,
            let definition = known.definitions[version ?? ""]
        else { return }
        var parameters: [String: SandboxJSON] = [:]
        if let image, definition.parameter != nil { parameters["image"] = .string(image) }
        guard
            let id = try? sandbox.startRun(
                workflow: known.id,
                name: name,
                parameters: .object(parameters),
                settings: version.map { ["workflowVersionName": .string($0)] } ?? [:]
            )
        else { return }
        let images = needs(definition, image: image)
        state.withLock { $0.runs[name] = Run(ids: [id], images: images, startedAt: now) }
    }

    private func startBatch(_ name: String, _ workflow: String, _ count: Int, _ now: Duration) {
        guard let known = state.withLock({ $0.workflows[workflow] }), !known.isRetired,
            let definition = known.definitions[""],
            let batch = try? sandbox.startBatch(workflow: known.id, count: count)
        else { return }
        let images = needs(definition, image: nil)
        let ids = sandbox.runs(ofBatch: batch)
        state.withLock { $0.runs[name] = Run(ids: ids, batch: batch, images: images, startedAt: now) }
    }

    private func end(_ name: String, _ status: String, _ now: Duration) {
        guard let run = state.withLock({ $0.runs[name] }) else { return }
        for id in run.ids { try? sandbox.setRun(id, status: status) }
        state.withLock { $0.runs[name]?.endedAt = now }
    }

    // MARK: What is true

    /// A workflow or version as HealthOmics names it, and what its run needs now; nil: there is none any more.
    func subject(_ workflow: String, _ version: String?, image: String?) -> (id: String, needs: [Need])? {
        guard let known = state.withLock({ $0.workflows[workflow] }), !known.isRetired,
            let definition = known.definitions[version ?? ""]
        else { return nil }
        return (known.id, needs(definition, image: definition.parameter == nil ? nil : image))
    }

    func run(_ name: String) -> Run? { state.withLock { $0.runs[name] } }

    /// The names of runs that had ended by a moment, by id.
    func endedRuns(before moment: Duration) -> [String: String] {
        state.withLock { state in
            state.runs.filter { $0.value.endedAt.map { $0 < moment } ?? false }.reduce(into: [:]) { ids, run in
                for id in run.value.ids { ids[id] = run.key }
            }
        }
    }

    /// What a run that starts now would not find; none: it finds everything.
    func lacking(_ needs: [Need]) -> [String] {
        needs.compactMap { need in
            guard let place = need.place else { return "its map does not reach \(need.reference)" }
            if let lack = lacking(place) { return lack }
            let held = sandbox.holding(place.repository, place.tag)?.digest
            let isOfAnother = builds(of: need.reference).contains { $0.digest == held && $0.platformDigest == nil }
            return isOfAnother ? "\(place.repository):\(place.tag) has no linux/amd64" : nil
        }
    }

    /// What is wrong with a place in ECR; nil: HealthOmics can pull from it.
    func lacking(_ place: Place) -> String? {
        let name = "\(place.repository):\(place.tag)"
        guard let holding = sandbox.holding(place.repository, place.tag) else { return "\(name) is not in ECR" }
        if !holding.isActive { return "\(name) is archived" }
        if holding.platformDigest == nil { return "\(name) has no linux/amd64" }
        if !holding.missing.isEmpty { return "\(name) lacks \(holding.missing.count) blobs" }
        let isOpen = sandbox.policy(of: place.repository)?.contains("omics.amazonaws.com") == true
        return isOpen ? nil : "HealthOmics may not read \(place.repository)"
    }

    var ahead: Double { state.withLock { $0.ahead } }
    /// How long the daemon's clock has been right.
    var clockRightFor: Duration { state.withLock { $0.ahead == 0 ? clock.elapsed - $0.clockSetAt : .zero } }
    var isDiskFull: Bool { state.withLock { $0.full } }
    var kills: Int { state.withLock { $0.kills } }
    var lastTouched: [String: Duration] { state.withLock { $0.touched } }
    var asked: [Asked] { state.withLock { $0.asked } }

    func killed() {
        let now = clock.elapsed
        state.withLock { state in
            state.kills += 1
            state.lastKill = now
        }
    }

    func noteAsked(_ request: Int64, image: String) {
        let now = clock.elapsed
        state.withLock { $0.asked.append(Asked(request: request, image: image, at: now)) }
    }

    /// How long nothing has gone wrong outside the daemon; nil: something does now.
    var calmFor: Duration? {
        let now = clock.elapsed
        return state.withLock { state in
            guard state.spells.isEmpty, state.down.isEmpty, !state.denied, !state.full, state.ahead == 0 else {
                return nil
            }
            return now - max(state.lastTrouble, state.lastKill)
        }
    }

    /// How long nothing has gone wrong with a registry, with AWS and with the daemon's machine; nil: something does now.
    func healthyFor(_ registry: String) -> Duration? {
        let now = clock.elapsed
        return state.withLock { state in
            let isSpared = state.spellHosts.values.allSatisfy { host in
                !host.isEmpty && !host.hasPrefix(".") && host != registry
            }
            // What was put into the services and has struck nobody yet may strike any registry.
            guard !sandbox.hasFaults, isSpared, !state.down.contains(registry), !state.denied, !state.full,
                state.ahead == 0
            else {
                return nil
            }
            let last = max(state.lastTroubleAt[""] ?? .zero, state.lastTroubleAt[registry] ?? .zero)
            return now - max(last, state.lastKill)
        }
    }

    /// Answers that were lost on their way, so that the daemon can't know what was done.
    var lostAnswers: Int { weather.lostAnswers }

    /// Whether an image was upstream all the time since a moment, and its registry answered.
    func wasThere(_ reference: String, since: Duration) -> Bool {
        let registry = Inspector.registry(of: reference)
        guard let healthy = healthyFor(registry) else { return false }
        return clock.elapsed - healthy < since
    }

    var isDenied: Bool { state.withLock { $0.denied } }

    /// What active versions need, of workflows that are not deleted.
    var versionNeeds: [(label: String, madeAt: Duration, needs: [Need])] {
        state.withLock { state in
            state.workflows.filter { !$0.value.isRetired }.sorted { $0.key < $1.key }.flatMap { name, workflow in
                workflow.definitions.sorted { $0.key < $1.key }.map { version, definition in
                    ("\(name)/\(version)", workflow.madeAt, needs(definition, image: nil))
                }
            }
        }
    }

    var liveRuns: [(name: String, run: Run)] {
        state.withLock { state in
            state.runs.filter { $0.value.endedAt == nil }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        }
    }

    /// Every push of a reference, oldest first.
    func builds(of reference: String) -> [Build] { state.withLock { $0.builds[reference] ?? [] } }

    /// Whether the image that the reference names upstream now could be made ready.
    func canBeReady(_ reference: String) -> Bool {
        guard let last = builds(of: reference).last else { return false }
        return last.platformDigest != nil
    }

    /// A blob arrived in a repository.
    ///
    /// - Returns: when it had arrived before.
    func shipped(_ digest: String, to repository: String) -> Duration? {
        let now = clock.elapsed
        return state.withLock { state in
            let key = "\(repository)@\(digest)"
            defer { state.shipments[key] = now }
            return state.shipments[key]
        }
    }

    /// Whether anything went wrong, or anybody touched the repository, since a moment.
    func wasDisturbed(_ repository: String, since: Duration) -> Bool {
        state.withLock { state in
            !state.spells.isEmpty || state.lastTrouble >= since || state.lastKill >= since
                || (state.touched[repository] ?? .zero) >= since
        }
    }
}
