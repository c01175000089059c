import Foundation

/// The built program `preclone-simulate`, run to its end.
struct SimulateProgram {
    var code: Int32
    var output: String

    private final class Marker {}

    init(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = Bundle(for: Marker.self).bundleURL.appending(path: "preclone-simulate")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        code = process.terminationStatus
    }
}
