import Foundation

/// The account of the demo: three workflows, the images they need, and a rule for quay.io.
///
/// Each workflow needs an image they all share, one behind the pull-through cache rule and one from a registry that has no
/// rule. The first two need one more that does not exist, and one that their registry map does not reach.
package struct DemoWorld: Sendable, Hashable, Codable {
    package struct Workflow: Sendable, Hashable, Codable {
        package var id: String
        package var name: String
        package var engine: String
    }

    /// How the clone of an image must end.
    package struct Expectation: Sendable, Hashable, Codable {
        /// As the definition writes it.
        package var image: String
        /// `ready` or `blocked`.
        package var state: String
        /// `pullThrough` or `copy`; nil when blocked.
        package var route: String?
        /// Repository and tag in ECR; nil when blocked.
        package var destination: String?
        /// Digest of the upstream object; nil when there is none.
        package var upstreamDigest: String?
        /// Digest of its linux/amd64 manifest.
        package var platformDigest: String?
        /// Engines of the workflows that need it.
        package var engines: [String]
    }

    package var addresses: SandboxAddresses
    package var workflows: [Workflow]
    /// Ids of the runs that were started, in the order of the workflows.
    package var runs: [String]
    package var expectations: [Expectation]

    /// The document as one line of JSON, keys sorted.
    package func line() throws -> String { try Self.line(self) }

    static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Fills a sandbox with the demo.
    ///
    /// - Throws: `AWSFailure` when the sandbox lacks one of the usual registries.
    package static func load(into sandbox: Sandbox, startingRuns: Bool) throws -> DemoWorld {
        var images: [String: MadeImage] = [:]
        for entry in catalogue where entry.exists {
            images[entry.image] = try sandbox.putImage(
                ImageRecipe(entry.image, platforms: entry.platforms, format: entry.format, layers: entry.layers),
                registry: entry.registry,
                repository: entry.repository,
                tags: [entry.tag]
            )
        }
        try sandbox.ecr("PutRegistryPolicy", ["policyText": .string(registryPolicy)])
        try sandbox.ecr(
            "CreateRepositoryCreationTemplate",
            ["prefix": "quay", "appliedFor": ["PULL_THROUGH_CACHE"], "repositoryPolicy": .string(repositoryPolicy)]
        )
        try sandbox.ecr(
            "CreatePullThroughCacheRule",
            ["ecrRepositoryPrefix": "quay", "upstreamRegistryUrl": "quay.io"]
        )
        let queue = sandbox.makeQueue()
        let workflows = DemoDefinitions.all.map { recipe in
            var recipe = recipe
            recipe.registryMap = registryMap
            return Workflow(id: sandbox.addWorkflow(recipe), name: recipe.name, engine: recipe.engine)
        }
        let runs =
            startingRuns ? try workflows.map { try sandbox.startRun(workflow: $0.id, name: "\($0.name) demo") } : []
        var addresses = sandbox.addresses
        addresses.queues["healthomics-events"] = queue
        return DemoWorld(
            addresses: addresses,
            workflows: workflows,
            runs: runs,
            expectations: catalogue.map { entry in
                let image = images[entry.image]
                return Expectation(
                    image: entry.image,
                    state: entry.route == nil ? "blocked" : "ready",
                    route: entry.route,
                    destination: entry.destination,
                    upstreamDigest: image?.root,
                    platformDigest: image?.digest(for: "linux/amd64"),
                    engines: entry.engines
                )
            }
        )
    }

    /// One image of the demo.
    private struct Entry {
        var image: String
        var registry: String
        var repository: String
        var tag: String
        var platforms: [String] = ["linux/amd64"]
        var format: ImageRecipe.Format = .oci
        var layers: [ImageRecipe.Layer]
        var exists = true
        var route: String?
        var destination: String?
        var engines: [String] = ["WDL", "NEXTFLOW", "CWL"]
    }

    private static let base = ImageRecipe.Layer("debian base", size: 3 << 20)

    private static func quay(_ name: String, _ tag: String, _ engine: String) -> Entry {
        Entry(
            image: "quay.io/biocontainers/\(name):\(tag)",
            registry: "quay.io",
            repository: "biocontainers/\(name)",
            tag: tag,
            format: .docker,
            layers: [base, .init(name, size: 2 << 20)],
            route: "pullThrough",
            destination: "quay/biocontainers/\(name):\(tag)",
            engines: [engine]
        )
    }

    private static func wave(_ name: String, _ tag: String, _ engine: String) -> Entry {
        Entry(
            image: "community.wave.seqera.io/library/\(name):\(tag)",
            registry: "community.wave.seqera.io",
            repository: "library/\(name)",
            tag: tag,
            layers: [base, .init(name, size: 6 << 20)],
            route: "copy",
            destination: "wave-seqera/library/\(name):\(tag)",
            engines: [engine]
        )
    }

    private static let catalogue: [Entry] = [
        Entry(
            image: "ubuntu:24.04",
            registry: "registry-1.docker.io",
            repository: "library/ubuntu",
            tag: "24.04",
            platforms: ["linux/amd64", "linux/arm64/v8"],
            layers: [.init("ubuntu rootfs", size: 4 << 20)],
            route: "copy",
            destination: "docker-hub/library/ubuntu:24.04"
        ),
        quay("samtools", "1.21--h50ea8bc_0", "WDL"),
        quay("fastqc", "0.12.1--hdfd78af_0", "NEXTFLOW"),
        quay("bwa", "0.7.18--he4a0461_0", "CWL"),
        wave("bcftools", "1.21--4335bec1d7b44d11", "WDL"),
        wave("multiqc", "1.25--1a9c4b0b2a3c3d3f", "NEXTFLOW"),
        wave("seqkit", "2.9.0--e0e29e1f0b8a1f23", "CWL"),
        Entry(
            image: "quay.io/biocontainers/nosuchtool:1.0",
            registry: "quay.io",
            repository: "biocontainers/nosuchtool",
            tag: "1.0",
            layers: [],
            exists: false,
            engines: ["WDL", "NEXTFLOW"]
        ),
        Entry(
            image: "ghcr.io/example/reporter:2.3",
            registry: "ghcr.io",
            repository: "example/reporter",
            tag: "2.3",
            layers: [base],
            engines: ["WDL", "NEXTFLOW"]
        ),
    ]

    /// Reaches everything but ghcr.io.
    private static let registryMap: SandboxJSON = [
        "registryMappings": [
            ["upstreamRegistryUrl": "registry-1.docker.io", "ecrRepositoryPrefix": "docker-hub"],
            ["upstreamRegistryUrl": "quay.io", "ecrRepositoryPrefix": "quay"],
            ["upstreamRegistryUrl": "community.wave.seqera.io", "ecrRepositoryPrefix": "wave-seqera"],
        ]
    ]

    private static let registryPolicy = """
        {"Version":"2012-10-17","Statement":[{"Sid":"HealthOmicsPullThrough","Effect":"Allow",\
        "Principal":{"Service":"omics.amazonaws.com"},"Action":["ecr:CreateRepository","ecr:BatchImportUpstreamImage"],\
        "Resource":"arn:aws:ecr:us-east-1:123456789012:repository/quay/*"}]}
        """

    private static let repositoryPolicy = """
        {"Version":"2012-10-17","Statement":[{"Sid":"omics workflow access","Effect":"Allow",\
        "Principal":{"Service":"omics.amazonaws.com"},"Action":["ecr:GetDownloadUrlForLayer","ecr:BatchGetImage",\
        "ecr:BatchCheckLayerAvailability"]}]}
        """
}

extension SandboxAddresses {
    /// The addresses as one line of JSON, keys sorted.
    package func line() throws -> String { try DemoWorld.line(self) }
}
