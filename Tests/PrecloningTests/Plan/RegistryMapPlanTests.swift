import Foundation
import Testing

@testable import Model
@testable import Names
@testable import Precloning

/// A written map is the inverse of the planner's `destination`.
@Suite("The registry map that is written")
struct RegistryMapPlanTests {
    private static let home = DestinationTests.home
    private static let ours = DestinationTests.ours

    private static func rules(
        _ pullThrough: [PullThroughCacheRule] = DestinationTests.rules,
        template: String = "{registryAlias}/{repository}"
    ) -> PlacementRules {
        PlacementRules(home: home, pullThrough: pullThrough, template: template, clonesUnmapped: true)
    }

    private func write(
        _ texts: [String],
        _ rules: PlacementRules = Self.rules(),
        account: String? = nil
    ) -> RegistryMapPlan.Written {
        RegistryMapPlan.write(for: texts.map { RegistryMapPlan.Wanted($0) }, rules: rules, account: account)
    }

    /// Through the planner: every image that is said to be reached is placed where it is said to be, and every entry is used.
    static func prove(
        _ written: RegistryMapPlan.Written,
        _ rules: PlacementRules,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var used: Set<String> = []
        for image in written.images where image.basis != .none {
            let reference = try ImageReference(image.image)
            let placement = Planner.destination(reference, mention: image.image, map: written.map, rules: rules)
            guard case .placed(let destination) = placement else {
                Issue.record("\(image.image) is \(placement)", sourceLocation: sourceLocation)
                continue
            }
            #expect(destination.location.description == image.destination, sourceLocation: sourceLocation)
            if image.basis == .imageMapping {
                used.insert(
                    "image \(Planner.imageMappingIndex(for: reference, mention: image.image, in: written.map) ?? -1)"
                )
            } else if image.basis == .registryMapping {
                used.insert("registry \(Planner.registryMappingIndex(for: reference, in: written.map) ?? -1)")
            }
        }
        let entries =
            (written.map.registryMappings ?? []).indices.map { "registry \($0)" }
            + (written.map.imageMappings ?? []).indices.map { "image \($0)" }
        #expect(used == Set(entries), sourceLocation: sourceLocation)
    }

