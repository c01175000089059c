import Foundation
import Precloning
import Remotes
import Synchronization

/// Shows copies on standard error: one redrawn line each on a terminal, else a plain line every ten seconds, and one when
/// it ends.
final class CopyDisplay: Sendable {
    enum Ending: Sendable {
        case copied(ImageCopy.Outcome)
        case failed(CopySession.Failure)
    }

    private struct Line {
        var progress: TransferProgress
        var began: Duration
        var saidAt: Duration
    }

    private struct State {
        var running: [Int: Line] = [:]
        var drawn = 0
    }

    private let names: [String]
    private let timeline: Timeline
    private let terminal: Terminal?
    private let write: @Sendable (String) -> Void
    private let state = Mutex(State())

    init(
        _ names: [String],
        timeline: Timeline = .system,
        terminal: Terminal? = Terminal.interactive,
        write: @escaping @Sendable (String) -> Void = { Terminal.remark($0) }
    ) {
        self.names = names
        self.timeline = timeline
        self.terminal = terminal
        self.write = write
    }

    /// Draws until it is cancelled.
    func run() async {
        let step: Duration = terminal == nil ? .seconds(1) : .milliseconds(200)
        while (try? await timeline.sleep(step)) != nil { draw() }
    }

    func begin(_ index: Int, _ progress: TransferProgress) {
        let now = timeline.elapsed()
        state.withLock { $0.running[index] = Line(progress: progress, began: now, saidAt: now) }
    }

    func end(_ index: Int, _ ending: Ending) {
        state.withLock { state in
            let line = state.running.removeValue(forKey: index)
            let time = line.map { timeline.elapsed() - $0.began } ?? .zero
            var text = erase(&state)
            switch ending {
            case .copied(let outcome):
                // What a registry said may be in it.
                text += "\(names[index]) \(StyledText(Self.summary(outcome, time)).text)\n"
            case .failed(let failure):
                // What a registry said is in it.
                text += "\(names[index]) error: \(StyledText(failure.message).text)\n"
                if let hint = failure.hint { text += "hint: \(StyledText(hint).text)\n" }
            }
            write(text)
        }
    }

    /// Leaves the screen as it should stay.
    func finish() { state.withLock { state in write(erase(&state)) } }

    private func draw() {
        let now = timeline.elapsed()
        state.withLock { state in
            guard let terminal else {
                for (index, line) in state.running.sorted(by: { $0.key < $1.key })
                where now - line.saidAt >= .seconds(10) {
                    state.running[index]?.saidAt = now
                    write("\(names[index]) \(Self.standing(line.progress.snapshot, now - line.began))\n")
                }
                return
            }
            var text = erase(&state)
            // What has scrolled away cannot be drawn again.
            let room = max(1, (terminal.height ?? 24) - 2)
            for (index, line) in state.running.sorted(by: { $0.key < $1.key }).prefix(room) {
                let whole = "\(names[index]) \(Self.standing(line.progress.snapshot, now - line.began))"
                text += whole.prefix((terminal.width ?? 80) - 1) + "\n"
                state.drawn += 1
            }
            if state.running.count > room {
                text += "and \(state.running.count - room) more\n"
                state.drawn += 1
            }
            write(text)
        }
    }

    private func erase(_ state: inout State) -> String {
        defer { state.drawn = 0 }
        return state.drawn > 0 ? "\u{1B}[\(state.drawn)A\u{1B}[J" : ""
    }

    static func standing(_ snapshot: TransferProgress.Snapshot, _ time: Duration) -> String {
        guard let total = snapshot.bytesTotal else { return "reading the manifest" }
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
        let moved = Double(snapshot.bytesMoved + snapshot.bytesReread)
        let rate = seconds > 0 ? moved / seconds : 0
        let share = total > 0 ? Int(Double(snapshot.bytesDone) / Double(total) * 100) : 100
        var text = "\(bytes(snapshot.bytesDone)) of \(bytes(total)), \(share) %, \(bytes(Int64(rate)))/s"
        let left = Double(total - snapshot.bytesDone)
        if rate > 0, left > 0 { text += ", \(clock(left / rate)) left" }
        return text
    }

    static func summary(_ outcome: ImageCopy.Outcome, _ time: Duration) -> String {
        var said = ""
        if let found = outcome.referrers {
            said = ReferrerWords.said(
                of: found,
                attestationsLeft: outcome.attestationsLeft,
                whole: "without --platform the index is copied whole"
            ).map { "; \($0)" }.joined()
        }
        if outcome.wasPresent { return "present \(outcome.destinationDigest)\(said)" }
        let transfer = outcome.transfer
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
        var parts = ["moved \(bytes(transfer.bytesMoved))"]
        if transfer.bytesMounted > 0 { parts.append("mounted \(bytes(transfer.bytesMounted))") }
        if transfer.bytesReread > 0 { parts.append("shared \(bytes(transfer.bytesReread))") }
        if transfer.bytesSkipped > 0 { parts.append("there before \(bytes(transfer.bytesSkipped))") }
        var text = "copied \(outcome.destinationDigest) (\(parts.joined(separator: ", ")) in \(clock(seconds)))"
        if let moved = outcome.tagMovedTo { text += "; the source's tag has moved to \(moved) meanwhile" }
        return text + said
    }

    static func bytes(_ count: Int64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(max(count, 0))
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(count) B" : "\(tenths(value)) \(units[unit])"
    }

    static func clock(_ seconds: Double) -> String {
        guard seconds < 1e7 else { return "long" }
        if seconds < 60 { return "\(tenths(seconds)) s" }
        let whole = Int(seconds)
        return whole < 3600
            ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole % 3600 / 60) min"
    }

    private static func tenths(_ value: Double) -> String {
        let number = Int((value * 10).rounded())
        return "\(number / 10).\(number % 10)"
    }
}
