import Definitions
import Foundation
import Model
import Precloning
import Sandbox
import Testing

/// The daemon's control socket, by real processes.
@Suite("The control socket, end to end")
struct ControlSocketTests {
    private static let setpriv = URL(filePath: "/usr/bin/setpriv")

    private static let canBeAnother =
        getuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")
        && (try? BuiltProgram.run(["--version"]))?.code == 0
        && FileManager.default.isReadableFile(atPath: BuiltProgram.executable.path)

    private func untilItWorks(_ world: RunningSandbox) async throws {
        try await world.until("the daemon") {
            try !world.rows("SELECT 1 FROM daemon WHERE lastPollAt IS NOT NULL").isEmpty
                && FileManager.default.fileExists(atPath: ControlSocket.path(record: world.record))
        }
    }

    /// Runs `preclone` as user `nobody`, with a group.
    private func asNobody(_ world: RunningSandbox, group: Int, _ arguments: [String]) async throws
        -> BuiltProgram.Answer
    {
        let program = try RunningProgram(
            ["--reuid=65534", "--regid=\(group)", "--clear-groups", BuiltProgram.executable.path] + arguments
                + ["--config", world.config],
            program: Self.setpriv,
            environment: world.sandbox.addresses.environment
        )
        return await program.end()
    }

