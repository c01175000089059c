import ArgumentParser
import Configuring
import Foundation
import Model
import Names
import Precloning
import Record
import Remotes

/// `preclone copy`: registry to registry, the bare engine.
struct CopyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy",
        abstract: "Copy images from registry to registry: no policy and no record.",
        discussion: """
            The object is copied whole unless --platform is given. Layers that several images of a list share are \
            moved once. With --config the credentials, limits, proxies, certificate authorities and endpoints of a \
            configuration hold, and private ECRs are asked with AWS credentials; without it none of these. Exit codes: 0 all are there; 1 the image, or every image, failed; 2 usage; 4 some of a list \
            failed; 75 what failed may succeed later.
            """
    )

    @Argument(help: "Where to copy from, such as quay.io/biocontainers/samtools:1.17.")
    var source: String?

    @Argument(help: "Where to copy to, with the tag to store it under.")
    var destination: String?

    @Option(help: "A file with lines `SOURCE DESTINATION`; `-` is standard input, `#` begins a comment.")
    var list: String?

    @Option(
        help: ArgumentHelp(
            "A platform such as linux/amd64 that must be there; one alone is copied without the others.",
            valueName: "platform"
        )
    )
    var platform: [String] = []

    @Flag(
        help: """
            Bring signatures, SBOMs and attestations with each image, by the referrers API and by cosign's tags, so that a \
            verifier finds them at the destination.
            """
    )
    var referrers = false

    @Flag(help: "Use http for the registries that are written with a port, such as 127.0.0.1:5000.")
    var plainHttp = false

    @Option(
        help: ArgumentHelp("Credentials, limits and network of this configuration.", valueName: "file"),
        completion: .file(extensions: ["json"])
    )
    var config: String?

    @Option(
        help: """
            Credentials, as docker's config.json; without it and without --config the places where docker and podman \
            look. The configuration's go first.
            """
    )
    var authfile: String?

    @Option(help: "A PEM file with certificate authorities to trust beside the system's.")
    var ca: String?

    @Option(help: "How many images of a list are copied at once.")
    var images = 6

    func run() async throws {
        let jobs = try jobs()
        let platforms = try platform.map { text in
            guard let value = Platform(text) else {
                throw CommandFailure(
                    "`\(text)` is not a platform",
                    hint: "write OS/ARCHITECTURE, such as linux/amd64",
                    ending: .usage
                )
            }
            return value
        }
        guard (1...64).contains(images) else {
            throw CommandFailure("--images takes a number from 1 to 64", ending: .usage)
        }
        let docker: DockerCredentials?
        do {
            docker = try dockerCredentials()
        } catch {
            throw CommandFailure(error.description, hint: error.mend, ending: .usage)
        }
        let wanted = platforms.isEmpty ? nil : platforms
        let results =
            if let config {
                try await configured(jobs, platforms: wanted, file: config, docker: docker)
            } else {
                try await bare(jobs, platforms: wanted, docker: docker)
            }
        try finish(results)
    }

    /// The engine alone.
    private func bare(
        _ jobs: [CopySession.Job],
        platforms: [Platform]?,
        docker: DockerCredentials?
    ) async throws -> [CopySession.Result] {
        let transport: LiveTransport
        do {
            transport = try LiveTransport(
                LiveTransport.Configuration(
                    certificateAuthorityFiles: ca.map { [$0] } ?? [],
                    proxies: try ProxySettings(configured: nil, environment: ProcessInfo.processInfo.environment),
                    addressGuard: AddressGuard()
                )
            )
        } catch {
            throw CommandFailure("\(error)", ending: .usage)
        }
        let credentials: any RegistryCredentialSource = if let docker { docker } else { AnonymousCredentials() }
        let registries = CopyRegistries(transport: transport, credentials: credentials, plainHTTP: plainHttp)
        let session = CopySession(registries: registries, platforms: platforms, bringsReferrers: referrers)
        let results = await session.run(jobs, atOnce: images)
        try? await transport.shutdown()
        return results
    }

    /// The engine under a configuration.
    private func configured(
        _ jobs: [CopySession.Job],
        platforms: [Platform]?,
        file: String,
        docker: DockerCredentials?
    ) async throws -> [CopySession.Result] {
        var configuration = try Configuration.load(path: file)
        // Layers go in parts to the ECR of one Region; those of others are pushed to and pulled from all the same.
        let references = jobs.map(\.destination) + jobs.map(\.source)
        let region = references.lazy.compactMap { ECRLocation($0)?.region }.first
        for reference in references where ECRLocation(reference) == nil {
            // Whoever typed the name wants to go there; where it leads from there is judged.
            var entry = configuration.registries.hosts[reference.registry] ?? .init()
            if plainHttp, reference.registry.contains(":") { entry.insecure = true }
            configuration.registries.hosts[reference.registry] = entry
        }
        let composition: Composition
        do {
            composition = try await Composition(
                configuration,
                region: region,
                needsRegion: false,
                authorities: ca.map { [$0] } ?? []
            )
        } catch let error as TransportError {
            throw CommandFailure("\(error)", ending: .usage)
        }
        var sources: [any RegistryCredentialSource] = [composition.registryCredentials]
        if let docker { sources.append(docker) }
        let registries = try composition.registries(
            on: Ledger(),
            account: composition.account,
            credentials: CredentialsInOrder(sources)
        )
        let session = CopySession(registries: registries, platforms: platforms, bringsReferrers: referrers)
        let results = await session.run(jobs, atOnce: images)
        await composition.shutdown()
        return results
    }

    private func finish(_ results: [CopySession.Result]) throws {
        let failures = results.compactMap(\.failure)
        guard !failures.isEmpty else { return }
        if failures.allSatisfy(\.isTemporary) { throw Ending.temporary.code }
        throw failures.count == results.count ? Ending.failed.code : Ending.someNotReady.code
    }

    private func dockerCredentials() throws(RegistryError) -> DockerCredentials? {
        guard let path = authfile ?? (config == nil ? DockerCredentials.defaultPath() : nil) else { return nil }
        return try DockerCredentials(path: path)
    }

    private func jobs() throws -> [CopySession.Job] {
        if let list {
            guard source == nil, destination == nil else {
                throw CommandFailure("give either SOURCE and DESTINATION or --list, not both", ending: .usage)
            }
            return try Self.jobs(in: list)
        }
        guard let source, let destination else {
            throw CommandFailure("SOURCE and DESTINATION are needed, or --list FILE", ending: .usage)
        }
        return [try CopySession.Job(source: source, destination: destination, place: nil)]
    }

    private static func jobs(in path: String) throws -> [CopySession.Job] {
        let data: Data
        do {
            let handle =
                path == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            data = try handle.readToEnd() ?? Data()
        } catch {
            throw CommandFailure("\(path) cannot be read", ending: .usage)
        }
        var jobs: [CopySession.Job] = []
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
            if words.isEmpty { continue }
            let place = "\(path):\(index + 1)"
            guard words.count == 2 else {
                throw CommandFailure("\(place): a line is SOURCE DESTINATION", ending: .usage)
            }
            jobs.append(try CopySession.Job(source: words[0], destination: words[1], place: place))
        }
        return jobs
    }
}

extension CopySession.Job {
    fileprivate init(source: String, destination: String, place: String?) throws {
        func read(_ text: String) throws -> ImageReference {
            do {
                return try ImageReference(text)
            } catch {
                throw CommandFailure((place.map { "\($0): " } ?? "") + error.description, ending: .usage)
            }
        }
        self.init(source: try read(source), destination: try read(destination))
        if self.destination.digest != nil {
            throw CommandFailure(
                (place.map { "\($0): " } ?? "") + "a destination has a tag, not a digest",
                hint: "the digest is the source's",
                ending: .usage
            )
        }
    }
}
