import Definitions
import Testing

@Suite("ZipFiles")
struct ZipFilesTests {
    @Test("reads what another program packed")
    func foreign() throws {
        let bytes: [UInt8] = [
            0x50, 0x4B, 0x03, 0x04, 0x14, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x5C, 0x37, 0xE4, 0x2B, 0xB4,
            0x27, 0x00,
            0x00, 0x00, 0xC4, 0x01, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x6D, 0x61, 0x69, 0x6E, 0x2E, 0x77, 0x64, 0x6C,
            0x2B, 0x4B,
            0x2D, 0x2A, 0xCE, 0xCC, 0xCF, 0x53, 0x30, 0xD4, 0x33, 0xE0, 0x52, 0x56, 0x28, 0xC9, 0x48, 0x55, 0x28, 0x4E,
            0xCC, 0x4D,
            0x55, 0xC8, 0xC9, 0xCC, 0x4B, 0x55, 0x48, 0x4C, 0x4F, 0xCC, 0xCC, 0x1B, 0x15, 0x1D, 0xF4, 0xA2, 0x00, 0x50,
            0x4B, 0x01,
            0x02, 0x14, 0x03, 0x14, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x5C, 0x37, 0xE4, 0x2B, 0xB4, 0x27,
            0x00, 0x00,
            0x00, 0xC4, 0x01, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80,
            0x01, 0x00,
            0x00, 0x00, 0x00, 0x6D, 0x61, 0x69, 0x6E, 0x2E, 0x77, 0x64, 0x6C, 0x50, 0x4B, 0x05, 0x06, 0x00, 0x00, 0x00,
            0x00, 0x01,
            0x00, 0x01, 0x00, 0x36, 0x00, 0x00, 0x00, 0x4D, 0x00, 0x00, 0x00, 0x00, 0x00,
        ]
        let files = try ZipFiles(bytes)
        let text = "version 1.0\n" + String(repeating: "# the same line again\n", count: 20)
        #expect(files.read("main.wdl") == .contents(Array(text.utf8)))
    }

    @Test(
        "reads stored, deflated, zip64 and streamed entries",
        arguments: [
            ZipBuilder.Options(),
            ZipBuilder.Options(method: 8),
            ZipBuilder.Options(usesZip64: true),
            ZipBuilder.Options(method: 8, usesZip64: true, hasDescriptor: true),
            ZipBuilder.Options(hasDescriptor: true),
        ]
    )
    func kinds(_ options: ZipBuilder.Options) throws {
        for (zip64, prefix) in [(false, 0), (true, 0), (false, 100), (true, 100)] {
            var zip = ZipBuilder(prefix: Array(repeating: 0x23, count: prefix))
            zip.add("first.txt", "one", options)
            zip.add("sub/second.txt", "two, and longer", options)
            zip.add("empty", "", options)
            zip.add("sub/", "")
            if prefix > 0, !options.usesZip64 || !zip64 { continue }
            let files = try ZipFiles(zip.finished(comment: "a comment PK\u{5}\u{6}", zip64: zip64))
            #expect(files.paths == ["empty", "first.txt", "sub/second.txt"])
            #expect(files.read("first.txt") == .contents(Array("one".utf8)))
            #expect(files.read("sub/second.txt") == .contents(Array("two, and longer".utf8)))
            #expect(files.read("empty") == .contents([]))
            #expect(files.read("sub") == .missing)
            #expect(files.notes == [])
        }
    }

    @Test("reads an archive behind other bytes, as self-extracting ones are")
    func prefixed() throws {
        let start = [UInt8](repeating: 0x23, count: 100)
        for zip64 in [false, true] {
            var zip = ZipBuilder()
            zip.add("a.txt", "one")
            let files = try ZipFiles(start + zip.finished(zip64: zip64))
            #expect(files.read("a.txt") == .contents(Array("one".utf8)))
        }
    }

    @Test(
        "leaves out entries whose names lead elsewhere",
        arguments: ["../up.txt", "/etc/passwd", "a/../../b", "a\\b.txt", "a\0b", ".."]
    )
    func names(_ name: String) throws {
        var zip = ZipBuilder()
        zip.add(name, "evil")
        zip.add("main.cwl", "good")
        let files = try ZipFiles(zip.finished())
        #expect(files.paths == ["main.cwl"])
        #expect(files.notes.count == 1)
        #expect(files.notes.first?.message.contains("left out of the zip") == true)
    }

