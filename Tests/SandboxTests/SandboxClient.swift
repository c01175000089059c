import Foundation
import NIOCore
import NIOHTTP1
import Remotes
import Sandbox
import TestSupport

/// An answer, read whole.
struct Answer {
    var status: Int
    var headers: [String: String]
    var body: Data

    var json: SandboxJSON { (try? SandboxJSON(json: body)) ?? .null }
}

/// Plain HTTP to the sandbox, following no redirects.
struct SandboxClient {
    let sandbox: Sandbox
    private let transport: LiveTransport

    /// Runs `body` with a sandbox and a client to it.
    static func withClient<Result: Sendable>(
        _ configuration: SandboxConfiguration = SandboxConfiguration(),
        _ body: @Sendable (SandboxClient) async throws -> Result
    ) async throws -> Result {
        try await withSandbox(configuration) { sandbox in
            let client = SandboxClient(sandbox: sandbox, transport: try LiveTransport())
            do {
                let result = try await body(client)
                try await client.transport.shutdown()
                return result
            } catch {
                try await client.transport.shutdown()
                throw error
            }
        }
    }

    func send(
        _ method: String,
        _ url: String,
        headers: [String: String] = [:],
        body: Data? = nil
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .init(rawValue: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        let response = try await transport.send(request, patience: Patience(idle: .seconds(20)))
        var fields: [String: String] = [:]
        for (name, value) in response.headers { fields[name.lowercased()] = value }
        var data = Data()
        for try await buffer in response.body { data.append(contentsOf: buffer.readableBytesView) }
        return Answer(status: Int(response.status.code), headers: fields, body: data)
    }

    /// A request to the ECR registry with a fresh password.
    func registry(
        _ method: String,
        _ path: String,
        headers: [String: String] = [:],
        body: Data? = nil
    ) async throws -> Answer {
        var headers = headers
        headers["Authorization"] = "Basic " + (try password())
        let url = path.hasPrefix("http") ? path : sandbox.addresses.ecr + path
        return try await send(method, url, headers: headers, body: body)
    }

    /// The `authorizationToken` of GetAuthorizationToken.
    func password() throws -> String {
        let answer = try sandbox.ecr("GetAuthorizationToken", [:])
        return answer["authorizationData"]?.array?.first?["authorizationToken"]?.string ?? ""
    }

    /// A request to an upstream registry, with a token from its token endpoint.
    func upstream(
        _ method: String,
        _ host: String,
        _ path: String,
        headers: [String: String] = [:]
    ) async throws -> Answer {
        let base = sandbox.addresses.registries[host] ?? ""
        let first = try await send(method, base + path, headers: headers)
        guard first.status == 401, let challenge = first.headers["www-authenticate"] else { return first }
        let fields = challenge.dropFirst(7).split(separator: ",").map { $0.split(separator: "=", maxSplits: 1) }
        var values: [String: String] = [:]
        for field in fields where field.count == 2 {
            values[String(field[0])] = field[1].trimmingCharacters(in: ["\""])
        }
        let scope = values["scope"].map { "&scope=\($0)" } ?? ""
        let token = try await send("GET", "\(values["realm"] ?? "")?service=\(values["service"] ?? "")\(scope)")
        var headers = headers
        headers["Authorization"] = "Bearer " + (token.json["token"]?.string ?? "")
        return try await send(method, base + path, headers: headers)
    }
}

/// A program of others, run to its end.
enum OtherProgram {
    struct Outcome {
        var status: Int32
        var output: String
    }

    /// The top of the project's tree.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func isThere(_ path: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: URL(filePath: path, relativeTo: root).path(percentEncoded: false))
    }

    static func run(_ path: String, _ arguments: [String], environment: [String: String] = [:]) async throws -> Outcome
    {
        let process = Process()
        let file = FileManager.default.temporaryDirectory.appending(path: "preclone-test-\(UUID().uuidString)")
        try Data().write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let handle = try FileHandle(forWritingTo: file)
        process.executableURL = URL(filePath: path, relativeTo: root)
        process.currentDirectoryURL = root
        process.arguments = arguments
        // Nothing of the user's own settings: no profile, no proxy, no credentials.
        process.environment = [
            "PATH": "/usr/bin:/bin", "HOME": FileManager.default.temporaryDirectory.path(), "LANG": "C.UTF-8",
            "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        ].merging(environment) { _, own in own }
        process.standardOutput = handle
        process.standardError = handle
        process.standardInput = FileHandle.nullDevice
        let status = try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Int32, any Error>) in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
        try handle.close()
        return Outcome(status: status, output: String(decoding: try Data(contentsOf: file), as: UTF8.self))
    }
}
