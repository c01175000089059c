import ArgumentParser
import Foundation
import Sandbox

@main
struct PrecloneSandbox: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preclone-sandbox",
        abstract: "A small AWS on loopback, for the demo and the tests.",
        discussion: """
            Prints its addresses as one line of JSON on standard output when it is ready, and serves until it is \
            terminated. What it can be told to do wrong: POST /_sandbox/faults on the AWS address.
            """
    )

    @Option(help: "The port of the AWS address; 0 takes a free one.")
    var port = 0

    @Option(help: "A file that gets the addresses too, written when they are known.")
    var readyFile: String?

    @Flag(help: "Load the workflows, images and runs of the demo.")
    var demo = false

    func validate() throws {
        guard (0...65535).contains(port) else {
            throw ValidationError("--port \(port) is not a port: give 0 to 65535.")
        }
    }

    func run() async throws {
        try await Sandbox.withSandbox(SandboxConfiguration(port: port)) { sandbox in
            var line = try sandbox.addresses.line()
            if demo { line = try DemoWorld.load(into: sandbox, startingRuns: true).line() }
            // Written past the buffer of print: whoever reads the line through a pipe must not wait for it to fill.
            try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
            if let readyFile { try Data((line + "\n").utf8).write(to: URL(filePath: readyFile), options: .atomic) }
            try await Self.untilTerminated()
        }
    }

    /// Waits until the process is asked to end.
    private static func untilTerminated() async throws {
        while true { try await Task.sleep(for: .seconds(3600)) }
    }
}
