import Foundation
import Testing

/// Inside `Precloning` folders are not targets, so a test keeps their arrows: a file uses types of its own folder and of
/// those that stand before it, and only the last three know the record.
@Suite("Arrows between the folders of Precloning point down")
struct ArrowTests {
    /// From the bottom up. The files beside the folders are at the very bottom.
    private static let order: [[String]] = [
        [""], ["Plan", "Limits", "Policy", "Account", "Check", "Control", "Service", "Metrics", "Status"], ["Survey"],
        ["Clone"], ["Records"], ["Loops"], ["Verbs"], ["Agents"], ["Desk"],
    ]
    private static let knowTheRecord: Set = ["Records", "Loops", "Verbs", "Desk"]

    private struct File {
        var folder: String
        var name: String
        /// Without comments and the text of strings.
        var code: String
    }

    private let files: [File]

    init() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources/Precloning")
        let paths = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
        files = try paths.filter { $0.hasSuffix(".swift") }.map { path in
            let text = try String(contentsOf: folder.appending(path: path), encoding: .utf8)
            let steps = path.split(separator: "/")
            return File(
                folder: steps.dropLast().joined(separator: "/"),
                name: path,
                code: text.replacing(#//[^\n]*|"(?:\\.|[^"\\\n])*"/#, with: "")
            )
        }
    }

    private func rank(_ folder: String) -> Int? { Self.order.firstIndex { $0.contains(folder) } }

    @Test func everyFolderHasItsPlace() {
        #expect(files.count > 80)
        for file in files {
            #expect(rank(file.folder) != nil, "\(file.name) is in a folder without a place in the order")
        }
    }

    @Test func noFileUsesWhatStandsAboveIt() throws {
        let declaration = try Regex(
            #"(?m)^(?:(?:package|public|internal|final|indirect|nonisolated) )*(?:struct|class|enum|actor|protocol|typealias) ([A-Z]\w*)"#,
            as: (Substring, Substring).self
        )
        var homes: [String: String] = [:]
        for file in files {
            for match in file.code.matches(of: declaration) { homes[String(match.output.1)] = file.folder }
        }
        #expect(homes["Cloner"] == "Clone" && homes["Dispatcher"] == "Loops")
        // Not the members of other types: `.Choices` says nothing of whose it is.
        let name = try Regex(#"(?:^|[^.\w])([A-Z]\w*)"#, as: (Substring, Substring).self)
        for file in files {
            let own = try #require(rank(file.folder))
            for type in Set(file.code.matches(of: name).map { String($0.output.1) }) {
                guard let home = homes[type], home != file.folder, let other = rank(home) else { continue }
                #expect(other < own, "\(file.name) uses \(type) of \(home)")
            }
        }
    }

    @Test func stagesDoNotKnowTheRecord() {
        for file in files where !Self.knowTheRecord.contains(file.folder) {
            #expect(!file.code.contains(/(?m)^(package |public )?import (Record|GRDB)$/), "\(file.name)")
        }
        #expect(files.contains { $0.code.contains("import Record\n") })
    }
}