    @Test("one mapping for each registry, in the account's rules where one fits, else by clone.destination")
    func registries() throws {
        let texts = [
            "ubuntu:22.04", "docker.io/broadinstitute/gatk:4.6", "quay.io/biocontainers/samtools:1.17",
            "quay.io/our/tool:1",
            "community.wave.seqera.io/library/fastqc:0.12.1--af7", "localhost:5000/lab/tool:1",
            "quay.io/our/tool@sha256:\(String(repeating: "a", count: 64))",
        ]
        let written = write(texts)
        try Self.prove(written, Self.rules())
        #expect(
            written.map
                == ContainerRegistryMap(registryMappings: [
                    RegistryMapping(
                        upstreamRegistryUrl: "community.wave.seqera.io",
                        ecrRepositoryPrefix: "community.wave.seqera.io"
                    ),
                    RegistryMapping(upstreamRegistryUrl: "localhost:5000", ecrRepositoryPrefix: "localhost__5000"),
                    RegistryMapping(upstreamRegistryUrl: "quay.io", ecrRepositoryPrefix: "quay"),
                    RegistryMapping(
                        upstreamRegistryUrl: "quay.io",
                        ecrRepositoryPrefix: "bio",
                        upstreamRepositoryPrefix: "biocontainers"
                    ),
                    RegistryMapping(upstreamRegistryUrl: "registry-1.docker.io", ecrRepositoryPrefix: "docker-hub"),
                ])
        )
        #expect(written.images.first { $0.image.contains("samtools") }?.rule == "bio")
        #expect(written.images.allSatisfy { $0.problem == nil })
    }

    @Test("a rule without a prefix, and a template that is no prefix, are reached by parts of a registry or one by one")
    func oddPlaces() throws {
        let root = Self.rules([PullThroughCacheRule(ecrRepositoryPrefix: "ROOT", upstreamRegistryUrl: "quay.io")])
        let throughRoot = write(["quay.io/biocontainers/samtools:1", "quay.io/a/tool:1", "quay.io/single:2"], root)
        try Self.prove(throughRoot, root)
        #expect(
            throughRoot.map.registryMappings == [
                RegistryMapping(
                    upstreamRegistryUrl: "quay.io",
                    ecrRepositoryPrefix: "biocontainers",
                    upstreamRepositoryPrefix: "biocontainers"
                )
            ]
        )
        // `a` is too short for a mapping, and nothing comes before `single`.
        #expect(throughRoot.map.imageMappings?.map(\.sourceImage) == ["quay.io/a/tool:1", "quay.io/single:2"])
        let between = Self.rules([], template: "mirror-{registryAlias}-of/{repository}-copy")
        let written = write(["ubuntu", "ubuntu:latest", "docker.io/library/ubuntu:latest"], between)
        try Self.prove(written, between)
        // Image mappings match the text as written: one for each spelling.
        #expect(written.map.registryMappings == nil)
        #expect(
            written.map.imageMappings?.map(\.sourceImage) == [
                "docker.io/library/ubuntu:latest", "ubuntu", "ubuntu:latest",
            ]
        )
        #expect(
            Set(written.map.imageMappings?.map(\.destinationImage) ?? [])
                == ["\(Self.ours)/mirror-docker-hub-of/library/ubuntu-copy:latest"]
        )
    }

    @Test("what no map can reach is said, and gets no entry")
    func unreachable() throws {
        let far = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/quay/a/b:1"
        let near = "\(Self.ours)/quay/a/b:1"
        let long = "quay.io/\(Array(repeating: "x23456789", count: 24).joined(separator: "/")):1"
        let written = write([far, near, long, "https://depot.galaxyproject.org/singularity/a:1", "Upper/Case:1"])
        try Self.prove(written, Self.rules())
        let problems = Dictionary(uniqueKeysWithValues: written.images.map { ($0.image, $0.problem ?? "") })
        #expect(problems[far]?.contains("eu-west-1") == true)
        #expect(problems[near] == "")
        #expect(problems["https://depot.galaxyproject.org/singularity/a:1"]?.contains("https://") == true)
        #expect(problems["Upper/Case:1"]?.contains("lower case") == true)
        #expect(written.images.filter { $0.problem != nil }.allSatisfy { $0.mend?.isEmpty == false })
        #expect(written.images.first { $0.image == long }?.problem == nil)
    }

    @Test("another account's registry is named in every entry, and our rules are not taken for its own")
    func otherAccount() throws {
        let written = write(["quay.io/biocontainers/samtools:1"], account: "999999999999")
        try Self.prove(written, Self.rules())
        #expect(written.map.registryMappings?.map(\.ecrAccountId) == ["999999999999"])
        #expect(written.map.registryMappings?.map(\.ecrRepositoryPrefix) == ["quay"])
        #expect(
            written.images.map(\.destination)
                == ["999999999999.dkr.ecr.us-east-1.amazonaws.com/quay/biocontainers/samtools:1"]
        )
    }

    @Test("holds for any images under any rules")
    func property() throws {
        var generator = Sequence64(state: 7)
        for _ in 0..<2_000 {
            let hosts = ["", "quay.io/", "ghcr.io/", "public.ecr.aws/", "reg.example.com:5000/", "docker.io/"]
            let words = ["a", "bio", "biocontainers", "lab", "library", "x", String(repeating: "long", count: 9)]
            let texts = (0..<Int.random(in: 1...8, using: &generator)).map { _ in
                let depth = Int.random(in: 1...3, using: &generator)
                let path = (0..<depth).map { _ in words.randomElement(using: &generator) ?? "a" }.joined(separator: "/")
                let tail = ["", ":1", ":latest", "@sha256:\(String(repeating: "b", count: 64))"]
                return (hosts.randomElement(using: &generator) ?? "") + path
                    + (tail.randomElement(using: &generator) ?? "")
            }
            let upstreams = ["quay.io", "registry-1.docker.io", "ghcr.io", "public.ecr.aws"]
            let pullThrough = (0..<Int.random(in: 0...5, using: &generator)).map { number in
                PullThroughCacheRule(
                    ecrRepositoryPrefix: number == 2
                        ? "ROOT" : number.isMultiple(of: 2) ? "cache\(number)" : "a\(number)/b",
                    upstreamRegistryUrl: upstreams.randomElement(using: &generator),
                    upstreamRepositoryPrefix: ["ROOT", "bio", "lab/x", nil].randomElement(using: &generator) ?? nil
                )
            }
            let templates = [
                "{registryAlias}/{repository}", "m/{registryAlias}/{repository}", "{registryAlias}-{repository}-c",
            ]
            let rules = Self.rules(pullThrough, template: templates.randomElement(using: &generator) ?? templates[0])
            let written = write(Array(Set(texts)).sorted(), rules)
            try Self.prove(written, rules)
            for image in written.images where image.problem != nil {
                // Two images would share a place, by rules that send them there, or ECR does not take the name.
                let reason = image.problem ?? ""
                #expect(reason.contains("it is sent to") || reason.contains("ECR repository names"), "\(image)")
            }
        }
    }

    /// The same numbers in every run.
    private struct Sequence64: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            var value = state
            value ^= value >> 33
            value = value &* 0xff51_afd7_ed55_8ccd
            return value ^ (value >> 33)
        }
    }
}