    @Test("says with a missing main file what was left out of the archive")
    func leftOutMain() throws {
        var zip = ZipBuilder()
        zip.add("wf\\main.cwl", "class: CommandLineTool")
        let files = try ZipFiles(zip.finished())
        let message =
            "main file (main.cwl): not in the definition, and no .cwl file is (wf\\main.cwl: left out of the zip: its "
            + "name holds a backslash; make the zip with `/` between folders)"
        #expect(throws: DefinitionError(message)) {
            try WorkflowDefinition.inspect(files, DefinitionRequest(engine: .cwl))
        }
    }

    @Test("takes the last of equal names, and names with ./ as they are meant")
    func duplicates() throws {
        var zip = ZipBuilder()
        zip.add("a.txt", "old")
        zip.add("./a.txt", "new")
        let files = try ZipFiles(zip.finished())
        #expect(files.read("a.txt") == .contents(Array("new".utf8)))
        #expect(files.notes.map(\.message) == ["a.txt: more than once in the zip, the last one is read"])
    }

    @Test("follows links that stay inside, as they would be laid out")
    func links() throws {
        let link = ZipBuilder.Options(unixMode: 0o120777)
        var zip = ZipBuilder()
        zip.add("a/main.nf", "workflow { }")
        zip.add("b/one.nf", "../a/main.nf", link)
        zip.add("b/two.nf", "one.nf", ZipBuilder.Options(method: 8, unixMode: 0o120777))
        zip.add("c", "a", link)
        zip.add("loop", "loop", link)
        zip.add("out", "../../etc/passwd", link)
        zip.add("gone", "a/gone.nf", link)
        let files = try ZipFiles(zip.finished())
        for path in ["b/one.nf", "b/two.nf", "c/main.nf"] {
            #expect(files.exists(path))
            #expect(files.read(path) == .contents(Array("workflow { }".utf8)))
        }
        let refused = DefinitionFile.refused("a symbolic link in the zip, not followed")
        #expect(files.read("loop") == refused && files.read("out") == refused)
        #expect(files.read("gone") == .missing && files.read("c/gone.nf") == .missing)
        #expect(files.paths == ["a/main.nf"])
        #expect(
            files.notes.map(\.message)
                == ["gone", "loop", "out"].map { "\($0): a symbolic link in the zip, not followed" }
        )
    }

    @Test(
        "refuses files it cannot or must not read",
        arguments: [
            (ZipBuilder.Options(unixMode: 0o120777), "a symbolic link in the zip, not followed"),
            (ZipBuilder.Options(flags: 1), "encrypted; make the zip without a password"),
            (ZipBuilder.Options(method: 12), "packed by zip method 12; only stored and deflated files are read"),
            (ZipBuilder.Options(crc: 1), "damaged in the zip: its checksum differs; make the zip again"),
            (
                ZipBuilder.Options(method: 8, declaredSize: 3),
                "damaged in the zip: it does not unpack to its size; make the zip again"
            ),
            (
                ZipBuilder.Options(method: 8, declaredSize: 400),
                "damaged in the zip: it does not unpack to its size; make the zip again"
            ),
            (ZipBuilder.Options(declaredSize: 5000), "5000 bytes; at most 1000 are read"),
        ]
    )
    func refused(_ options: ZipBuilder.Options, _ reason: String) throws {
        var zip = ZipBuilder()
        zip.add("a.txt", "/etc/passwd", options)
        let files = try ZipFiles(zip.finished(), limits: ZipLimits(fileSize: 1000))
        #expect(files.read("a.txt") == .refused(reason))
    }

    @Test("bounds the ratio and the sum of what is read")
    func limits() throws {
        var zip = ZipBuilder()
        zip.add("bomb", "tiny", ZipBuilder.Options(method: 8, declaredSize: 16 << 20))
        for name in ["a", "b", "c"] { zip.add(name, String(repeating: "x", count: 100)) }
        let files = try ZipFiles(zip.finished(), limits: ZipLimits(totalSize: 250))
        #expect(files.read("bomb") == .refused("16777216 bytes out of 9: packed more than 250 times"))
        let text = DefinitionFile.contents(Array(repeating: UInt8(ascii: "x"), count: 100))
        #expect(files.read("a") == text)
        #expect(files.read("a") == text)
        #expect(files.read("b") == text)
        #expect(files.read("c") == .refused("the files of this zip are more than 250 bytes together"))
        #expect(
            throws: DefinitionError("the zip holds 4 entries; at most 3 are read: leave data out of the definition")
        ) {
            try ZipFiles(zip.finished(), limits: ZipLimits(entries: 3))
        }
    }

    @Test("says that a zip is cut off or damaged")
    func damaged() throws {
        var zip = ZipBuilder()
        zip.add("a.txt", "one")
        let whole = zip.finished()
        let messages = [
            ([UInt8]("not a zip".utf8), "not a zip, or cut off: it has no end record; make or fetch it again"),
            ([], "not a zip, or cut off: it has no end record; make or fetch it again"),
            (Array(whole.dropLast(10)), "not a zip, or cut off: it has no end record; make or fetch it again"),
            (
                Array(whole.dropFirst(zip.bytes.count + 5)),
                "the zip is damaged: its directory is not where its end record says; make the zip again"
            ),
        ]
        for (bytes, message) in messages {
            #expect(throws: DefinitionError(message)) { try ZipFiles(bytes) }
        }
        var bytes = whole
        bytes[zip.bytes.count] = 0
        #expect(
            throws: DefinitionError(
                "the zip is damaged: entry 1 of 1 is not in its directory; make the zip again"
            )
        ) { try ZipFiles(bytes) }
    }
}
