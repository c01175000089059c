import Definitions
import Testing

@Suite("Damaged input")
struct FuzzTests {
    @Test("JSON that reads is written and read back the same")
    func json() throws {
        let seed = Array(#"{"a": [1, -2.5e3, true, null, "x\u00e9\n\ud83d\ude00"], "b": {"c": {}}, "d": []}"#.utf8)
        var mutation = Mutation(
            seed: 1,
            tokens: ["{", "}", "[", "]", "\"", "\\u", "\\", ",", ":", "1", "e", "-", "null", " "]
        )
        var readable = 0
        for _ in 0..<fuzzCount {
            guard let value = try? ParameterValue(json: mutation(seed)) else { continue }
            readable += 1
            #expect(try ParameterValue(json: Array(value.text.utf8)) == value)
        }
        #expect(readable > fuzzCount / 100)
    }

    @Test("A zip is refused or gives whole files")
    func zip() throws {
        let texts = [
            "main.cwl": "class: Workflow\n", "sub/a.txt": String(repeating: "a line\n", count: 20), "big": "z",
        ]
        var builder = ZipBuilder()
        builder.add("main.cwl", texts["main.cwl"] ?? "", ZipBuilder.Options(method: 8))
        builder.add("sub/a.txt", texts["sub/a.txt"] ?? "", ZipBuilder.Options(method: 8, hasDescriptor: true))
        builder.add("big", "z", ZipBuilder.Options(usesZip64: true))
        let seeds = [builder.finished(), builder.finished(zip64: true)]
        var mutation = Mutation(
            seed: 2,
            tokens: ["\u{0}", "PK\u{1}\u{2}", "PK\u{5}\u{6}", "PK\u{6}\u{7}", "../", "\u{7F}"]
        )
        var readable = 0
        for round in 0..<fuzzCount {
            guard let files = try? ZipFiles(mutation(seeds[round % 2])) else { continue }
            for path in files.paths {
                // What passes its checksum is what was packed, under whatever name.
                guard case .contents(let bytes) = files.read(path) else { continue }
                readable += 1
                let isKnown = bytes.isEmpty || texts.values.contains { Array($0.utf8) == bytes }
                #expect(isKnown, "\(path) of round \(round)")
                #expect(!path.hasPrefix("/") && !path.split(separator: "/").contains(".."))
            }
        }
        #expect(readable > fuzzCount / 100)
    }
}
