import Foundation

/// The built `preclone`, run as a person would run it, with an environment of the test's own.
struct BuiltProgram {
    struct Answer {
        var code: Int32
        var standardOutput: String
        var standardError: String
    }

    /// In the build folder, where the test bundle is too.
    static var executable: URL { Bundle(for: Marker.self).bundleURL.appendingPathComponent("preclone") }

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
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.environment = ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent"].merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: a full pipe nobody reads yet would stop the program.
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let output = folder.appendingPathComponent("output")
        let error = folder.appendingPathComponent("error")
        for file in [output, error] { try Data().write(to: file) }
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: error)
        try process.run()
        process.waitUntilExit()
        return Answer(
            code: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
            standardOutput: String(decoding: try Data(contentsOf: output), as: UTF8.self),
            standardError: String(decoding: try Data(contentsOf: error), as: UTF8.self)
        )
    }
}
