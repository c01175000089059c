import ArgumentParser
import Foundation
import Precloning
import Testing

@testable import preclone

@Suite("The command line")
struct CommandLineTests {
    @Test("help and version go to standard output and end with 0", arguments: ["--help", "--version", "help"])
    func help(argument: String) throws {
        let answer = try BuiltProgram.run([argument])
        #expect(answer.code == 0)
        #expect(answer.standardError == "")
        if argument == "--version" {
            #expect(answer.standardOutput == Version.current + "\n")
        } else {
            #expect(answer.standardOutput.contains("SUBCOMMANDS"))
            for ending in Ending.allCases {
                #expect(answer.standardOutput.contains("\(ending.rawValue)  \(ending.meaning)"))
            }
        }
    }

    @Test(
        "bad usage ends with 2 and says what is wrong on standard error",
        arguments: [["clown"], ["--verbose"], ["inspect"], ["inspect", "x", "--engine", "COBOL"]]
    )
    func usage(arguments: [String]) throws {
        let answer = try BuiltProgram.run(arguments)
        #expect(answer.code == 2)
        #expect(answer.standardOutput == "")
        #expect(
            answer.standardError.contains(arguments == ["clown"] ? "did you mean `preclone clone`?" : "Usage: preclone")
        )
        #expect(answer.standardError.hasPrefix("error: "))
        if let last = arguments.last, arguments.count != 1 || last != "inspect" {
            #expect(answer.standardError.contains(last))
        }
    }

    @Test("every subcommand has help of its own")
    func subcommands() throws {
        let commands = Preclone.configuration.subcommands
        #expect(!commands.isEmpty)
        for command in commands {
            let name = try #require(command.configuration.commandName)
            let answer = try BuiltProgram.run([name, "--help"])
            #expect(answer.code == 0)
            #expect(answer.standardOutput.contains("USAGE: preclone \(name)"))
            #expect(!command.configuration.abstract.isEmpty)
        }
    }

    @Test("the exit codes are those that scripts rely on")
    func codes() {
        #expect(Ending.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 75])
    }
}

@Suite("Terminal")
struct TerminalTests {
    @Test("a report that is longer than the screen keeps its first lines on it")
    func screen() {
        let lines = (1...50).map { "line \($0)" }
        let screen = Terminal.screen(lines, height: 10)
        #expect(screen.hasPrefix("\u{1B}[Hline 1\u{1B}[K\n"))
        #expect(screen.hasSuffix("… 42 more lines\u{1B}[K\n\u{1B}[J"))
        #expect(screen.count { $0 == "\n" } == 9)
        #expect(Terminal.screen(Array(lines.prefix(9)), height: 10).contains("line 9"))
    }
}

@Suite("TextTable")
struct TextTableTests {
    private let columns: [TextTable.Column] = [
        .init(title: "IMAGE", cut: .middle), .init(title: "SIZE", alignment: .right), .init(title: "WHY", cut: .end),
    ]
    private let plain = Terminal(width: nil, hasColour: false)

    @Test("columns are as wide as their longest cell; nothing is shown as -")
    func columnsAlign() {
        var table = TextTable(columns: columns)
        table.add(["quay.io/a/b:1", "1.2 GB", ""])
        table.add(["x", "3 MB", "because"])
        #expect(
            table.rendered(for: plain) == """
                IMAGE            SIZE  WHY
                quay.io/a/b:1  1.2 GB  -
                x                3 MB  because

                """
        )
    }

    @Test(
        "where a terminal is too narrow for its sentences, each row has lines of its own, and nothing is cut but a name's beginning"
    )
    func narrow() {
        var table = TextTable(columns: columns)
        table.add([StyledText("quay.io/biocontainers/samtools:1.17--h00cdaf9_0"), "1.2 GB", "a rather long sentence"])
        let lines = table.rendered(for: Terminal(width: 50, hasColour: false)).split(separator: "\n")
        #expect(
            lines == [
                "quay.io/biocontainers/samtools:1.17--h00cdaf9_0", "  size 1.2 GB", "  why: a rather long sentence",
            ]
        )
        let narrow = table.rendered(for: Terminal(width: 24, hasColour: false)).split(separator: "\n")
        #expect(narrow == ["…mtools:1.17--h00cdaf9_0", "  size 1.2 GB", "  why: a rather long", "  sentence"])
    }

    @Test("control characters from outside never reach the terminal")
    func control() {
        var table = TextTable(columns: [.init(title: "A")])
        table.add([StyledText("x\u{1B}[31my\n\u{202E}z")])
        let text = table.rendered(for: Terminal(width: 80, hasColour: true))
        #expect(!text.contains("\u{1B}[31m"))
        #expect(text.split(separator: "\n").count == 2)
        #expect(!text.unicodeScalars.contains("\u{202E}"))
    }

    @Test("colour does not count as width, and is left out without a terminal")
    func colour() {
        var table = TextTable(columns: [.init(title: "STATE"), .init(title: "N")])
        table.add([StyledText("ready", .good), "1"])
        #expect(table.rendered(for: plain) == "STATE  N\nready  1\n")
        #expect(
            table.rendered(for: Terminal(width: 80, hasColour: true))
                == "\u{1B}[1mSTATE\u{1B}[0m  \u{1B}[1mN\u{1B}[0m\n\u{1B}[32mready\u{1B}[0m  1\n"
        )
    }

    @Test("wide characters take two columns")
    func wide() {
        #expect(DisplayWidth.of("日本") == 4)
        #expect(DisplayWidth.of("e\u{301}") == 1)
        #expect(DisplayWidth.cut("日本語", to: 5, .end) == "日本…")
    }
}

@Suite("CheckCommand")
struct CheckCommandTests {
    @Test(
        "a queue's URL becomes its ARN",
        arguments: [
            (
                "https://sqs.eu-central-1.amazonaws.com/111122223333/preclone-events",
                "arn:aws:sqs:eu-central-1:111122223333:preclone-events"
            ),
            ("http://127.0.0.1:4566/q", nil), (nil, nil),
        ] as [(String?, String?)]
    )
    func queue(url: String?, arn: String?) {
        #expect(CheckCommand.queueArn(url, partition: "aws") == arn)
    }

    @Test("a bad configuration ends with 2 and every problem on a line of its own")
    func bad() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("preclone-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(#"{ "version": 1, "watsh": {}, "log": { "level": "loud" } }"#.utf8).write(to: file)
        let answer = try BuiltProgram.run(["check", "--config", file.path])
        #expect(answer.code == 2)
        let lines = answer.standardError.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.hasPrefix("error: \(file.path): line 1, column ") })
        #expect(try BuiltProgram.run(["check", "--config", "/nonexistent"]).code == 2)
    }
}
