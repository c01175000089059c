import Configuring
import Definitions
import Foundation
import Model
import Testing

@testable import Precloning

@Suite("Messages of the control socket")
struct ControlMessageTests {
    private func fault(_ line: String) -> ControlFault? {
        do {
            _ = try ControlRequest(line: Array(line.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test("a request survives its own line")
    func roundTrip() throws {
        let request = ControlRequest(
            verb: .clone,
            arguments: ["images": .array([.string("a\n\u{1B}\"b")]), "n": .number("1"), "no": .null],
            agent: "nightly",
            program: "claude 1"
        )
        #expect(!request.line.contains("\n"))
        #expect(try ControlRequest(line: Array(request.line.utf8)) == request)
    }

    @Test(
        "what is wrong is named, with the place",
        arguments: [
            ("", "version"), ("x", "line"), ("[]", "line"), ("{}", "version"),
            (#"{"version": 2, "verb": "clone"}"#, "version"),
            (#"{"version": "1", "verb": "clone"}"#, "version"), (#"{"version": 1}"#, "verb"),
            (#"{"version": 1, "verb": 7}"#, "verb"),
            (#"{"version": 1, "verb": "clone", "arguments": []}"#, "arguments"),
            (#"{"version": 1, "verb": "clone", "agent": 7}"#, "agent"),
            (#"{"version": 1, "verb": "clone", "program": 7}"#, "program"),
            (#"{"version": 1, "verb": "clone", "user": "root"}"#, "user"),
            (#"{"version": 1, "verb": "clone", "userName": "root", "userID": 0}"#, "userID"),
        ]
    )
    func wrong(line: String, place: String) throws {
        let fault = try #require(self.fault(line))
        #expect(fault.place == place)
        #expect(fault.mend?.isEmpty == false)
    }

    @Test("what a program says of itself is printable and short")
    func program() throws {
        let long = String(repeating: "x", count: 500)
        let line = #"{"version": 1, "verb": "hello", "program": "a\u001b[31m\n\#(long)"}"#
        let said = try #require(try ControlRequest(line: Array(line.utf8)).program)
        #expect(said.count <= 100 && !said.unicodeScalars.contains { $0.value < 0x20 })
        #expect(Caller.program("n", "1.0") == "n 1.0")
        #expect(Caller.program("", nil) == nil)
    }

    @Test("a caller is read as it is written, and nothing else")
    func callers() {
        for text in ["daemon", "user ann", "agent nightly of user ann"] { #expect(Caller(text)?.description == text) }
        for text in [
            "", "user", "user ", "ann", "user a b", "agent x of user ", "agent a b of user c", "agent * of user a",
        ] {
            #expect(Caller(text) == nil, "\(text)")
        }
        #expect(Caller("user daemon") != .daemon)
    }

    @Test("answers survive their own line, faults with all they say")
    func answers() throws {
        let fault = ControlFault("what\nhappened", at: "there", mend: "do this", kind: .denied)
        for answer in [ControlAnswer.result(.object(["a": .number("1")])), .fault(fault)] {
            #expect(try ControlAnswer(line: Array(answer.line.utf8)) == answer)
        }
        #expect(throws: ControlFault.self) { try ControlAnswer(line: Array("{}".utf8)) }
    }

    @Test("lines are cut wherever the pieces are, and a long one is passed over")
    func lines() {
        let text = Array("one\n\n  \ntwo three\nlonglonglonglong\nfour\nrest".utf8)
        for size in 1...text.count {
            var splitter = LineSplitter(limit: 9)
            var found: [LineSplitter.Line] = []
            for start in stride(from: 0, to: text.count, by: size) {
                found += splitter.lines(text[start..<min(start + size, text.count)])
            }
            #expect(
                found == [
                    .line(Array("one".utf8)), .line(Array("two three".utf8)), .tooLong, .line(Array("four".utf8)),
                ]
            )
            #expect(splitter.remainder == Array("rest".utf8))
        }
    }
}

@Suite("Who somebody is")
struct CallerTests {
    private func policy(_ agents: [(String, [String])]) throws -> Configuration.Policy {
        var policy = Configuration.defaults.policy
        policy.agents = try agents.map { name, users in
            Configuration.Policy.Agent(
                name: try #require(Glob(name)),
                users: try users.map { try #require(Glob($0)) },
                tools: [try #require(Glob("Get*"))]
            )
        }
        return policy
    }

    @Test("a user speaks for an agent only where policy says so")
    func agents() throws {
        let ann = Caller(userID: 1001, userName: "ann")
        #expect(Configuration.defaults.policy.identity(of: ann, agent: "nightly").description == "user ann")
        let policy = try policy([("nightly", ["ann"]), ("ci-*", ["build"])])
        #expect(policy.identity(of: ann, agent: nil).description == "user ann")
        #expect(policy.identity(of: ann, agent: "nightly").description == "agent nightly of user ann")
        #expect(policy.identity(of: ann, agent: "ci-7").description == "user ann")
        let bob = Caller(userID: 1002, userName: "bob")
        #expect(policy.identity(of: bob, agent: "nightly").description == "user bob")
        let agent = policy.identity(of: ann, agent: "nightly")
        #expect(policy.lets(agent, call: "GetPrecloneStatus"))
        #expect(!policy.lets(agent, call: "CloneContainerToECR"))
        #expect(policy.lets(ann, call: "CloneContainerToECR"))
    }

    @Test("no name of an agent is taken for somebody else's")
    func claims() {
        var claims = [
            "", " ", "a b", "root of user root", "x\n", "nightly of user ann", "user root", "agent:x", "é", "\u{0}",
        ]
        // A letter of another alphabet that looks the same, marks of direction, and everything that is no plain name.
        claims += [
            "nightlу", "\u{202E}yltgin", "night\u{200B}ly", String(repeating: "a", count: 65), "a/b", "a\\b", "a'b",
            "a\"b",
        ]
        for byte in 0..<UInt8(0x80) where Character(Unicode.Scalar(byte)).isLetter == false {
            let scalar = Character(Unicode.Scalar(byte))
            if !scalar.isNumber, !"-_.".contains(scalar) { claims.append("x\(scalar)y") }
        }
        #expect(claims.count > 75)
        for claim in claims { #expect(!Caller.isAgentName(claim), "\(claim.debugDescription)") }
        for name in ["nightly", "ci-7", "a.b_C"] { #expect(Caller.isAgentName(name)) }
    }
}

@Suite("Arguments by name")
struct NamedArgumentTests {
    @Test("what is not expected is refused and named")
    func strangers() throws {
        let fault = #expect(throws: ControlFault.self) {
            try NamedArguments(["image": .string("a"), "imaeg": .string("b")], known: ["image"])
        }
        #expect(fault?.place == "imaeg")
        #expect(fault?.mend?.contains("image") == true)
    }

    @Test("each is of its type, and within its bounds")
    func types() throws {
        let arguments = try NamedArguments(
            [
                "text": .string("a"), "flag": .bool(true), "number": .number("5.0"), "half": .number("5.5"),
                "list": .array([.string("a"), .number("1")]), "null": .null,
            ],
            known: ["text", "flag", "number", "half", "list", "null"]
        )
        #expect(try arguments.string("text") == "a")
        #expect(try arguments.string("null") == nil)
        #expect(try arguments.bool("flag", default: false))
        #expect(try arguments.integer("number", default: 1, in: 1...10) == 5)
        #expect(try arguments.integer("null", default: 7, in: 1...10) == 7)
        #expect(throws: ControlFault.self) { try arguments.integer("number", default: 1, in: 1...4) }
        #expect(throws: ControlFault.self) { try arguments.integer("half", default: 1, in: 1...10) }
        #expect(throws: ControlFault.self) { try arguments.string("flag") }
        #expect(throws: ControlFault.self) { try arguments.bool("text", default: true) }
        #expect(throws: ControlFault.self) { try arguments.string("text", longest: 0) }
        let fault = #expect(throws: ControlFault.self) { try arguments.strings("list", most: 5) }
        #expect(fault?.place == "list[1]")
        #expect(throws: ControlFault.self) { try arguments.strings("list", most: 1) }
    }
}
