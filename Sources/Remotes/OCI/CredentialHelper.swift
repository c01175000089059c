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
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["get"]
        let inlet = Pipe()
        let outlet = Pipe()
        process.standardInput = inlet
        process.standardOutput = outlet
        process.standardError = FileHandle.nullDevice
        let ended = Signal()
        let collected = Mutex(Data())
        let closed = Signal()
        outlet.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
                closed.set()
            } else {
                collected.withLock { if $0.count < 1 << 20 { $0 += data } }
            }
        }
        process.terminationHandler = { _ in ended.set() }
        do {
            try process.run()
        } catch {
            outlet.fileHandleForReading.readabilityHandler = nil
            throw fail("cannot be started")
        }
        let identifier = process.processIdentifier
        try? inlet.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try? inlet.fileHandleForWriting.close()
        let inTime = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await closed.wait()
                await ended.wait()
                return !Task.isCancelled
            }
            group.addTask {
                try? await timeline.sleep(timeout)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
        guard inTime else {
            kill(identifier, SIGKILL)
            try Task.checkCancellation()
            throw fail("did not answer within \(timeout)")
        }
        return (process.terminationStatus, collected.withLock { $0 })
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif
