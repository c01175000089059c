import Remotes
import Testing

@testable import Model
@testable import Names
@testable import Precloning

@Suite struct DestinationTests {
    static let home = HomeRegistry(
        account: "123456789012",
        region: "us-east-1",
        suffix: "dkr.ecr.us-east-1.amazonaws.com"
    )
    static let ours = "123456789012.dkr.ecr.us-east-1.amazonaws.com"

    static let rules = [
        PullThroughCacheRule(ecrRepositoryPrefix: "quay", upstreamRegistryUrl: "quay.io"),
        PullThroughCacheRule(ecrRepositoryPrefix: "docker-hub", upstreamRegistryUrl: "registry-1.docker.io"),
        PullThroughCacheRule(
            ecrRepositoryPrefix: "bio",
            upstreamRegistryUrl: "quay.io",
            upstreamRepositoryPrefix: "biocontainers"
        ),
    ]

    static let map = ContainerRegistryMap(
        registryMappings: [
            RegistryMapping(upstreamRegistryUrl: "registry-1.docker.io", ecrRepositoryPrefix: "docker-hub"),
            RegistryMapping(upstreamRegistryUrl: "quay.io", ecrRepositoryPrefix: "quay"),
            RegistryMapping(
                upstreamRegistryUrl: "quay.io",
                ecrRepositoryPrefix: "lab",
                upstreamRepositoryPrefix: "our-lab"
            ),
            RegistryMapping(upstreamRegistryUrl: "community.wave.seqera.io", ecrRepositoryPrefix: "wave-seqera"),
            RegistryMapping(
                upstreamRegistryUrl: "nvcr.io",
                ecrRepositoryPrefix: "ngc",
                ecrAccountId: "999999999999"
            ),
        ],
        imageMappings: [
            ImageMapping(sourceImage: "ubuntu", destinationImage: "\(ours)/custom/ubuntu:22.04"),
            ImageMapping(sourceImage: "quay.io/a/pinned:1", destinationImage: "\(ours)/quay/a/pinned:1"),
            ImageMapping(sourceImage: "broken:1", destinationImage: "docker.io/not/ecr:1"),
        ]
    )

    private func placement(
        _ text: String,
        map: ContainerRegistryMap? = Self.map,
        clonesUnmapped: Bool = false
    ) throws -> Placement {
        Planner.destination(
            try ImageReference(text),
            mention: text,
            map: map,
            rules: PlacementRules(
                home: Self.home,
                pullThrough: Self.rules,
                template: "{registryAlias}/{repository}",
                clonesUnmapped: clonesUnmapped
            )
        )
    }

    @Test("the longest upstream prefix wins, and ROOT is the shortest", arguments: [false, true])
    func longestUpstreamPrefix(isTurned: Bool) throws {
        var mappings = [
            RegistryMapping(
                upstreamRegistryUrl: "quay.io",
                ecrRepositoryPrefix: "all",
                upstreamRepositoryPrefix: "ROOT"
            ),
            RegistryMapping(upstreamRegistryUrl: "quay.io", ecrRepositoryPrefix: "lab", upstreamRepositoryPrefix: "a"),
            RegistryMapping(
                upstreamRegistryUrl: "quay.io",
                ecrRepositoryPrefix: "deep",
                upstreamRepositoryPrefix: "a/b"
            ),
        ]
        if isTurned { mappings.reverse() }
        for (text, expected) in [
            ("quay.io/a/tool:1", "lab/tool:1"), ("quay.io/a/b/tool:1", "deep/tool:1"),
            ("quay.io/ab/tool:1", "all/ab/tool:1"),
        ] {
            let placed = try placement(text, map: ContainerRegistryMap(registryMappings: mappings))
            guard case .placed(let destination) = placed else {
                Issue.record("\(text): \(placed)")
                continue
            }
            #expect(destination.location.description == "\(Self.ours)/\(expected)")
        }
    }

