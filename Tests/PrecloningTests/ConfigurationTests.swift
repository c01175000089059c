import Configuring
import Foundation
import Model
import Precloning
import Testing

@Suite("Configuration")
struct ConfigurationTests {
    /// What `parse` says about a document, one line for each problem.
    private func problems(_ text: String) -> [String] {
        do {
            _ = try Configuration.parse(Array(text.utf8), file: "config.json")
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    private func parse(_ text: String) throws -> Configuration {
        try Configuration.parse(Array(text.utf8), file: "config.json")
    }

    private var folder: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("config")
    }

    @Test("the shipped file says exactly the defaults")
    func shippedFile() throws {
        let file = folder.appendingPathComponent("preclone.json").path
        let shipped = try Configuration.load(path: file)
        #expect(shipped.json() == Configuration.defaults.json())
        // Its entry `default` is spelled out, so the values differ only in having been said.
        var silent = shipped
        silent.registries = Configuration.Registries()
        #expect(silent == Configuration.defaults)
        for host in ["docker.io", "quay.io", "example.org"] {
            #expect(shipped.registries.settings(for: host) == Configuration.defaults.registries.settings(for: host))
        }
    }

    @Test("version alone means the defaults")
    func minimal() throws {
        #expect(try parse(#"{"version": 1}"#) == Configuration.defaults)
    }

    @Test("what json() writes reads back as the same configuration")
    func roundTrip() throws {
        let configuration = try parse(Self.full)
        #expect(try parse(configuration.json()).json() == configuration.json())
        #expect(configuration.policy.rules.count == 3)
        #expect(configuration.policy.agents.map(\.tools) == [[.any]])
        #expect(try parse(configuration.json()).policy == configuration.policy)
        #expect(configuration.policy.rules[0].match.tag == .present)
        #expect(configuration.policy.rules[0].match.digest == .absent)
        #expect(configuration.clone.maxBytesPerDay == ByteCount(500_000_000_000))
    }

    static let full = #"""
        { "version": 1,
          "aws": { "region": "eu-central-1", "quotaShare": 0.5, "callsPerSecond": { "ecr:PutImage": 2.5 } },
          "network": { "proxy": "http://proxy.example.org:3128", "trustedHosts": ["*.corp.example"],
                       "trustedNetworks": ["10.0.0.0/8", "fd00::/8"] },
          "clone": { "maxBytesPerDay": "500GB", "platforms": ["all"] },
          "registries": {
            "registry-1.docker.io": { "quota": { "pulls": 200, "per": "6h", "keep": 20 },
                                      "credentials": { "file": "hub" } },
            "registry.corp.example:5000": { "endpoint": "http://127.0.0.1:5000", "requestsPerSecond": 0.5,
                                            "credentials": { "environment": ["USER_NAME", "PASS"] } },
            "quay.io": { "quota": null, "credentials": { "helper": "pass" } },
            "nvcr.io": { "credentials": { "secretArn": "arn:aws:secretsmanager:us-east-1:111122223333:secret:x/y" } } },
          "policy": { "default": "deny", "rules": [
            { "name": "pinned", "action": "allow", "match": { "tag": true, "digest": false, "registry": "quay.io" } },
            { "name": "small", "action": "allow", "reason": "fits", "match": { "reference": ["docker.io/library/*"] },
              "facts": { "maxSize": "20GiB", "maxLayers": 100, "minAgeDays": 3, "platform": "linux/amd64" },
              "rate": { "max": 10, "window": "60s" } },
            { "name": "latest", "action": "deny", "match": { "tag": ["latest", "dev-*"] } } ],
            "agents": [ { "name": "night-*", "users": ["ops"] } ] } }
        """#

    @Test("all problems are reported at once, in the order of the file")
    func everythingAtOnce() {
        let found = problems(
            #"""
            { "version": 1,
              "watch": { "pollIntervall": "30s", "workflowInterval": 10 },
              "clone": { "concurrency": 0, "concurrency": 4 },
              "clones": {},
              "log": { "level": "verbose" } }
            """#
        )
        #expect(
            found
                == [
                    "line 2, column 14: watch.pollIntervall: unknown key; did you mean \"pollInterval\"?",
                    "line 2, column 58: watch.workflowInterval: expected a duration such as \"30s\" from 1s to 24h, found 10",
                    "line 3, column 29: clone.concurrency: expected a whole number from 1 to 64, found 0",
                    "line 3, column 32: clone.concurrency: this key already stands in line 3; remove one of the two",
                    "line 4, column 3: clones: unknown key; did you mean \"clone\"?",
                    """
                    line 5, column 21: log.level: expected one of "trace", "debug", "info", "notice", "warning", "error", \
                    "critical", found "verbose"
                    """,
                ]
        )
    }

    @Test(
        "syntax errors name line and column",
        arguments: [
            ("", "line 1, column 1: the file is empty; it must hold at least {\"version\": 1}"),
            ("{\n  \"version\": 1,\n}", "line 3, column 1: a comma before '}' is not JSON; remove it"),
            ("{ // note\n}", "line 1, column 3: a key in double quotes should stand here, not '/'"),
            ("{\"version\": 1", "line 1, column 14: the file ends inside an object; '}' is missing"),
            ("{\"a\" 1}", "line 1, column 6: ':' should follow the key \"a\", not '1'"),
            ("[1, 2,]", "line 1, column 7: a comma before ']' is not JSON; remove it"),
            ("{\"a\": 01}", "line 1, column 9: a number must not begin with 0"),
            ("{\"é\": x}", "line 1, column 7: a value should stand here, not 'x'"),
            ("{\"a\": 'b'}", "line 1, column 7: strings stand in double quotes"),
            ("{} {}", "line 1, column 4: '{' after the end of the document"),
            (
                "{\"a\": \"b\nc\"}",
                "line 1, column 9: a line break or control character inside a string; write it as an escape (\\n)"
            ),
            ("{\"a\": \"\\ud800\"}", "line 1, column 14: half of a surrogate pair stands alone"),
            ("{\"a\": \"\\ud800\\u0041\"}", "line 1, column 20: half of a surrogate pair stands alone"),
            ("\u{FEFF}{}", "line 1, column 1: the file begins with a byte order mark; save it as plain UTF-8"),
        ]
    )
    func syntax(text: String, message: String) {
        #expect(problems(text) == [message])
    }

    @Test("a file that is not UTF-8 is refused where it stops being so")
    func encoding() {
        do {
            _ = try Configuration.parse(Array("{\n\"a".utf8) + [0xFF, 0x22], file: "c")
            Issue.record("accepted")
        } catch {
            #expect(error.description == "c: line 2, column 3: the file is not valid UTF-8 here")
        }
    }

    @Test("nesting is bounded")
    func depth() {
        let found = problems(String(repeating: "[", count: 100_000))
        #expect(found.count == 1)
        #expect(found[0].contains("nested deeper than 64 levels"))
    }

    @Test(
        "bad values name the path and what is expected",
        arguments: [
            (#""aws": {"region": "Frankfurt"}"#, "aws.region", "an AWS Region"),
            (#""aws": {"quotaShare": 1.5}"#, "aws.quotaShare", "above 0, at most 1"),
            (#""aws": {"callsPerSecond": {"PutImage": 1}}"#, "aws.callsPerSecond.PutImage", "ecr:PutImage"),
            (#""aws": {"callsPerSecond": {"ecr:PutImage": 0}}"#, #"aws.callsPerSecond["ecr:PutImage"]"#, "above 0"),
            (#""aws": {"callsPerSecond": 5}"#, "aws.callsPerSecond", "object"),
            (#""aws": []"#, "aws", "expected an object, found an array"),
            (#""network": {"proxy": "socks5://x:1"}"#, "network.proxy", "a proxy such as"),
            (#""network": {"trustedNetworks": ["10.0.0.0/33"]}"#, "network.trustedNetworks[0]", "a network such as"),
            (#""watch": {"pollInterval": "30"}"#, "watch.pollInterval", "a duration such as"),
            (#""watch": {"pollInterval": "0s"}"#, "watch.pollInterval", "from 1s to 24h"),
            (#""watch": {"events": {"queueUrl": "queue"}}"#, "watch.events.queueUrl", "URL of an SQS queue"),
            (#""clone": {"platforms": ["linux/arm64"]}"#, "clone.platforms", "HealthOmics runs nothing else"),
            (#""clone": {"platforms": ["all", "linux/amd64"]}"#, "clone.platforms", "stands alone"),
            (#""clone": {"platforms": []}"#, "clone.platforms", "name at least"),
            (#""clone": {"destination": "{repository}"}"#, "clone.destination", "two images could share"),
            (#""clone": {"destination": "{registryAlias}/{repo}"}"#, "clone.destination", "unknown placeholder"),
            (#""clone": {"destination": "Team/{registryAlias}/{repository}"}"#, "clone.destination", "ECR allows"),
            (#""clone": {"certainty": ["inactive"]}"#, "clone.certainty[0]", "\"certain\" or \"alternative\""),
            (#""clone": {"maxBytesPerDay": "500"}"#, "clone.maxBytesPerDay", "a size such as"),
            (#""clone": {"repository": {"tags": {"aws:x": "y"}}}"#, "clone.repository.tags[\"aws:x\"]", "aws:"),
            (
                #""clone": {"repository": {"mutabilityExclusions": ["a","b","c","d","e","f"]}}"#,
                "clone.repository.mutabilityExclusions", "at most 5"
            ),
            (#""registries": {"https://quay.io": {}}"#, "registries[\"https://quay.io\"]", "without https://"),
            (
                #""registries": {"quay.io": {"endpoint": "http://mirror.example"}}"#,
                "registries[\"quay.io\"].endpoint", "\"insecure\": true"
            ),
            (
                #""registries": {"docker.io": {}, "index.docker.io": {}}"#,
                "registries[\"index.docker.io\"]", "names the same registry"
            ),
            (#""registries": {"default": {"quota": {"pulls": 5}}}"#, "registries.default.quota.per", "missing"),
            (
                #""registries": {"default": {"quota": {"pulls": 5, "per": "1h", "keep": 5}}}"#,
                "registries.default.quota.keep", "leaves nothing"
            ),
            (
                #""registries": {"default": {"credentials": {"file": "a", "helper": "b"}}}"#,
                "registries.default.credentials", "one of {\"file\": NAME}"
            ),
            (
                #""registries": {"default": {"credentials": {"file": "../a"}}}"#,
                "registries.default.credentials.file", "without a folder"
            ),
            (
                #""registries": {"default": {"credentials": {"user": "a"}}}"#,
                "registries.default.credentials.user", "unknown key"
            ),
            (#""retry": {"image": {"base": "2h"}}"#, "retry.image.base", "from 10ms to 1h"),
            (#""retry": {"image": {"base": "1h", "ceiling": "30m"}}"#, "retry.image.base", "is longer than ceiling"),
            (#""policy": {"rules": [{"action": "allow"}]}"#, "policy.rules[0].name", "missing"),
            (
                #""policy": {"rules": [{"name": "a", "action": "allow"}, {"name": "a", "action": "deny"}]}"#,
                "policy.rules[1].name", "names are unique"
            ),
            (
                #""policy": {"rules": [{"name": "a", "action": "allow", "match": {"tag": ""}}]}"#,
                "policy.rules[0].match.tag", "a pattern or an array of patterns"
            ),
            (
                #""policy": {"rules": [{"name": "a", "action": "deny", "rate": {"max": 1, "window": "1s"}}]}"#,
                "policy.rules[0].rate", "only an allow rule"
            ),
            (#""policy": {"agents": [{"name": "a"}]}"#, "policy.agents[0].users", "missing"),
            (#""policy": {"agents": [{"name": "", "users": []}]}"#, "policy.agents[0].name", "an agent's name"),
            (#""record": {"path": "record.sqlite"}"#, "record.path", "an absolute path"),
            (#""metrics": {"listen": "9464"}"#, "metrics.listen", "an address such as"),
            (#""metrics": {"textFile": "/x/y"}"#, "metrics.textFile", "ending in .prom"),
        ]
    )
    func badValues(members: String, path: String, message: String) throws {
        let found = problems("{\"version\": 1, \(members)}")
        #expect(found.contains { $0.contains(": \(path): ") && $0.contains(message) }, "\(found)")
    }

    @Test("a schema may be named, and is not looked at")
    func schemaKey() throws {
        let text = #"{"$schema": "https://example.org/preclone.schema.json", "version": 1}"#
        #expect(try parse(text) == Configuration.defaults)
        #expect(try !parse(text).json().contains("schema"))
        #expect(problems(#"{"$shema": "x", "version": 1}"#).allSatisfy { $0.hasSuffix("did you mean \"$schema\"?") })
        #expect(problems(#"{"$schema": 1, "version": 1}"#).count == 1)
    }

    @Test("a secret where its place should be named is not shown")
    func secretInPlace() {
        let found = problems(#"{"version": 1, "registries": {"quay.io": {"credentials": "robot:hunter2"}}}"#)
        #expect(found.count == 1)
        #expect(
            found.allSatisfy { $0.hasSuffix(".credentials: expected an object or null, found a string") },
            "\(found)"
        )
    }

    @Test("what an empty file must at least hold is enough")
    func leastFile() throws {
        let message = try #require(problems("").first)
        let least = try #require(message.components(separatedBy: "at least ").last)
        #expect(try parse(least) == Configuration.defaults)
    }

    @Test("a missing or other version is named")
    func version() {
        #expect(problems("{}") == ["version: the key is missing; this program reads version 1"])
        #expect(problems(#"{"version": 2}"#) == ["line 1, column 13: version: expected 1, found 2"])
        #expect(problems("[]") == ["line 1, column 1: expected an object, found an array"])
    }

    @Test("a named file must be there, the default one need not")
    func missingFile() throws {
        #expect(throws: ConfigurationError.self) { try Configuration.load(path: "/nonexistent/preclone.json") }
    }
}

@Suite("Configuration.Registries")
struct RegistrySettingsTests {
    private func registries(_ members: String) throws -> Configuration.Registries {
        try Configuration.parse(Array("{\"version\": 1, \"registries\": {\(members)}}".utf8), file: "c").registries
    }

    @Test("known registries have limits of their own, under every name of Docker Hub")
    func known() {
        let registries = Configuration.Registries()
        for host in ["docker.io", "index.docker.io", "registry-1.docker.io", "DOCKER.io"] {
            #expect(registries.settings(for: host).quota == PullQuota(pulls: 100, per: .seconds(21_600), keep: 10))
        }
        #expect(registries.settings(for: "wave.seqera.io").quota?.pulls == 100)
        #expect(registries.settings(for: "europe-west1-docker.pkg.dev").requestsPerSecond == 20)
        #expect(registries.settings(for: "pkg.dev").requestsPerSecond == 5)
        #expect(registries.settings(for: "example.org") == RegistrySettings())
    }

    @Test("an entry of the host beats what is known, which beats the default entry")
    func order() throws {
        let registries = try registries(
            #""default": {"requestsPerSecond": 2, "quota": null, "bytesPerSecond": "1MB"}, "docker.io": {"quota": null}, "quay.io": {"requestsPerSecond": 9}"#
        )
        #expect(registries.settings(for: "docker.io").quota == nil)
        #expect(registries.settings(for: "docker.io").bytesPerSecond == ByteCount(1_000_000))
        #expect(registries.settings(for: "quay.io").requestsPerSecond == 9)
        #expect(registries.settings(for: "wave.seqera.io").quota != nil)
        #expect(registries.settings(for: "example.org").requestsPerSecond == 2)
    }
}

@Suite("Quantities")
struct QuantitiesTests {
    @Test(
        "durations read and write with units",
        arguments: [
            ("500ms", Duration.milliseconds(500), "500ms"), ("30s", .seconds(30), "30s"), ("60s", .seconds(60), "1m"),
            ("10m", .seconds(600), "10m"), ("24h", .seconds(86_400), "24h"), ("1d", .seconds(86_400), "24h"),
            ("3d", .seconds(259_200), "3d"), ("1h30m", .seconds(5400), "90m"), ("0s", .zero, "0s"),
        ]
    )
    func durations(text: String, duration: Duration, written: String) {
        #expect(DurationText.parse(text) == duration)
        #expect(DurationText.format(duration) == written)
    }

    @Test(
        "anything else is no duration",
        arguments: ["", "30", "s", "-1s", "1.5h", "30 s", "30S", "30m1h", "99999999999999999999s", "400000d", "1s1s"]
    )
    func badDurations(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(
        "sizes read and write with units",
        arguments: [
            ("0B", 0, "0B"), ("10MB", 10_000_000, "10MB"), ("2GiB", 2_147_483_648, "2GiB"), ("1.5KiB", 1536, "1536B"),
            ("1KB", 1000, "1kB"), ("1TB", 1_000_000_000_000, "1TB"), ("1025B", 1025, "1025B"),
        ] as [(String, Int64, String)]
    )
    func sizes(text: String, bytes: Int64, written: String) {
        #expect(ByteCount(parsing: text)?.bytes == bytes)
        #expect(ByteCount(bytes).description == written)
    }

    @Test(
        "anything else is no size",
        arguments: ["", "10", "MB", "-1MB", "10 MB", "10mb", "1.MB", ".5MB", "9999999999TiB"]
    )
    func badSizes(text: String) {
        #expect(ByteCount(parsing: text) == nil)
    }

    @Test(
        "globs cover the whole text, and * crosses /",
        arguments: [
            ("*", "", true), ("docker.io/*", "docker.io/library/ubuntu:latest", true), ("ubuntu", "ubuntu2", false),
            ("*/samtools:*", "quay.io/biocontainers/samtools:1.17", true), ("a?c", "abc", true), ("a?c", "ac", false),
            ("*a*b*c*", "xxaxxbxxcxx", true), ("*a*b*c*", "xxaxxcxxbxx", false), ("a*", "ba", false),
        ]
    )
    func globs(pattern: String, text: String, matches: Bool) throws {
        #expect(try #require(Glob(pattern)).matches(text) == matches)
    }

    @Test("an operation's own rate overrules the share of its quota")
    func callRates() {
        var aws = Configuration.defaults.aws
        #expect(aws.callsPerSecond(of: "PutImage", "ecr") == 2)
        aws.callsPerSecond["ecr:PutImage"] = 0.5
        #expect(aws.callsPerSecond(of: "PutImage", "ecr") == 0.5)
        #expect(aws.callsPerSecond(of: "ListRuns", "omics") == 2)
    }

    @Test("what a reload cannot change is named")
    func restarts() {
        let old = Configuration.defaults
        var new = old
        new.clone.concurrency = 9
        new.registries.base.requestsPerSecond = 1
        new.policy.default = .deny
        new.log.level = .debug
        new.aws.quotaShare = 0.5
        #expect(old.keysThatTakeARestart(in: new).isEmpty)
        new.aws.region = "eu-west-1"
        new.network.proxy = "http://proxy.example.org:3128"
        new.record.path = "/elsewhere"
        new.metrics.listen = "127.0.0.1:9464"
        #expect(
            old.keysThatTakeARestart(in: new) == ["aws.region", "network.proxy", "record.path", "metrics.listen"]
        )
    }

    @Test("a hostile pattern takes no exponential time")
    func hostileGlob() throws {
        let glob = try #require(Glob(String(repeating: "*a", count: 200) + "b"))
        #expect(!glob.matches(String(repeating: "a", count: 2000)))
    }
}
