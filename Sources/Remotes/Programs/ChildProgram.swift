import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A program that is run for what it writes: no shell, and its complaints unread because they may hold secrets.
struct ChildProgram: Sendable {
    enum Ending: Sendable {
        case ended(status: Int32, output: Data)
        case cannotStart
        case tooLate
    }

    /// What is written beyond this is dropped.
    private static let largestOutput = 1 << 20

    let path: String
    var arguments: [String] = []
    /// Standard input; nothing where it is nil.
    var input: String?

    /// Where a program is: a path as it stands, else the first of its name on a search path.
    static func find(_ name: String, on searchPath: [String]) -> String? {
        let candidates = name.contains("/") ? [name] : searchPath.map { "\($0)/\(name)" }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Runs it to its end, or kills it when the time is over.
    ///
    /// - Throws: `CancellationError`.
    func run(atMost timeout: Duration, on timeline: Timeline) async throws -> Ending {
        let child = Child()
        let ending = await withTaskGroup(of: Ending?.self) { group in
            group.addTask { await child.answer(self) }
            group.addTask {
                try? await timeline.sleep(timeout)
                // The answer's task ends when the program does, so the group never waits for a program that hangs.
                child.end()
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        try Task.checkCancellation()
        return ending ?? .tooLate
    }

    /// One run, on a thread of its own: Foundation's pipes and waits block, and its handlers miss a pipe's end now and
    /// then.
    private final class Child: Sendable {
        private struct State {
            var identifier: Int32?
            var isKilled = false
            var isOver = false
        }

        private let state = Mutex(State())

        func answer(_ program: ChildProgram) async -> Ending? {
            await withCheckedContinuation { continuation in
                Thread.detachNewThread { continuation.resume(returning: self.run(program)) }
            }
        }

        private func run(_ program: ChildProgram) -> Ending? {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: program.path)
            process.arguments = program.arguments
            let inlet = program.input.map { _ in Pipe() }
            let outlet = Pipe()
            process.standardInput = inlet ?? FileHandle.nullDevice
            process.standardOutput = outlet
            process.standardError = FileHandle.nullDevice
            do {
                try process.run()
            } catch {
                return .cannotStart
            }
            let isKilled = state.withLock { state in
                state.identifier = process.processIdentifier
                return state.isKilled
            }
            if isKilled { end() }
            if let inlet, let input = program.input {
                try? inlet.fileHandleForWriting.write(contentsOf: Data(input.utf8))
                try? inlet.fileHandleForWriting.close()
            }
            var output = Data()
            while true {
                let piece = outlet.fileHandleForReading.availableData
                if piece.isEmpty { break }
                if output.count < ChildProgram.largestOutput { output += piece }
            }
            process.waitUntilExit()
            let wasKilled = state.withLock { state in
                state.isOver = true
                return state.isKilled
            }
            return wasKilled ? nil : .ended(status: process.terminationStatus, output: output)
        }

        /// Kills the program, if it runs or as soon as it does.
        func end() {
            state.withLock { state in
                guard !state.isOver else { return }
                state.isKilled = true
                if let identifier = state.identifier { kill(identifier, SIGKILL) }
            }
        }
    }
}