    @Test(
        arguments: [
            ("quay.io/biocontainers/samtools:1.17", "\(ours)/quay/biocontainers/samtools:1.17", "quay"),
            ("ubuntu:20.04", "\(ours)/docker-hub/library/ubuntu:20.04", "docker-hub"),
            ("docker.io/broadinstitute/gatk", "\(ours)/docker-hub/broadinstitute/gatk:latest", "docker-hub"),
            (
                "community.wave.seqera.io/library/fastqc:0.12.1--af7", "\(ours)/wave-seqera/library/fastqc:0.12.1--af7",
                nil
            ),
            ("quay.io/our-lab/tool:1", "\(ours)/lab/tool:1", nil),
        ] as [(String, String, String?)]
    )
    func aRegistryMappingPlacesTheImage(text: String, expected: String, rule: String?) throws {
        guard case .placed(let destination) = try placement(text) else {
            Issue.record("\(text) was not placed")
            return
        }
        #expect(destination.location.description == expected)
        #expect(destination.rule?.ecrRepositoryPrefix == rule)
        #expect(destination.source == (try ImageReference(text)))
        #expect(destination.isOurs)
    }

    @Test func anImageMappingGoesBeforeARegistryMapping() throws {
        guard case .placed(let destination) = try placement("ubuntu") else {
            Issue.record("not placed")
            return
        }
        #expect(destination.location.description == "\(Self.ours)/custom/ubuntu:22.04")
        #expect(destination.basis == .imageMapping)
        #expect(destination.source?.description == "docker.io/library/ubuntu:latest")
        #expect(destination.rule == nil)
    }

    @Test func aTaglessMappingDoesNotMatchAnotherTag() throws {
        guard case .placed(let destination) = try placement("ubuntu:24.04") else {
            Issue.record("not placed")
            return
        }
        #expect(destination.basis == .registryMapping(prefix: "docker-hub"))
    }

    @Test func anImageMappingIntoAPullThroughRepositoryKeepsTheRule() throws {
        guard case .placed(let destination) = try placement("quay.io/a/pinned:1") else {
            Issue.record("not placed")
            return
        }
        #expect(destination.rule?.ecrRepositoryPrefix == "quay")
        #expect(destination.basis == .imageMapping)
    }

    @Test func anImageMappingOutOfECRIsRefused() throws {
        guard case .refused(let refusal) = try placement("broken:1") else {
            Issue.record("not refused")
            return
        }
        #expect(refusal.reason.contains("not in a private ECR"))
    }

    @Test func anotherAccountsMappingIsNotOurs() throws {
        guard case .placed(let destination) = try placement("nvcr.io/nvidia/clara:4.3") else {
            Issue.record("not placed")
            return
        }
        #expect(destination.location.registry == "999999999999.dkr.ecr.us-east-1.amazonaws.com")
        #expect(!destination.isOurs)
    }

    @Test(
        arguments: [
            ("\(ours)/quay/biocontainers/bwa:1", "quay.io/biocontainers/bwa:1", "quay"),
            ("\(ours)/bio/bwa:1", "quay.io/biocontainers/bwa:1", "bio"),
            ("\(ours)/docker-hub/library/ubuntu", "docker.io/library/ubuntu:latest", "docker-hub"),
            ("\(ours)/own/tool:2", nil, nil),
            // A prefix is a whole path part.
            ("\(ours)/quayside/tool:2", nil, nil),
        ] as [(String, String?, String?)]
    )
    func anECRNameIsItsOwnDestination(text: String, source: String?, rule: String?) throws {
        guard case .placed(let destination) = try placement(text, map: nil) else {
            Issue.record("not placed")
            return
        }
        #expect(destination.location.description == (try ImageReference(text)).description)
        #expect(destination.source?.description == source)
        #expect(destination.rule?.ecrRepositoryPrefix == rule)
    }

    @Test func anotherRegionIsRefused() throws {
        guard case .refused(let refusal) = try placement("123456789012.dkr.ecr.eu-west-1.amazonaws.com/x/y:1") else {
            Issue.record("not refused")
            return
        }
        #expect(refusal.reason.contains("eu-west-1"))
        #expect(refusal.mend.contains("us-east-1"))
    }

