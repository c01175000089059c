/// Makes stories from seeds: days as an account has them, and worse.
package struct StoryGenerator {
    private var chance: Chance
    /// For what was thought of later, so that stories stay what they were.
    private var oddChance: Chance
    private var askChance: Chance
    private let days: Double
    private let scale: Scale
    private var steps: [Step] = []
    private var images: [ImageSpec] = []
    private var absent: Set<String> = []
    private var workflows: [(name: String, versions: [String], definition: DefinitionSpec)] = []
    private var runs = 0
    private var spells = 0
    private var builds = 0

    /// How much there is.
    package struct Scale: Sendable, Hashable {
        package var workflows: Int
        package var runsPerDay: Int
        package var images: Int
        /// Questions that people ask beside the daemon.
        package var questionsPerDay: Int
        /// Of these, how many ask whether something is ready.
        package var gateShare = 0.4

        /// What a day of the nightly runs has.
        package static let whole = Scale(workflows: 50, runsPerDay: 200, images: 80, questionsPerDay: 20)
        /// What a day of the tests' seeds has.
        package static let tiny = Scale(workflows: 2, runsPerDay: 6, images: 6, questionsPerDay: 6)
        /// Enough for most that can happen.
        package static let small = Scale(workflows: 6, runsPerDay: 20, images: 16, questionsPerDay: 10)
        /// Situations of `preclone ready`, many a day.
        package static let gates = Scale(workflows: 3, runsPerDay: 8, images: 8, questionsPerDay: 110, gateShare: 0.9)
    }

    private static let hosts = [
        "quay.io", "registry-1.docker.io", "community.wave.seqera.io", "public.ecr.aws", "ghcr.io",
    ]

    package init(seed: UInt64, days: Double, scale: Scale) {
        chance = Chance(seed: seed, "story")
        oddChance = Chance(seed: seed, "oddities")
        askChance = Chance(seed: seed, "questions")
        self.days = days
        self.scale = scale
    }

    package static func story(seed: UInt64, days: Double, scale: Scale) -> Story {
        var generator = StoryGenerator(seed: seed, days: days, scale: scale)
        return generator.make(seed)
    }

    private mutating func make(_ seed: UInt64) -> Story {
        let choices = configuration()
        makeImages()
        makeWorkflows()
        for day in 0..<Int(days.rounded(.up)) {
            let start = Double(day) * 86_400
            makeRuns(start)
            makeChanges(start)
            makeTrouble(start)
            makeOddities(start)
            makeQuestions(start)
        }
        steps.removeAll { $0.at > days * 86_400 }
        steps.sort { $0.at < $1.at }
        return Story(seed: seed, days: days, choices: choices, steps: steps)
    }

    private mutating func add(_ at: Double, _ event: Event) {
        steps.append(Step(at: (at * 1000).rounded() / 1000, event: event))
    }

    private mutating func configuration() -> [ConfigurationChange] {
        var choices: [ConfigurationChange] = [
            .concurrency(chance.between(1, 8)), .pollInterval(seconds: [60, 120, 300][chance.below(3)]),
        ]
        if chance.isLucky(0.3) { choices.append(.clonesUnmapped(true)) }
        choices.append(.onTagMove(["report", "clone", "keep"][chance.below(3)]))
        if chance.isLucky(0.2) { choices.append(.deny(registry: "ghcr.io")) }
        choices.append(.agents(perHour: askChance.isLucky(0.7) ? askChance.between(1, 3) : nil))
        if askChance.isLucky(0.4) { add(0, .layersLate([20, 200, 2_000][askChance.below(3)])) }
        return choices
    }

    // MARK: What there is at the start

    private mutating func makeImages() {
        for number in 0..<scale.images {
            let host = Self.hosts[min(Self.hosts.count - 1, chance.below(7) % 6)]
            let platforms: [String] =
                switch chance.below(12) {
                case 0: ["linux/arm64"]
                case 1, 2, 3: ["linux/amd64", "linux/arm64"]
                default: ["linux/amd64"]
                }
            var layers = ["base \(chance.below(4))": chance.between(20_000, 60_000)]
            // One name is one size, so that the blob is really shared.
            layers = Dictionary(uniqueKeysWithValues: layers.keys.map { ($0, 40_000) })
            for layer in 0..<chance.between(1, 3) { layers["layer \(number) \(layer)"] = chance.between(200, 30_000) }
            if chance.isLucky(0.03) { layers["large \(number)"] = 3_000_000 }
            let image = ImageSpec(
                registry: host,
                repository: "org\(chance.below(4))/tool\(number)",
                tag: "1.\(chance.below(3))",
                build: 0,
                platforms: platforms,
                isDocker: chance.isLucky(0.3),
                layers: layers
            )
            images.append(image)
            if chance.isLucky(0.12) {
                absent.insert(image.reference)
                // Pushed late, or never.
                if chance.isLucky(0.7) { add(chance.between(600, days * 86_400 * 0.8), .push(image)) }
            } else {
                add(0, .push(image))
            }
        }
    }

    private mutating func definition() -> DefinitionSpec {
        var map = [
            "quay.io": "quay", "public.ecr.aws": "ecr-public", "registry-1.docker.io": "docker-hub",
            "community.wave.seqera.io": "wave",
        ]
        if chance.isLucky(0.3) { map["ghcr.io"] = "ghcr" }
        if chance.isLucky(0.1) { map["quay.io"] = "team/quay" }
        builds += 1
        return DefinitionSpec(
            images: chance.some(chance.between(1, 6), of: images).map(\.reference),
            parameter: chance.isLucky(0.3) ? chance.one(of: images)?.reference : nil,
            revision: builds,
            map: map
        )
    }

    private mutating func makeWorkflows() {
        for number in 0..<scale.workflows {
            let definition = definition()
            let name = "w\(number)"
            workflows.append((name, [], definition))
            add(chance.isLucky(0.7) ? 1 : chance.between(1, 40_000), .workflow(name: name, definition))
        }
    }

    // MARK: Days

    private mutating func makeRuns(_ start: Double) {
        for _ in 0..<scale.runsPerDay {
            let workflow = workflows[chance.below(workflows.count)]
            let made = steps.first { if case .workflow(workflow.name, _) = $0.event { true } else { false } }?.at ?? 0
            let at = max(start + chance.between(0, 86_000), made + 1)
            runs += 1
            let name = "r\(runs)"
            if chance.isLucky(0.05) {
                add(at, .batch(name: name, workflow: workflow.name, runs: chance.between(2, 8)))
            } else {
                let image =
                    workflow.definition.parameter != nil && chance.isLucky(0.5)
                    ? chance.one(of: images)?.reference : nil
                let version = chance.isLucky(0.3) ? chance.one(of: workflow.versions) : nil
                add(at, .run(name: name, workflow: workflow.name, version: version, image: image))
            }
            let status = ["COMPLETED", "COMPLETED", "COMPLETED", "FAILED", "CANCELLED"][chance.below(5)]
            // A few go on for days.
            if !chance.isLucky(0.05) { add(at + chance.between(20, 30_000), .endRun(name: name, status: status)) }
        }
    }

    /// What people change.
    private mutating func makeChanges(_ start: Double) {
        func moment() -> Double { start + chance.between(10, 86_000) }
        for _ in 0..<chance.between(0, 2 + scale.images / 20) {
            guard var image = chance.one(of: images), !absent.contains(image.reference) else { continue }
            builds += 1
            image.build = builds
            image.layers["layer of build \(builds)"] = chance.between(200, 9_000)
            add(moment(), .push(image))
        }
        for _ in 0..<chance.between(0, 1 + scale.images / 20) {
            guard let image = chance.one(of: images), let prefix = workflows.first?.definition.map[image.registry]
            else {
                continue
            }
            let repository = "\(prefix)/\(image.repository)"
            switch chance.below(4) {
            case 0: add(moment(), .deletePrivate(repository: repository, tag: image.tag))
            case 1: add(moment(), .archivePrivate(repository: repository, tag: image.tag))
            case 2: add(moment(), .overwrite(repository: repository, tag: image.tag))
            default: add(moment(), .closeRepository(repository))
            }
        }
        for _ in 0..<chance.between(0, 1 + scale.workflows / 10) {
            let index = chance.below(workflows.count)
            let definition = definition()
            let name = "v\(workflows[index].versions.count + 1)"
            let at = max(moment(), 50_000)
            workflows[index].versions.append(name)
            add(at, .version(workflow: workflows[index].name, name: name, definition))
        }
        for _ in 0..<chance.between(0, 4) {
            guard let image = chance.one(of: images) else { continue }
            let at = moment()
            add(at, .ask(image: image.reference, user: ["ann", "bob"][chance.below(2)]))
            if chance.isLucky(0.3) { add(at + chance.between(0, 3), .ask(image: image.reference, user: "bob")) }
        }
    }

    /// What people and agents ask with commands of their own, and what they do to ECR meanwhile.
    private mutating func makeQuestions(_ start: Double) {
        for _ in 0..<scale.questionsPerDay {
            let at = start + askChance.between(300, 86_000)
            let number = askChance.below(workflows.count)
            let workflow = workflows[number].name
            let version = askChance.isLucky(0.2) ? askChance.one(of: workflows[number].versions) : nil
            if askChance.isLucky(scale.gateShare) {
                let wait = askChance.isLucky(0.5) ? 0 : [30, 300, 1_800][askChance.below(3)]
                if runs > 0, askChance.isLucky(0.25) {
                    add(at, .question(.readyRun("r\(askChance.between(1, runs))", wait: wait)))
                } else {
                    let image = askChance.isLucky(0.3) ? askChance.one(of: images)?.reference : nil
                    add(at, .question(.ready(workflow: workflow, version: version, image: image, wait: wait)))
                }
                // What a person does to ECR around the question.
                if scale.gateShare > 0.5, askChance.isLucky(0.3) { touch(at + askChance.between(-400, 40)) }
                continue
            }
            guard let image = askChance.one(of: images), let prefix = workflows[number].definition.map[image.registry]
            else { continue }
            switch askChance.below(10) {
            case 0, 1: add(at, .question(.lock(workflow: workflow, version: version)))
            case 2, 3:
                add(at - 200, .question(.lock(workflow: workflow, version: version)))
                if askChance.isLucky(0.5) { touch(at - 60) }
                add(at, .question(.checkLock(workflow: workflow, version: version)))
            case 4: add(at, .question(.map(workflow: workflow, version: version)))
            case 5: add(at, .question(.grant(repository: "\(prefix)/\(image.repository)")))
            case 6:
                let rule = [("ghcr.io", "ghcr"), ("quay.io", "team"), ("registry-1.docker.io", "docker-hub")]
                let (registry, prefix) = rule[askChance.below(rule.count)]
                add(at, .question(.createRule(registry: registry, prefix: prefix)))
            case 7: add(at, .question(.forget(image: image.reference)))
            default:
                let user = ["ann", "bob"][askChance.below(2)]
                for _ in 0..<askChance.between(1, 3) {
                    guard let image = askChance.one(of: images) else { continue }
                    add(at, .question(.agent("nightly", user: user, image: image.reference)))
                }
            }
        }
    }

    /// Somebody does something to what ECR holds.
    private mutating func touch(_ at: Double) {
        guard let image = askChance.one(of: images), let prefix = workflows.first?.definition.map[image.registry],
            at > 0
        else { return }
        let repository = "\(prefix)/\(image.repository)"
        switch askChance.below(4) {
        case 0: add(at, .deletePrivate(repository: repository, tag: image.tag))
        case 1: add(at, .archivePrivate(repository: repository, tag: image.tag))
        case 2: add(at, .overwrite(repository: repository, tag: image.tag))
        default: add(at, .closeRepository(repository))
        }
    }

    /// What goes wrong seldom, and looks like something else.
    private mutating func makeOddities(_ start: Double) {
        for number in 0..<oddChance.between(0, 5) {
            let mischief = Mischief.odd[Mischief.odd.startIndex + oddChance.below(Mischief.odd.count)]
            let spell = Spell(
                mischief,
                host: oddChance.isLucky(0.3) ? ".amazonaws.com" : oddChance.one(of: Self.hosts) ?? "",
                probability: [0.02, 0.1, 0.5, 1][oddChance.below(4)]
            )
            let at = start + oddChance.between(10, 80_000)
            let id = 1_000_000 + Int(start / 86_400) * 100 + number
            add(at, .begin(spell, id: id))
            add(at + oddChance.between(5, oddChance.isLucky(0.2) ? 8_000 : 600), .end(id: id))
        }
    }

    /// What goes wrong.
    private mutating func makeTrouble(_ start: Double) {
        func moment() -> Double { start + chance.between(10, 80_000) }
        for _ in 0..<chance.between(0, 6) {
            spells += 1
            let at = moment()
            let mischief = Mischief.usual[chance.below(Mischief.usual.count)]
            let host = chance.isLucky(0.4) ? ".amazonaws.com" : chance.one(of: Self.hosts) ?? ""
            let spell = Spell(
                mischief,
                host: host,
                probability: [0.02, 0.1, 0.5, 1][chance.below(4)],
                retryAfter: chance.isLucky(0.5) ? [1, 30, 600][chance.below(3)] : nil
            )
            add(at, .begin(spell, id: spells))
            add(at + chance.between(5, chance.isLucky(0.2) ? 8_000 : 600), .end(id: spells))
        }
        for _ in 0..<chance.between(0, 3) {
            let service = ["omics", "ecr", "sts", "registry"][chance.below(4)]
            let effect = ["throttle", "expiredToken", "error"][chance.below(3)]
            add(moment(), .fault(service: service, operation: nil, effect: effect, times: chance.between(1, 30)))
        }
        if chance.isLucky(0.4), let host = chance.one(of: Self.hosts) {
            let at = moment()
            add(at, .down(registry: host, true))
            add(at + chance.between(60, 14_000), .down(registry: host, false))
        }
        if chance.isLucky(0.3) {
            let at = moment()
            let actions = [
                "omics:GetWorkflow", "omics:GetRun", "omics:ListRuns", "ecr:CreateRepository", "ecr:BatchGetImage",
                "ecr:PutImage", "ecr:DescribeImages", "ecr:DescribePullThroughCacheRules", "ecr:GetAuthorizationToken",
                "ecr:SetRepositoryPolicy", "sts:GetCallerIdentity",
            ]
            add(at, .deny(chance.some(chance.between(1, 2), of: actions)))
            add(at + chance.between(30, 8_000), .deny([]))
        }
        for _ in 0..<chance.between(0, 3) {
            switch chance.below(4) {
            case 0: add(moment(), .kill(.now))
            case 1: add(moment(), .kill(.commits(chance.between(1, 12))))
            case 2: add(moment(), .kill(.requests(chance.between(1, 12))))
            default: add(moment(), .stop)
            }
        }
        if chance.isLucky(0.3) {
            let changes: [ConfigurationChange] = [
                .concurrency(chance.between(1, 6)), .pollInterval(seconds: 45), .onTagMove("report"),
                .clonesUnmapped(chance.isLucky(0.5)), .bytesPerDay(chance.isLucky(0.5) ? 400_000 : nil),
            ]
            add(moment(), .reload(changes[chance.below(changes.count)]))
        }
        if chance.isLucky(0.15) {
            let at = moment()
            add(at, .diskFull(true))
            add(at + chance.between(20, 1_000), .diskFull(false))
        }
        if chance.isLucky(0.3), runs > 0 {
            add(moment(), .miss(run: "r\(chance.between(1, runs))", lists: chance.between(1, 3)))
        }
        if chance.isLucky(0.2) { add(moment(), .retry) }
        if chance.isLucky(0.1) {
            let at = moment()
            add(at, .clock(ahead: chance.between(-7_200, 7_200)))
            add(at + chance.between(60, 20_000), .clock(ahead: 0))
        }
    }
}
