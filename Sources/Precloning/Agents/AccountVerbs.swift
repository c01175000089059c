/// The verbs that ask the account, as tools use them: each on a record in memory, so that nothing is changed.
package struct AccountVerbs: Sendable {
    package typealias Plan = @Sendable (_ run: String?, _ workflow: String?) async throws -> [PlanLine]
    package typealias Explain =
        @Sendable (_ image: String, ReadySubject?, _ caller: String) async throws -> ExplainAnswer
    package typealias Ready = @Sendable (ReadySubject) async throws -> ReadyAnswer
    /// The map of a registered workflow, or of images as a definition names them.
    package typealias Map = @Sendable (ReadySubject?, _ images: [String]) async throws -> MapVerb.Answer

    let plan: Plan
    let explain: Explain
    let ready: Ready
    let map: Map

    package init(
        plan: @escaping Plan,
        explain: @escaping Explain,
        ready: @escaping Ready,
        map: @escaping Map
    ) {
        self.plan = plan
        self.explain = explain
        self.ready = ready
        self.map = map
    }
}
