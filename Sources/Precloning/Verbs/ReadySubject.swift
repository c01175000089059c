package import Definitions
import Foundation
package import Model
import Names
import Remotes

/// What the gate is asked about.
package enum ReadySubject: Sendable {
    /// A run that HealthOmics knows, live or not.
    case run(String)
    /// A workflow that nobody has started yet, with the parameters and profiles that its run will have.
    case workflow(WorkflowName, parameters: [String: ParameterValue], profiles: [String])
    /// A definition that is not registered yet; its map, where it has one.
    case definition(SubjectReading)
    /// What a lock holds, by digest.
    case lock(ImageLock)
}

extension Works {
    /// What ECR holds, by its API.
    package var look: any ECRLook { cloner.view }

    /// What the gate's subject will need.
    ///
    /// - Throws: `LedgerError` where there is no such run, or the lock is another account's; `UnreadDefinition` and `DefinitionError` where the definition cannot
    ///   be read; `AWSError` while the services do not answer.
    package func needs(of subject: ReadySubject) async throws -> ReadyNeeds {
        switch subject {
        case .run(let id): return try await surveyor.needs(ofRun: id, settings.choices)
        case .workflow(let name, let parameters, let profiles):
            let reading = try await surveyor.reading(of: name, parameters: parameters, profiles: profiles)
            return try await needs(of: reading, isRegistered: true)
        case .definition(let reading): return try await needs(of: reading, isRegistered: false)
        case .lock(let lock):
            try await mustBeOurs(lock)
            return ReadyNeeds(lock)
        }
    }

    /// `preclone ready` from its question to its answer: no longer than `wait`, or than a look alone may take.
    ///
    /// - Parameters:
    ///   - desk: brings what is missing; nil: it is only looked at.
    ///   - since: when the question came, as `Timeline.elapsed`; nil: now.
    /// - Throws: `NoAnswerInTime`; as `needs` and `ReadyVerb` do.
    package func ready(
        _ subject: ReadySubject,
        desk: (any GateDesk)?,
        wait: Duration = .zero,
        since: Duration? = nil,
        known: @escaping @Sendable (PlannedDemand) -> KnownManifests? = { _ in nil },
        told: @escaping @Sendable (ReadyAnswer) -> Void = { _ in }
    ) async throws -> ReadyAnswer {
        let start = since ?? timeline.elapsed()
        let limit = wait > .zero ? wait : ReadyVerb.patience
        let needs = try await withThrowingTaskGroup(of: ReadyNeeds.self) { group in
            group.addTask { try await self.needs(of: subject) }
            group.addTask { [timeline] in
                let left = start + limit - timeline.elapsed()
                if left > .zero { try await timeline.sleep(left) }
                throw NoAnswerInTime(limit: limit)
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
        let verb = ReadyVerb(look: look, desk: desk, timeline: timeline, known: known, told: told)
        return try await verb(needs, wait: wait, since: start)
    }

    func needs(of reading: SubjectReading, isRegistered: Bool) async throws -> ReadyNeeds {
        let choices = settings.choices
        let rules = try await account.placement(template: choices.template, clonesUnmapped: false)
        return ReadyNeeds(reading, isRegistered: isRegistered, rules: rules, certainties: choices.certainties)
    }
}

/// What is needed could not be found out in time.
package struct NoAnswerInTime: Error, Sendable, Hashable, CustomStringConvertible {
    package var limit: Duration

    package var description: String { "no answer within \(limit.formatted())" }
}