@Suite("A registry map compared with what is needed")
struct RegistryMapCheckTests {
    private func check(_ map: ContainerRegistryMap, _ texts: [String]) -> RegistryMapCheck {
        RegistryMapCheck(
            map,
            for: texts,
            rules: PlacementRules(
                home: DestinationTests.home,
                pullThrough: DestinationTests.rules,
                template: "{registryAlias}/{repository}",
                clonesUnmapped: false
            )
        )
    }

    @Test("says what it leaves out, what it sends astray and what it never uses")
    func findings() {
        let ours = DestinationTests.ours
        let map = ContainerRegistryMap(
            registryMappings: [
                RegistryMapping(upstreamRegistryUrl: "quay.io", ecrRepositoryPrefix: "quay"),
                RegistryMapping(upstreamRegistryUrl: "registry.k8s.io", ecrRepositoryPrefix: "k8s"),
                // The place where ECR keeps images of Docker Hub.
                RegistryMapping(upstreamRegistryUrl: "public.ecr.aws", ecrRepositoryPrefix: "docker-hub"),
                RegistryMapping(
                    upstreamRegistryUrl: "quay.io",
                    ecrRepositoryPrefix: "x",
                    upstreamRepositoryPrefix: "a",
                    ecrAccountId: "12"
                ),
            ],
            imageMappings: [
                ImageMapping(sourceImage: "busybox:1", destinationImage: "\(ours)/box:1"),
                ImageMapping(sourceImage: "alpine:3", destinationImage: "\(ours)/box:1"),
                ImageMapping(sourceImage: "perl:5", destinationImage: "docker.io/library/perl:5"),
                ImageMapping(sourceImage: "unused:1", destinationImage: "\(ours)/unused:1"),
                ImageMapping(sourceImage: "busybox:1", destinationImage: "\(ours)/other:1"),
            ]
        )
        let found = check(
            map,
            [
                "quay.io/org/tool:1", "ghcr.io/org/tool:1", "public.ecr.aws/org/tool:1", "busybox:1", "alpine:3",
                "perl:5",
            ]
        )
        let problems = found.images.reduce(into: [:]) { $0[$1.image] = $1.problem }
        #expect(problems.keys.sorted() == ["busybox:1", "ghcr.io/org/tool:1", "perl:5", "public.ecr.aws/org/tool:1"])
        #expect(problems["ghcr.io/org/tool:1"]?.contains("does not reach ghcr.io") == true)
        #expect(problems["public.ecr.aws/org/tool:1"]?.contains("keeps docker.io/org/tool:1") == true)
        #expect(problems["busybox:1"]?.contains("so is docker.io/library/alpine:3") == true)
        #expect(problems["perl:5"]?.contains("not in a private ECR") == true)
        #expect(
            found.unused.map(\.path) == [
                "registryMappings[1]", "registryMappings[3]", "imageMappings[3]", "imageMappings[4]",
            ]
        )
        #expect(found.faults.map(\.path) == ["registryMappings[3]", "registryMappings[3]", "imageMappings[4]"])
        #expect(!found.isComplete)
    }

    @Test("has nothing against a map that was written for the same images")
    func own() {
        let texts = ["ubuntu", "quay.io/biocontainers/a:1", "ghcr.io/x/y:2"]
        let written = RegistryMapPlan.write(
            for: texts.map { .init($0) },
            rules: PlacementRules(
                home: DestinationTests.home,
                pullThrough: DestinationTests.rules,
                template: "{registryAlias}/{repository}",
                clonesUnmapped: false
            )
        )
        let found = check(written.map, texts)
        #expect(found.isComplete)
        #expect(found.unused.isEmpty && found.faults.isEmpty)
    }
}
