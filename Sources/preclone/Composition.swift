import Configuring
import Definitions
import Foundation
import Logging
import Model
import Precloning
import Record
import Remotes

/// Builds every object of the program from a configuration and the process's surroundings, in order. The only place that
/// reads the environment, the clock and chance.
struct Composition {
    let settings: Settings
    let environment: [String: String]
    /// Of each call of AWS; nil: as AWS's settings say.
    private let attempts: Int?
    let timeline: Timeline
    private let connections: LiveTransport
    /// Every request but those for credentials, counted for the metrics.
    let transport: CountingTransport
    /// The same for exported definitions.
    private let definitionTransport: CountingTransport
    let requests = RequestMetrics()
    /// What keeps us from the services, for whoever works for long.
    let troubles = Troubles()
    /// Failed requests in a row, by service.
    private let failures = Dictionary(
        uniqueKeysWithValues: AWSSettings.Service.allCases.map { ($0.rawValue, ServiceTransport.FailureCount()) }
    )
    let metadataTransport: LiveTransport
    let aws: AWSSettings
    let profileName: String?
    let credentials: CredentialChain
    /// Clock, quotas and paces, shared by all clients.
    private let calls: AWSCallState

    /// - Parameters:
    ///   - needsRegion: false where AWS is perhaps not asked at all.
    ///   - attempts: of each call of AWS; nil: as AWS's settings say.
    ///   - authorities: PEM files to trust beside the configuration's.
    /// - Throws: `CommandFailure` when no Region can be found; `TransportError` for a bad CA file.
    init(
        _ configuration: Configuration,
        profile: String? = nil,
        region: String? = nil,
        needsRegion: Bool = true,
        authorities: [String] = [],
        attempts: Int? = nil,
        environment: [String: String] = ProcessInfo.processInfo.environment,
        timeline: Timeline = .system
    ) async throws {
        settings = Settings(configuration)
        self.attempts = attempts
        self.timeline = timeline
        self.environment = environment
        let home = environment["HOME"] ?? NSHomeDirectory()
        func file(_ variable: String, _ name: String) -> String {
            let named = environment[variable].flatMap { $0.isEmpty ? nil : $0 } ?? "~/.aws/\(name)"
            let path = named.hasPrefix("~/") ? home + named.dropFirst() : named
            return (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        }
        let profiles = AWSProfiles(
            config: file("AWS_CONFIG_FILE", "config"),
            credentials: file("AWS_SHARED_CREDENTIALS_FILE", "credentials")
        )
        profileName = profile ?? configuration.aws.profile
        let inUse = CredentialChain.profile(named: profileName, environment: environment)
        // Without the profile that somebody named, another identity than the one meant would be found.
        let needsProfile =
            needsRegion && inUse != "default" && (environment["AWS_ACCESS_KEY_ID"] ?? "").isEmpty
        if profiles.profile(inUse) == nil, profileName != nil || needsProfile {
            throw CommandFailure(
                "AWS profile `\(inUse)` is in neither config nor credentials file",
                hint: "see `aws configure list-profiles`",
                ending: .usage
            )
        }
        let named =
            [
                region, configuration.aws.region, environment["AWS_REGION"], environment["AWS_DEFAULT_REGION"],
                profiles.profile(inUse)?["region"],
            ].lazy.compactMap(\.self).first { !$0.isEmpty }
        var found = named ?? (needsRegion ? nil : Self.firstRegion)
        if found == nil { found = try await Self.regionOfInstance(environment) }
        guard let found else {
            throw CommandFailure(
                "no AWS Region is set, and no metadata service of an instance names one",
                hint: "set aws.region in the configuration, or AWS_REGION",
                ending: .usage
            )
        }
        aws = AWSSettings(
            region: found,
            environment: environment,
            profile: profiles.profile(inUse) ?? [:],
            services: profiles.services(of: inUse)
        )
        try aws.validate()
        let common = [configuration.network.caFile, environment["AWS_CA_BUNDLE"]].compactMap(\.self)
        connections = try LiveTransport(
            LiveTransport.Configuration(
                certificateAuthorityFiles: common + authorities,
                proxies: try ProxySettings(configured: configuration.network.proxy, environment: environment),
                addressGuard: TrustedPlaces.addressGuard(settings: settings, aws: aws)
            )
        )
        transport = Self.counting(connections, in: requests)
        definitionTransport = Self.counting(
            try connections.trusting(where: TrustedPlaces.isDefinitionStore(aws: aws)),
            in: requests
        )
        try Self.checkFiles(of: configuration, connections)
        metadataTransport = try LiveTransport()
        credentials = CredentialChain(
            environment: environment,
            profiles: profiles,
            profile: profileName,
            settings: aws,
            readFile: { FileManager.default.contents(atPath: $0) },
            transport: metadataTransport,
            serviceTransport: transport,
            runProcess: { [timeline] words in
                try await CredentialProcess(searchPath: environment["PATH"], timeline: timeline).run(words)
            },
            writeFile: Self.replaceFile,
            timeline: timeline
        )
        calls = AWSCallState(
            limit: { [settings] in settings.current.aws.callsPerSecond(of: $1, $0) },
            concurrent: { [settings] in settings.current.aws.concurrentCalls }
        )
    }

    /// Replaces a file of secrets in one step, for its owner alone.
    private static func replaceFile(_ path: String, _ data: Data) -> Bool {
        let new = path + ".preclone"
        try? FileManager.default.removeItem(atPath: new)
        guard FileManager.default.createFile(atPath: new, contents: data, attributes: [.posixPermissions: 0o600]) else {
            return false
        }
        guard rename(new, path) != 0 else { return true }
        try? FileManager.default.removeItem(atPath: new)
        return false
    }

    /// The Region of the EC2 instance that this is; nil anywhere else.
    private static func regionOfInstance(_ environment: [String: String]) async throws -> String? {
        let transport = try LiveTransport()
        let region = try? await InstanceMetadata(environment: environment, transport: transport)?.region()
        try await transport.shutdown()
        return region
    }

    /// AWS's first; stands for none where nothing is asked of a Region.
    private static let firstRegion = "us-east-1"

    /// A file that cannot be read is said at the start or the reload, not at the first image.
    ///
    /// - Throws: `TransportError` for a bad CA file.
    func checkFiles(of configuration: Configuration) throws { try Self.checkFiles(of: configuration, connections) }

    private static func checkFiles(of configuration: Configuration, _ connections: LiveTransport) throws {
        for file in registryAuthorities(configuration) {
            _ = try connections.trusting(where: { _ in false }, authorities: [file])
        }
    }

    /// The certificate authorities that are named for single registries.
    private static func registryAuthorities(_ configuration: Configuration) -> [String] {
        Set(configuration.registries.hosts.keys.compactMap { configuration.registries.settings(for: $0).caFile })
            .sorted()
    }

    /// Builds one, lends it, and closes its connections on every path.
    static func with<Value>(
        _ configuration: Configuration,
        profile: String? = nil,
        region: String? = nil,
        needsRegion: Bool = true,
        environment: [String: String] = ProcessInfo.processInfo.environment,
        attempts: Int? = nil,
        _ body: (Composition) async throws -> Value
    ) async throws -> Value {
        let composition = try await Composition(
            configuration,
            profile: profile,
            region: region,
            needsRegion: needsRegion,
            attempts: attempts,
            environment: environment
        )
        do {
            let value = try await body(composition)
            await composition.shutdown()
            return value
        } catch {
            await composition.shutdown()
            throw error
        }
    }

    // MARK: AWS

    /// - Parameter place: settings of another Region, where the service is there.
    func client(
        _ service: AWSSettings.Service,
        as name: String? = nil,
        at place: AWSSettings? = nil
    ) -> AWSClient {
        let place = place ?? aws
        let name = name ?? service.rawValue
        return AWSClient(
            endpoint: AWSClient.Endpoint(service: name, signingName: name, url: place.endpoint(of: service)),
            region: place.signingRegion(of: service),
            transport: watched(service, as: name),
            credentials: { [credentials, troubles] refresh in
                do {
                    let found = try await credentials.credentials(refresh: refresh)
                    let trouble = await credentials.refreshTrouble.map { "cannot be renewed: \($0)" }
                    troubles.tell("credentials", found == nil ? "no provider has any" : trouble)
                    return found
                } catch {
                    if !(error is CancellationError) { troubles.tell("credentials", "\(error)") }
                    throw error
                }
            },
            timeline: timeline,
            attempts: attempts ?? aws.maxAttempts ?? 5,
            mode: aws.retryMode,
            skew: calls.skew,
            quota: calls.quota(of: name),
            pacer: calls.pacer(of: name)
        )
    }

    private func watched(_ service: AWSSettings.Service, as name: String) -> any HTTPTransport {
        guard let count = failures[service.rawValue] else { return transport }
        return ServiceTransport(transport, failures: count) { [troubles, timeline] what in
            // Where nothing more is asked of it, it is told for a while.
            troubles.tell(name, what, until: timeline.elapsed() + .seconds(300))
        }
    }

    var healthOmics: HealthOmicsClient {
        HealthOmicsClient(client: client(.omics), transport: definitionTransport)
    }

    var ecr: ECRClient { ECRClient(client: client(.ecr)) }

    /// ECR of another Region, of which images are read.
    private func ecrClient(in region: String) -> ECRClient {
        guard region != aws.region else { return ecr }
        return ECRClient(client: client(.ecr, at: aws.inRegion(region)))
    }

    var sts: STSClient { STSClient(client: client(.sts)) }

    /// A queue, in the Region that its address names.
    private func queue(_ url: String) -> SQSClient {
        SQSClient(client: client(.sqs, at: aws.inRegion(SQSClient.region(ofQueue: url))), queueURL: url)
    }

    /// What `check` asks of each service.
    var permissions: PermissionCheck {
        PermissionCheck(
            omics: client(.omics),
            ecr: client(.ecr),
            iam: IAMClient(client: client(.iam))
        )
    }

    /// What the configuration in force names for each registry.
    var registryCredentials: ConfiguredCredentials {
        ConfiguredCredentials(
            environment: environment,
            places: ConfiguredCredentials.Places(serviceDirectory: environment["CREDENTIALS_DIRECTORY"]),
            helper: CredentialHelper(),
            secret: { try await secret($0) },
            ecrPublic: ecrPublicCredentials,
            source: { [settings] in settings.current.registries.settings(for: $0).credentials }
        )
    }

    private var ecrPublicCredentials: LoadedCredential {
        let client = ECRPublicClient(client: client(.ecrPublic, as: "ecr-public"))
        return LoadedCredential(timeline: timeline) {
            let login = try await client.credential()
            return LoadedCredential.Loaded(credential: login.credential, expires: login.expires)
        }
    }

    /// A secret's text. It is in the Region that its ARN names.
    private func secret(_ arn: String) async throws -> String {
        let place = aws.inRegion(arn.split(separator: ":").dropFirst(3).first.map(String.init))
        let secrets = SecretsManagerClient(client: client(.secretsManager, as: "secretsmanager", at: place))
        return try await secrets.getSecretValue(secretId: arn).text
    }

    /// What reaches a registry: its own address and certificate authorities are trusted for it and for nobody else.
    private func transport(to endpoint: RegistryEndpoint) throws -> any HTTPTransport {
        let file = settings.current.registries.settings(for: endpoint.name).caFile
        return Self.counting(
            try connections.trusting(
                where: TrustedPlaces.isOwn(endpoint, settings: settings),
                authorities: file.map { [$0] } ?? []
            ),
            in: requests
        )
    }

    /// What reaches the webhook: the operator named it, so it may be at a private address.
    func transport(toWebhook url: String) throws -> any HTTPTransport {
        let own = WebAddress(url)?.origin
        return Self.counting(try connections.trusting(where: { $0 == own }), in: requests)
    }

    private static func counting(_ transport: any HTTPTransport, in requests: RequestMetrics) -> CountingTransport {
        CountingTransport(transport) {
            requests.count(host: $0, answer: $1)
            LoopPulse.progress()
        }
    }

    // MARK: The stages

    /// Who we are to AWS.
    var account: AccountFacts {
        AccountFacts(sts: sts, ecr: ecr, region: aws.region, suffix: aws.registrySuffix, now: timeline.now)
    }

    /// The clients of all registries, under the limits of the configuration; pauses, breakers and quotas are the
    /// record's.
    ///
    /// - Throws: what the record throws.
    func registries(
        on ledger: Ledger,
        account: AccountFacts,
        credentials: any RegistryCredentialSource
    ) throws -> RegistryClients {
        let credential: @Sendable (String) -> String = { [settings] host in
            settings.current.registries.settings(for: host).credentials?.name ?? ""
        }
        let limits = try HostLimits(
            record: ledger,
            timeline: timeline,
            limit: { [settings] kind, host in HostLimit(kind, host: host, in: settings.current) },
            credential: credential
        )
        return RegistryClients(
            settings: settings,
            transport: { try transport(to: $0) },
            ecr: ECRCredentials(client: { ecrClient(in: $0) }, home: { try await account.home() }, now: timeline.now) {
                try? ledger.tokenExpires($0)
            },
            upstream: WatchedCredentials(credentials, timeline: timeline) { limits.credentialsRefused(host: $0) },
            pacer: limits,
            budget: LedgerPullBudget(
                ledger: ledger,
                timeline: timeline,
                quota: { [settings] host in settings.current.registries.settings(for: host).quota },
                credential: credential
            ),
            parts: LayerParts { [ecr, aws] location in
                // The API is that of our Region; another Region's registry takes its layers by PUT.
                guard location.region == aws.region else { return nil }
                return ECRLayerParts(ecr: ecr, registryID: location.account, host: location.registry)
            },
            journal: LedgerUploadJournal(ledger: ledger, timeline: timeline),
            manifests: LedgerManifests(ledger: ledger, timeline: timeline),
            record: ledger,
            timeline: timeline
        )
    }

    /// What looks at the images in ECR.
    private func view(_ ledger: Ledger, _ account: AccountFacts, _ registries: RegistryClients) -> ECRView {
        ECRView(
            ecr: ecr,
            circumstances: account.policyCircumstances,
            manifests: LedgerManifests(ledger: ledger, timeline: timeline),
            elapsed: timeline.elapsed
        ) { location, descriptor in
            try await registries.client(for: location.registry).readBlob(location.repository, descriptor)
        }
    }

    /// What is asked of the account, or changed in it.
    ///
    /// - Parameters:
    ///   - known: gives the daemon's record, where there is one.
    ///   - audit: keeps what was changed.
    func verbs(
        _ account: AccountFacts,
        known: @escaping @Sendable () -> RecordReader?,
        audit: @escaping @Sendable (AuditEntry) throws -> Void
    ) -> AccountVerbs {
        AccountVerbs(
            account: account,
            ecr: ecr,
            timeline: timeline,
            known: known,
            scratch: { try scratch($0) },
            audit: audit
        )
    }

    /// The tools of agents that ask the account.
    func registryTools(_ works: Works, _ verbs: AccountVerbs) -> RegistryTools {
        RegistryTools(
            desk: RegistryDesk(
                ecr: ecr,
                account: works.account,
                view: view(works.ledger, works.account, works.registries)
            ),
            verbs: verbs
        )
    }

    /// Works on a record in memory, which knows what the daemon's knows of hosts and places: nothing is written anywhere.
    private func scratch(_ known: RecordReader?) throws -> Works {
        let ledger = try Ledger()
        // A record that cannot be read is no hindrance.
        if let known { try? ledger.learn(from: known) }
        return try works(on: ledger)
    }

    /// Everything that works on one record.
    ///
    /// - Throws: what the record throws: pauses, breakers and quotas are kept in it.
    func works(on ledger: Ledger) throws -> Works {
        let now = timeline.now
        let account = self.account
        let registries = try self.registries(on: ledger, account: account, credentials: registryCredentials)
        let cloner = Cloner(
            account: account,
            view: view(ledger, account, registries),
            preparation: RepositoryPreparation(ecr: ecr, circumstances: account.policyCircumstances),
            registries: registries,
            pullThrough: PullThroughTrigger(registries: registries, timeline: timeline),
            record: ledger,
            settings: settings,
            policy: PolicyGate(settings: settings, record: ledger, now: now),
            timeline: timeline
        )
        let folder = URL(filePath: settings.current.record.path).deletingLastPathComponent().path
        let surveyor = Surveyor(
            memory: ledger,
            healthOmics: healthOmics,
            account: account,
            definitions: DefinitionStore(
                memory: ledger,
                folder: "\(folder)/definitions",
                healthOmics: healthOmics,
                now: now
            ),
            now: now
        )
        return Works(
            ledger: ledger,
            settings: settings,
            timeline: timeline,
            healthOmics: healthOmics,
            account: account,
            registries: registries,
            cloner: cloner,
            surveyor: surveyor,
            events: { settings.current.watch.events.queueUrl.map(queue) },
            troubles: troubles,
            files: RecordFiles(path: settings.current.record.path),
            sendNotice: { try await send($0, to: $1) }
        )
    }

    /// Whether a registry answers at all.
    func answer(of host: String) async -> CheckReport.Line {
        let chosen = settings.current.registries.settings(for: host)
        do {
            let endpoint = try RegistryEndpoint(registry: host, override: chosen.endpoint, insecure: chosen.insecure)
            let code = try await endpoint.answer(through: try transport(to: endpoint))
            if code == 429 || code >= 500 {
                return .init(host, .warning, "it answers HTTP \(code): its images wait")
            }
            return .init(host, .good, "it answers")
        } catch {
            return .init(host, .warning, "it does not answer: \(error)", mend: "see that it can be reached from here")
        }
    }

    /// Closes the connections; call once, last.
    func shutdown() async {
        try? await connections.shutdown()
        try? await metadataTransport.shutdown()
    }
}
