/// A run's parameters by what they set: `Workflow.call.input`, or the same without the workflow's name as HealthOmics
/// takes it.
struct WDLParameters {
    struct Given {
        /// As the run names it.
        var key: String
        var value: ParameterValue
    }

    private var given: [String: Given] = [:]
    private let workflow: String
    /// Whether this stands for any run: an input that is not given here may be given there.
    let isAnyRun: Bool
    /// Names that an image or a condition depended on, given or not.
    private(set) var asked: Set<String> = []

    init(_ parameters: [String: ParameterValue], workflow: String) {
        self.workflow = workflow
        isAnyRun = parameters.isEmpty
        let prefix = workflow + "."
        for (key, value) in parameters where !key.hasPrefix(prefix) {
            given[key] = Given(key: key, value: value)
        }
        // The full form is the language's own: it holds where both are given.
        for (key, value) in parameters where key.hasPrefix(prefix) {
            given[String(key.dropFirst(prefix.count))] = Given(key: key, value: value)
        }
    }

    /// - Parameter key: Without the workflow's name.
    mutating func value(_ key: String) -> Given? {
        asked.insert(key)
        return given[key]
    }

    /// Both forms of every name asked for, sorted.
    var relevant: [String] { asked.flatMap { [$0, workflow + "." + $0] }.sorted() }
}
