/// Cuts what arrives into lines. One that is longer than a limit is told and passed over; no more than the limit is ever kept.
package struct LineSplitter: Sendable {
    package enum Line: Sendable, Hashable {
        case line([UInt8])
        case tooLong
    }

    private let limit: Int
    private var rest: [UInt8] = []
    private var isPassingOver = false

    /// - Parameter limit: bytes of a line, without its end.
    package init(limit: Int) { self.limit = limit }

    /// The lines that are whole now; empty ones, and those of white space, are left out.
    package mutating func lines(_ bytes: some Collection<UInt8>) -> [Line] {
        var lines: [Line] = []
        for (number, part) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            if number > 0 {
                if !isPassingOver, !Self.isBlank(rest) { lines.append(.line(rest)) }
                rest = []
                isPassingOver = false
            }
            if isPassingOver { continue }
            if rest.count + part.count > limit {
                lines.append(.tooLong)
                rest = []
                isPassingOver = true
            } else {
                rest += part
            }
        }
        return lines
    }

    /// What came after the last end of a line, at the end of all.
    package var remainder: [UInt8]? { Self.isBlank(rest) ? nil : rest }

    private static func isBlank(_ line: [UInt8]) -> Bool { line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }
}
