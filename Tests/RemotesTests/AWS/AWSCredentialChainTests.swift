import Foundation
import NIOHTTP1
import Remotes
import TestSupport
import Testing

@Suite("CredentialChain")
struct AWSCredentialChainTests {
    static let role = """
        <R><Credentials><AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
        <SessionToken>t</SessionToken><Expiration>2026-09-21T15:13:20Z</Expiration></Credentials></R>
        """

    static func chain(
        _ transport: ScriptedTransport,
        environment: [String: String] = [:],
        config: String = "",
        credentials: String = "",
        profile: String? = nil,
        files: [String: String] = [:],
        clock: ManualClock = ManualClock()
    ) -> CredentialChain {
        CredentialChain(
            environment: environment,
            profiles: AWSProfiles(config: config, credentials: credentials),
            profile: profile,
            settings: AWSSettings(region: "eu-west-1"),
            readFile: { files[$0].map { Data($0.utf8) } },
            transport: transport,
            runProcess: { words in
                Data(
                    #"{"Version":1,"AccessKeyId":"\#(words.joined(separator: "|").replacing(" ", with: "_"))","SecretAccessKey":"s"}"#
                        .utf8
                )
            },
            timeline: AWSClientTests.timeline(clock)
        )
    }

    @Test("the environment goes before the profile, except before one named by argument")
    func order() async throws {
        let environment = ["AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s"]
        let credentials = "[default]\naws_access_key_id = A\naws_secret_access_key = s\n"
        let none = ScriptedTransport([])
        let first = try await Self.chain(none, environment: environment, credentials: credentials).credentials()
        #expect(first?.accessKeyID == "ENV")
        let second = try await Self.chain(
            none,
            environment: environment,
            credentials: credentials,
            profile: "default"
        ).credentials()
        #expect(second?.accessKeyID == "A")
        #expect(none.sent.isEmpty)
    }

    @Test("a profile's role is assumed with its source's keys, in the Region")
    func assumeRole() async throws {
        let config = """
            [profile app]
            role_arn = arn:aws:iam::111122223333:role/app
            source_profile = base
            external_id = x
            """
        let keys = "[base]\naws_access_key_id = BASE\naws_secret_access_key = s\n"
        let transport = ScriptedTransport([.answer(200, [], Self.role)])
        let chain = Self.chain(transport, config: config, credentials: keys, profile: "app")
        let found = try await chain.credentials()
        #expect(found?.accessKeyID == "ROLE")
        #expect(found?.provider == "profile app, role of profile base")
        #expect(transport.sent.first?.url == "https://sts.eu-west-1.amazonaws.com/")
        #expect(transport.sent.first?.headers.first(name: "Authorization")?.contains("Credential=BASE/") == true)
    }

    @Test("profiles that lead in a circle, or nowhere, are named")
    func brokenProfiles() async {
        let circle = "[profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r\nsource_profile=a\n"
        let error = await #expect(throws: AWSError.self) {
            try await Self.chain(ScriptedTransport([]), config: circle, profile: "a").credentials()
        }
        #expect(error?.message.contains("a → b → a") == true)
        let nowhere = "[profile a]\nrole_arn=r\nsource_profile=gone\n"
        let other = await #expect(throws: AWSError.self) {
            try await Self.chain(ScriptedTransport([]), config: nowhere, profile: "a").credentials()
        }
        #expect(other?.message.contains("gone") == true)
    }

    @Test("a web identity is exchanged unsigned, with the token as it stands in the file")
    func webIdentity() async throws {
        let transport = ScriptedTransport([.answer(200, [], Self.role)])
        let chain = Self.chain(
            transport,
            environment: ["AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"],
            files: ["/t": "token\n"]
        )
        #expect(try await chain.credentials()?.provider == "web identity")
        #expect(transport.sent.first?.headers.contains(name: "Authorization") == false)
    }

    @Test("a process is given its words, quotes kept together")
    func process() async throws {
        let config = "[default]\ncredential_process = /bin/keys --for \"my account\" a\\ b\n"
        let found = try await Self.chain(ScriptedTransport([]), config: config).credentials()
        #expect(found?.accessKeyID == "/bin/keys|--for|my_account|a_b")
    }

    @Test("a profile's name may have blanks and stand in quotes; variables that are empty name none")
    func profileNames() async throws {
        let config = """
            [profile "my lab"]
            aws_access_key_id = LAB
            aws_secret_access_key = s
            [profile other]
            aws_access_key_id = OTHER
            aws_secret_access_key = s
            """
        func key(_ environment: [String: String], profile: String? = nil) async throws -> String? {
            try await Self.chain(
                ScriptedTransport([]),
                environment: environment,
                config: config,
                profile: profile
            ).credentials()?.accessKeyID
        }
        #expect(try await key([:], profile: "my lab") == "LAB")
        #expect(try await key(["AWS_PROFILE": "", "AWS_DEFAULT_PROFILE": "other"]) == "OTHER")
    }

    @Test("instance metadata is asked by version 2, with its token")
    func instance() async throws {
        let document = #"{"AccessKeyId":"EC2","SecretAccessKey":"s","Token":"t","Expiration":"2026-09-21T20:00:00Z"}"#
        let transport = ScriptedTransport([
            .answer(200, [], "tok"), .answer(200, [], "role\n"), .answer(200, [], document),
        ])
        #expect(try await Self.chain(transport).credentials()?.accessKeyID == "EC2")
        #expect(transport.sent.map(\.method) == ["PUT", "GET", "GET"])
        #expect(transport.sent.last?.headers.first(name: "x-aws-ec2-metadata-token") == "tok")
        // Off EC2 nothing answers, and there are simply none.
        #expect(try await Self.chain(ScriptedTransport([.failure(.connect)])).credentials() == nil)
        // Version 1 is never used.
        let old = ScriptedTransport([.answer(404, [], "")])
        await #expect(throws: AWSError.self) { try await Self.chain(old).credentials() }
        #expect(old.sent.count == 1)
    }

    @Test("a container endpoint on a foreign host is refused before anything is sent")
    func foreignContainer() async {
        let transport = ScriptedTransport([])
        for url in ["http://example.com/creds", "http://127.0.0.1.example.com/", "http://127.evil/"] {
            await #expect(throws: AWSError.self) {
                try await Self.chain(transport, environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": url]).credentials()
            }
        }
        #expect(transport.sent.isEmpty)
    }

    @Test("refreshed ahead; a failed refresh keeps the old ones until they end, and rests in between")
    func refreshAhead() async throws {
        let clock = ManualClock()
        let failing = Array(
            repeating: ScriptedTransport.Step.answer(403, [], "<E><Code>AccessDenied</Code></E>"),
            count: 2
        )
        let transport = ScriptedTransport([.answer(200, [], Self.role)] + failing)
        let chain = Self.chain(
            transport,
            environment: ["AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"],
            files: ["/t": "token"],
            clock: clock
        )
        _ = try await chain.credentials()
        clock.advance(by: .seconds(2600))
        _ = try await chain.credentials()
        #expect(transport.sent.count == 1)
        clock.advance(by: .seconds(200))
        #expect(try await chain.credentials()?.accessKeyID == "ROLE")
        #expect(try await chain.credentials()?.accessKeyID == "ROLE")
        #expect(transport.sent.count == 2)
        clock.advance(by: .seconds(900))
        await #expect(throws: AWSError.self) { try await chain.credentials() }
        #expect(transport.sent.count == 3)
    }
}
