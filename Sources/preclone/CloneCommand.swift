import ArgumentParser
import Configuring
import Foundation
import Logging
import Model
import Names
import Precloning

/// `preclone clone`: images now, through the same planner, policy, limits and record as the daemon's.
struct CloneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clone",
        abstract: "Clone images into private ECR now.",
        discussion: """
            Beside a running daemon it asks the daemon and follows; alone it works itself. Exit codes: 0 all ready, \
            4 some blocked, 75 some wait (and until when).
            """
    )

    enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

    @Argument(help: "Images, as a workflow would name them.")
    var images: [String] = []

    @Option(help: ArgumentHelp("Bring back what this lock holds, by digest, to where it was.", valueName: "file"))
    var lock: String?

    @Option(help: "The ECR repository to copy to; one image only.")
    var targetRepository: String?

    @Option(help: "The tag to give it there; one image only.")
    var targetTag: String?

    @Option(help: "The AWS profile; with another than the daemon's it works alone on its own record.")
    var profile: String?

    @Option(help: "The AWS Region; with another than the daemon's it works alone on its own record.")
    var region: String?

    @Option(help: ArgumentHelp("The record to work on.", valueName: "file"))
    var record: String?

    @Option(help: "text for people, json for programs.")
    var format: Format = .text

    @OptionGroup var configurationFile: ConfigurationOptions

    func validate() throws {
        if images.isEmpty == (lock == nil) {
            throw ValidationError(lock == nil ? "name at least one image" : "images or --lock, not both")
        }
        if lock != nil, targetRepository != nil || targetTag != nil {
            throw ValidationError("--target-repository and --target-tag are not for --lock")
        }
        if targetRepository != nil || targetTag != nil, images.count > 1 {
            throw ValidationError("--target-repository and --target-tag take one image")
        }
    }

    func run() async throws {
        var configuration = try configurationFile.load()
        if let record {
            configuration.record.path = record
        } else if profile != nil || region != nil {
            configuration.record.path = Self.ownRecord
            Terminal.note("works alone, on the record \(Self.ownRecord)")
        }
        let threshold = LogThreshold(max(configuration.log.level.level, .warning))
        let logger = ProcessLog.start(configuration.log, threshold: threshold)
        let session = CloneSession(
            configuration: configuration,
            profile: profile,
            region: region,
            substitute: .waiting,
            logger: logger
        )
        do {
            if let lock { return try finish(try await bring(try LockFile.read(lock), by: session)) }
            let ids = try await session.ask(
                images,
                options: CloneOptions(targetRepository: targetRepository, targetTag: targetTag),
                key: UUID().uuidString,
                worry: Self.worry
            )
            try finish(try await answers(to: ids, of: session))
        } catch let fault as ControlFault {
            throw CommandFailure(fault)
        }
    }

    private static let worry: @Sendable (String) -> Void = { Terminal.note("it may take long: \($0)") }

    private func answers(to ids: [Int64], of session: CloneSession) async throws -> [CloneResult] {
        let isShown = format == .text && Terminal.isInteractive
        try await session.wait(
            for: ids,
            tell: { if isShown { Terminal.status(ImageProgress.line(of: $0)) } },
            worry: {
                // On a line of its own.
                if isShown { Terminal.status("") }
                Self.worry($0)
            }
        )
        if isShown { Terminal.status("") }
        return try session.results(of: ids)
    }

    /// Brings back what a lock holds; of an index that is gone upstream, its linux/amd64 image.
    private func bring(_ lock: ImageLock, by session: CloneSession) async throws -> [CloneResult] {
        func request(_ demand: PlannedDemand) -> CloneSession.Wish {
            CloneSession.Wish(image: demand.source, options: CloneOptions(destination: demand.destination))
        }
        let configuration = session.configuration
        try await AccountReading.with(configuration, profile: profile, region: region) { works, _ in
            try await works.mustBeOurs(lock)
        }
        let ids = try await session.ask(lock.images.map { request($0.pinned) }, worry: Self.worry)
        var results = try await answers(to: ids, of: session)
        let rest = results.indices.filter { index in
            results[index].state == .blocked && lock.images[index].platformDigest != lock.images[index].ecrDigest
        }
        if !rest.isEmpty {
            let wishes = rest.map { request(lock.images[$0].pinned(to: lock.images[$0].platformDigest)) }
            let again = try await answers(to: try await session.ask(wishes, worry: Self.worry), of: session)
            for (index, result) in zip(rest, again) where result.success { results[index] = result }
        }
        let audit = ChangeAudit(configuration, isMeant: true)
        var held = lock
        held.images = zip(lock.images, results).filter { $1.ecrDigest == $0.ecrDigest.description }.map(\.0)
        try await AccountReading.with(configuration, profile: profile, region: region) { works, _ in
            try await audit.keep(held, works)
        }
        return results
    }

    private func finish(_ results: [CloneResult]) throws {
        switch format {
        case .json:
            struct Output: Encodable {
                var schemaVersion = 1
                var results: [CloneResult]
            }
            try Terminal.print(JSONOutput.text(Output(results: results)))
        case .text:
            for result in results { try Terminal.print(Self.line(result)) }
        }
        if results.contains(where: { $0.state == .blocked }) { throw Ending.someNotReady.code }
        if results.contains(where: { $0.state != .ready }) { throw Ending.temporary.code }
    }

    private static func line(_ result: CloneResult) -> String {
        let name = result.sourceImage
        switch result.state {
        case .ready:
            let line = "ready    \(name) -> \(result.ecrURI ?? "-") \(result.ecrDigest ?? "") (\(result.route ?? "-"))"
            return result.remark.map { "\(line)\n         \($0)" } ?? line
        case .blocked:
            return "blocked  \(name): \(result.message)"
        case .pending, .cloning, .retrying:
            let until = result.due.map { " (next try \($0.formatted(.iso8601)))" } ?? ""
            return "waits    \(name): \(result.message)\(until)"
        }
    }

    /// Where `clone` keeps its own record: below `$XDG_STATE_HOME`.
    static var ownRecord: String {
        let environment = ProcessInfo.processInfo.environment
        let state = environment["XDG_STATE_HOME"] ?? "\(environment["HOME"] ?? NSHomeDirectory())/.local/state"
        return "\(state)/preclone/record.sqlite"
    }
}
