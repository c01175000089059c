import Definitions
import Testing

@Suite("InspectionText")
struct InspectionTextTests {
    private let inspection = Inspection(
        images: [
            ImageMention(
                text: "quay.io/a/b:1",
                places: [.source(file: "main.nf", line: 3)],
                tasks: ["A", "B", "C", "D", "E"]
            ),
            ImageMention(
                text: "r/c:2",
                certainty: .alternative,
                reason: "one of 2",
                depth: 12,
                places: [.parameter(path: "tool.image")],
                tasks: ["F"]
            ),
            ImageMention(text: "r/off", certainty: .inactive, reason: "x is false", places: [], tasks: []),
        ],
        unresolved: [
            UnresolvedMention(
                place: .source(file: "t.cwl", line: 7),
                expression: "$(inputs.x)",
                missing: "input `x` has no default",
                tasks: ["G"]
            )
        ],
        notes: [
            DefinitionNote(place: .source(file: "a.wdl", line: 1), message: "remote import not read"),
            DefinitionNote(place: nil, message: "evil\u{1B}[31m\n\u{202E}name"),
        ],
        relevantParameters: ["tool"]
    )

    @Test("prints lines: images on one stream, the rest on the other")
    func lines() {
        let text = InspectionText(inspection, format: .lines)
        #expect(text.standardOutput == "quay.io/a/b:1\nr/c:2\n")
        #expect(
            text.standardError == """
                unresolved: t.cwl:7 $(inputs.x): input `x` has no default
                note: a.wdl:1 remote import not read
                note: evil?[31m??name

                """
        )
    }

    private func placement(_ text: String) -> InspectionText.Placement {
        text == "r/c:2"
            ? InspectionText.Placement(source: "docker.io/r/c:2", destination: "ecr/c:2")
            : InspectionText.Placement(source: nil, destination: nil, problem: "no\nmap")
    }

    @Test("prints a table with source and destination where a map is given")
    func table() {
        let text = InspectionText(inspection, format: .table, placement: placement)
        #expect(
            text.standardOutput
                == """
                IMAGE          SOURCE           DESTINATION  CERTAINTY               DEPTH  TASKS               DECIDED AT
                quay.io/a/b:1  -                not mapped   certain                 0      A, B, C and 2 more  main.nf:3
                r/c:2          docker.io/r/c:2  ecr/c:2      alternative (one of 2)  12     F                   parameter tool.image
                r/off          -                not mapped   inactive (x is false)   0
                unresolved: t.cwl:7 $(inputs.x): input `x` has no default
                unmapped: quay.io/a/b:1: no?map
                unmapped: r/off: no?map
                note: a.wdl:1 remote import not read
                note: evil?[31m??name

                """
        )
        #expect(text.standardError == "")
        #expect(InspectionText(Inspection(), format: .table).standardOutput == "no images\n")
    }

    @Test("keeps standard output as it is, and writes as JSON where images go")
    func placements() {
        let lines = InspectionText(inspection, format: .lines, placement: placement)
        #expect(lines.standardOutput == "quay.io/a/b:1\nr/c:2\n")
        #expect(lines.standardError.contains("\nunmapped: quay.io/a/b:1: no?map\n"))
        let json = InspectionText(inspection, format: .json, placement: placement).standardOutput
        #expect(json.contains(#""destination": "ecr/c:2""#) && json.contains(#""source": "docker.io/r/c:2""#))
        #expect(json.contains(#""problem": "no\nmap""#))
        #expect(!InspectionText(inspection, format: .json).standardOutput.contains("destination"))
    }

    @Test("prints everything as JSON that reads back")
    func json() throws {
        let text = InspectionText(inspection, format: .json)
        guard case .object(let members) = try ParameterValue(json: Array(text.standardOutput.utf8)) else {
            Issue.record("not an object")
            return
        }
        #expect(members.keys.sorted() == ["images", "notes", "relevantParameters", "schemaVersion", "unresolved"])
        guard case .array(let images) = members["images"] else {
            Issue.record("no images")
            return
        }
        #expect(images.count == 3)
        #expect(
            images[1]
                == .object([
                    "image": .string("r/c:2"),
                    "certainty": .string("alternative"),
                    "reason": .string("one of 2"),
                    "depth": .number("12"),
                    "places": .array([.object(["parameter": .string("tool.image")])]),
                    "tasks": .array([.string("F")]),
                ])
        )
        #expect(!text.standardOutput.contains("\u{1B}"))
        #expect(text.standardOutput.contains(#""message": "evil\u001b[31m\n\u202ename""#))
        #expect(InspectionText(Inspection(), format: .json).standardOutput.contains("\"images\": [],\n"))
    }
}
