import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Remotes
@testable import preclone

/// What a person sees of copies under way.
@Suite("CopyDisplay")
struct CopyDisplayTests {
    /// Draws `seconds` long on a clock that runs by itself, one step of the copy before each drawing.
    private func shown(
        on terminal: Terminal?,
        steps: Int,
        _ names: [String] = ["quay.io/org/tool:1"],
        before: @escaping @Sendable (Int) -> Void,
        with progress: TransferProgress
    ) async -> [String] {
        let clock = ManualClock()
        let written = Mutex<[String]>([])
        let left = Mutex(steps)
        let timeline = Timeline(
            elapsed: { clock.elapsed },
            sleep: { time in
                let step = left.withLock { left in
                    left -= 1
                    return steps - left
                }
                guard step <= steps else { throw CancellationError() }
                clock.advance(by: time)
                before(step)
            },
            now: { clock.now },
            random: { 0.5 }
        )
        let display = CopyDisplay(names, timeline: timeline, terminal: terminal) { text in
            written.withLock { $0.append(text) }
        }
        for index in names.indices { display.begin(index, progress) }
        await display.run()
        display.end(0, .failed(CopySession.Failure(message: "quay.io: \u{1B}[31mno", hint: nil, isTemporary: false)))
        display.finish()
        return written.withLock { $0 }
    }

    @Test("not on a terminal: a plain line every ten seconds and one at the end, with nothing for a screen in it")
    func plain() async {
        let progress = TransferProgress()
        let lines = await shown(
            on: nil,
            steps: 25,
            before: { step in
                progress.update {
                    $0.bytesTotal = 100 << 20
                    $0.bytesDone = Int64(step) << 21
                    $0.bytesMoved = Int64(step) << 21
                }
            },
            with: progress
        )
        #expect(
            lines.filter { !$0.isEmpty } == [
                "quay.io/org/tool:1 20.0 MiB of 100.0 MiB, 20 %, 2.0 MiB/s, 40.0 s left\n",
                "quay.io/org/tool:1 40.0 MiB of 100.0 MiB, 40 %, 2.0 MiB/s, 30.0 s left\n",
                "quay.io/org/tool:1 error: quay.io: \u{FFFD}[31mno\n",
            ]
        )
    }

    @Test("no more lines are drawn than the terminal has")
    func small() async {
        let lines = await shown(
            on: Terminal(width: 80, height: 5, hasColour: false),
            steps: 2,
            (1...8).map { "quay.io/org/tool\($0):1" },
            before: { _ in },
            with: TransferProgress()
        )
        #expect(lines[1].hasPrefix("\u{1B}[4A\u{1B}[Jquay.io/org/tool1:1 "))
        #expect(lines[1].hasSuffix("\nand 5 more\n"))
    }

    @Test("on a terminal: one line an image, drawn again in its place, cut to the width")
    func terminal() async {
        let progress = TransferProgress()
        let lines = await shown(
            on: Terminal(width: 40, hasColour: false),
            steps: 3,
            before: { step in
                guard step > 1 else { return }
                progress.update {
                    $0.bytesTotal = 10 << 20
                    $0.bytesDone = Int64(step) << 20
                    $0.bytesMoved = Int64(step) << 20
                }
            },
            with: progress
        )
        #expect(lines.count >= 4)
        #expect(lines[0] == "quay.io/org/tool:1 reading the manifest\n")
        for line in lines[1...2] {
            #expect(line.hasPrefix("\u{1B}[1A\u{1B}[Jquay.io/org/tool:1 "))
            #expect(line.dropFirst(7).dropLast().count <= 39, "\(line)")
        }
        #expect(lines[3] == "\u{1B}[1A\u{1B}[Jquay.io/org/tool:1 error: quay.io: \u{FFFD}[31mno\n")
    }
}
