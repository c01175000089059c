import Foundation
import GRDB
import Model
import Precloning
import Record
import Remotes
import Sandbox
import Synchronization

/// A promise that was broken.
package struct Violation: Error, Sendable, Hashable, CustomStringConvertible {
    /// The promise's number in `Invariant`.
    package var invariant: Invariant
    package var at: Duration
    /// What was seen.
    package var detail: String
    /// The image or run it is about, by which its story is found.
    package var subject: String

    package var description: String {
        "\(Moment(at)): broken: \(invariant.words)\n  \(detail)"
    }
}

/// What users may rely on, each in words they would agree with.
package enum Invariant: String, Sendable, Hashable, CaseIterable {
    case readyIsReady
    case everyNeedHasAStanding
    case everythingGetsReady
    case limitsHold
    case nothingIsUploadedTwice
    case auditIsTheWorlds
    case deniedIsNeverAsked
    case recordSurvives
    case statusTellsTheTruth
    case answersAreNew
    case quietHoursAreQuiet
    case itGoesOn

    package var words: String {
        switch self {
        case .readyIsReady:
            "`ready` means: in ECR, whole, with the digest that is recorded and was upstream's, readable by HealthOmics"
        case .everyNeedHasAStanding:
            "what a live run needs is ready, on its way with a time, or blocked with a reason and a mend"
        case .everythingGetsReady: "once nothing goes wrong any more, all that can be ready is ready within the bound"
        case .limitsHold: "no registry gets more requests or counted pulls than its limits, in any window"
        case .nothingIsUploadedTwice: "no blob is uploaded twice to one repository while nothing goes wrong"
        case .auditIsTheWorlds: "the audit has a row for each change that was made in AWS, and no other"
        case .deniedIsNeverAsked: "nothing is asked of a registry that policy denies"
        case .recordSurvives: "after every crash the record is whole, its views answer, and no request is lost"
        case .statusTellsTheTruth: "what `status` says of a run is what the run would meet"
        case .answersAreNew: "an answer is of the time after the question"
        case .quietHoursAreQuiet: "calls in a quiet hour stay within a few list pages"
        case .itGoesOn: "the daemon never ends, hangs or spins by itself"
        }
    }
}

/// Looks at the daemon's record and at the world, and says where they disagree.
final class Inspector: Sendable {
    private struct Claim: Sendable, Hashable {
        var readyAt: Int64?
        var verifiedAt: Int64?
        var digest: String?
    }

    private struct State {
        /// When each image was first seen with what its row says.
        var claims: [Int64: (claim: Claim, since: Duration)] = [:]
        /// When requests were sent to each registry.
        var sent: [String: [Duration]] = [:]
        /// When Docker Hub counted a pull.
        var pulls: [Duration] = []
        var repositoriesMade = 0
        var found: [Violation] = []
        var requests = 0
    }

    private let state = Mutex(State())
    private let world: SimulatedWorld
    private let denied: String?

    /// How often it looks.
    static let interval = Duration.seconds(600)
    /// A look that was under way when the world changed still tells of the world before.
    private static let slack = Duration.seconds(180)

    init(world: SimulatedWorld, denied: String?) {
        self.world = world
        self.denied = denied
    }

    var found: [Violation] { state.withLock { $0.found } }
    var requests: Int { state.withLock { $0.requests } }

    private func report(_ invariant: Invariant, _ subject: String, _ detail: String) {
        let violation = Violation(invariant: invariant, at: world.clock.elapsed, detail: detail, subject: subject)
        state.withLock { state in
            // The first of each kind is the story; the rest follows from it.
            guard !state.found.contains(where: { $0.invariant == invariant }) else { return }
            state.found.append(violation)
        }
        world.trace.add("\(violation)")
    }

    // MARK: As requests come

