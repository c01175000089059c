import Model

extension Configuration {
    /// Every key of the file, in its order: the one place where a key is described.
    static let keys = KeyTable(Configuration()) {
        Key("$schema", .text("the schema's address"), writing: nil)
            .saying("Where this schema is, for editors; the program does not look at it.")
        Key("version", .constant(1), writing: 1, missing: "the key is missing; this program reads version 1")
            .saying("The version of this format.")
        awsKeys
        networkKeys
        watchKeys
        cloneKeys
        Key("registries", \.registries, Registries.keys)
            .saying(
                "Settings for registries by host name, docker.io for Docker Hub. The entry default holds for hosts",
                "that are neither named here nor among the known ones in README; what an entry leaves out comes from",
                "the known values, then from default."
            )
        retryKeys
        Key("policy", \.policy, Policy.keys).saying("Which images may be cloned.")
        recordKeys
        Key("log", \.log, Log()) {
            Key("level", \.level, .choice).saying("The least level that is written.")
            Key("format", \.format, .choice, takesRestart: true)
                .saying("auto: the journal's own protocol under systemd, text elsewhere.")
        }
        .saying("The log.")
        metricsKeys
        notifyKeys
    }

    private static let awsKeys = Key("aws", \Self.aws, AWS()) {
        Key(
            "region",
            \.region,
            .nullable(.text("an AWS Region such as \"eu-central-1\"", "^[a-z0-9]+(-[a-z0-9]+)+-[0-9]+$")),
            takesRestart: true
        )
        .saying("The Region; null: AWS_REGION, AWS_DEFAULT_REGION, the profile, instance metadata, else an error.")
        Key("profile", \.profile, .nullable(.text("a profile's name")), takesRestart: true)
            .saying("A profile of the AWS configuration files; null: AWS_PROFILE, else the default one.")
        Key("quotaShare", \.quotaShare, .number(atMost: 1))
            .saying(
                "The share of each published API quota that we use at most; the rest is left to others in the account."
            )
        Key("callsPerSecond", \.callsPerSecond, .operations)
            .saying(
                "Calls a second of single operations, which overrule quotaShare: { \"ecr:PutImage\": 5,",
                "\"omics:ListRuns\": 0.5 }."
            )
        Key("concurrentCalls", \.concurrentCalls, .integer(1...256)).saying("Calls of one operation at one time.")
    }
    .saying("Who we are and how much of the account's API quotas we use.")

    private static let networkKeys = Key("network", \Self.network, Network()) {
        Key(
            "proxy",
            \.proxy,
            .nullable(
                .text("a proxy such as \"http://proxy.example.org:3128\"", "^http://", where: AddressText.isProxy)
            ),
            takesRestart: true
        )
        .saying("http://HOST:PORT; null: HTTPS_PROXY, HTTP_PROXY and NO_PROXY.")
        Key("caFile", \.caFile, .nullable(.absolutePath()), takesRestart: true)
            .saying("PEM certificates trusted beside the system's; an absolute path.")
        Key("trustedHosts", \.trustedHosts, .list(of: .glob()))
            .saying(
                "Host names, or patterns of them, that may resolve to private addresses: a registry inside your",
                "network."
            )
        Key(
            "trustedNetworks",
            \.trustedNetworks,
            .list(of: .text("a network such as \"10.0.0.0/8\" or \"fd00::/8\"", where: AddressText.isNetwork))
        )
        .saying("Private networks in CIDR notation that may be connected to.")
    }
    .saying("How the outside is reached.")

    private static let watchKeys = Key("watch", \Self.watch, Watch()) {
        Key("pollInterval", \.pollInterval, .duration(.seconds(1), .days(1)))
            .saying(
                "Between two looks at the live runs. Ten times longer, at most 10 min, while events are healthy: the",
                "queue answers, and in the last hour no poll found a run first."
            )
        Key("workflowInterval", \.workflowInterval, .duration(.seconds(1), .days(1)))
            .saying("Between two looks at the list of workflows.")
        Key("runSweepInterval", \.runSweepInterval, .duration(.seconds(1), .days(7)))
            .saying("Between two full lists of runs, finished ones too.")
        Key("versionCallsPerMinute", \.versionCallsPerMinute, .integer(1...6000))
            .saying("Calls a minute for the rolling look at workflow versions.")
        Key("verifyCallsPerMinute", \.verifyCallsPerMinute, .integer(1...6000))
            .saying("Calls a minute for looking again at images that are ready.")
        Key("tasksPerRun", \.tasksPerRun, .integer(0...10_000))
            .saying("Tasks of a finished run whose images are compared with the prediction.")
        Key("workflows", \.workflows, Watch.Workflows()) {
            Key("include", \.include, .list(of: .glob())).saying(
                "Patterns over a workflow's name or id; * is any text."
            )
            Key("exclude", \.exclude, .list(of: .glob()))
                .saying(
                    "Patterns that take workflows out again. Nothing is cloned ahead for an excluded workflow, nor for",
                    "a new version of it; a run of it that is live gets its images all the same, since it cannot go on",
                    "without them."
                )
            Key("usedWithin", \.usedWithin, .duration(.hours(1), .years(10)))
                .saying(
                    "Images are cloned ahead for workflows with a run in this time, or created after the first start."
                )
        }
        .saying("Which workflows count.")
        Key("events", \.events, Watch.Events()) {
            Key(
                "queueUrl",
                \.queueUrl,
                .nullable(.text("the https URL of an SQS queue", "^https?://", where: AddressText.isEndpoint))
            )
            .saying("URL of the SQS queue; null: polling alone.")
        }
        .saying(
            "Events from EventBridge, so that a run is known within a second; config/events.cfn.yaml makes the queue.",
            "Polling goes on as the safety net."
        )
    }
    .saying("How new work is noticed.")

