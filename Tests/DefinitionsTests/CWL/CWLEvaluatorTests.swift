import Testing

@testable import Definitions

@Suite("CWLEvaluator")
struct CWLEvaluatorTests {
    private static let scope = CWLScope(
        inputs: [
            "s": .known(.string("abc")),
            "n": .known(.number("4")),
            "no": .known(.null),
            "yes": .known(.bool(true)),
            "list": .known(.array([.string("x"), .string("y")])),
            "map": .known(.object(["k": .object(["l": .string("deep")])])),
            "file": .known(.object(["class": .string("File"), "path": .string("/f")])),
            "open": .unknown("input `open` has no default"),
        ],
        this: .known(.string("me"))
    )

    @Test(
        "evaluates what decides images",
        arguments: [
            ("plain", "plain"),
            ("$(inputs.s)", "abc"),
            (" $(inputs.s)\n", "abc"),
            ("r/$(inputs.s):$(inputs.n)", "r/abc:4"),
            ("$(inputs['s'])$(inputs[\"n\"])", "abc4"),
            ("$(inputs.map.k.l)", "deep"),
            ("$(inputs.map['k'].l)", "deep"),
            ("$(inputs.list[1])", "y"),
            ("$(inputs.list.length)", "2"),
            ("$(inputs.list.join('/'))", "x/y"),
            ("$(inputs.file.path)", "/f"),
            ("$(self)", "me"),
            ("$(inputs.s + ':' + inputs.n)", "abc:4"),
            ("$(inputs.n + 1)", "5"),
            ("$(1 + 2 * 3 - 4 / 2)", "5"),
            ("$(7 % 4)", "3"),
            ("$('a' + 1.0)", "a1"),
            ("$(inputs.no ? 'a' : inputs.yes ? 'b' : 'c')", "b"),
            ("$(inputs.no || inputs.s)", "abc"),
            ("$(inputs.s && inputs.n)", "4"),
            ("$(inputs.no ?? 'd')", "d"),
            ("$(inputs.n > 3 && inputs.n <= 4)", "true"),
            ("$(inputs.no === null)", "true"),
            ("$(inputs.s !== 'abc')", "false"),
            ("$(!inputs.no)", "true"),
            ("$(typeof inputs.s == 'string')", "true"),
            ("$(inputs.s.toUpperCase().replace('B', '-'))", "A-C"),
            ("$('a:b'.split(':')[0])", "a"),
            ("$(inputs.s.startsWith('ab'))", "true"),
            ("$(['p', 'q'].indexOf('q'))", "1"),
            ("$(String(inputs.n) + 'x')", "4x"),
            ("${ return inputs.s + '!'; }", "abc!"),
            ("${ var t = 'v'; // tag\n if (inputs.no) { t = 'w' } else { t += inputs.n }\n return 'i:' + t }", "i:v4"),
            ("${ if (inputs.yes) return 'a'; return 'b'; }", "a"),
            ("$({a: 'b', 'c': [1]}.a)", "b"),
            ("\\$(inputs.s)", "$(inputs.s)"),
            ("$('a)' + \"b'\")", "a)b'"),
            ("$(inputs.open ? 'same' : 'same')", "same"),
        ]
    )
    func evaluates(_ text: String, _ expected: String) {
        var evaluator = CWLEvaluator(Self.scope)
        #expect(evaluator.value(of: text).only?.scriptText == expected)
    }

    @Test(
        "says what is missing and guesses nothing",
        arguments: [
            ("$(inputs.open)", "input `open` has no default"),
            ("r:$(inputs.open)", "input `open` has no default"),
            ("$(inputs.other)", "there is no input `other`"),
            ("$(inputs.file.nameroot)", "a member that is known only when it runs"),
            ("$(runtime.cores)", "`runtime` is known only when it runs"),
            ("$(inputs.s.match(/a/))", "JavaScript on input `s` that is only known when it runs"),
            (
                "$(inputs.list.map(function(x) { return x; }))",
                "JavaScript on input `list` that is only known when it runs"
            ),
            ("${ for (var i in inputs) {} return 'a'; }", "JavaScript that is only known when it runs"),
            ("$(inputs.s", "the expression's brackets do not match"),
            ("$(inputs.map.k)x", "null, a list or an object in a text"),
            ("$(inputs.no)/x", "null, a list or an object in a text"),
            ("$(inputs.no + 'x')", "an operator on values it is not read for"),
            ("$(inputs.s - 1)", "an operator on values it is not read for"),
            ("$(true == 'true')", "an operator on values it is not read for"),
            ("$(other)", "`other` has no value here"),
            ("$(inputs[inputs.open])", "an input whose name is computed"),
        ]
    )
    func missing(_ text: String, _ expected: String) {
        var evaluator = CWLEvaluator(Self.scope)
        #expect(evaluator.value(of: text).missing == expected)
    }

    @Test("keeps both values of an open choice, and false where a part is false")
    func open() {
        var evaluator = CWLEvaluator(Self.scope)
        let choice = evaluator.value(of: "$(inputs.open ? 'a' : 'b')")
        #expect(choice.candidates == [.string("a"), .string("b")])
        #expect(choice.certainty == .either("input `open` has no default"))
        #expect(evaluator.value(of: "$(inputs.open && false)").truth == false)
        #expect(evaluator.value(of: "$(inputs.open || inputs.no)").truth == nil)
    }

    @Test("takes every candidate of a scattered input")
    func each() {
        var scope = Self.scope
        scope.inputs["v"] = CWLValue(candidates: [.string("1"), .string("2")], certainty: .each)
        var evaluator = CWLEvaluator(scope)
        let value = evaluator.value(of: "i:$(inputs.v)")
        #expect(value.candidates == [.string("i:1"), .string("i:2")])
        #expect(value.certainty == .each)
    }

    @Test("ends with hostile expressions")
    func hostile() {
        let texts = [
            "$(" + String(repeating: "(", count: 50_000) + ")", "$(" + String(repeating: "!", count: 50_000) + "1)",
            "$(" + String(repeating: "1+", count: 50_000) + "1)", "$(" + String(repeating: "[", count: 1_000) + ")",
            "${" + String(repeating: "if (inputs.open) ", count: 40) + " return 1; }",
            "${" + String(repeating: "if (inputs.open) { var a = 1; } ", count: 60) + "return 1; }",
            "${ var a = 'xxxxxxxxxxxxxxxx';" + String(repeating: "a += a;", count: 60) + "return a; }",
            "$" + String(repeating: "{", count: 50_000) + String(repeating: "}", count: 50_000),
        ]
        for text in texts {
            var evaluator = CWLEvaluator(Self.scope)
            #expect(evaluator.value(of: text).only == nil)
        }
    }
}
