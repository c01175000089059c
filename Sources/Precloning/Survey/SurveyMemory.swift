package import Foundation
package import Model

/// What surveys remember from one to the next. The record keeps it; a survey never writes what it found there itself.
package protocol SurveyMemory: Sendable {
    func version(workflowID: String, name: String) throws -> VersionRow?
    func learnedSources(workflowID: String, name: String) throws -> [String]

    func definition(_ key: String, program: String) throws -> (file: String?, trouble: String?)?
    func storeDefinition(_ key: String, file: String?, bytes: Int?, trouble: String?, program: String, now: Date) throws
    func definitionsToDrop(keepingBytes keep: Int64) throws -> [(key: String, file: String)]

    func inspections(definition: String, engine: String, main: String, profiles: String) throws
        -> [(id: Int64, relevant: String, parameters: String)]
    func inspection(_ id: Int64) throws -> InspectionRow?
    func storeInspection(
        definition: String,
        engine: String,
        main: String,
        profiles: String,
        parameters: String,
        relevant: String,
        result: String,
        now: Date
    ) throws -> Int64
}
