/// What names mean that neither configuration nor script defines.
extension NextflowConfiguration {
    /// What the engine defines for configurations and scripts alike.
    func builtin(_ name: String) -> NextflowValue? {
        switch name {
        case "projectDir", "baseDir": return NextflowValue(.string(Self.projectFolder))
        case "launchDir", "workDir", "outputDir", "secrets":
            return .unknown("`\(name)` is known only when the run is under way")
        case "workflow":
            return NextflowValue(.object(NextflowObject("workflow") { [unowned self] in self.workflowMember($0) }))
        case "nextflow":
            return NextflowValue(
                .object(
                    NextflowObject("nextflow") { .unknown("`nextflow.\($0)` is known only when the run is under way") }
                )
            )
        default: return nil
        }
    }

    /// What Wave would make or take images from, in its order; nil where it is not enabled.
    var waveStrategies: [String]? {
        guard value(["wave", "enabled"])?.truth == true else { return nil }
        switch value(["wave", "strategy"])?.kind {
        case .string(let text)?: return text.split { $0 == "," || $0 == " " }.map(String.init)
        case .list(let all)?: return all.compactMap(\.string)
        default: return ["container", "dockerfile", "conda"]
        }
    }

    /// What stands for the run's choice of profiles among parameters; no parameter has such a name.
    static let profile = "workflow.profile"

    private func workflowMember(_ name: String) -> NextflowValue {
        switch name {
        case "containerEngine": NextflowValue(.string("docker"))
        case "projectDir", "baseDir": NextflowValue(.string(Self.projectFolder))
        case "profile":
            NextflowValue(
                .string(profileNames.joined(separator: ",")),
                trace: NextflowTrace(parameters: [Self.profile])
            )
        case "manifest": root["manifest"] ?? .null
        case "stubRun", "preview": NextflowValue(.bool(false))
        default: .unknown("`workflow.\(name)` is known only when the run is under way")
        }
    }

    /// `params` as code sees it.
    ///
    /// - Parameter changed: whether workflows or functions set a parameter while they run.
    static func parameters(
        _ evaluator: NextflowEvaluator,
        changed: @escaping (String) -> Bool = { _ in false },
        _ all: @escaping () -> NextflowMap
    ) -> NextflowValue {
        NextflowValue(
            .object(
                NextflowObject("params", entries: all) { name in
                    evaluator.read(name)
                    let known = all()[name]
                    if known == nil, changed(name) {
                        let reason = "parameter `\(name)` is set by a workflow while it runs"
                        return NextflowValue(.unknown([reason]), trace: NextflowTrace(parameters: [name]))
                    }
                    let found = known ?? NextflowValue(.null("parameter `\(name)` has no default"))
                    var value = found.tracing(NextflowTrace(parameters: [name]))
                    if case .null(nil) = value.kind { value.kind = .null("parameter `\(name)` is null") }
                    return value
                }
            )
        )
    }
}
