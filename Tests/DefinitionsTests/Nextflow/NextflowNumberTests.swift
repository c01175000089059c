import Definitions
import Testing

@Suite("Nextflow: numbers, names of parameters, attempts")
struct NextflowNumberTests {
    private static func inspect(
        _ head: String,
        config: String = "",
        parameters: [String: ParameterValue] = [:]
    ) throws -> Inspection {
        let script = NextflowExample.process(head) + "workflow { A(1) }\n"
        return try WorkflowDefinition.inspect(
            DefinitionFilesInMemory(["main.nf": script, "nextflow.config": config]),
            DefinitionRequest(engine: .nextflow, parameters: parameters)
        )
    }

    @Test(
        "prints a number as Groovy does",
        arguments: [
            ("1.10", "1.10"), ("-1.50", "-1.50"), ("2.0", "2.0"), ("0.100", "0.100"), ("010", "8"), ("0x1F", "31"),
            ("0b101", "5"), ("1_000", "1000"), ("20240101", "20240101"), ("20240101123456L", "20240101123456"),
            ("12345678901234567890123", "12345678901234567890123"), ("7G", "7"), ("1.20G", "1.20"), ("1.50d", "1.5"),
            ("2f", "2.0"), ("1.5e-3", "0.0015"), ("0.0000001", "1E-7"), ("100", "100"), ("true", "true"),
            ("'010'", "010"), ("'1.10'", "1.10"), ("1.0 as String", "1.0"), ("[1, 2][1]", "2"),
        ]
    )
    func printsLiterals(_ written: String, _ printed: String) throws {
        let result = try Self.inspect(#"container "q.io/a:v${params.v}""#, config: "params.v = \(written)")
        #expect(result.images.map(\.text) == ["q.io/a:v\(printed)"])
        #expect(result.unresolved.isEmpty)
    }

    @Test(
        "names no image by a number that is not known exactly, or makes none",
        arguments: [
            "089", "1e3", "1.5e10", "1.0e9d", "1 / 3", "2147483647 + 1", "9223372036854775807 + 1", "new Date()",
        ]
    )
    func leavesOpen(_ written: String) throws {
        let result = try Self.inspect(#"container "q.io/a:v${params.v}""#, config: "params.v = \(written)")
        #expect(result.images.isEmpty)
        #expect(result.unresolved.count == 1)
    }

    @Test(
        "keeps a parameter's number as written",
        arguments: [
            ("1.10", "1.10"), ("1.0", "1.0"), ("-2.50", "-2.50"), ("12345678901234567890", "12345678901234567890"),
            ("20240101", "20240101"), ("true", "true"), ("\"007\"", "007"), ("\"2024-01-01\"", "2024-01-01"),
            ("0.00001", "0.00001"),
        ]
    )
    func keepsParameters(_ written: String, _ printed: String) throws {
        let value = try ParameterValue(json: Array(written.utf8))
        let result = try Self.inspect(#"container "q.io/a:v${params.v}""#, parameters: ["v": value])
        #expect(result.images.map(\.text) == ["q.io/a:v\(printed)"])
    }

    @Test("tells numbers apart that are equal and print differently")
    func apart() throws {
        let result = try Self.inspect(
            #"container "q.io/a:${launchDir ? 1.10 : 1.1}""#
        )
        #expect(result.images.map(\.text) == ["q.io/a:1.1", "q.io/a:1.10"])
        #expect(result.images.allSatisfy { $0.certainty == .alternative })
    }

    @Test(
        "gives a parameter the name that the engine gives it",
        arguments: [("tool-image", "toolImage"), ("a-b-c", "aBC"), ("plain", "plain"), ("tool-", "tool")]
    )
    func names(_ written: String, _ name: String) throws {
        let result = try Self.inspect("container params.\(name)", parameters: [written: .string("q.io/a:1")])
        #expect(result.images.map(\.text) == ["q.io/a:1"])
        #expect(result.relevantParameters == [name])
    }

    @Test("gives the images of the first attempt and of the others")
    func attempts() throws {
        let result = try Self.inspect("container { task.attempt > 1 ? 'q.io/big:1' : 'q.io/small:1' }")
        #expect(result.images.map(\.text) == ["q.io/big:1", "q.io/small:1"])
        #expect(result.images.map(\.certainty) == [.alternative, .certain])
    }

    @Test("takes a list apart in a configuration")
    func destructures() throws {
        let result = try Self.inspect(
            "",
            config: "def (String a, b) = ['q.io/a', '2.10']\nprocess.container = \"${a}:${b}\""
        )
        #expect(result.images.map(\.text) == ["q.io/a:2.10"])
    }

    @Test("takes no image from a text without its elements")
    func emptyIndex() throws {
        let result = try Self.inspect("container 'q.io/a:1'[]")
        #expect(result.images.isEmpty)
    }
}
