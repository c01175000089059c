import ArgumentParser

@main
struct PrecloneSandbox: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preclone-sandbox",
        abstract: "A small AWS on loopback, for the demo and the tests."
    )
}
