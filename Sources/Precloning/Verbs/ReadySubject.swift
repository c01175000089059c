package import Definitions
import Model
import Names

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

    func needs(of reading: SubjectReading, isRegistered: Bool) async throws -> ReadyNeeds {
        let choices = settings.choices
        let rules = try await account.placement(template: choices.template, clonesUnmapped: false)
        return ReadyNeeds(reading, isRegistered: isRegistered, rules: rules, certainties: choices.certainties)
    }
}
