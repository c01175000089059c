package import Foundation

/// Another program that serves on loopback for as long as a test needs it.
package final class ServerProcess: Sendable {
    private let process: Process
    package let port: Int

    package struct NotServing: Error, CustomStringConvertible {
        package var description: String
    }

    /// Starts a program and reads what it says until it names its port.
    ///
    /// - Parameters:
    ///   - mend: How to install it, for when it is missing.
    ///   - announcement: What stands right before the port's digits in its output.
    /// - Throws: `NotServing` when it is missing, or ends before it serves.
    package init(
        _ program: URL,
        _ arguments: [String],
        environment: [String: String]? = nil,
        mend: String,
        announcement: String = "127.0.0.1:"
    ) throws {
        guard FileManager.default.isExecutableFile(atPath: program.path) else {
            throw NotServing(description: "\(program.path) is missing: \(mend)")
        }
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        if let environment { process.environment = environment }
        let pipe = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        var said = ""
        var port: Int?
        while port == nil {
            let data = pipe.fileHandleForReading.availableData
            guard !data.isEmpty else { throw NotServing(description: "\(program.path) ended: \(said.suffix(500))") }
            said += String(decoding: data, as: UTF8.self)
            if let range = said.range(of: announcement) {
                let digits = said[range.upperBound...].prefix { $0.isNumber }
                if said[range.upperBound...].count > digits.count { port = Int(digits) }
            }
        }
        // What it says from here on is read and dropped, so that it never waits for a reader.
        pipe.fileHandleForReading.readabilityHandler = { handle in
            if handle.availableData.isEmpty { handle.readabilityHandler = nil }
        }
        self.process = process
        self.port = port ?? 0
    }

    /// Ends the program; also done when the value goes.
    package func stop() {
        // Not asked politely, and not waited for: some servers wait for their clients, and Foundation's wait spins.
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    deinit { stop() }
}