    private static let retryKeys = Key("retry", \Self.retry, Retry()) {
        Key("request", \.request, Retry.Request(), check: { ordered($0.base, $0.ceiling, $1) }) {
            Key("base", \.base, .duration(.milliseconds(1), .seconds(60))).saying("The first wait, at most.")
            Key("ceiling", \.ceiling, .duration(.milliseconds(1), .seconds(600))).saying("The longest wait.")
            Key("attempts", \.attempts, .integer(1...20)).saying("Attempts, the first counted.")
            Key("maxRetryAfter", \.maxRetryAfter, .duration(.zero, .hours(1)))
                .saying(
                    "When a server asks for a longer wait, the image waits in the record and the worker goes on with",
                    "another."
                )
        }
        .saying("Within one request.")
        Key("image", \.image, Retry.Image(), check: { ordered($0.base, $0.ceiling, $1) }) {
            Key("base", \.base, .duration(.milliseconds(10), .hours(1))).saying("The first wait, at most.")
            Key("ceiling", \.ceiling, .duration(.milliseconds(10), .days(7))).saying("The longest wait.")
            Key("attempts", \.attempts, .integer(1...1000))
                .saying("Attempts; then the image is blocked. Failures of the host do not count.")
            Key("total", \.total, .duration(.seconds(1), .years(1))).saying("Time in all; then the image is blocked.")
        }
        .saying("Of an image, kept in the record.")
    }
    .saying("The two levels of trying again; both wait a random part of an exponentially growing time.")

    /// Complains when the first wait could be longer than the longest.
    private static func ordered(_ base: Duration, _ ceiling: Duration, _ said: Said) {
        guard base > ceiling else { return }
        let (low, high) = (DurationText.format(base), DurationText.format(ceiling))
        if said["base"] == nil {
            said.complain("ceiling", "\(high) is shorter than base, \(low); raise one or lower the other")
        } else {
            said.complain("base", "\(low) is longer than ceiling, \(high); lower one or raise the other")
        }
    }

    private static let recordKeys = Key("record", \Self.record, Record()) {
        Key("path", \.path, .absolutePath(), takesRestart: true).saying("The SQLite file.")
        Key("keepAttempts", \.keepAttempts, .duration(.days(1), .years(10))).saying("How long attempts are kept.")
        Key("keepEvents", \.keepEvents, .duration(.days(1), .years(10))).saying("How long events are kept.")
        Key("keepAudit", \.keepAudit, .duration(.days(1), .years(10)))
            .saying("How long audit rows are kept; younger ones can't be deleted.")
    }
    .saying("The record of everything seen and done.")

    private static let metricsKeys = Key("metrics", \Self.metrics, Metrics()) {
        Key(
            "listen",
            \.listen,
            .nullable(
                .text("an address such as \"127.0.0.1:9464\" or \"[::1]:9464\"") { AddressText.hostAndPort($0) != nil }
            ),
            takesRestart: true
        )
        .saying("HOST:PORT for GET /metrics; null: off. Keep it on loopback, there is no authentication.")
        Key(
            "textFile",
            \.textFile,
            .nullable(.absolutePath("an absolute path ending in .prom", "^/.*\\.prom$")),
            takesRestart: true
        )
        .saying("A .prom file for node_exporter's textfile collector, written every 15 s; null: off.")
    }
    .saying("Figures for Prometheus.")
}

extension ValueKind where Value == [String: Double] {
    /// Rates of single operations, named as in logs and in the policy of IAM.
    fileprivate static var operations: ValueKind {
        let services = ["ecr", "events", "iam", "omics", "secretsmanager", "sns", "sqs", "sts"]
        let name: Pattern = "^(\(services.joined(separator: "|"))):[A-Z][A-Za-z0-9]*$"
        let expected = "expected SERVICE:Operation such as \"ecr:PutImage\"; the services are "
        return .map(of: .number(atMost: 10_000), ["propertyNames": ["pattern": .string(name.text)]]) {
            name.isFound(in: $0) ? nil : expected + services.joined(separator: ", ")
        }
    }
}
