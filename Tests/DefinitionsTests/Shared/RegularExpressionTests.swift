import Testing

@testable import Definitions

@Suite("Regular expressions")
struct RegularExpressionTests {
    /// What `java.util.regex.Pattern.matches` of Java 17 answers.
    private static let matches: [(pattern: String, text: String, isMatch: Bool)] = [
        (#"(?!QC:).*FASTQC"#, "FASTQC", true),
        (#"(?!QC:).*FASTQC"#, "QC:FASTQC", false),
        (#"(?!QC:).*FASTQC"#, "MAIN:FASTQC", true),
        (#".*(?<!OLD_)ALIGN"#, "NEW_ALIGN", true),
        (#".*(?<!OLD_)ALIGN"#, "OLD_ALIGN", false),
        (#"(?<=A|BB)C"#, "C", false),
        (#".*(?<=:)SORT"#, "WF:SORT", true),
        (#".*(?<=:)SORT"#, "RESORT", false),
        (#"(?=.*QC)(?=.*RAW).*"#, "RAW:FASTQC", true),
        (#"(?=.*QC)(?=.*RAW).*"#, "FASTQC", false),
        (#"(?i)fastqc"#, "FastQC", true),
        (#"(?i:fast)QC"#, "FASTqc", false),
        (#"(?i:fast)QC"#, "fASTQC", true),
        (#"(?-i)a(?i)b|c"#, "C", true),
        (#"(?i)[a-c]+"#, "AbC", true),
        (#"(?i)[^a-c]"#, "B", false),
        (#"(?x) A B # c"#, "AB", true),
        (#"A++A"#, "AAA", false),
        (#"A*+B"#, "AAB", true),
        (#"(?:AB|A)?+B"#, "AB", false),
        (#"(?>A+)B"#, "AAB", true),
        (#"(?>A|AB)C"#, "ABC", false),
        (#"[A-Z]++_[0-9]{2}+"#, "RUN_12", true),
        (#"(?:a|ab){2}+"#, "aba", false),
        (#"([A-Z]+):\1"#, "SORT:SORT", true),
        (#"([A-Z]+):\1"#, "SORT:SORTX", false),
        (#"(?<tool>\w+)_\k<tool>"#, "A_A", true),
        (#"(?<tool>\w+)_\k<tool>"#, "A_B", false),
        (#"(?i)(a)\1"#, "aA", true),
        (#"(A)(B)\11"#, "ABA1", true),
        (#"\p{Upper}+"#, "ABC", true),
        (#"\p{Upper}+"#, "ABc", false),
        (#"\P{Digit}+"#, "AB1", false),
        (#"\p{Punct}"#, "$", true),
        (#"\p{L}+"#, "ABé", true),
        (#"\pL\pN"#, "A1", true),
        (#"\p{IsAlphabetic}+"#, "é", true),
        (#"\QA.B\E"#, "A.B", true),
        (#"\QA.B\E"#, "AXB", false),
        (#"\QA|B\E.*"#, "A|B:C", true),
        (#"\QA("#, "A(", true),
        (#"X\Q1\E+"#, "X11", true),
        (#"[A-Z&&[^B]]+"#, "AC", true),
        (#"[A-Z&&[^B]]+"#, "AB", false),
        (#"[A-Z&&ABC]"#, "D", false),
        (#"[a-f[x-z]]+"#, "fx", true),
        (#"[^a[b]]"#, "b", false),
        (#"[^A-Z&&[A-C]]"#, "D", true),
        (#"[\w&&[^\d_]]+"#, "ab", true),
        (#"[]A]+"#, "]A", true),
        (#"[A^]"#, "^", true),
        (#"[A-]+"#, "A-", true),
        (#"[[:alpha:]]"#, "a", true),
        (#"[[:alpha:]]+"#, "z", false),
        (#"A{2}{2}"#, "AA", true),
        (#"A{2,}"#, "A", false),
        (#"A{0}"#, "", true),
        (#"^A$"#, "A", true),
        (#"\bA\b"#, "A", true),
        (#"\x41\u0042\0103"#, "ABC", true),
        (#"A\hB"#, "A\tB", true),
        (#"."#, "\n", false),
        (#"(?s)."#, "\n", true),
        (#"A$"#, "A\n", false),
        (#"(A|AB)(C|BCD)"#, "ABCD", true),
        (#"(a+)+b"#, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false),
    ]

    @Test("match the whole of a text as Java's do", arguments: matches)
    func matching(_ row: (pattern: String, text: String, isMatch: Bool)) throws {
        let expression = try #require(RegularExpression(row.pattern))
        #expect(expression.matchesWhole(row.text) == row.isMatch)
    }

    @Test(
        "are refused where Java refuses them, or where it is not known here what they mean",
        arguments: [
            "*A", "A**", "{2}x{", "(A", "A)", "[A", "[z-a]", #"\y"#, #"\p{Nope}"#, "A{3,2}", "(?<a>A)(?<a>B)", "(?q)A",
            #"\k<no>"#, #"\1(A)"#, #"\p{InGreek}"#, "(?U)A", #"(?i)\p{Lu}"#, "[a&&]", "(?<=A+)B", #"(?!(A))\1"#,
            #"\b{g}A"#,
            #"A\X"#, #"\N{DIGIT ONE}"#,
        ]
    )
    func refusing(_ pattern: String) {
        #expect(RegularExpression(pattern) == nil)
    }

    @Test("have no answer where it takes too much, or where versions of Java differ")
    func unanswered() throws {
        let costly = try #require(RegularExpression(#"(x+x+)+(y)\2"#))
        #expect(costly.matchesWhole(String(repeating: "x", count: 200)) == nil)
        let edge = try #require(RegularExpression(#"\bA.*"#))
        #expect(edge.matchesWhole("Aé") == nil)
        #expect(edge.matchesWhole("AB") == true)
    }

    @Test("that repeat repeats take no more than text times program")
    func linear() throws {
        let expression = try #require(RegularExpression("((A*)*)*B"))
        #expect(expression.matchesWhole(String(repeating: "A", count: 2000)) == false)
        #expect(expression.matchesWhole(String(repeating: "A", count: 2000) + "B") == true)
    }

    @Test("replace as Java's Matcher does")
    func replacing() throws {
        func replaced(_ pattern: String, _ text: String, _ with: String, onlyFirst: Bool = false) -> String? {
            RegularExpression(pattern)?.replacing(in: text, with: with, onlyFirst: onlyFirst, maximum: 100)
        }
        #expect(replaced("[^a-z]", "a B-c", "_") == "a___c")
        #expect(replaced("(a)(b)?", "ab a", "<$2$1>") == "<ba> <a>")
        #expect(replaced("(?<n>a)", "ba", #"\$${n}\\"#) == #"b$a\"#)
        #expect(replaced("x*", "axb", "-") == "-a--b-")
        #expect(replaced("a", "aa", "$0$0", onlyFirst: true) == "aaa")
        #expect(replaced("a", "a", "$1") == nil)
        #expect(replaced("a", "a", String(repeating: "b", count: 200)) == nil)
    }

    @Test("split as Java's String does")
    func splitting() throws {
        func parts(_ pattern: String, _ text: String) -> [String]? {
            RegularExpression(pattern)?.splitting(text, maximum: 10)
        }
        #expect(parts("[:/]", "q.io/a:1") == ["q.io", "a", "1"])
        #expect(parts(",", ",a,,b,,") == ["", "a", "", "b"])
        #expect(parts("", "abc") == ["a", "b", "c"])
        #expect(parts("(?=b)", "abab") == ["a", "ba", "b"])
        #expect(parts("x", "abc") == ["abc"])
    }

    @Test("of WDL know POSIX classes, and back references in both spellings")
    func posix() throws {
        let expression = try #require(RegularExpression("^([[:alpha:]_]+)[[:digit:]]+$", dialect: .wdl))
        #expect(expression.replacing(in: "ab_12", with: #"\1"#, maximum: 100) == "ab_")
        #expect(expression.replacing(in: "ab_12", with: "$1", maximum: 100) == "ab_")
        // Java's engines would take this for a set in a set, others for a bracket.
        #expect(RegularExpression("[a[b]]", dialect: .wdl) == nil)
        #expect(RegularExpression("[a&&b]", dialect: .wdl) == nil)
    }
}
