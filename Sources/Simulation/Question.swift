/// What a person, or an agent, asks with a command of its own, beside the daemon.
package enum Question: Sendable, Hashable {
    /// `preclone ready`, of a workflow with the image of its parameter; seconds of `--wait`, 0: none.
    case ready(workflow: String, version: String?, image: String?, wait: Int)
    case readyRun(String, wait: Int)
    case lock(workflow: String, version: String?)
    /// `preclone lock --check` of the last lock that was made of it.
    case checkLock(workflow: String, version: String?)
    case map(workflow: String, version: String?)
    case grant(repository: String)
    case createRule(registry: String, prefix: String)
    case forget(image: String)
    /// An agent asks for an image.
    case agent(String, user: String, image: String)

    var words: String {
        func label(_ workflow: String, _ version: String?) -> String { workflow + (version.map { "/" + $0 } ?? "") }
        switch self {
        case .ready(let workflow, let version, let image, let wait):
            return "somebody asks whether \(label(workflow, version))\(image.map { " with " + $0 } ?? "") is ready"
                + (wait > 0 ? ", and waits \(wait) s" : "")
        case .readyRun(let run, let wait):
            return "somebody asks whether run \(run) is ready" + (wait > 0 ? ", and waits \(wait) s" : "")
        case .lock(let workflow, let version): return "somebody locks \(label(workflow, version))"
        case .checkLock(let workflow, let version): return "somebody checks the lock of \(label(workflow, version))"
        case .map(let workflow, let version): return "somebody writes the map of \(label(workflow, version))"
        case .grant(let repository): return "somebody grants \(repository) to HealthOmics"
        case .createRule(let registry, let prefix): return "somebody makes a rule \(prefix) for \(registry)"
        case .forget(let image): return "somebody forgets \(image)"
        case .agent(let name, let user, let image): return "agent \(name) of \(user) asks for \(image)"
        }
    }
}
