import Testing

@testable import Definitions

@Suite("YAMLParser")
struct YAMLParserTests {
    private static func value(_ text: String) throws -> ParameterValue {
        var parser = YAMLParser(Array(text.utf8))
        let document = CWLDocument(path: "t.cwl", yaml: try parser.document())
        var budget = 10_000
        return try #require(document.root.value(budget: &budget))
    }

    private static func json(_ text: String) throws -> ParameterValue { try ParameterValue(json: Array(text.utf8)) }

    @Test(
        "reads the structures of definitions",
        arguments: [
            ("a: 1\nb:\n  c: x # why\n", #"{"a": 1, "b": {"c": "x"}}"#),
            ("#!/usr/bin/env cwl-runner\n%YAML 1.2\n---\na: b\n...\nc: d\n", #"{"a": "b"}"#),
            (
                "- a\n- - b\n  - c\n-\n  d: e\n  f: g\n- h: i\n  j:\n  - k\n",
                #"["a", ["b", "c"], {"d": "e", "f": "g"}, {"h": "i", "j": ["k"]}]"#
            ),
            ("a:\n- b\n-   c: d\n    e: f\ng:", #"{"a": ["b", {"c": "d", "e": "f"}], "g": null}"#),
            (
                "a: {b: c, \"d\":1, e: [f, 'g', {h: i}], j: }\n",
                #"{"a": {"b": "c", "d": 1, "e": ["f", "g", {"h": "i"}], "j": null}}"#
            ),
            ("{\n\t\"a\": [1,\n\t2],\n\t\"b\": \"\\ud83d\\ude00\\/\" }", #"{"a": [1, 2], "b": "😀/"}"#),
            ("a: [b: c, d]\n", #"{"a": [{"b": "c"}, "d"]}"#),
            ("? a\n: b\n? c\n", #"{"a": "b", "c": null}"#),
            ("\"a b\": 1\n'c''d': 2\ne f : 3\n", #"{"a b": 1, "c'd": 2, "e f": 3}"#),
            ("a: b\na: c\n", #"{"a": "c"}"#),
            ("a: &x {b: 1}\nc: *x\nd: [*x]\n", #"{"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}]}"#),
            ("a: &x\n  b: 1\n  c: 2\nd:\n  <<: *x\n  c: 3\n", #"{"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}"#),
            ("&k a: b\nc: *k\n", #"{"a": "b", "c": "a"}"#),
            (
                "a: http://x.org:80/y#z\nb: c#d\ne: 'f: g'\n",
                ##"{"a": "http://x.org:80/y#z", "b": "c#d", "e": "f: g"}"##
            ),
            ("a: $(inputs.x)\nb: ${return 1;}\n", #"{"a": "$(inputs.x)", "b": "${return 1;}"}"#),
            ("a: !!str 1\nb: ! 2\nc: !mine d\ne: !!map\n  f: g\n", #"{"a": "1", "b": "2", "c": "d", "e": {"f": "g"}}"#),
            (
                "a: ~\nb: true\nc: False\nd: 1.50\ne: 1-0\nf: 1.0.2\ng: -3\nh: 1e3\n",
                #"{"a": null, "b": true, "c": false, "d": 1.50, "e": "1-0", "f": "1.0.2", "g": -3, "h": 1e3}"#
            ),
            ("a: b\r\nc:\r\n  - d\r\n", #"{"a": "b", "c": ["d"]}"#),
            ("\u{FEFF}a: b", #"{"a": "b"}"#),
            ("\u{FEFF}a: b\nc:\n- d\n", #"{"a": "b", "c": ["d"]}"#),
            ("\u{FEFF}# x\r\n%YAML 1.2\r\n---\r\na: b\r\nc: d\r\n", #"{"a": "b", "c": "d"}"#),
            ("", "null"),
            ("# nothing\n", "null"),
        ]
    )
    func structures(_ text: String, _ expected: String) throws {
        #expect(try Self.value(text) == Self.json(expected))
    }

    @Test(
        "folds scalars as YAML says",
        arguments: [
            ("a: b\n  c\n\n  d # e\n", "b c\nd"),
            ("a: \"b\n  c\\n\\\n  d\n\n  e\"\n", "b c\nd\ne"),
            ("a: 'b\n  c\n\n  d'\n", "b c\nd"),
            ("a: |\n  b\n    c\n\n  d\n\n", "b\n  c\n\nd\n"),
            ("a: |-\n  b\n  c\n\n", "b\nc"),
            ("a: |+\n  b\n\n", "b\n\n"),
            ("a: |2\n    b\n   c\n", "  b\n c\n"),
            ("a: >\n  b\n  c\n\n  d\n    e\n    f\n  g\n", "b c\nd\n  e\n  f\ng\n"),
            ("a: >-\n\n  b\n\n\n  c\n", "\nb\n\nc"),
            ("a: |\n  b", "b"),
            ("a: |\n", ""),
        ]
    )
    func folds(_ text: String, _ expected: String) throws {
        #expect(try Self.value(text) == .object(["a": .string(expected)]))
    }

    @Test("keeps the line of every node")
    func lines() throws {
        var parser = YAMLParser(Array("a:\n  - b\n\n  # c\n  - d: >\n      e\n    f: g\n".utf8))
        let root = CWLDocument(path: "t", yaml: try parser.document()).root
        let list = try #require(root["a"]?.elements)
        #expect(list.map(\.line) == [2, 5])
        #expect(list[1]["d"]?.line == 5)
        #expect(list[1]["f"]?.line == 7)
    }

    @Test(
        "names the line of a fault",
        arguments: [
            ("a: [b\n", 2, "a `[` is not closed"),
            ("a: \"b\n", 1, "a `\"` is not closed"),
            ("a: b\n\tc: d\n", nil, nil),
            ("a:\n\tb: c\n", 2, "a tab in the indentation; use spaces"),
            ("a:\n  b: c\n d: e\n", 3, "the text goes on where the document should end; look at the indentation"),
            ("a: *b\n", 1, "alias `*b` has no anchor before it"),
            ("a: &b [*b]\n", 1, "alias `*b` has no anchor before it"),
            ("a: |x\n", 1, "unexpected text after `|` or `>`; the block begins on the next line"),
            ("a: @b\n", 1, "a value cannot begin with this character; put it in quotes"),
            ("a: - b\n", 1, "a list cannot begin behind a key; put it on the next line"),
            ("a: {b: c]\n", 1, "expected `,` or `}`"),
            ("a: b\nc\n", 2, "expected `key:`; look at the indentation and at quotes"),
        ] as [(String, Int?, String?)]
    )
    func faults(_ text: String, _ line: Int?, _ message: String?) throws {
        guard let line, let message else {
            // A tab inside a folded text is no indentation.
            #expect(try Self.value(text) == .object(["a": .string("b c: d")]))
            return
        }
        #expect(throws: YAMLFault(line: line, message: message)) { try Self.value(text) }
    }

    @Test("bounds nesting, in blocks and in brackets")
    func nesting() {
        let deep = 100_000
        let texts = [
            String(repeating: "[", count: deep), String(repeating: "{a: ", count: deep),
            String(repeating: "- ", count: deep),
            String(repeating: "? ", count: deep),
            (0..<2_000).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
        ]
        for text in texts {
            let fault = #expect(throws: YAMLFault.self) { try Self.value(text) }
            #expect(fault?.message == "nested deeper than 100 levels")
        }
    }

    @Test("does not expand aliases or merge keys without end")
    func bombs() throws {
        var aliases = "a0: &a0 [x, x]\n"
        var merges = "m0: &m0 {k0: 1, l0: 2}\n"
        for level in 1..<60 {
            aliases += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n"
            merges += "m\(level): &m\(level)\n  <<: [*m\(level - 1), *m\(level - 1)]\n  k\(level): 1\n"
        }
        var parser = YAMLParser(Array(aliases.utf8))
        let document = CWLDocument(path: "t", yaml: try parser.document())
        var budget = 10_000
        #expect(document.root.value(budget: &budget) == nil)
        let fault = #expect(throws: YAMLFault.self) { try Self.value(merges) }
        #expect(fault?.message == "merge keys add up to too many entries")
    }
}