    @Test(arguments: [
        ("ghcr.io/owner/repo:tag", "ghcr.io", "ghcr"), ("harbor.lab:5000/a/b:1", "harbor.lab:5000", "harbor.lab__5000"),
    ])
    func anUnmappedRegistryNamesTheMappingToAdd(text: String, upstream: String, prefix: String) throws {
        guard case .unmapped(let refusal, let fallback) = try placement(text) else {
            Issue.record("not unmapped")
            return
        }
        #expect(refusal.mend.contains("\"upstreamRegistryUrl\": \"\(upstream)\""))
        #expect(refusal.mend.contains("\"ecrRepositoryPrefix\": \"\(prefix)\""))
        #expect(fallback == nil)
    }

    @Test func theMappingToAddCoversWhatTheRuleServes() throws {
        let mapping =
            "{\"upstreamRegistryUrl\": \"quay.io\", \"ecrRepositoryPrefix\": \"bio\", "
            + "\"upstreamRepositoryPrefix\": \"biocontainers\"}"
        guard case .unmapped(let refusal, _) = try placement("quay.io/biocontainers/bwa:1", map: nil) else {
            Issue.record("not unmapped")
            return
        }
        #expect(refusal.mend.contains(mapping))
        // With it, the run looks where the rule puts the image.
        let map = ContainerRegistryMap(registryMappings: [
            RegistryMapping(
                upstreamRegistryUrl: "quay.io",
                ecrRepositoryPrefix: "bio",
                upstreamRepositoryPrefix: "biocontainers"
            )
        ])
        guard case .placed(let destination) = try placement("quay.io/biocontainers/bwa:1", map: map) else {
            Issue.record("not placed")
            return
        }
        #expect(destination.location.description == "\(Self.ours)/bio/bwa:1")
        #expect(destination.rule?.ecrRepositoryPrefix == "bio")
    }

    @Test(arguments: [
        ("quay.io/x/y:1", "\(ours)/quay/x/y:1"), ("quay.io/biocontainers/y:1", "\(ours)/bio/y:1"),
        ("ghcr.io/o/r:1", "\(ours)/ghcr/o/r:1"), ("harbor.lab:5000/a/b:1", "\(ours)/harbor.lab__5000/a/b:1"),
        ("public.ecr.aws/lts/ubuntu:22.04", "\(ours)/ecr-public/lts/ubuntu:22.04"),
    ])
    func anUnmappedImageHasAPlaceOfItsOwn(text: String, expected: String) throws {
        guard case .unmapped(_, let fallback) = try placement(text, map: nil, clonesUnmapped: true) else {
            Issue.record("not unmapped")
            return
        }
        #expect(fallback?.location.description == expected)
    }

    @Test(arguments: [
        ("a/b", true), ("a", false), ("a__b/c", true), ("a--b/c.d", true), ("a_._b/c", false), ("a//b", false),
        ("-a/b", false), ("a/b-", false), ("A/b", false), (String(repeating: "a", count: 257), false),
    ])
    func ecrRepositoryNamesAreChecked(name: String, isGood: Bool) {
        #expect((ECRLocation.fault(inRepository: name) == nil) == isGood)
    }

    @Test(arguments: [
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b:1", "cn-north-1"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a/b:1", "us-gov-west-1"),
        ("123456789012.dkr-ecr.us-east-1.on.aws/a/b:1", "us-east-1"),
        ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu/a/b:1", "eusc-de-east-1"),
    ])
    func privateRegistriesOfAllPartitionsAreRecognised(text: String, region: String) throws {
        #expect(ECRLocation(try ImageReference(text))?.region == region)
    }

    @Test(arguments: [
        "public.ecr.aws/a/b:1", "quay.io/123456789012/b:1", "12345.dkr.ecr.us-east-1.amazonaws.com/a/b:1",
    ])
    func otherRegistriesAreNot(text: String) throws {
        #expect(ECRLocation(try ImageReference(text)) == nil)
    }
}
