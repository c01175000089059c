package import Foundation

/// The answer of the gate before a run: whether it would find every image now.
package struct ReadyAnswer: Codable, Sendable, Hashable {
    /// Where one image stands.
    package enum State: String, Codable, Sendable {
        /// ECR holds it whole, and HealthOmics may read it.
        case ready
        /// It is not there, or not whole, and can be.
        case missing
        /// Asked for, and not there yet; `until` says when it is tried again.
        case waits
        /// It needs a person.
        case blocked
        /// It could not be found out.
        case unknown
    }

    package struct Image: Codable, Sendable, Hashable {
        /// As the definition writes it.
        package var image: String
        package var source: String
        /// Where HealthOmics will look for it; empty where nothing leads it to a place.
        package var destination: String
        package var certainty: String
        package var state: State
        package var reason: String?
        package var mend: String?
        package var until: Date?
        /// What ECR holds there, and its linux/amd64 image.
        package var digest: String?
        package var platformDigest: String?
        package var bytes: Int64?
    }

    /// A mention whose image cannot be known.
    package struct Unresolved: Codable, Sendable, Hashable {
        package var place: String
        package var expression: String
        package var missing: String
    }

    package var schemaVersion = 1
    /// `run 123`, `workflow 9/v2`, or a definition's path.
    package var subject: String
    /// When it was looked at last; the answer is of that moment.
    package var lookedAt: Date
    /// Every image that is known is ready, and what is needed is known as far as it can be.
    package var isReady: Bool
    package var ready: Int
    package var wanted: Int
    /// By name.
    package var images: [Image]
    package var unresolved: [Unresolved]
    /// Why what is needed is not known, or not whole.
    package var trouble: String?
    /// It is the definition's own: another try finds the same.
    package var isTroubleFinal = false
    package var notes: [String]

    package init(subject: String, lookedAt: Date, images: [Image]) {
        self.subject = subject
        self.lookedAt = lookedAt
        self.images = images.sorted { ($0.image, $0.destination) < ($1.image, $1.destination) }
        ready = images.count { $0.state == .ready }
        wanted = images.count
        isReady = ready == wanted
        unresolved = []
        notes = []
    }

    /// How the gate ends: the exit codes of the command.
    package enum Verdict: Sendable, Hashable {
        case ready
        /// Waiting alone does not help.
        case cannotBe
        /// It is not so yet.
        case notYet
    }

    /// - Parameter isStrict: what cannot be known counts as not ready.
    package func verdict(isStrict: Bool) -> Verdict {
        if images.contains(where: { $0.state == .blocked }) || isTroubleFinal || isStrict && !unresolved.isEmpty {
            return .cannotBe
        }
        return isReady ? .ready : .notYet
    }

    /// `19 of 19 ready`, and what else there is.
    package var sentence: String {
        var parts = ["\(ready) of \(wanted) ready"]
        for (state, words) in [
            (State.missing, "missing"), (.waits, "waiting"), (.blocked, "blocked"), (.unknown, "unknown"),
        ] {
            let count = images.count { $0.state == state }
            if count > 0 { parts.append("\(count) \(words)") }
        }
        if !unresolved.isEmpty { parts.append("\(unresolved.count) not known from the definition") }
        if trouble != nil { parts.append("what else it needs is not known") }
        return "\(subject): " + parts.joined(separator: ", ")
    }
}
