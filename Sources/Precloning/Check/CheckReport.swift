/// What `preclone check` found out, a line for each thing that preclone needs.
package struct CheckReport: Codable, Sendable, Hashable {
    /// How one thing stands.
    package enum Mark: String, Codable, Sendable {
        case good
        /// preclone works, and something is missing.
        case warning
        /// preclone cannot work so.
        case bad
        /// It could not be found out, and without it preclone cannot work.
        case unknown
        /// It could not be found out, or does not matter now.
        case note
    }

    package enum Verdict: String, Codable, Sendable { case works, cannotWork, couldNotTell }

    package struct Line: Codable, Sendable, Hashable {
        /// `identity`, `HealthOmics`, `docker.io` …
        package var part: String
        package var mark: Mark
        package var text: String
        /// What a person can do.
        package var mend: String?

        package init(_ part: String, _ mark: Mark, _ text: String, mend: String? = nil) {
            self.part = part
            self.mark = mark
            self.text = text
            self.mend = mend
        }
    }

    package struct Permission: Codable, Sendable, Hashable {
        package var action: String
        /// `permitted`, `denied` or `notChecked`.
        package var verdict: String
        package var isNeeded: Bool
        /// What does not work without it, or why it was not checked.
        package var detail: String?
    }

    package var schemaVersion = 1
    package var verdict = Verdict.works
    package var lines: [Line] = []
    package var permissions: [Permission] = []
    package var account: String?
    package var region: String?
    package var identity: String?

    package init() {}

    /// Adds a line; the verdict is that of the worst.
    package mutating func add(_ line: Line) {
        lines.append(line)
        switch line.mark {
        case .bad: verdict = .cannotWork
        case .unknown where verdict == .works: verdict = .couldNotTell
        case .unknown, .good, .warning, .note: break
        }
    }

    /// One line, the first: what is so, and the first thing that is in the way.
    package var headline: String {
        switch verdict {
        case .works:
            let lacks = lines.filter { $0.mark == .warning }.count
            return lacks == 0 ? "preclone can work" : "preclone can work, with less: see the lines marked !"
        case .cannotWork: return "preclone cannot work: \(worst(.bad))"
        case .couldNotTell: return "whether preclone can work could not be told: \(worst(.unknown))"
        }
    }

    private func worst(_ mark: Mark) -> String {
        let those = lines.filter { $0.mark == mark }
        let more = those.count > 1 ? ", and \(those.count - 1) more" : ""
        return those.first.map { "\($0.part): \($0.text)\(more)" } ?? ""
    }

    /// Adds what may be done with a service, on one line.
    ///
    /// - Parameter findings: of this service alone.
    package mutating func add(_ part: String, _ findings: [PermissionCheck.Finding]) {
        permissions += findings.map(Permission.init)
        guard !findings.isEmpty else { return }
        let denied = findings.filter { $0.verdict == .denied }
        let needed = denied.filter(\.isNeeded)
        let open = findings.compactMap { finding -> (finding: PermissionCheck.Finding, reason: String)? in
            if case .notChecked(let reason) = finding.verdict { (finding, reason) } else { nil }
        }
        if !needed.isEmpty {
            add(Line(part, .bad, "not permitted: \(Self.list(needed))", mend: Self.policyMend))
        } else if let first = open.first(where: \.finding.isNeeded) {
            add(Line(part, .unknown, "\(first.finding.action): \(first.reason)", mend: Self.openMend))
        } else if !denied.isEmpty {
            add(Line(part, .warning, "not permitted: \(Self.list(denied))", mend: Self.policyMend))
        } else if let first = open.first {
            let permitted = findings.count - open.count
            let all = permitted == 0 ? "" : "\(permitted) permitted; "
            add(Line(part, .note, "\(all)\(open.count) not checked: \(first.reason)"))
        } else {
            add(Line(part, .good, "all \(findings.count) permissions"))
        }
    }

    private static let policyMend =
        "give its role the policy in config/iam-policy.json (/usr/share/preclone/iam-policy.json)"
    private static let openMend = "see that the service can be reached from here, and run it again"

    /// "omics:ListRuns (no run is noticed), …", what is lost told once.
    private static func list(_ findings: [PermissionCheck.Finding]) -> String {
        var order: [String] = []
        var actions: [String: [String]] = [:]
        for finding in findings {
            if actions[finding.without] == nil { order.append(finding.without) }
            actions[finding.without, default: []].append(finding.action)
        }
        return order.map { "\((actions[$0] ?? []).joined(separator: ", ")) (without: \($0))" }.joined(separator: "; ")
    }
}

extension CheckReport.Permission {
    init(_ finding: PermissionCheck.Finding) {
        action = finding.action
        isNeeded = finding.isNeeded
        switch finding.verdict {
        case .permitted: (verdict, detail) = ("permitted", nil)
        case .denied: (verdict, detail) = ("denied", finding.without)
        case .notChecked(let reason): (verdict, detail) = ("notChecked", reason)
        }
    }
}
