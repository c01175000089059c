import Configuring
import Definitions
import Foundation
import Precloning

/// `preclone check --policy-case FILE`.
enum PolicyCaseFile {
    /// - Throws: `CommandFailure` that ends with code 2 for a bad file; code 1 where a case is decided otherwise.
    static func check(
        _ path: String,
        _ configuration: Configuration,
        _ format: CheckCommand.Format,
        verbose: Bool
    ) throws {
        let answer = try read(path, configuration)
        switch format {
        case .json: try Terminal.print(JSONOutput.text(answer))
        case .text:
            for line in answer.cases { try Terminal.print(text(line, all: verbose || !line.isMet)) }
        }
        guard !answer.isMet else { return }
        throw Ending.failed.code
    }

    private static func read(_ path: String, _ configuration: Configuration) throws -> PolicyCases.Answer {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure("cases \(path): cannot be read", ending: .usage)
        }
        do {
            return try PolicyCases.answer(
                try ParameterValue(json: Array(data)),
                configuration.policy,
                region: configuration.aws.region,
                now: Date()
            )
        } catch let fault as ControlFault {
            throw CommandFailure("cases \(path): \(fault)", hint: fault.mend, ending: .usage)
        } catch let error as DefinitionError {
            throw CommandFailure("cases \(path): \(error.message)", ending: .usage)
        }
    }

    /// - Parameter all: with each rule.
    private static func text(_ line: PolicyCases.Line, all: Bool) -> String {
        let sign = line.isMet ? "ok" : " x"
        var lines = [
            "\(sign) \(line.name): \(line.verdict.rawValue) by \(line.rule) for \(line.caller): \(line.reason)"
        ]
        if !line.isMet {
            let rule = line.expectedRule.map { " by \($0)" } ?? ""
            lines.append("   expected: \(line.expected.rawValue)\(rule)")
        }
        if all {
            lines += (line.toolRules ?? []).map { "   tool: \(ExplainText.line(of: $0))" }
            lines += (line.imageRules ?? []).map { "   image: \(ExplainText.line(of: $0))" }
        }
        return lines.map { StyledText($0).text }.joined(separator: "\n")
    }
}
