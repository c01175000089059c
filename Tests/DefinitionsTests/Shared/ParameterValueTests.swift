import Definitions
import Testing

@Suite("ParameterValue")
struct ParameterValueTests {
    @Test(
        "reads every kind of value",
        arguments: [
            ("null", ParameterValue.null),
            (" true\n", .bool(true)),
            ("-1.5e+10", .number("-1.5e+10")),
            ("0", .number("0")),
            (#""a\n\u00e9\ud83d\ude00\/""#, .string("a\né😀/")),
            ("[]", .array([])),
            ("[1, [2], {}]", .array([.number("1"), .array([.number("2")]), .object([:])])),
            (#"{"a": {"b": null}, "c": "d"}"#, .object(["a": .object(["b": .null]), "c": .string("d")])),
            (#"{"a": 1, "a": 2}"#, .object(["a": .number("2")])),
            ("", .object([:])),
            (" \r\n\t", .object([:])),
            ("\u{FEFF}[1]", .array([.number("1")])),
        ]
    )
    func reads(_ text: String, _ expected: ParameterValue) throws {
        #expect(try ParameterValue(json: Array(text.utf8)) == expected)
    }

    @Test(
        "names line, column and fault",
        arguments: [
            ("{\n  \"a\": tru\n}", "JSON, line 2, column 8: expected `true`"),
            ("[1,]", "JSON, line 1, column 4: a value cannot begin with `]`"),
            ("{\"a\" 1}", "JSON, line 1, column 6: expected `:` after key \"a\""),
            ("{a: 1}", "JSON, line 1, column 2: expected a key in quotes"),
            ("01", "JSON, line 1, column 2: this is not a JSON number"),
            ("1.", "JSON, line 1, column 3: expected a digit"),
            ("1x", "JSON, line 1, column 2: this is not a JSON number"),
            ("\"a", "JSON, line 1, column 1: the string does not end"),
            ("\"\\x\"", "JSON, line 1, column 3: unknown escape: backslash and `x`"),
            ("\"\\ud800\"", "JSON, line 1, column 8: half of a surrogate pair"),
            ("\"a\tb\"", "JSON, line 1, column 3: a control character inside a string must be escaped"),
            ("[1", "JSON, line 1, column 3: expected `,` or `]` after an element"),
            ("{\"a\":", "JSON, line 1, column 6: the text ends where a value should be"),
            ("1 2", "JSON, line 1, column 3: text after the end of the value"),
        ]
    )
    func names(_ text: String, _ message: String) {
        #expect(throws: DefinitionError(message)) { try ParameterValue(json: Array(text.utf8)) }
    }

    @Test("refuses bytes that are not UTF-8")
    func notUTF8() {
        #expect(throws: DefinitionError("JSON, line 1, column 1: the string is not UTF-8")) {
            try ParameterValue(json: [0x22, 0xFF, 0x22])
        }
    }

    @Test("bounds nesting")
    func nesting() throws {
        let deep = { (levels: Int) in
            Array(repeating: UInt8(ascii: "["), count: levels) + Array(repeating: UInt8(ascii: "]"), count: levels)
        }
        _ = try ParameterValue(json: deep(200))
        let error = #expect(throws: DefinitionError.self) { try ParameterValue(json: deep(1_000_000)) }
        #expect(error?.message.contains("nested deeper than 200 levels") == true)
    }
}
