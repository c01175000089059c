import Configuring
import Foundation
import Model
import Names
import Record
import Remotes
import Sandbox
import Synchronization

import protocol GRDB.FetchableRecord

/// Looks at the daemon's record, its requests and the world, and says where they disagree.
final class Inspector: Sendable {
    struct Claim: Sendable, Hashable {
        var readyAt: Int64?
        var verifiedAt: Int64?
        var digest: String?
    }

    struct State {
        /// When each image was first seen with what its row says.
        var claims: [Int64: (claim: Claim, since: Duration)] = [:]
        /// What each image's row said at the last look.
        var standings: [Int64: String] = [:]
        /// Images that were ready and whole at the last look.
        var whole: Set<Int64> = []
        /// Since when nobody wants an image that is on its way.
        var unwanted: [Int64: Duration] = [:]
        var diskFullSince: Duration?
        var answered: Set<Int64> = []
        /// Questions of `ready`, and those that were told ready.
        var gates = 0
        var gatesOpen = 0
        var denied: String?
        var found: [Violation] = []
        var requests = 0
        var repositoriesMade = 0
        /// When Docker Hub counted a pull of ours.
        var pulls: [Duration] = []
        /// Requests of the quiet hour, by operation; nil before it.
        var quiet: [String: Int]?
    }

    let state = Mutex(State())
    let world: SimulatedWorld

    /// How often it looks.
    static let interval = Duration.seconds(600)
    /// A look that was under way when the world changed still tells of the world before.
    static let slack = Duration.seconds(180)

    init(world: SimulatedWorld, denied: String?) {
        self.world = world
        state.withLock { $0.denied = denied }
    }

    var found: [Violation] { state.withLock { $0.found } }
    var requests: Int { state.withLock { $0.requests } }
    var gates: (asked: Int, open: Int) { state.withLock { ($0.gates, $0.gatesOpen) } }
    var denied: String? { state.withLock { $0.denied } }

    /// A reload took or gave back the permission to ask a registry.
    func denies(_ registry: String?) { state.withLock { $0.denied = registry } }

    func report(_ invariant: Invariant, _ subject: String, _ detail: String) {
        let violation = Violation(invariant: invariant, at: world.clock.elapsed, detail: detail, subject: subject)
        let isFirst = state.withLock { state in
            // The first of each kind is the story; the rest follows from it.
            guard !state.found.contains(where: { $0.invariant == invariant }) else { return false }
            state.found.append(violation)
            return true
        }
        if isFirst { world.trace.add("\(violation)") }
    }

    // MARK: As requests come

    func saw(_ request: SeenRequest) {
        state.withLock { state in
            state.requests += 1
            let name = request.operation.isEmpty ? request.method : request.operation
            state.quiet?[name, default: 0] += 1
            if request.operation == "CreateRepository", request.status == 200 { state.repositoriesMade += 1 }
        }
        if request.host == "registry-1.docker.io", request.method == "GET", request.target.contains("/manifests/"),
            request.status == 200 || request.status == 404
        {
            state.withLock { $0.pulls.append(request.at) }
        }
        let isAWS = request.host.hasSuffix(".amazonaws.com")
        if let denied, request.host == denied {
            report(.deniedIsNeverAsked, denied, "\(request.method) \(request.host)\(request.target)")
        }
        if request.status == 429, request.host == "registry-1.docker.io", world.calmFor ?? .zero > .seconds(25_000) {
            report(.limitsHold, request.host, "Docker Hub's quota was used up: \(request.target)")
        }
        if isAWS, request.method == "PUT", request.status == 201, request.target.contains("/blobs/uploads/") {
            uploaded(request)
        }
    }

    private func uploaded(_ request: SeenRequest) {
        let parts = request.target.split(separator: "?", maxSplits: 1)
        guard parts.count == 2, let end = parts[0].range(of: "/blobs/uploads/"), parts[0].hasPrefix("/v2/") else {
            return
        }
        let repository = String(parts[0][..<end.lowerBound].dropFirst(4))
        let digest =
            parts[1].split(separator: "&").first { $0.hasPrefix("digest=") }
            .map { $0.dropFirst(7).replacing("%3A", with: ":") } ?? ""
        guard let before = world.shipped(String(digest), to: repository) else { return }
        if !world.wasDisturbed(repository, since: before) {
            report(.nothingIsUploadedTwice, repository, "\(digest) came to \(repository) at \(Moment(before)) already")
        }
    }

    // MARK: Every so often

