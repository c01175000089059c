import Foundation
import Model

/// What the sections of the page are made of.
extension ReportPage {
    func section(_ title: String, _ body: String) -> String {
        "<section><h2>\(Self.text(title))</h2>\(body)</section>"
    }

    // MARK: Figures

    func figure(_ path: String, _ value: Int) -> String { data(path, "\(value)", Phrase.grouped(value)) }

    func bytes(_ path: String, _ value: Int64) -> String { data(path, "\(value)", Phrase.bytes(value)) }

    func seconds(_ path: String, _ value: Double) -> String { data(path, "\(value)", Phrase.length(value)) }

    private func data(_ path: String, _ value: String, _ shown: String) -> String {
        "<data value=\"\(value)\" data-path=\"\(path)\">\(Self.text(shown))</data>"
    }

    static func percent(_ part: Int, of whole: Int) -> String {
        whole > 0 ? "\(Int((Double(part) / Double(whole) * 100).rounded(.down))) %" : "-"
    }

    // MARK: Pictures

    /// A name, a bar of a share between 0 and 1, and its figure.
    func row(_ name: String, share: Double, value: String, isLate: Bool = false) -> String {
        let width = Int((min(1, max(0, share)) * 1000).rounded())
        return
            "<div class=\"row\"><span>\(Self.text(name))</span><span class=\"track\"><span class=\"fill\(isLate ? " late" : "")\" "
            + "style=\"width:\(width / 10).\(width % 10)%\"></span></span><span>\(value)</span></div>"
    }

    /// A single day is no wall.
    private static let fewestColumns = 14

    struct Column {
        var day: String
        var value: Double
        var figure: String
    }

    /// A bar for each day; the largest and the last are told in words, for those who do not see the picture, and all in a
    /// list below it.
    func chart(_ columns: [Column], label: String) -> String {
        guard let largest = columns.max(by: { $0.value < $1.value }), let first = columns.first, let last = columns.last
        else { return "" }
        let top = max(largest.value, 1)
        let bars = columns.enumerated().map { index, column in
            let height = max(column.value > 0 ? 1 : 0, Int((column.value / top * 96).rounded()))
            return "<rect x=\"\(index * 10 + 1)\" y=\"\(100 - height)\" width=\"8\" height=\"\(height)\"/>"
        }
        let list = columns.map { "<li>\(Self.text($0.day)): \($0.figure)</li>" }.joined()
        return """
            <svg role="img" aria-label="\(Self.text(label)); most on \(Self.text(largest.day))" viewBox="0 0 \
            \(max(columns.count, Self.fewestColumns) * 10) 100" preserveAspectRatio="none">\(bars.joined())</svg>
            <div class="axis"><span>\(Self.text(first.day))</span><span>\(Self.text(last.day))</span></div>
            <details><summary>\(Phrase.count(columns.count, "day"))</summary><ul>\(list)</ul></details>
            """
    }

    // MARK: Tables

    /// - Parameters:
    ///   - numbers: the columns that hold figures.
    ///   - sentences: those that hold sentences.
    func table(_ titles: [String], numbers: Range<Int>, sentences: Range<Int> = 0..<0, _ rows: [[String]]) -> String {
        func cell(_ tag: String, _ column: Int, _ body: String) -> String {
            let kind = numbers.contains(column) ? " class=\"n\"" : sentences.contains(column) ? " class=\"t\"" : ""
            return "<\(tag)\(kind)>\(body)</\(tag)>"
        }
        let head = titles.enumerated().map { cell("th", $0.offset, Self.text($0.element)) }.joined()
        let body = rows.map { row in
            "<tr>" + row.enumerated().map { cell("td", $0.offset, $0.element) }.joined() + "</tr>"
        }
        return "<div class=\"wide\"><table><thead><tr>\(head)</tr></thead><tbody>\(body.joined())</tbody></table></div>"
    }

    func more(_ total: Int, _ path: String, shown: Int) -> String {
        total > shown ? "<p class=\"quiet\">\(figure(path, total)) in all; the first \(shown) are shown.</p>" : ""
    }

    // MARK: Text

    /// Text from outside, as HTML shows it: no markup, nothing that moves a cursor or turns the direction of writing.
    static func text(_ text: String) -> String {
        var shown = ""
        for character in Phrase.plain(text) {
            switch character {
            case "&": shown += "&amp;"
            case "<": shown += "&lt;"
            case ">": shown += "&gt;"
            case "\"": shown += "&quot;"
            case "'": shown += "&#39;"
            default: shown.append(character)
            }
        }
        return shown
    }

    /// What one row may take of the page's 300 KB.
    static func bounded(_ text: String) -> String { DisplayWidth.cut(text, to: 400, .middle) }

    static func stamp(_ date: Date) -> String { Phrase.stamp(date, zone: .gmt) }
}
