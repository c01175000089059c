import ArgumentParser
import Configuring
import Foundation
import Precloning
import Remotes

/// `preclone check`: what the configuration comes to, who we are, and what we may do.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Show the configuration as resolved, who we are, and what is permitted.",
        discussion: """
            Changes nothing. Reading permissions are found by one call each; the others by IAM's policy simulation \
            where that is permitted, else they are not checked. Exit codes: 0 preclone can work; 1 it cannot; 2 the \
            configuration cannot be used.
            """
    )

    @OptionGroup var configurationFile: ConfigurationOptions

    func run() async throws {
        let configuration = try configurationFile.load()
        try Terminal.print(configuration.json(resolvingRegistries: true))
        try await Composition.with(configuration) { composition in
            let identity: STSClient.Identity
            do {
                identity = try await composition.sts.getCallerIdentity()
            } catch let error as AWSError {
                throw CommandFailure("\(error)", hint: Self.hint(error))
            }
            let provider = try await composition.credentials.credentials()?.provider ?? "-"
            try Terminal.print("")
            for (name, value) in [
                ("account", identity.account), ("identity", identity.arn), ("credentials", "from \(provider)"),
                ("region", composition.aws.region),
            ] {
                try Terminal.print(StyledText("\(name): \(value)").text)
            }
            let partition = identity.arn.split(separator: ":").dropFirst().first.map(String.init) ?? "aws"
            let findings = try await composition.permissions.findings(
                arn: identity.arn,
                repositories: "arn:\(partition):ecr:\(composition.aws.region):\(identity.account):repository/*",
                queueArn: Self.queueArn(configuration.watch.events.queueUrl, partition: partition)
            )
            try Self.show(findings)
        }
    }

    private static func show(_ findings: [PermissionCheck.Finding]) throws {
        var table = TextTable(columns: [
            .init(title: "PERMISSION"), .init(title: "VERDICT"), .init(title: "WITHOUT IT", cut: .end),
        ])
        for finding in findings {
            let verdict: StyledText =
                switch finding.verdict {
                case .permitted: StyledText("permitted", .good)
                case .denied: StyledText("denied", finding.isNeeded ? .bad : .warning)
                case .notChecked: StyledText("not checked", .dim)
                }
            let without =
                switch finding.verdict {
                case .permitted: ""
                case .denied: finding.without
                case .notChecked(let reason): reason
                }
            table.add([StyledText(finding.action), verdict, StyledText(without)])
        }
        try Terminal.print("")
        try Terminal.write(table.rendered(for: .current()))
        let missing = findings.filter { $0.isNeeded && $0.verdict == .denied }.map(\.action)
        if !missing.isEmpty {
            throw CommandFailure(
                "preclone cannot work without \(missing.joined(separator: ", "))",
                hint: "give its role the policy in config/iam-policy.json (/usr/share/preclone/iam-policy.json)"
            )
        }
    }

    private static func hint(_ error: AWSError) -> String? {
        switch error.kind {
        case .noCredentials: "give it an instance or task role, or set AWS_PROFILE or keys in /etc/preclone/environment"
        case .expiredCredentials: "renew the credentials"
        case .clockSkew: "set this machine's clock"
        default: nil
        }
    }

    /// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME` as an ARN; nil for a URL of another form.
    static func queueArn(_ url: String?, partition: String) -> String? {
        guard let url = url.flatMap(URL.init(string:)), let host = url.host() else { return nil }
        let labels = host.split(separator: ".")
        let path = url.path().split(separator: "/")
        guard path.count == 2, labels.count > 2, labels[0].hasPrefix("sqs") else { return nil }
        return "arn:\(partition):sqs:\(labels[1]):\(path[0]):\(path[1])"
    }
}