    /// - Throws: what the record throws.
    func look(_ record: Ledger, _ configuration: Configuration, isRunning: Bool) throws {
        let images = try record.database.read { try ImageRecord.fetchAll($0) }
        tell(images)
        checkReady(images)
        try checkWants(record, images)
        try checkWhoWants(record)
        try checkRuns(record, images, configuration, isRunning: isRunning)
        try checkStatus(record, isRunning: isRunning)
        try checkAnswers(record)
        try checkPulls(record)
    }

    /// The record knows of each pull that the registry counts, and reserves it before.
    private func checkPulls(_ record: Ledger) throws {
        let window = Duration.seconds(18_000)
        let now = world.clock.elapsed
        // By a clock that was wrong the rows say other times.
        guard world.clockRightFor > window + .seconds(3_600) else { return }
        let counted = state.withLock { state in
            state.pulls.removeAll { $0 < now - window }
            return state.pulls.count
        }
        let since = world.clock.now.addingTimeInterval(-window.seconds - 1_800).milliseconds
        let known = try record.database.read {
            try Int.fetchOne(
                $0,
                sql: "SELECT count(*) FROM pull WHERE host = 'docker.io' AND at >= ?",
                arguments: [since]
            )
        }
        if counted > known ?? 0 {
            report(
                .limitsHold,
                "docker.io",
                "Docker Hub counted \(counted) pulls in five hours, the record \(known ?? 0)"
            )
        }
    }

    /// The story of each image, as far as its row tells it.
    private func tell(_ images: [ImageRecord]) {
        for image in images {
            let line = "\(image.source) is \(image.state.rawValue)\(image.reason.map { ": " + $0 } ?? "")"
            let isNew = state.withLock { $0.standings.updateValue(line, forKey: image.id) != line }
            if isNew { world.trace.add("\(Moment(world.clock.elapsed)) record: \(line)") }
        }
    }

    private func checkReady(_ images: [ImageRecord]) {
        let now = world.clock.elapsed
        let touched = world.lastTouched
        for image in images {
            guard let place = Self.place(image.destination) else {
                if image.state == .ready {
                    report(.readyIsReady, image.source, "it is ready at `\(image.destination)`, which is no place")
                }
                continue
            }
            let touch = touched[place.repository] ?? .zero
            guard image.state == .ready else {
                let was = state.withLock { state in
                    state.claims[image.id] = nil
                    return state.whole.remove(image.id) != nil
                }
                if was, image.state == .blocked, touch < now - Self.interval - Self.slack,
                    wrong(with: image, at: place) == nil
                {
                    report(
                        .wholeStaysReady,
                        image.source,
                        "\(image.source) was ready and is whole in ECR, and is blocked: \(image.reason ?? "")"
                    )
                }
                continue
            }
            let claim = Claim(readyAt: image.readyAt, verifiedAt: image.verifiedAt, digest: image.ecrDigest)
            let since = state.withLock { state -> Duration in
                if let known = state.claims[image.id], known.claim == claim { return known.since }
                state.claims[image.id] = (claim, now)
                return now
            }
            // Made before somebody touched the repository, the claim was true then.
            if touch > since - Self.interval - Self.slack { continue }
            if let wrong = wrong(with: image, at: place) {
                report(.readyIsReady, image.source, "\(image.source) is said to be ready, but \(wrong)")
            } else {
                checkOrigin(of: image, at: place)
                state.withLock { _ = $0.whole.insert(image.id) }
            }
        }
    }

    /// What is wrong with an image's clone; nil: nothing.
    func wrong(with image: ImageRecord, at place: SimulatedWorld.Place) -> String? {
        guard let holding = world.sandbox.holding(place.repository, place.tag) else {
            return "\(image.destination) is not in ECR"
        }
        if !holding.isActive { return "\(image.destination) is archived" }
        guard holding.platformDigest != nil else { return "\(image.destination) has no linux/amd64" }
        if !holding.missing.isEmpty { return "\(image.destination) lacks \(holding.missing.count) blobs" }
        if let recorded = image.ecrDigest, recorded != holding.digest, image.route != "pullThrough",
            image.route != "present"
        {
            // A pull-through repository follows upstream by itself; the record learns of it at its next look.
            return "ECR holds \(holding.digest.prefix(19)), not \(recorded.prefix(19))"
        }
        let isReadable = world.sandbox.policy(of: place.repository)?.contains("omics.amazonaws.com") == true
        if image.access == .accessible, !isReadable { return "HealthOmics may not read \(place.repository)" }
        return nil
    }

