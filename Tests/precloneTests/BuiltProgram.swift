import Foundation

/// The programs that were built, run as a person would run them, with an environment of the test's own.
struct BuiltProgram {
    struct Answer {
        /// The exit code; for a process that a signal ended, the signal's number below zero.
        var code: Int32
        var standardOutput: String
        var standardError: String
    }

    /// In the build folder, where the test bundle is too.
    static var executable: URL { built("preclone") }

    static func built(_ name: String) -> URL { Bundle(for: Marker.self).bundleURL.appendingPathComponent(name) }

    private final class Marker {}

    /// The top of the project.
    static var project: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    /// For a program that talks to this process: waits for its end on a thread of its own.
    static func whenEnded(_ arguments: [String], environment: [String: String] = [:]) async throws -> Answer {
        let (answers, continuation) = AsyncStream.makeStream(of: Result<Answer, any Error>.self)
        Thread {
            continuation.yield(Result { try run(arguments, environment: environment) })
            continuation.finish()
        }.start()
        for await answer in answers { return try answer.get() }
        throw CancellationError()
    }

    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Answer {
        let process = try RunningProgram(arguments, environment: environment)
        return process.waitHere()
    }
}

/// A process of a built program. It ends at the latest with this value.
final class RunningProgram {
    private let process = Process()
    private let folder: URL
    private let ended: AsyncStream<Never>

    init(
        _ arguments: [String],
        program: URL = BuiltProgram.executable,
        environment: [String: String] = [:]
    ) throws {
        // Files, not pipes: a full pipe nobody reads yet would stop the program.
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["output", "error"] { try Data().write(to: folder.appendingPathComponent(name)) }
        process.executableURL = program
        process.arguments = arguments
        // No test asks the metadata service of the machine it runs on.
        process.environment = [
            "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true",
        ].merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: folder.appendingPathComponent("output"))
        process.standardError = try FileHandle(forWritingTo: folder.appendingPathComponent("error"))
        let (ended, continuation) = AsyncStream.makeStream(of: Never.self)
        self.ended = ended
        process.terminationHandler = { _ in continuation.finish() }
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: folder)
    }

    var id: Int32 { process.processIdentifier }

    var isRunning: Bool { process.isRunning }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    var standardOutput: String { text("output") }

    var standardError: String { text("error") }

    /// Waits until the process has ended, with no thread held.
    func end() async -> BuiltProgram.Answer {
        for await _ in ended {}
        return waitHere()
    }

    /// Waits until the process has ended, on this thread.
    func waitHere() -> BuiltProgram.Answer {
        process.waitUntilExit()
        return BuiltProgram.Answer(
            code: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
            standardOutput: standardOutput,
            standardError: standardError
        )
    }

    private func text(_ name: String) -> String {
        String(decoding: (try? Data(contentsOf: folder.appendingPathComponent(name))) ?? Data(), as: UTF8.self)
    }
}
