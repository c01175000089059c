package import Foundation

/// Credentials from whichever provider has them, kept and refreshed ahead of expiry by one caller while the others go
/// on. A failed refresh keeps the old ones until they end.
///
/// Source: AWS SDKs and Tools reference, "Standardized credential providers".
package actor CredentialChain {
    /// Refreshed when less than this is left.
    private static let refreshAhead: TimeInterval = 900
    /// After a refresh that failed while the old ones still hold, the provider is left alone for so long.
    private static let pause: Duration = .seconds(60)

    private let providers: CredentialProviders
    private let timeline: Timeline
    private var held: AWSCredentials?
    /// Grows with every set of credentials found.
    private var generation = 0
    private var pausedUntil: Duration?
    /// Why the last refresh failed, while those from before still hold; nil: it did not.
    package private(set) var refreshTrouble: String?
    /// Callers that wait for the one that fetches; nil: nobody fetches.
    private var waiters: [CheckedContinuation<Void, Never>]?

    /// - Parameters:
    ///   - profile: named on the command line or in the configuration; switches the environment's keys off.
    ///   - settings: where STS and IAM Identity Center are; nil: the providers that need them are left out.
    ///   - readFile: reads a token file; nil when it cannot be read.
    ///   - transport: for metadata and container endpoints, which are link-local and never behind a proxy.
    ///   - serviceTransport: for STS and IAM Identity Center.
    ///   - writeFile: replaces a login of IAM Identity Center that was renewed; false where it cannot.
    ///   - runProcess: runs a `credential_process` and returns its standard output; nil: refused.
    package init(
        environment: [String: String],
        profiles: AWSProfiles,
        profile: String?,
        settings: AWSSettings? = nil,
        readFile: @escaping @Sendable (String) -> Data?,
        transport: any HTTPTransport,
        serviceTransport: (any HTTPTransport)? = nil,
        runProcess: CredentialProviders.ProcessRunner? = nil,
        writeFile: @escaping @Sendable (String, Data) -> Bool = { _, _ in false },
        timeline: Timeline
    ) {
        providers = CredentialProviders(
            environment: environment,
            profiles: profiles,
            profileName: Self.profile(named: profile, environment: environment),
            isExplicit: profile != nil,
            settings: settings,
            readFile: readFile,
            transport: transport,
            serviceTransport: serviceTransport ?? transport,
            runProcess: runProcess,
            writeFile: writeFile,
            timeline: timeline
        )
        self.timeline = timeline
    }

    /// The profile in use: the one named, `AWS_PROFILE`, `AWS_DEFAULT_PROFILE`, `default`. A variable that is empty is not
    /// set.
    package static func profile(named profile: String?, environment: [String: String]) -> String {
        let names = [profile, environment["AWS_PROFILE"], environment["AWS_DEFAULT_PROFILE"]]
        return names.lazy.compactMap(\.self).first { !$0.isEmpty } ?? "default"
    }

    /// Credentials that hold for a while; nil when no provider has any.
    ///
    /// - Parameter refresh: the service said that those in use have ended.
    package func credentials(refresh: Bool = false) async throws -> AWSCredentials? {
        let asked = generation
        while waiters != nil {
            if let held, !refresh, !isOver(held) { return held }
            await withCheckedContinuation { waiters?.append($0) }
            // Somebody else has just fetched: what was refused is replaced already.
            if refresh, generation != asked { return held }
        }
        if let held, !refresh, !isNearEnd(held) || (isPaused && !isOver(held)) { return held }
        waiters = []
        defer {
            let waiting = waiters ?? []
            waiters = nil
            for waiter in waiting { waiter.resume() }
        }
        do {
            if let found = try await providers.find() {
                held = found
                generation += 1
                pausedUntil = nil
                refreshTrouble = nil
            } else if let held, isOver(held) {
                // Where they came from gives none any more: what has ended helps nobody.
                throw AWSError(
                    operation: "credentials",
                    code: "CredentialsEnded",
                    message: "those from \(held.provider) have ended, and no provider gives others",
                    kind: .noCredentials
                )
            } else if held != nil {
                refreshTrouble = "no provider has any now"
            }
            return held
        } catch {
            pausedUntil = timeline.elapsed() + Self.pause
            refreshTrouble = "\(error)"
            if let held, !isOver(held) { return held }
            throw error
        }
    }

    private var isPaused: Bool { pausedUntil.map { timeline.elapsed() < $0 } ?? false }

    private func isNearEnd(_ credentials: AWSCredentials) -> Bool {
        credentials.expiration.map { $0.timeIntervalSince(timeline.now()) < Self.refreshAhead } ?? false
    }

    private func isOver(_ credentials: AWSCredentials) -> Bool {
        credentials.expiration.map { $0 <= timeline.now() } ?? false
    }
}
