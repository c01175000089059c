package import Foundation
import Synchronization

/// Runs the program that a profile's `credential_process` names: no shell, nothing on standard input, its complaints
/// left unread because they may hold secrets.
package struct CredentialProcess: Sendable {
    private static let largestOutput = 1 << 20
    private let searchPath: [String]
    private let timeline: Timeline
    private let timeout: Duration

    /// - Parameter searchPath: the value of PATH.
    package init(searchPath: String?, timeline: Timeline, timeout: Duration = .seconds(60)) {
        self.searchPath = (searchPath ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map(String.init)
        self.timeline = timeline
        self.timeout = timeout
    }

    /// What the program wrote to standard output.
    ///
    /// - Throws: `AWSError` when it is missing, fails, or takes longer than the timeout.
    package func run(_ words: [String]) async throws -> Data {
        guard let name = words.first else { throw failure("the command", "is empty") }
        let candidates = name.contains("/") ? [name] : searchPath.map { "\($0)/\(name)" }
        guard let path = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw failure(name, "is not a program that can be found")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = Array(words.dropFirst())
        let outlet = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = outlet
        process.standardError = FileHandle.nullDevice
        let (ended, closed) = (Signal(), Signal())
        let collected = Mutex(Data())
        outlet.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
                closed.set()
            } else {
                collected.withLock { if $0.count < Self.largestOutput { $0 += data } }
            }
        }
        process.terminationHandler = { _ in ended.set() }
        do {
            try process.run()
        } catch {
            outlet.fileHandleForReading.readabilityHandler = nil
            throw failure(name, "cannot be started")
        }
        let isInTime = await withTaskGroup(of: Bool.self) { [timeline, timeout] group in
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
        guard isInTime else {
            process.terminate()
            try Task.checkCancellation()
            throw failure(name, "did not end within \(Int(timeout.seconds)) s")
        }
        guard process.terminationStatus == 0 else {
            throw failure(name, "ended with \(process.terminationStatus)")
        }
        return collected.withLock { $0 }
    }

    private func failure(_ name: String, _ message: String) -> AWSError {
        AWSError(
            operation: "credential_process",
            code: "ProcessFailed",
            message: "`\(name)` \(message)",
            kind: .noCredentials
        )
    }
}
