import Foundation
import Names
import Testing

@testable import Model
@testable import Precloning
@testable import Record

/// What HealthOmics copies itself since October 2026 comes late, and not never.
@Suite("Images that HealthOmics copies itself")
struct SelfCopyingTests {
    private func map(_ registry: String, credentials: Bool) -> ContainerRegistryMap {
        ContainerRegistryMap(registryMappings: [
            RegistryMapping(
                upstreamRegistryUrl: registry,
                ecrRepositoryPrefix: "x",
                credentialArn: credentials ? "arn:aws:secretsmanager:us-east-1:123456789012:secret:omics/x" : nil
            )
        ])
    }

    @Test(
        "only of the registries it copies, and only where the mapping has credentials",
        arguments: [
            ("community.wave.seqera.io/library/a:1", "community.wave.seqera.io", true, true),
            ("nvcr.io/nvidia/cuda:1", "nvcr.io", true, true),
            ("europe-docker.pkg.dev/p/r/a:1", "europe-docker.pkg.dev", true, true),
            ("gcr.io/p/a:1", "gcr.io", true, true), ("eu.gcr.io/p/a:1", "eu.gcr.io", true, true),
            ("gcr.io/p/a:1", "gcr.io", false, false), ("gcr.io/p/a:1", "nvcr.io", true, false),
            ("quay.io/p/a:1", "quay.io", true, false),
        ]
    )
    func registries(image: String, mapped: String, credentials: Bool, wanted: Bool) throws {
        #expect(Planner.comesByItself(try ImageReference(image), map: map(mapped, credentials: credentials)) == wanted)
        #expect(!Planner.comesByItself(try ImageReference(image), map: nil))
    }

    @Test("whoever wants it, by a definition or by what a finished run used, it comes by itself")
    func planned() throws {
        let rules = PlacementRules(
            home: HomeRegistry(account: "123456789012", region: "us-east-1", suffix: "dkr.ecr.us-east-1.amazonaws.com"),
            pullThrough: [],
            template: "{registryAlias}/{repository}",
            clonesUnmapped: false
        )
        for (credentials, wanted) in [(true, true), (false, false)] {
            let rows = try DemandPlanning.plan(
                "nvcr.io/nvidia/cuda:1",
                map: map("nvcr.io", credentials: credentials),
                rules: rules
            ).get()
            #expect(rows.map(\.comesByItself) == [wanted])
        }
    }

    @Test("a run that waits for one can go on, and says so; it is not called ready")
    func status() throws {
        let fixture = try RecordFixture()
        let late = try fixture.image("nvcr.io/nvidia/cuda:1", state: "blocked", reason: "r", failureClass: "notFound")
        try fixture.run("1234567", images: [late])
        try fixture.execute("UPDATE demand SET comesByItself = 1")
        let report = try StatusReport.read(from: fixture.reader, filter: .run(id: "1234567"), now: fixture.now) { _ in
            true
        }
        let run = try #require(report.runs.shown.first)
        #expect(!run.standing.isReady && !run.standing.isStuck)
        #expect(report.focus?.isReady == false)
        #expect(
            report.focus?.sentence == "0 of 1 image ready; 1 is blocked here, and HealthOmics copies it itself, late"
        )
        #expect(report.runCounts?.blocked == 0)
        let text = StatusText(report, style: TextStyle()).text
        #expect(text.contains("HealthOmics copies it itself when a task asks for it: late, not never"))
        #expect(!text.contains("cannot go on"))
    }
}