    func saw(_ request: SeenRequest) {
        state.withLock { $0.requests += 1 }
        let isAWS = request.host.hasSuffix(".amazonaws.com")
        if let denied, request.host == denied || (denied == "docker.io" && request.host == "registry-1.docker.io") {
            report(.deniedIsNeverAsked, denied, "\(request.method) \(request.host)\(request.target)")
        }
        if request.host == "registry-1.docker.io", request.method == "GET", request.target.contains("/manifests/"),
            request.status == 200 || request.status == 404
        {
            state.withLock { $0.pulls.append(request.at) }
        }
        if !isAWS, request.status == 429, request.host == "registry-1.docker.io",
            world.calmFor ?? .zero > .seconds(21_600)
        {
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
    func look(_ record: Ledger, isRunning: Bool) throws {
        let images = try record.database.read { try ImageRecord.fetchAll($0) }
        try checkReady(images)
        try checkRuns(record, images, isRunning: isRunning)
    }

    private func checkReady(_ images: [ImageRecord]) throws {
        let now = world.clock.elapsed
        let touched = world.lastTouched
        for image in images {
            guard image.state == .ready else {
                state.withLock { _ = $0.claims.removeValue(forKey: image.id) }
                continue
            }
            let claim = Claim(readyAt: image.readyAt, verifiedAt: image.verifiedAt, digest: image.ecrDigest)
            let since = state.withLock { state -> Duration in
                if let known = state.claims[image.id], known.claim == claim { return known.since }
                state.claims[image.id] = (claim, now)
                return now
            }
            guard let place = Self.place(image.destination) else {
                report(
                    .readyIsReady,
                    image.source,
                    "\(image.source) is ready at `\(image.destination)`, which is no place"
                )
                continue
            }
            // Made before somebody touched the repository, the claim was true then.
            let madeAtEarliest = since - Self.interval - Self.slack
            if let touch = touched[place.repository], touch > madeAtEarliest { continue }
            if let wrong = wrong(with: image, at: place) {
                report(.readyIsReady, image.source, "\(image.source) is said to be ready, but \(wrong)")
            }
        }
    }

    private func wrong(with image: ImageRecord, at place: SimulatedWorld.Place) -> String? {
        guard let holding = world.sandbox.holding(place.repository, place.tag) else {
            return "\(image.destination) is not in ECR"
        }
        if !holding.isActive { return "\(image.destination) is archived" }
        guard let platform = holding.platformDigest else { return "\(image.destination) has no linux/amd64" }
        if !holding.missing.isEmpty { return "\(image.destination) lacks \(holding.missing.count) blobs" }
        if let recorded = image.ecrDigest, recorded != holding.digest {
            // A pull-through repository follows upstream by itself; the record learns of it at its next look.
            if image.route != "pullThrough" && image.route != "present" {
                return "ECR holds \(holding.digest.prefix(19)), not \(recorded.prefix(19))"
            }
        }
        if image.access == .accessible,
            world.sandbox.policy(of: place.repository)?.contains("omics.amazonaws.com") != true
        {
            return "HealthOmics may not read \(place.repository)"
        }
        let builds = world.builds(of: image.source)
        if !builds.isEmpty,
            !builds.contains(where: {
                [$0.digest, $0.platformDigest].contains(platform) || $0.digest == holding.digest
            })
        {
            return "\(holding.digest.prefix(19)) never was \(image.source) upstream"
        }
        return nil
    }

    /// The repository and tag of an ECR URI.
    static func place(_ uri: String) -> SimulatedWorld.Place? {
        guard let slash = uri.firstIndex(of: "/"), uri.contains(".dkr.ecr.") else { return nil }
        let name = uri[uri.index(after: slash)...]
        guard let colon = name.lastIndex(of: ":") else { return nil }
        return SimulatedWorld.Place(repository: String(name[..<colon]), tag: String(name[name.index(after: colon)...]))
    }

    private func checkRuns(_ record: Ledger, _ images: [ImageRecord], isRunning: Bool) throws {
        // Long enough for a poll that failed and its pauses.
        guard isRunning, let calm = world.calmFor, calm > .seconds(3_600) else { return }
        let now = world.clock.elapsed
        let byID = Dictionary(uniqueKeysWithValues: images.map { ($0.id, $0) })
        for (name, run) in world.liveRuns where now - run.startedAt > .seconds(1_800) {
            for id in run.ids {
                let known = try record.database.read {
                    try Row.fetchOne(
                        $0,
                        sql: "SELECT key, surveyedAt, trouble, endedAt FROM run WHERE id = ? ORDER BY createdAt DESC",
                        arguments: [id]
                    )
                }
                guard let known else {
                    report(
                        .everyNeedHasAStanding,
                        name,
                        "run \(name) (\(id)) is not known after \(now - run.startedAt)"
                    )
                    continue
                }
                if known["endedAt"] as Int64? != nil {
                    report(.everyNeedHasAStanding, name, "run \(name) (\(id)) is live, and the record says it ended")
                    continue
                }
                let wanted = try record.database.read {
                    try Int64.fetchAll(
                        $0,
                        sql: "SELECT imageID FROM demand WHERE kind = 'run' AND subject = ? AND endedAt IS NULL",
                        arguments: [known["key"] as String]
                    )
                }.compactMap { byID[$0] }
                for need in run.images { check(need, of: name, among: wanted) }
            }
        }
    }

    private func check(_ need: SimulatedWorld.Need, of run: String, among wanted: [ImageRecord]) {
        let rows = wanted.filter { $0.source == need.reference }
        guard !rows.isEmpty else {
            return report(.everyNeedHasAStanding, run, "run \(run) needs \(need.reference), and nothing is said of it")
        }
        for row in rows {
            switch row.state {
            case .ready, .cloning: break
            case .pending, .retrying:
                if row.dueAt == nil {
                    report(.everyNeedHasAStanding, run, "\(row.source) is \(row.state.rawValue) without a time")
                }
            case .blocked:
                if (row.reason ?? "").isEmpty || (row.mend ?? "").isEmpty {
                    report(.everyNeedHasAStanding, run, "\(row.source) is blocked without a reason and a mend")
                }
            }
        }
    }

    // MARK: At the end, when nothing has gone wrong for long

    /// - Throws: what the record throws.
    func finish(_ record: Ledger, bound: Duration) throws {
        let images = try record.database.read { try ImageRecord.fetchAll($0) }
        for (name, run) in world.liveRuns {
            for need in run.images where world.canBeReady(need.reference) {
                guard let place = need.place, denied.map({ !need.reference.hasPrefix("\($0)/") }) ?? true else {
                    continue
                }
                let row = images.first { $0.source == need.reference && Self.place($0.destination) == place }
                if row?.state != .ready {
                    let what =
                        row.map { "\($0.state.rawValue): \($0.reason ?? "no reason")" } ?? "not known"
                    report(
                        .everythingGetsReady,
                        need.reference,
                        "run \(name) needs \(need.reference); after \(bound) of calm it is \(what)"
                    )
                } else if let row, let wrong = wrong(with: row, at: place) {
                    report(.readyIsReady, need.reference, "\(need.reference) is said to be ready, but \(wrong)")
                }
            }
        }
        for asked in world.asked {
            guard let request = try record.request(id: asked.request) else {
                report(.recordSurvives, asked.image, "request \(asked.request) for \(asked.image) is gone")
                continue
            }
            if request.state != "done" {
                report(
                    .answersAreNew,
                    asked.image,
                    "request \(asked.request) for \(asked.image) has no answer after \(bound) of calm"
                )
            }
        }
    }

    /// What a crash left.
    ///
    /// - Throws: what the record throws.
    func checkRecord(_ record: Ledger) throws {
        let verdict = try record.database.read { try String.fetchAll($0, sql: "PRAGMA integrity_check") }
        if verdict != ["ok"] { report(.recordSurvives, "record", "integrity_check: \(verdict.prefix(3))") }
        for view in ["images", "digests", "attempts", "demands", "runs", "events", "audit"] {
            _ = try record.database.read { try Row.fetchOne($0, sql: "SELECT * FROM \(view)") }
        }
        let kept = try record.database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM request") ?? 0 }
        let asked = world.asked.count
        if kept < asked { report(.recordSurvives, "record", "\(asked) requests were made, \(kept) are left") }
    }

    func ended(_ troubles: [String]) {
        for trouble in troubles { report(.itGoesOn, "daemon", trouble) }
    }
}
