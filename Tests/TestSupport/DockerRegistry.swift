import Foundation

/// Debian's docker-registry on a free port of loopback, with its storage in a folder of its own.
package final class DockerRegistry: Sendable {
    private let server: ServerProcess
    private let folder: URL

    package var host: String { "127.0.0.1:\(server.port)" }

    /// - Parameters:
    ///   - certificate: PEM files of a certificate and its key; nil: plain http.
    ///   - auth: the configuration's section of that name, as YAML in one line.
    ///   - passwords: lines of an htpasswd file with bcrypt hashes; whoever is in it may do everything.
    package init(
        certificate: (certificate: String, key: String)? = nil,
        auth: String? = nil,
        passwords: String? = nil
    ) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "preclone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var http = #"addr: "127.0.0.1:0""#
        if let certificate {
            http += ", tls: {certificate: \"\(certificate.certificate)\", key: \"\(certificate.key)\"}"
        }
        var lines = [
            "version: 0.1", "log: {level: info, accesslog: {disabled: true}}",
            "storage: {filesystem: {rootdirectory: \"\(folder.path)/data\"}}", "http: {\(http)}",
        ]
        if let auth { lines.append("auth: \(auth)") }
        if let passwords {
            let file = folder.appending(path: "passwords")
            try Data("\(passwords)\n".utf8).write(to: file)
            lines.append("auth: {htpasswd: {realm: tests, path: \"\(file.path)\"}}")
        }
        let file = folder.appending(path: "config.yml")
        try Data(lines.joined(separator: "\n").utf8).write(to: file)
        server = try ServerProcess(
            URL(filePath: "/usr/bin/docker-registry"),
            ["serve", file.path],
            mend: "apt install docker-registry",
            announcement: "listening on 127.0.0.1:"
        )
    }

    /// Ends it; also done when the value goes.
    package func stop() { server.stop() }

    deinit {
        server.stop()
        try? FileManager.default.removeItem(at: folder)
    }
}

package struct ProgramFailure: Error, CustomStringConvertible {
    package var description: String

    package init(description: String) { self.description = description }
}

/// Runs a program to its end; its output, or a failure with what it said.
@discardableResult
package func runProgram(_ program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw ProgramFailure(description: "\(program) \(arguments.joined(separator: " ")): \(output)")
    }
    return output
}
