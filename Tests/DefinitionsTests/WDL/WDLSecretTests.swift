import Definitions
import Foundation
import Testing

@Suite("Secrets around a WDL definition")
struct WDLSecretTests {
    @Test("appear in no form of output, whatever is imported or read", arguments: InspectionText.Format.allCases)
    func planted(_ format: InspectionText.Format) throws {
        let secret = "planted-\(UUID().uuidString.lowercased())"
        setenv("PRECLONE_WDL_SECRET", secret, 1)
        defer { unsetenv("PRECLONE_WDL_SECRET") }
        try withFolder { folder in
            let root = folder + "/definition"
            try writeFile("version 1.0\n" + wdlTask("t", secret), to: folder + "/secret.wdl")
            try writeFile(secret, to: folder + "/secret.txt")
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
            for (name, target) in [("link.wdl", "/secret.wdl"), ("link.txt", "/secret.txt"), ("up", "")] {
                try FileManager.default.createSymbolicLink(
                    atPath: root + "/" + name,
                    withDestinationPath: folder + target
                )
            }
            let imports = [
                "../secret.wdl", "link.wdl", "up/secret.wdl", "\(folder)/secret.wdl", "file://\(folder)/secret.wdl",
            ]
            let reads = ["../secret.txt", "link.txt", "up/secret.txt", "\(folder)/secret.txt", "/proc/self/environ"]
            let texts = ["$PRECLONE_WDL_SECRET", "~{PRECLONE_WDL_SECRET}", "${env.PRECLONE_WDL_SECRET}"]
            var text = "version 1.0\n"
            for (index, path) in imports.enumerated() { text += "import \"\(path)\" as i\(index)\n" }
            text += "workflow w {\n"
            for index in imports.indices { text += "call i\(index).t as c\(index)\n" }
            let expressions = reads.map { "read_string(\"\($0)\")" } + texts.map { "\"\($0)\"" }
            for (index, expression) in expressions.enumerated() {
                text += "call t as t\(index) { input: docker = \(expression) }\n"
            }
            try writeFile(text + "}\n" + taskOfInput, to: root + "/main.wdl")

            let opened = try WorkflowDefinition.open(root)
            let inspection = try WorkflowDefinition.inspect(opened.files, DefinitionRequest(engine: .wdl))
            let output = InspectionText(inspection, format: format)
            #expect(!(output.standardOutput + output.standardError).contains(secret))
            #expect(inspection.images == [])
            #expect(Set(inspection.unresolved.flatMap(\.tasks)).count == imports.count + expressions.count)
        }
    }
}
