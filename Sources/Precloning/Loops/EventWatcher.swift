import Foundation
import Logging
import Model
package import Record
package import Remotes

/// Receives events: one long poll of the queue after the other, each message deleted only after what it means is
/// committed to the record.
package struct EventWatcher: WorkLoop {
    package let name = "events"
    package let bell = Bell()

    /// How long a message is hidden from other receivers, in seconds; extended while work on it lasts.
    private static let hiddenFor = 60
    /// A message that could not be worked on is given up at this receive; the queue's own dead-letter limit is higher.
    private static let lastReceive = 6
    private static let longestHidden = 900

    let ledger: Ledger
    /// The queue in force; nil while none is configured.
    let queue: @Sendable () -> SQSClient?
    let actions: EventActions
    let health: EventHealth
    let timeline: Timeline
    /// The longest wait that still gives signs of life in time, in seconds.
    let longestPoll: Int
    let beat: @Sendable () -> Void
    /// Told when polling has to go at its usual pace again.
    let fellBack: @Sendable () -> Void

    package init(
        ledger: Ledger,
        queue: @escaping @Sendable () -> SQSClient?,
        actions: EventActions,
        health: EventHealth,
        timeline: Timeline,
        longestPoll: Int,
        beat: @escaping @Sendable () -> Void,
        fellBack: @escaping @Sendable () -> Void
    ) {
        self.ledger = ledger
        self.queue = queue
        self.actions = actions
        self.health = health
        self.timeline = timeline
        self.longestPoll = min(max(longestPoll, 1), 20)
        self.beat = beat
        self.fellBack = fellBack
    }

    package func pass() async throws -> Duration {
        guard let queue = queue() else {
            if health.failed() {
                try ledger.eventTrouble(nil)
                fellBack()
            }
            return .seconds(60)
        }
        let started = timeline.elapsed()
        let messages = try await receive(queue)
        beat()
        if messages.isEmpty {
            // A queue that does not wait must not turn this into a race.
            return timeline.elapsed() - started < .seconds(1) ? .seconds(1) : .zero
        }
        let worked = try await keepingHidden(messages, queue) { try await work(messages) }
        try await delete(worked.done, queue)
        guard let trouble = worked.trouble else { return .zero }
        for (message, hidden) in worked.left {
            _ = try await queue.changeVisibility([message.receiptHandle], seconds: hidden)
        }
        throw trouble
    }

    private func receive(_ queue: SQSClient) async throws -> [SQSClient.Message] {
        do {
            let messages = try await queue.receiveMessages(
                maximum: 10,
                waitSeconds: longestPoll,
                visibilitySeconds: Self.hiddenFor
            )
            health.received()
            try ledger.eventTrouble(health.silence())
            return messages
        } catch {
            guard !Task.isCancelled, !(error is CancellationError) else { throw CancellationError() }
            try ledger.eventTrouble("\(error)")
            if health.failed() { fellBack() }
            throw error
        }
    }

    // MARK: Work

    private struct Worked {
        /// Receipt handles of messages whose meaning is committed.
        var done: [String] = []
        /// Messages to be looked at again, with the seconds until then.
        var left: [(message: SQSClient.Message, hidden: Int)] = []
        var trouble: (any Error)?
    }

    private func work(_ messages: [SQSClient.Message]) async throws -> Worked {
        let known = try ledger.notedMessages(messages.map(\.messageID))
        let readings = messages.filter { !known.contains($0.messageID) }.map { ($0, EventReading($0.body)) }
        var worked = Worked(done: messages.filter { known.contains($0.messageID) }.map(\.receiptHandle))
        do {
            try await actions.prepare(readings.compactMap { if case .event(let event) = $0.1 { event } else { nil } })
        } catch {
            try Self.rethrowCancellation(error)
            // Each is asked for by itself then, and says what is wrong.
            Logger.current.info("Runs could not be listed for events", metadata: ["error": "\(error)"])
        }
        for (message, reading) in readings {
            try Task.checkCancellation()
            do {
                let entry = try await entry(of: message, reading)
                try ledger.noted([entry], now: timeline.now())
                worked.done.append(message.receiptHandle)
            } catch {
                try Self.rethrowCancellation(error)
                let hidden = min(Self.longestHidden, 30 << min((message.receiveCount ?? 1) - 1, 5))
                worked.left.append((message, hidden))
                worked.trouble = error
            }
            beat()
        }
        return worked
    }

    private func entry(of message: SQSClient.Message, _ reading: EventReading) async throws -> EventEntry {
        func poison(_ kind: String, _ subject: String?, _ why: String) -> EventEntry {
            Logger.current.warning(
                "An event cannot be used",
                metadata: ["error": "\(why)", "event.kind": "\(kind)", "event.subject": "\(subject ?? "-")"]
            )
            return EventEntry(
                kind: "poison",
                subject: subject,
                status: nil,
                outcome: why,
                messageID: message.messageID
            )
        }
        switch reading {
        case .poison(let why): return poison("?", nil, why)
        case .other(let kind, let why):
            return EventEntry(
                kind: String(kind.prefix(100)),
                subject: nil,
                status: nil,
                outcome: "dropped: \(why)",
                messageID: message.messageID
            )
        case .event(let event):
            do {
                let outcome = try await actions.apply(event)
                return EventEntry(
                    kind: event.kind,
                    subject: event.label,
                    status: event.status.isEmpty ? nil : event.status,
                    outcome: outcome,
                    messageID: message.messageID
                )
            } catch let error as AWSError where error.isFinal {
                return poison(event.kind, event.label, "\(error)")
            } catch {
                guard (message.receiveCount ?? 1) >= Self.lastReceive, !(error is CancellationError) else {
                    throw error
                }
                return poison(event.kind, event.label, "received \(Self.lastReceive) times: \(error)")
            }
        }
    }

    // MARK: Messages

    /// Runs `body` while the messages stay hidden, for as long as it takes.
    private func keepingHidden<Value: Sendable>(
        _ messages: [SQSClient.Message],
        _ queue: SQSClient,
        _ body: () async throws -> Value
    ) async throws -> Value {
        let handles = messages.map(\.receiptHandle)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while true {
                    try await timeline.sleep(.seconds(Self.hiddenFor / 2))
                    do {
                        let failed = try await queue.changeVisibility(handles, seconds: Self.hiddenFor)
                        for failure in failed.values {
                            Logger.current.info(
                                "A message may come again while it is worked on",
                                metadata: ["error": "\(failure.code ?? "?"): \(failure.message ?? "")"]
                            )
                        }
                    } catch {
                        try Self.rethrowCancellation(error)
                        Logger.current.info(
                            "Messages may come again while they are worked on",
                            metadata: ["error": "\(error)"]
                        )
                    }
                }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    /// Deletes messages, entry by entry checked. What is not deleted comes again and is known then by its id.
    private func delete(_ handles: [String], _ queue: SQSClient) async throws {
        guard !handles.isEmpty else { return }
        var failed = try await queue.deleteMessages(handles)
        let again = failed.filter { $0.value.isSenderFault != true }.map(\.key)
        if !again.isEmpty {
            for handle in again { failed[handle] = nil }
            failed.merge(try await queue.deleteMessages(again)) { $1 }
        }
        for failure in failed.values {
            Logger.current.warning(
                "A message could not be deleted and will come again",
                metadata: ["error": "\(failure.code ?? "?"): \(failure.message ?? "")"]
            )
        }
    }

    private static func rethrowCancellation(_ error: any Error) throws {
        if error is CancellationError || Task.isCancelled { throw CancellationError() }
    }
}

extension AWSError {
    /// Whether asking again cannot help, whatever changes around us.
    fileprivate var isFinal: Bool { kind == .permanent || kind == .notFound || kind == .accessDenied }
}
