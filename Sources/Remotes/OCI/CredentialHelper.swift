import Foundation
import Synchronization

/// Runs docker's credential helpers: a program `docker-credential-NAME` that is given a server's name on standard input
/// and answers in JSON on standard output. No shell is involved, and nothing secret is on a command line.
package struct CredentialHelper: Sendable {
    private let searchPath: [String]
    private let timeline: Timeline
    private let timeout: Duration

    package init(
        searchPath: String? = ProcessInfo.processInfo.environment["PATH"],
        timeline: Timeline = .system,
        timeout: Duration = .seconds(30)
    ) {
        self.searchPath = (searchPath ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map(String.init)
        self.timeline = timeline
        self.timeout = timeout
    }

    /// Asks a helper; nil when it has nothing for the server.
    ///
    /// - Throws: `RegistryError` when the helper is missing, fails or answers nonsense.
    package func credential(helper: String, server: String, registry: String) async throws -> RegistryCredential? {
        func fail(_ detail: String) -> RegistryError {
            RegistryError(
                .noCredentials,
                host: registry,
                detail: "the credential helper \(helper.prefix(80)) \(detail)"
            )
        }
        guard !helper.isEmpty, helper.utf8.count <= 100,
            helper.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x2f })
        else { throw fail("has no usable name") }
        let program = "docker-credential-\(helper)"
        guard
            let path = searchPath.lazy.map({ $0 + "/" + program })
                .first(where: { $0.hasPrefix("/") && FileManager.default.isExecutableFile(atPath: $0) })
        else { throw fail("is not on PATH: \(program)") }

        let (status, output) = try await run(path, input: server + "\n", fail: fail)
        struct Answer: Decodable {
            var user: String?
            var secret: String?
            enum CodingKeys: String, CodingKey {
                case user = "Username"
                case secret = "Secret"
            }
        }
        guard status == 0 else {
            let text = String(decoding: output.prefix(200), as: UTF8.self)
            if text.lowercased().contains("not found") { return nil }
            throw fail("ended with \(status)")
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: output), let user = answer.user,
            let secret = answer.secret
        else { throw fail("did not answer with Username and Secret") }
        if secret.isEmpty { return nil }
        return user == "<token>" ? .identityToken(secret) : .basic(user: user, password: secret)
    }

    private func run(
        _ path: String,
        input: String,
        fail: (String) -> RegistryError
    ) async throws -> (Int32, Data) {
        let child = HelperProcess()
        let ended: (status: Int32, output: Data)? = await withTaskGroup(of: (Int32, Data)?.self) { group in
            group.addTask { await child.answer(path, input: input) }
            group.addTask {
                try? await timeline.sleep(timeout)
                // The answer's task ends when the program does, so the group never waits for a program that hangs.
                child.kill()
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        try Task.checkCancellation()
        if child.couldNotStart { throw fail("cannot be started") }
        guard let ended else { throw fail("did not answer within \(timeout)") }
        return ended
    }
}

/// One run of a program, on a thread of its own: Foundation's pipes and waits block.
private final class HelperProcess: Sendable {
    private struct State {
        var identifier: Int32?
        var isKilled = false
        var couldNotStart = false
        var isOver = false
    }

    private let state = Mutex(State())

    var couldNotStart: Bool { state.withLock { $0.couldNotStart } }

    func answer(_ path: String, input: String) async -> (Int32, Data)? {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: self.run(path, input)) }
        }
    }

    private func run(_ path: String, _ input: String) -> (Int32, Data)? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["get"]
        let inlet = Pipe()
        let outlet = Pipe()
        process.standardInput = inlet
        process.standardOutput = outlet
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            state.withLock { $0.couldNotStart = true }
            return nil
        }
        let isKilled = state.withLock { state in
            state.identifier = process.processIdentifier
            return state.isKilled
        }
        if isKilled { kill() }
        try? inlet.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try? inlet.fileHandleForWriting.close()
        var output = Data()
        while true {
            let piece = outlet.fileHandleForReading.availableData
            if piece.isEmpty { break }
            if output.count < 1 << 20 { output += piece }
        }
        process.waitUntilExit()
        let wasKilled = state.withLock { state in
            state.isOver = true
            return state.isKilled
        }
        return wasKilled ? nil : (process.terminationStatus, output)
    }

    /// Ends the program, if it runs or as soon as it does.
    func kill() {
        state.withLock { state in
            guard !state.isOver else { return }
            state.isKilled = true
            if let identifier = state.identifier { _ = endProcess(identifier, SIGKILL) }
        }
    }
}

/// `kill(2)` by a name that a method of the same name does not hide.
private func endProcess(_ identifier: Int32, _ signal: Int32) -> Int32 { kill(identifier, signal) }

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif
