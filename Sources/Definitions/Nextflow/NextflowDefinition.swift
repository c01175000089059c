/// The images of a Nextflow definition.
///
/// The configuration is carried out, scripts are scanned for processes, workflows, functions and includes, and the
/// containers of the processes that the entry workflow reaches are evaluated under every name they are called by.
/// Conditions around calls are evaluated as far as they are known: a process that may be called counts, one that
/// certainly is not is `inactive`.
package enum NextflowDefinition {
    /// See `WorkflowDefinition.inspect`.
    package static func inspect(
        _ files: any DefinitionFiles,
        _ request: DefinitionRequest
    ) throws(DefinitionError) -> Inspection {
        var request = request
        request.main = try files.mainFile(given: request.main, defaults: ["main.nf"], extensions: ["nf"])
        request.parameters = named(request.parameters)
        let (inspection, isRun) = try inspect(files, request, isAnyRun: nil)
        return isRun ? inspection : try inspect(files, request, isAnyRun: true).inspection
    }

    /// - Parameter isAnyRun: Whether no run is meant; nil: as the parameters say.
    /// - Returns: Also whether the parameters are a run's, as far as what conditions look at shows.
    private static func inspect(
        _ files: any DefinitionFiles,
        _ request: DefinitionRequest,
        isAnyRun: Bool?
    ) throws(DefinitionError) -> (inspection: Inspection, isRun: Bool) {
        let main = request.main ?? "main.nf"
        let sources = NextflowSources(files, main: main)
        let evaluator = NextflowEvaluator()
        let configuration = NextflowConfiguration(
            sources: sources,
            evaluator: evaluator,
            request: request,
            isAnyRun: isAnyRun
        )
        let beside = sources.projectFolder.isEmpty ? "nextflow.config" : sources.projectFolder + "/nextflow.config"
        if let path = [beside, "nextflow.config"].first(where: files.exists) {
            configuration.load(path, isNamed: request.profiles.isEmpty ? ["standard"] : request.profiles)
        }
        evaluator.renew()
        let library = NextflowLibrary(sources: sources, evaluator: evaluator, configuration: configuration)
        guard let script = library.main(main) else {
            throw DefinitionError("\(main): \(sources.notes.last?.message ?? "it cannot be read")")
        }
        evaluator.renew()
        let calls = NextflowCalls(main: script, library: library, sources: sources)
        evaluator.renew()
        let selectors = NextflowSelectors(configuration, sources: sources)
        var report = NextflowReport(
            configuration: configuration,
            evaluator: evaluator,
            sources: sources,
            explains: request.explains
        )
        let inactive = calls.calls.filter { $0.standing.certainty == .inactive }.map(\.qualifiedName)
        let stages = NextflowStages(script, library, inactive: Set(inactive), explains: request.explains)
        // A call that was not seen begins with the one before it.
        var stage = NextflowStages.Call(depth: 0, steps: [])
        var conditions = calls.parameters
        for (name, include) in calls.missing { report.miss(include, name) }
        for call in calls.calls {
            let task = NextflowTask(
                call,
                selectors: selectors,
                configuration: configuration,
                evaluator: evaluator,
                sources: sources
            )
            stage = stages.call(call.qualifiedName) ?? NextflowStages.Call(depth: stage.depth, steps: [])
            report.stage = stage
            let container = task.container()
            let attempts = task.containerOfAttempts()
            let standing = call.standing.and(task.standing())
            report.add(call, container, standing)
            if let attempts {
                let retry = NextflowStanding.alternative("only where `task.attempt` is above 1")
                report.add(call, attempts, standing.and(retry))
            }
            conditions.formUnion(task.conditionParameters)
        }
        report.add(parameters: conditions)
        if isAnyRun == true { report.add(parameters: configuration.runParameters) }
        return (report.inspection, !configuration.givesNoRun(conditions))
    }
}

extension NextflowDefinition {
    /// Parameters by the names that the engine gives them: those of a parameters file are turned from `kebab-case` to
    /// `camelCase` (`CmdRun.addParam0` of Nextflow), names inside of maps are left.
    package static func named(_ parameters: [String: ParameterValue]) -> [String: ParameterValue] {
        guard parameters.keys.contains(where: { $0.utf8.contains(UInt8(ascii: "-")) }) else { return parameters }
        var named: [String: ParameterValue] = [:]
        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
            var parts = name.split(separator: "-", omittingEmptySubsequences: false)
            // Java's `split` leaves out empty parts at the end.
            while parts.last?.isEmpty == true { parts.removeLast() }
            let rest = parts.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }
            named[(parts.first.map(String.init) ?? "") + rest.joined()] = value
        }
        return named
    }
}

/// Gathers what the process calls need into an inspection.
struct NextflowReport {
    private let configuration: NextflowConfiguration
    private let evaluator: NextflowEvaluator
    private let sources: NextflowSources
    private var images: [String: ImageMention] = [:]
    private var unresolved: [UnresolvedMention] = []
    private var unresolvedIndex: [UnresolvedMention: Int] = [:]
    private var parameters: Set<String> = []
    /// Of the call that is added next.
    var stage = NextflowStages.Call(depth: 0, steps: [])
    private let explains: Bool
    private var uses: [ImageUse] = []
    private let registry: NextflowValue
    private let replacesRegistry: Bool

    init(configuration: NextflowConfiguration, evaluator: NextflowEvaluator, sources: NextflowSources, explains: Bool) {
        self.configuration = configuration
        self.explains = explains
        self.evaluator = evaluator
        self.sources = sources
        registry = configuration.value(["docker", "registry"]) ?? .null
        replacesRegistry = configuration.value(["docker", "registryOverride"])?.truth == true
        if configuration.value(["wave", "enabled"])?.truth == true {
            sources.note(
                configuration.value(["wave", "enabled"])?.trace.places.first,
                "wave is enabled: HealthOmics has no such plugin, and images it would make are not known before the run"
            )
        }
    }

    mutating func add(parameters names: Set<String>) { parameters.formUnion(names) }

    /// - Parameter standing: how sure it is that the process runs.
    mutating func add(
        _ call: NextflowProcessCall,
        _ setting: NextflowTask.Setting?,
        _ standing: NextflowStanding
    ) {
        let own = Evidence.source(file: call.process.script.path, line: call.process.line)
        guard let setting else {
            sources.note(own, "process \(call.process.name) has no container")
            return
        }
        parameters.formUnion(setting.value.trace.parameters)
        let value = setting.value.lifted { image in registry.lifted { prefixed(image, $0) } }
        parameters.formUnion(value.trace.parameters)
        let candidates = value.candidates
        let reason: String? =
            candidates.count > 1
            ? "one of several values: " + (value.reasons.first ?? "what decides is not known before the run") : nil
        let sure = reason.map { standing.and(.alternative($0)) } ?? standing
        for candidate in candidates {
            if sure.certainty == .inactive, candidate.string.map(ImageText.isReference) != true { continue }
            if case .null(let missing?) = candidate.kind {
                miss(missing, call, setting)
                continue
            }
            if candidate.truth == false {
                if candidates.count == 1 { sources.note(own, "process \(call.process.name) has no container") }
                continue
            }
            guard case .unknown(let reasons) = candidate.kind else {
                use(candidate, sure, call, setting)
                continue
            }
            miss(reasons.joined(separator: "; "), call, setting)
        }
    }

    private mutating func use(
        _ value: NextflowValue,
        _ standing: NextflowStanding,
        _ call: NextflowProcessCall,
        _ setting: NextflowTask.Setting
    ) {
        guard let text = value.string else {
            miss("the value is no text", call, setting)
            return
        }
        guard ImageText.isReference(text), !Self.isFile(text) else {
            miss("`\(text.prefix(100))` is not an image reference", call, setting)
            return
        }
        var places = value.trace.places
        if !places.contains(setting.place) { places.insert(setting.place, at: 0) }
        keep(text, missing: nil, standing, call, setting, places)
        var mention =
            images[text]
            ?? ImageMention(
                text: text,
                certainty: standing.certainty,
                reason: standing.reason,
                depth: stage.depth,
                places: [],
                tasks: []
            )
        if standing.certainty == mention.certainty { mention.depth = min(mention.depth, stage.depth) }
        if standing.certainty < mention.certainty {
            mention.certainty = standing.certainty
            mention.reason = standing.reason
            mention.depth = stage.depth
        }
        for place in places where mention.places.count < 100 && !mention.places.contains(place) {
            mention.places.append(place)
        }
        mention.tasks.append(call.qualifiedName)
        images[text] = mention
    }

