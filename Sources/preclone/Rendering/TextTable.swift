import Precloning

/// A table for people: columns as wide as their longest cell. Where a terminal is too narrow for sentences beside each other,
/// each row becomes a few lines of its own: what a person has to know is never cut.
struct TextTable: Sendable {
    struct Column: Sendable, Hashable {
        var title: String
        var alignment = Alignment.left
        /// How cells lose characters when the terminal is too narrow.
        var cut = DisplayWidth.Cut.never

        enum Alignment: Sendable { case left, right }
    }

    var columns: [Column]
    var rows: [[StyledText]] = []

    /// No cut column becomes narrower than this.
    private static let narrowest = 12
    private static let gap = "  "

    /// Adds a row; an empty cell is shown as `-`, missing ones too, and surplus ones are dropped.
    mutating func add(_ cells: [StyledText]) {
        var row = Array(cells.prefix(columns.count)).map { $0.text.isEmpty ? StyledText("-", .dim) : $0 }
        while row.count < columns.count { row.append(StyledText("-", .dim)) }
        rows.append(row)
    }

    /// The lines, each ended by a line break, without white space at their ends.
    func rendered(for terminal: Terminal) -> String {
        if let room = terminal.width, columns.contains(where: { $0.cut == .end }) {
            let natural = self.widths(nil).reduce(0, +) + Self.gap.count * (columns.count - 1)
            if natural > room { return rows.map { block($0, room, terminal) }.joined() }
        }
        let widths = widths(terminal.width)
        let head = columns.map { StyledText($0.title, .heading) }
        return ([head] + rows).map { line($0, widths, terminal) }.joined()
    }

    /// A row where there is no room for a table: names and short words first, then each sentence below its title.
    private func block(_ cells: [StyledText], _ room: Int, _ terminal: Terminal) -> String {
        var lines: [String] = []
        let (names, sentences) = (
            zip(columns, cells).filter { $0.0.cut != .end }, zip(columns, cells).filter { $0.0.cut == .end }
        )
        for (number, (column, cell)) in names.enumerated() where cell.text != "-" {
            let margin = number == 0 ? "" : Self.gap
            let title = number == 0 ? "" : "\(column.title.lowercased()) "
            let text = DisplayWidth.cut(cell.text, to: room - margin.count - title.count, .start)
            lines.append(margin + title + StyledText(text, number == 0 ? .heading : cell.tone).rendered(for: terminal))
        }
        for (column, cell) in sentences where cell.text != "-" {
            let text = "\(column.title.lowercased()): \(cell.text)"
            lines += DisplayWidth.wrapped(text, to: max(1, room - Self.gap.count)).map { Self.gap + $0 }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private func widths(_ room: Int?) -> [Int] {
        var widths = columns.indices.map { index in
            rows.reduce(DisplayWidth.of(columns[index].title)) { max($0, DisplayWidth.of($1[index].text)) }
        }
        guard let room else { return widths }
        var excess = widths.reduce(0, +) + Self.gap.count * (widths.count - 1) - room
        while excess > 0 {
            let cuttable = columns.indices.filter { columns[$0].cut != .never && widths[$0] > Self.narrowest }
            guard let widest = cuttable.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
            excess -= 1
        }
        return widths
    }

    private func line(_ cells: [StyledText], _ widths: [Int], _ terminal: Terminal) -> String {
        var line = ""
        for (index, cell) in cells.enumerated() {
            let text = DisplayWidth.cut(cell.text, to: widths[index], columns[index].cut)
            let padding = String(repeating: " ", count: max(0, widths[index] - DisplayWidth.of(text)))
            let shown = StyledText(text, cell.tone).rendered(for: terminal)
            if index > 0 { line += Self.gap }
            let last = index == cells.count - 1
            switch columns[index].alignment {
            case .left: line += last ? shown : shown + padding
            case .right: line += padding + shown
            }
        }
        return line + "\n"
    }
}
