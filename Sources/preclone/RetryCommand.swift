import ArgumentParser
import Configuring
import Foundation
import Model
import Precloning
import Record

/// `preclone retry`: blocked or waiting images are due now.
struct RetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Make blocked or waiting images due now; the daemon takes them within seconds."
    )

    @Argument(help: ArgumentHelp("Images, as the workflow names them or as their ECR URIs.", valueName: "image"))
    var images: [String] = []

    @Flag(help: "Every image that is blocked or waits.")
    var all = false

    @OptionGroup var config: ConfigurationOptions

    func validate() throws {
        if all == !images.isEmpty { throw ValidationError("name images, or give --all") }
    }

    func run() async throws {
        let path = try config.load().record.path
        // A record is never created here, and the clearer of the messages is a reader's.
        _ = try RecordReader(path: path)
        let retried = try await ask(path)
        for image in retried.prefix(100) {
            try Terminal.print(StyledText("due now: \(image.source) (was \(image.state))").text)
        }
        if retried.count > 100 { try Terminal.print("… and \(retried.count - 100) more") }
        if retried.isEmpty { try Terminal.print("nothing to do: no such image is blocked or waits") }
    }

    /// Of the daemon; where none listens, of the record itself, by whoever may write it.
    private func ask(_ path: String) async throws -> [RetriedImage] {
        do {
            let client = ControlClient(path: ControlSocket.path(record: path))
            if let retried = try await client.retry(all ? nil : images) { return retried }
        } catch let fault as ControlFault {
            throw CommandFailure(fault)
        }
        return try Ledger(path: path).retry(all ? nil : images, caller: PeerIdentity.thisProcess, now: Date())
    }
}
