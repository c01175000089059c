import Foundation

/// A child of the demo, ended with it.
final class DemoProcess {
    private let process = Process()
    private let output = Pipe()

    init(
        _ program: URL,
        _ arguments: [String],
        environment: [String: String],
        errors: URL? = nil,
        inheritsOutput: Bool = false
    ) throws {
        process.executableURL = program
        process.arguments = arguments
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        if !inheritsOutput { process.standardOutput = output }
        if let errors {
            try Data().write(to: errors)
            process.standardError = try FileHandle(forWritingTo: errors)
        }
        try process.run()
    }

    var isRunning: Bool { process.isRunning }

    /// What the child printed first, up to the line's end.
    func firstLine() throws -> Data {
        var line = Data()
        while true {
            // What is there now: reading a count would wait until the pipe has given that much.
            let piece = output.fileHandleForReading.availableData
            if piece.isEmpty { break }
            line += piece
            if let end = line.firstIndex(of: UInt8(ascii: "\n")) { return line[..<end] }
        }
        throw CommandFailure("the sandbox ended before it was ready")
    }

    func wait() { process.waitUntilExit() }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }
}