    /// Keeps the way to what a process asks for.
    private mutating func keep(
        _ image: String?,
        missing: String?,
        _ standing: NextflowStanding,
        _ call: NextflowProcessCall,
        _ setting: NextflowTask.Setting,
        _ places: [Evidence]
    ) {
        guard explains, uses.count < ImageUse.maximum else { return }
        let own = Evidence.source(file: call.process.script.path, line: call.process.line)
        var steps = stage.steps + [ImageUse.Step(own), ImageUse.Step(setting.place)]
        steps += places.filter { $0 != setting.place }.map { ImageUse.Step($0) }
        uses.append(
            ImageUse(
                task: call.qualifiedName,
                image: image,
                certainty: standing.certainty,
                reason: standing.reason,
                missing: missing,
                steps: steps,
                overridden: setting.overridden.filter { !places.contains($0) && $0 != setting.place }
            )
        )
    }

    /// Whether the text names a file of Singularity, which may have the shape of an image.
    private static func isFile(_ text: String) -> Bool {
        [".sif", ".simg", ".img"].contains { text.utf8.suffix($0.utf8.count).elementsEqual($0.utf8) }
    }

    private mutating func miss(_ missing: String, _ call: NextflowProcessCall, _ setting: NextflowTask.Setting) {
        keep(nil, missing: missing, .certain, call, setting, setting.value.trace.places)
        miss(setting.place, setting.expression, missing, call.qualifiedName)
    }

    /// A call of what a script would define that could not be read.
    mutating func miss(_ include: NextflowScript.Missing, _ name: String) {
        miss(include.place, include.expression, include.why, name)
    }

    private mutating func miss(_ place: Evidence, _ expression: String, _ missing: String, _ task: String) {
        let mention = UnresolvedMention(place: place, expression: expression, missing: missing, tasks: [])
        if let index = unresolvedIndex[mention] {
            unresolved[index].tasks.append(task)
        } else {
            unresolvedIndex[mention] = unresolved.count
            unresolved.append(mention)
            unresolved[unresolved.count - 1].tasks = [task]
        }
    }

    /// An image with `docker.registry` in front where it names no registry itself (Nextflow's rule: the part before the
    /// first slash holds neither a dot nor a colon), or in place of its own with `docker.registryOverride`.
    private func prefixed(_ image: NextflowValue, _ registry: NextflowValue) -> NextflowValue {
        guard let written = image.string else { return image }
        var text = written
        while let last = text.unicodeScalars.last, last.value <= 0x20 { text.unicodeScalars.removeLast() }
        text = String(text.drop(while: \.isWhitespace))
        if text.utf8.starts(with: "docker://".utf8) { text = String(text.dropFirst(9)) }
        var result = image
        result.kind = .string(text)
        guard !text.isEmpty, NextflowEvaluator.find("://", in: text) == nil, registry.truth != false else {
            return result
        }
        let first = text.split(separator: "/", maxSplits: 1)
        let isQualified =
            first.count == 2 && first[0].utf8.contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
        guard !isQualified || replacesRegistry else { return result }
        result.trace.add(registry.trace)
        guard let prefix = registry.text() else {
            let reasons = registry.reasons
            result.kind = .unknown(reasons.isEmpty ? ["`docker.registry` is not a text"] : reasons)
            return result
        }
        let rest = isQualified ? String(first[1]) : text
        result.kind = .string(prefix.hasSuffix("/") ? prefix + rest : prefix + "/" + rest)
        return result
    }

    var inspection: Inspection {
        var all = images.values.sorted { $0.text < $1.text }
        for index in all.indices { all[index].tasks = Self.distinct(all[index].tasks) }
        var missing = unresolved
        for index in missing.indices { missing[index].tasks = Self.distinct(missing[index].tasks) }
        missing.sort { ($0.place, $0.missing) < ($1.place, $1.missing) }
        if evaluator.isExhausted {
            sources.note(nil, "the definition takes too much work to evaluate: what was found is not all")
        }
        var inspection = Inspection(
            images: all,
            unresolved: missing,
            notes: sources.notes,
            relevantParameters: parameters.union(configuration.conditionParameters)
                .subtracting([NextflowConfiguration.profile]).sorted()
        )
        inspection.uses = uses
        return inspection
    }

    private static func distinct(_ names: [String]) -> [String] { Array(Set(names)).sorted() }
}
