import ArgumentParser

@main
struct Preclone: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preclone",
        abstract: "Clones the container images of AWS HealthOmics runs into private ECR ahead of time.",
        subcommands: [InspectCommand.self]
    )
}
