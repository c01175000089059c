import Crypto
import Foundation
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import Remotes

/// Where a profile may get its keys from, and who fetches them.
@Suite("Sources of a profile's credentials")
struct AWSCredentialSourceTests {
    private func chain(
        _ transport: ScriptedTransport,
        environment: [String: String] = [:],
        config: String,
        files: [String: String] = [:],
        clock: ManualClock = ManualClock()
    ) -> CredentialChain {
        AWSCredentialChainTests.chain(
            transport,
            environment: environment,
            config: config,
            profile: "app",
            files: files,
            clock: clock
        )
    }

    private static let role = ScriptedTransport.Step.answer(200, [], AWSCredentialChainTests.role)

    /// Who signed the call of AssumeRole.
    private func signer(_ transport: ScriptedTransport) -> String? {
        let header = transport.sent.last?.headers.first(name: "Authorization")
        return header?.split(separator: "Credential=").last?.split(separator: "/").first.map(String.init)
    }

    @Test("credential_source takes the keys of environment, container or instance to the role")
    func credentialSource() async throws {
        func config(_ source: String) -> String {
            "[profile app]\nrole_arn = arn:aws:iam::1:role/app\ncredential_source = \(source)\n"
        }
        let own = ScriptedTransport([Self.role])
        let keys = ["AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s"]
        let first = try await chain(own, environment: keys, config: config("Environment")).credentials()
        #expect(first?.provider == "profile app, role of environment")
        #expect(signer(own) == "ENV")

        let document = #"{"AccessKeyId":"BOX","SecretAccessKey":"s","Token":"t","Expiration":"2026-09-21T20:00:00Z"}"#
        let container = ScriptedTransport([.answer(200, [], document), Self.role])
        _ = try await chain(
            container,
            environment: ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/keys"],
            config: config("EcsContainer")
        ).credentials()
        #expect(container.sent.first?.url == "http://169.254.170.2/v2/keys")
        #expect(signer(container) == "BOX")

        let instance = ScriptedTransport([
            .answer(200, [], "tok"), .answer(200, [], "role"), .answer(200, [], document), Self.role,
        ])
        _ = try await chain(instance, config: config("Ec2InstanceMetadata")).credentials()
        #expect(signer(instance) == "BOX")

        for (source, word) in [("Moon", "`Moon`"), ("Environment", "has no credentials")] {
            let error = await #expect(throws: AWSError.self) {
                try await chain(ScriptedTransport([]), config: config(source)).credentials()
            }
            #expect(error?.message.contains(word) == true, "\(String(describing: error))")
        }
    }

    @Test("a role's source may be a role itself, or a web identity of the profile")
    func chained() async throws {
        let config = """
            [profile app]
            role_arn = arn:aws:iam::1:role/app
            source_profile = middle
            duration_seconds = 1800
            [profile middle]
            role_arn = arn:aws:iam::1:role/middle
            web_identity_token_file = /token
            role_session_name = ours
            """
        let transport = ScriptedTransport([Self.role, Self.role])
        let found = try await chain(transport, config: config, files: ["/token": "web\n"]).credentials()
        #expect(found?.provider == "profile app, role of profile middle, web identity")
        #expect(transport.sent.count == 2)
        #expect(transport.sent[0].headers.contains(name: "Authorization") == false)
        #expect(signer(transport) == "ROLE")
        let long = config.replacing("1800", with: "90000")
        let error = await #expect(throws: AWSError.self) {
            try await chain(ScriptedTransport([Self.role]), config: long, files: ["/token": "web"]).credentials()
        }
        #expect(error?.message.contains("duration_seconds") == true)
    }

    @Test("a login of IAM Identity Center is read from its cache, and used while it lasts")
    func identityCenter() async throws {
        let config = """
            [profile app]
            sso_session = corp
            sso_account_id = 111122223333
            sso_role_name = Reader
            [sso-session corp]
            sso_region = eu-central-1
            sso_start_url = https://corp.awsapps.com/start
            """
        let name = Insecure.SHA1.hash(data: Data("corp".utf8)).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        let path = "/home/me/.aws/sso/cache/\(name).json"
        func login(_ end: String) -> String { #"{"accessToken":"login-token","expiresAt":"\#(end)"}"# }
        let answer =
            #"{"roleCredentials":{"accessKeyId":"SSO","secretAccessKey":"s","sessionToken":"t","expiration":1790000000000}}"#
        let transport = ScriptedTransport([.answer(200, [], answer)])
        let found = try await chain(
            transport,
            environment: ["HOME": "/home/me"],
            config: config,
            files: [path: login("2027-01-01T00:00:00Z")]
        ).credentials()
        #expect(found?.accessKeyID == "SSO")
        #expect(found?.expiration == Date(timeIntervalSince1970: 1_790_000_000))
        let sent = try #require(transport.sent.first)
        #expect(sent.url.hasPrefix("https://portal.sso.eu-central-1.amazonaws.com/federation/credentials?"))
        #expect(sent.url.contains("role_name=Reader") && sent.url.contains("account_id=111122223333"))
        #expect(sent.headers.first(name: "x-amz-sso_bearer_token") == "login-token")
        #expect(!sent.headers.contains(name: "Authorization"))

        for (files, word) in [
            ([:], "no sso login"), ([path: login("2026-01-01T00:00:00Z")], "ended at"),
        ] as [([String: String], String)] {
            let nobody = ScriptedTransport([])
            let error = await #expect(throws: AWSError.self) {
                try await chain(nobody, environment: ["HOME": "/home/me"], config: config, files: files).credentials()
            }
            #expect(error?.message.contains(word) == true)
            #expect(error?.message.contains("aws sso login --profile app") == true)
            #expect(error?.message.contains("login-token") == false)
            #expect(nobody.sent.isEmpty)
        }
    }

    @Test("a process is run without a shell; what it writes must be the document, and its failure is told without it")
    func realProcess() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func program(_ name: String, _ body: String) throws -> String {
            let file = folder.appending(path: name)
            try Data("#!/bin/sh\n\(body)\n".utf8).write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
            return file.path
        }
        let runner = CredentialProcess(searchPath: folder.path, timeline: .system, timeout: .seconds(20))
        func find(_ command: String) async throws -> AWSCredentials? {
            try await CredentialChain(
                environment: [:],
                profiles: AWSProfiles(config: "[default]\ncredential_process = \(command)\n", credentials: ""),
                profile: nil,
                readFile: { _ in nil },
                transport: ScriptedTransport([]),
                runProcess: { try await runner.run($0) },
                timeline: .system
            ).credentials()
        }
        _ = try program(
            "keys",
            #"printf '{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"s","Expiration":"2099-01-01T00:00:00Z"}' "$1""#
        )
        // The end of what a quick program writes is not to be missed, ever.
        for _ in 0..<40 { #expect(try await find("keys again")?.accessKeyID == "again") }
        // `$(id)` reaches the program as it is written.
        #expect(try await find("keys $(id)")?.accessKeyID == "$(id)")
        let failing = try program("failing", "echo geheim; echo geheim >&2; exit 3")
        let wordy = try program("wordy", "echo geheim")
        for (command, word) in [(failing, "ended with 3"), (wordy, "\"Version\": 1"), ("missing", "can be found")] {
            let error = await #expect(throws: AWSError.self) { try await find(command) }
            #expect(error.map { "\($0)" }?.contains("geheim") == false)
            #expect(error?.message.contains(word) == true, "\(String(describing: error))")
        }
    }

    /// Lets requests through when it is open.
    private final class Gate: HTTPTransport {
        private let inner: ScriptedTransport
        private let opened = Mutex(Signal())
        private let arrived = Mutex(0)

        init(_ inner: ScriptedTransport) { self.inner = inner }

        var count: Int { arrived.withLock { $0 } }

        func open() { opened.withLock { $0 }.set() }
        func close() { opened.withLock { $0 = Signal() } }

        func send(_ request: HTTPClientRequest, patience: Patience) async throws -> HTTPClientResponse {
            arrived.withLock { $0 += 1 }
            await opened.withLock { $0 }.wait()
            return try await inner.send(request, patience: patience)
        }
    }

    @Test("one caller fetches for all; while one refreshes ahead, the others go on with what they have")
    func singleFlight() async throws {
        let clock = ManualClock()
        let gate = Gate(ScriptedTransport([Self.role, Self.role]))
        let chain = CredentialChain(
            environment: ["AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"],
            profiles: AWSProfiles(config: "", credentials: ""),
            profile: nil,
            settings: AWSSettings(region: "eu-west-1"),
            readFile: { _ in Data("token".utf8) },
            transport: gate,
            timeline: AWSClientTests.timeline(clock)
        )
        try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<20 { group.addTask { try await chain.credentials()?.accessKeyID } }
            while gate.count == 0 { await Task.yield() }
            gate.open()
            for try await id in group { #expect(id == "ROLE") }
        }
        #expect(gate.count == 1)

        gate.close()
        clock.advance(by: .seconds(2800))
        try await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask { try await chain.credentials()?.accessKeyID }
            while gate.count == 1 { await Task.yield() }
            for _ in 0..<5 {
                let id = try await chain.credentials()?.accessKeyID
                #expect(id == "ROLE")
            }
            #expect(gate.count == 2)
            gate.open()
            try await group.waitForAll()
        }
        #expect(gate.count == 2)
    }
}