    @Test(
        "a member of the group asks the daemon and cannot write the record; who asked is the kernel's word",
        .enabled(if: canBeAnother, "needs root, to be another user")
    )
    func member() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0")
            try FileManager.default.createDirectory(
                at: URL(filePath: world.record).deletingLastPathComponent(),
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o2750]
            )
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: world.folder.path)
            try await world.withDaemon { _ in
                try await untilItWorks(world)
                // Root's group is the record's here, as `preclone` is the service's.
                let answer = try await asNobody(world, group: 0, ["clone", "quay.io/org/tool:1.0"])
                #expect(answer.code == 0, "\(answer.standardError)")
                #expect(
                    try world.rows("SELECT DISTINCT userID, userName FROM request") == [
                        ["userID": "65534", "userName": "nobody"]
                    ]
                )
                let callers = try world.rows("SELECT DISTINCT caller FROM audit WHERE action = 'imagePushed'")
                #expect(callers == [["caller": "user nobody"]])
                let retried = try await asNobody(world, group: 0, ["retry", "--all"])
                #expect(retried.code == 0, "\(retried.standardError)")
                let stranger = try await asNobody(world, group: 65534, ["clone", "quay.io/org/tool:1.0"])
                #expect(stranger.code == 1)
                #expect(stranger.standardError.contains("group `preclone`"), "\(stranger.standardError)")
            }
            // Without the daemon a member can do nothing to the record.
            let alone = try await asNobody(world, group: 0, ["clone", "quay.io/org/tool:1.0"])
            #expect(alone.code != 0)
            #expect(alone.standardError.contains("systemctl start preclone"), "\(alone.standardError)")
            #expect(try world.rows("SELECT count(*) AS n FROM request") == [["n": "1"]])
        }
    }

    @Test("what is no request is answered with what, where and the mend, and the connection goes on")
    func badLines() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0")
            try await world.withDaemon { daemon in
                try await untilItWorks(world)
                let path = ControlSocket.path(record: world.record)
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                #expect(attributes[.posixPermissions] as? Int == 0o660)
                let socket = try UnixSocket(path: path)
                let long =
                    #"{"version": 1, "verb": ""# + String(repeating: "x", count: ControlSocket.longestLine) + "\"}"
                let lines = [
                    "nonsense", "{}", #"{"version": 1, "verb": "burn"}"#, #"{"version": 1, "verb": "clone"}"#,
                    #"{"version": 1, "verb": "clone", "arguments": {"images": ["a", 7]}}"#,
                    #"{"version": 1, "verb": "clone", "arguments": {"images": ["a"], "userName": "root"}}"#,
                    #"{"version": 1, "verb": "clone", "arguments": {"images": ["a", "b"], "targetTag": "t"}}"#,
                    #"{"version": 1, "verb": "retry", "arguments": {}}"#,
                    #"{"version": 1, "verb": "call", "arguments": {"tool": "Nothing"}}"#, long,
                ]
                for line in lines {
                    let answer = try socket.ask(line)
                    let error = try ParameterValue(json: Array(answer.utf8))["error"]
                    #expect(error?["what"]?.string?.isEmpty == false, "\(line.prefix(80)): \(answer)")
                    #expect(error?["mend"]?.string?.isEmpty == false, "\(line.prefix(80)): \(answer)")
                }
                let hello = try ParameterValue(json: Array(try socket.ask(#"{"version": 1, "verb": "hello"}"#).utf8))
                #expect(hello["result"]?["region"]?.string == "us-east-1")
                #expect(hello["result"]?["caller"]?.string?.hasPrefix("user ") == true)
                #expect(try world.rows("SELECT * FROM request").isEmpty)
                #expect(daemon.isRunning)
            }
            #expect(!FileManager.default.fileExists(atPath: ControlSocket.path(record: world.record)))
        }
    }

    @Test("a claim to be an agent is worth nothing where policy does not say so")
    func agents() async throws {
        let user = PeerIdentity.thisProcess.userName
        let keys: [String: SandboxJSON] = [
            "policy": ["agents": [["name": "nightly", "users": [.string(user)], "tools": ["Clone*"]]]]
        ]
        try await RunningSandbox.with(keys: keys) { world in
            try world.put("quay.io/org/tool:1.0")
            try await world.withDaemon { _ in
                try await untilItWorks(world)
                let socket = try UnixSocket(path: ControlSocket.path(record: world.record))
                func ask(_ agent: String, _ verb: String, _ arguments: String) throws -> ParameterValue {
                    let line = #"{"version": 1, "agent": "\#(agent)", "verb": "\#(verb)", "arguments": \#(arguments)}"#
                    return try ParameterValue(json: Array(try socket.ask(line).utf8))
                }
                #expect(try ask("other", "hello", "{}")["result"]?["caller"]?.string == "user \(user)")
                #expect(
                    try ask("nightly", "hello", "{}")["result"]?["caller"]?.string == "agent nightly of user \(user)"
                )
                let images = #"{"images": ["quay.io/org/tool:1.0"]}"#
                #expect(try ask("nightly", "clone", images)["result"]?["requests"]?.array?.count == 1)
                #expect(try ask("nightly", "retry", #"{"all": true}"#)["error"]?["kind"]?.string == "denied")
                try await world.until(["quay.io/org/tool:1.0": "ready"])
                let callers = try world.rows("SELECT DISTINCT caller FROM audit WHERE action = 'imagePushed'")
                #expect(callers == [["caller": "agent nightly of user \(user)"]])
            }
        }
    }

    @Test("a request is kept when the daemon is killed, and done once when it is asked again")
    func killed() async throws {
        try await RunningSandbox.with { world in
            try world.put("quay.io/org/tool:1.0")
            world.sandbox.add(Fault(.delay, operation: "GetBlob", registry: "quay.io", seconds: 30))
            let daemon = try world.start("run")
            try await untilItWorks(world)
            let path = ControlSocket.path(record: world.record)
            let line =
                #"{"version": 1, "verb": "clone", "arguments": {"images": ["quay.io/org/tool:1.0"], "key": "one"}}"#
            let first = try UnixSocket(path: path).ask(line)
            daemon.signal(SIGKILL)
            _ = await daemon.end()
            // Left by the kill, it is nobody's, and the next daemon takes its place.
            #expect(FileManager.default.fileExists(atPath: path))
            world.sandbox.clearFaults()
            try await world.withDaemon { _ in
                try await world.until("the socket") { (try? UnixSocket(path: path)) != nil }
                #expect(try UnixSocket(path: path).ask(line) == first)
                try await world.until(["quay.io/org/tool:1.0": "ready"])
                try await world.until("the answer") {
                    try world.rows("SELECT state FROM request") == [["state": "done"]]
                }
            }
            #expect(world.count("PutManifest", registry: "ecr") == 1)
        }
    }
}

/// A connection to a Unix socket, by the system's own calls.
final class UnixSocket {
    private let descriptor: Int32

    init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        try #require(name.count < MemoryLayout.size(ofValue: address.sun_path))
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
        }
        guard code == 0 else {
            close(descriptor)
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
    }

    deinit { close(descriptor) }

    /// Sends a line and waits for one.
    func ask(_ line: String) throws -> String {
        var bytes = Array((line + "\n").utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
            bytes = bytes.dropFirst(count)
        }
        var answer: [UInt8] = []
        var byte: UInt8 = 0
        while recv(descriptor, &byte, 1, 0) == 1 {
            if byte == 0x0A { return String(decoding: answer, as: UTF8.self) }
            answer.append(byte)
        }
        throw POSIXError(.ECONNRESET)
    }
}
