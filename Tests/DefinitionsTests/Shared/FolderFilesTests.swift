import Definitions
import Foundation
import Testing

@Suite("FolderFiles")
struct FolderFilesTests {
    @Test("reads what lies inside and refuses links that lead outside")
    func reads() throws {
        try withFolder { folder in
            let root = folder + "/definition"
            try writeFile("image: a", to: root + "/main.cwl")
            try writeFile("b", to: root + "/tools/b.cwl")
            try writeFile("top secret", to: folder + "/secret.txt")
            try makeLink(root + "/out.cwl", to: folder + "/secret.txt")
            try makeLink(root + "/up", to: folder)
            try makeLink(root + "/in.cwl", to: "tools/b.cwl")
            try makeLink(root + "/loop.cwl", to: "loop.cwl")
            try writeFile("x", to: root + "/.git/HEAD")

            let files = try FolderFiles(root: root)
            #expect(files.read("main.cwl") == .contents(Array("image: a".utf8)))
            #expect(files.read("in.cwl") == .contents(Array("b".utf8)))
            #expect(files.read("nothing.cwl") == .missing)
            #expect(files.read("tools") == .missing)
            #expect(files.read("loop.cwl") == .missing)
            let refused = DefinitionFile.refused("a symbolic link leads out of the definition")
            #expect(files.read("out.cwl") == refused)
            #expect(files.read("up/secret.txt") == refused)
            #expect(files.read("../secret.txt") == .refused("the path leaves the definition"))
            #expect(files.read("/etc/passwd") == .refused("the path leaves the definition"))
            #expect(files.exists("main.cwl"))
            #expect(!files.exists("tools"))
            #expect(!files.exists("../secret.txt"))
            #expect(files.paths == ["in.cwl", "main.cwl", "out.cwl", "tools/b.cwl", "up"])
        }
    }

    @Test("does not wait for a pipe or read a large file")
    func unusual() throws {
        try withFolder { folder in
            #expect(mkfifo(folder + "/pipe.cwl", 0o600) == 0)
            let handle = try #require(fopen(folder + "/large.cwl", "w"))
            #expect(ftruncate(fileno(handle), off_t(FolderFiles.maximumFileSize + 1)) == 0)
            fclose(handle)
            let files = try FolderFiles(root: folder)
            #expect(files.read("pipe.cwl") == .refused("not a regular file"))
            #expect(files.read("large.cwl") == .refused("16777217 bytes; at most 16777216 are read"))
        }
    }

    @Test("says what is wrong with the folder")
    func missing() throws {
        try withFolder { folder in
            #expect(throws: DefinitionError("\(folder)/none: No such file or directory")) {
                try FolderFiles(root: folder + "/none")
            }
            try writeFile("", to: folder + "/file")
            #expect(throws: DefinitionError("\(folder)/file: not a folder")) { try FolderFiles(root: folder + "/file") }
        }
    }

    @Test("opens a folder, an archive or a file")
    func open() throws {
        try withFolder { folder in
            try writeFile("m", to: folder + "/d/main.cwl")
            var zip = ZipBuilder()
            zip.add("z.cwl", "z")
            try Data(zip.finished()).write(to: URL(fileURLWithPath: folder + "/d.zip"))
            try Data(zip.finished()).write(to: URL(fileURLWithPath: folder + "/archive"))

            let opened = try WorkflowDefinition.open(folder + "/d")
            #expect(opened.files.paths == ["main.cwl"])
            #expect(opened.main == nil)
            for name in ["/d.zip", "/archive"] {
                let opened = try WorkflowDefinition.open(folder + name)
                #expect(opened.files.read("z.cwl") == .contents([UInt8(ascii: "z")]))
                #expect(opened.main == nil)
            }
            let file = try WorkflowDefinition.open(folder + "/d/main.cwl")
            #expect(file.main == "main.cwl")
            #expect(file.files.read("main.cwl") == .contents([UInt8(ascii: "m")]))
            try writeFile("no zip", to: folder + "/bad.zip")
            #expect(
                throws: DefinitionError(
                    "\(folder)/bad.zip: not a zip, or cut off: it has no end record; make or fetch it again"
                )
            ) {
                try WorkflowDefinition.open(folder + "/bad.zip")
            }
        }
    }
}

/// A folder of this test alone, removed afterwards.
func withFolder(_ body: (String) throws -> Void) throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("definitions-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    try body(url.resolvingSymlinksInPath().path)
}

func writeFile(_ text: String, to path: String) throws {
    let url = URL(fileURLWithPath: path)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
}

func makeLink(_ path: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
}
