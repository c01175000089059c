import ArgumentParser
import Precloning

/// How the process ends; the exit codes that scripts rely on.
enum Ending: Int32, CaseIterable {
    case done = 0
    case failed = 1
    case usage = 2
    case notRunning = 3
    case someNotReady = 4
    case temporary = 75

    /// One line of help.
    var meaning: String {
        switch self {
        case .done: "done, healthy"
        case .failed: "error"
        case .usage: "usage or configuration"
        case .notRunning: "status: the daemon is not running"
        case .someNotReady: "finished, but some images are not ready (status: degraded)"
        case .temporary: "temporary; try again"
        }
    }

    /// For `--help`, and the man page made from it.
    static var help: String {
        "Exit codes:\n" + allCases.map { "  \($0.rawValue)  \($0.meaning)" }.joined(separator: "\n")
    }

    /// For commands that have printed everything themselves.
    var code: ExitCode { ExitCode(rawValue) }
}

/// A command that could not do what was asked.
struct CommandFailure: Error, CustomStringConvertible {
    var ending: Ending
    /// What happened, with the names it happened to.
    var message: String
    /// What the operator should do; nil where there is nothing to do.
    var hint: String?

    init(_ message: String, hint: String? = nil, ending: Ending = .failed) {
        self.message = message
        self.hint = hint
        self.ending = ending
    }

    /// What the daemon refused.
    init(_ fault: ControlFault) {
        let ending: Ending =
            switch fault.kind {
            case .usage: .usage
            case .failed, .denied: .failed
            case .temporary, .unanswered: .temporary
            }
        self.init(fault.description, hint: fault.mend, ending: ending)
    }

    var description: String { hint.map { "\(message) (\($0))" } ?? message }
}
