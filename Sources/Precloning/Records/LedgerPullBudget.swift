import Foundation
import Logging
package import Model
package import Names
package import Record
package import Remotes

/// The pull quotas of registries, kept in the record: reserved before a manifest is asked for, committed when it was
/// counted, released when it was not.
package struct LedgerPullBudget: PullBudget {
    private let ledger: Ledger
    private let timeline: Timeline
    private let quota: @Sendable (String) -> PullQuota?
    private let credential: @Sendable (String) -> String

    /// - Parameters:
    ///   - quota: as configured for a host, by its canonical name.
    ///   - credential: a name for who asks a host, since registries count per account; empty for anonymous.
    package init(
        ledger: Ledger,
        timeline: Timeline,
        quota: @escaping @Sendable (String) -> PullQuota?,
        credential: @escaping @Sendable (String) -> String = { _ in "" }
    ) {
        self.ledger = ledger
        self.timeline = timeline
        self.quota = quota
        self.credential = credential
    }

    package func reserve(registry: String) async throws -> PullReservation {
        let now = timeline.now()
        let answer = try ledger.reservePull(
            host: registry,
            credential: credential(registry),
            quota: quota(registry),
            urgency: PullUrgency.current,
            now: now
        )
        switch answer {
        case .reserved(let pull): return pull
        case .later(let until):
            var error = RegistryError(
                .quotaExhausted,
                host: registry,
                retryAfter: .milliseconds(Int64((until.timeIntervalSince(now) * 1000).rounded(.up))),
                detail: "too few pulls are left of its quota"
            )
            error.isHeldBack = true
            throw error
        }
    }

    package func commit(_ reservation: PullReservation) async {
        keep { try ledger.commit(reservation) }
    }

    package func lose(_ reservation: PullReservation) async {
        keep { try ledger.lose(reservation, now: timeline.now()) }
    }

    package func release(_ reservation: PullReservation) async {
        keep { try ledger.release(reservation) }
    }

    package func exhaust(_ reservation: PullReservation, retryAfter: Duration?) async {
        let registry = reservation.registry
        keep {
            try ledger.exhaust(
                reservation,
                credential: credential(registry),
                quota: quota(registry),
                retryAfter: retryAfter,
                now: timeline.now()
            )
        }
    }

    /// A reservation that could not be settled goes on counting, which is the careful side.
    private func keep(_ body: () throws -> Void) {
        do {
            try body()
        } catch {
            Logger.current.warning("A pull could not be settled in the record", metadata: ["error": "\(error)"])
        }
    }
}
