import ArgumentParser
import Configuring
import Foundation
import Model
import Precloning
import Record

/// `preclone forget`: takes images out of the record that nobody wants.
struct ForgetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract:
            "Take images out of the record that nobody wants; history and audit stay, and so does what ECR holds.",
        discussion: "Exit codes: 0 all forgotten; 1 error; 2 usage; 4 some are wanted or being cloned, and stay."
    )

    @Argument(help: ArgumentHelp("Images, as the workflow names them or as their ECR URIs.", valueName: "image"))
    var images: [String]

    @OptionGroup var output: FormatOptions
    @OptionGroup var config: ConfigurationOptions

    private struct Document: Encodable {
        var schemaVersion = 1
        var images: [ForgottenImage]
    }

    func run() async throws {
        let path = try config.load().record.path
        // A record is never created here, and the clearer of the messages is a reader's.
        _ = try RecordReader(path: path)
        let answers = try await ask(path)
        switch output.format {
        case .json: try Terminal.print(JSONOutput.text(Document(images: answers)))
        case .table:
            for answer in answers {
                let place = answer.destination.isEmpty ? "" : " at \(answer.destination)"
                let words = answer.kept.map { "kept: \(answer.source)\(place): \($0)" }
                try Terminal.print(StyledText(words ?? "forgotten: \(answer.source)\(place)").text)
            }
        }
        if answers.contains(where: { $0.kept != nil }) { throw Ending.someNotReady.code }
    }

    /// Of the daemon; where none listens, of the record itself, by whoever may write it.
    private func ask(_ path: String) async throws -> [ForgottenImage] {
        do {
            let client = ControlClient(path: ControlSocket.path(record: path))
            if let forgotten = try await client.forget(images) { return forgotten }
        } catch let fault as ControlFault {
            throw CommandFailure(fault)
        }
        return try Ledger(path: path).forget(images, caller: PeerIdentity.thisProcess, now: Date())
    }
}