    private func checkOrigin(of image: ImageRecord, at place: SimulatedWorld.Place) {
        let builds = world.builds(of: image.source)
        // Another image that somebody put there stays, by `clone.onTagMove`, and is said.
        guard !builds.isEmpty, image.movedDigest == nil, image.reason?.contains(" holds ") != true,
            let holding = world.sandbox.holding(place.repository, place.tag)
        else { return }
        let held = [holding.digest, holding.platformDigest]
        if !builds.contains(where: {
            held.contains($0.digest) || ($0.platformDigest.map { held.contains($0) } ?? false)
        }) {
            report(.theRightImage, image.source, "\(image.destination) holds \(holding.digest.prefix(19))")
        }
    }

    /// The repository and tag of an ECR URI.
    static func place(_ uri: String) -> SimulatedWorld.Place? {
        guard let slash = uri.firstIndex(of: "/"), uri.contains(".dkr.ecr.") else { return nil }
        let name = uri[uri.index(after: slash)...]
        guard let colon = name.lastIndex(of: ":") else { return nil }
        return SimulatedWorld.Place(repository: String(name[..<colon]), tag: String(name[name.index(after: colon)...]))
    }

    private func checkWants(_ record: Ledger, _ images: [ImageRecord]) throws {
        let wanted = try record.database.read {
            try Int64.fetchSet($0, sql: "SELECT DISTINCT imageID FROM demand WHERE endedAt IS NULL")
        }
        let now = world.clock.elapsed
        for image in images {
            let isUnderWay = [.pending, .retrying, .cloning].contains(image.state)
            guard isUnderWay, !wanted.contains(image.id) else {
                state.withLock { $0.unwanted[image.id] = nil }
                continue
            }
            let since = state.withLock { state in
                let since = state.unwanted[image.id] ?? now
                state.unwanted[image.id] = since
                return since
            }
            if now - since > .seconds(3_600) {
                report(
                    .nothingForNobody,
                    image.source,
                    "nobody has wanted \(image.source) since \(Moment(since)), and it is \(image.state.rawValue)"
                )
            }
        }
    }

    /// Whoever is gone wants nothing: runs that ended in the world, and people who have their answer.
    private func checkWhoWants(_ record: Ledger) throws {
        let hour = Duration.seconds(3_600)
        guard let calm = world.calmFor, calm > hour else { return }
        let now = world.clock.elapsed
        let ended = world.endedRuns(before: now - hour)
        let subjects = try record.database.read {
            try String.fetchAll($0, sql: "SELECT subject FROM demand WHERE kind = 'run' AND endedAt IS NULL")
        }
        for subject in subjects {
            guard let name = ended[String(subject.prefix { $0 != "@" })] else { continue }
            report(.nothingForNobody, name, "run \(name) ended long ago, and its images are wanted for it still")
        }
        let asked = try record.database.read {
            try String.fetchAll(
                $0,
                sql: """
                    SELECT request.image FROM demand JOIN request ON request.id = CAST(demand.subject AS INTEGER)
                    JOIN image ON image.id = demand.imageID
                    WHERE demand.kind = 'clone' AND demand.endedAt IS NULL AND request.state = 'done'
                    AND image.state IN ('ready', 'blocked') AND MAX(request.endedAt, COALESCE(image.attemptedAt, 0)) < ?
                    """,
                arguments: [world.clock.now.addingTimeInterval(-hour.seconds).milliseconds]
            )
        }
        if let image = asked.first {
            report(.nothingForNobody, image, "who asked for \(image) has the answer, and it is wanted still")
        }
    }

    // MARK: A quiet hour

    func quietBegins() { state.withLock { $0.quiet = [:] } }

    func quietEnds(after span: Duration) {
        let calls = state.withLock { state in
            defer { state.quiet = nil }
            return state.quiet ?? [:]
        }
        let total = calls.values.reduce(0, +)
        if Double(total) > 1_500 * span.seconds / 3_600 {
            report(
                .quietHoursAreQuiet,
                "daemon",
                "\(total) requests in a quiet hour: \(calls.sorted { $0.key < $1.key })"
            )
        }
        if let pulls = calls["BatchGetImage"], pulls > 0 {
            report(.looksAreNoPulls, "daemon", "\(pulls) calls of BatchGetImage in a quiet hour")
        }
    }

    func ended(_ troubles: [String]) {
        for trouble in troubles { report(.itGoesOn, "daemon", trouble) }
    }
}
