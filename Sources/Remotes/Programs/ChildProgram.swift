import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A program that is run for what it writes: no shell, and its complaints unread because they may hold secrets.
///
/// It runs in a process group of its own, which ends with it when its time is over: what it has begun itself may hold the
/// pipe open for as long as it likes.
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
    /// Standard input, at most what a pipe holds; nothing where it is nil.
    var input: String?

    /// Where a program is: a path as it stands, else the first of its name on a search path.
    static func find(_ name: String, on searchPath: [String]) -> String? {
        let candidates = name.contains("/") ? [name] : searchPath.map { "\($0)/\(name)" }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Runs it to its end, or kills it and all of its group when the time is over.
    ///
    /// - Throws: `CancellationError`.
    func run(atMost timeout: Duration, on timeline: Timeline) async throws -> Ending {
        let child = Child()
        let ending = await withTaskGroup(of: Ending?.self) { group in
            group.addTask { await child.answer(self) }
            group.addTask {
                try? await timeline.sleep(timeout)
                // The answer's task ends then, so the group never waits for a program that hangs.
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

    /// One run, on a thread of its own: waiting for a process blocks.
    private final class Child: Sendable {
        private struct State {
            var identifier: pid_t?
            var isKilled = false
        }

        private let state = Mutex(State())

        func answer(_ program: ChildProgram) async -> Ending? {
            await withCheckedContinuation { continuation in
                Thread.detachNewThread { continuation.resume(returning: self.run(program)) }
            }
        }

        /// Kills the program's group, if it runs or as soon as it does.
        func end() {
            state.withLock { state in
                state.isKilled = true
                if let identifier = state.identifier { kill(-identifier, SIGKILL) }
            }
        }

        private func run(_ program: ChildProgram) -> Ending? {
            guard let outlet = Pipe(), let inlet = Pipe(holding: program.input ?? "") else { return .cannotStart }
            guard let identifier = Self.spawn(program, input: inlet.reading, output: outlet.writing) else {
                return .cannotStart
            }
            inlet.close()
            outlet.closeWriting()
            defer { outlet.close() }
            let isKilled = state.withLock { state in
                state.identifier = identifier
                return state.isKilled
            }
            if isKilled { end() }
            var output = Data()
            var status: Int32?
            // Its end is what counts, not the pipe's: whatever it leaves behind may keep that open.
            while status == nil {
                outlet.read(into: &output, atMost: ChildProgram.largestOutput, waiting: 20)
                status = reap(identifier)
            }
            outlet.read(into: &output, atMost: ChildProgram.largestOutput, waiting: 0)
            guard let status, !state.withLock({ $0.isKilled }) else { return nil }
            return .ended(status: status, output: output)
        }

        /// The status of a program that has ended: its own, or 128 and the signal's number, as a shell says it.
        private func reap(_ identifier: pid_t) -> Int32? {
            state.withLock { state in
                var raw: Int32 = 0
                let reaped = waitpid(identifier, &raw, WNOHANG)
                guard reaped == identifier || (reaped < 0 && errno != EINTR) else { return nil }
                state.identifier = nil
                return raw & 0x7f == 0 ? raw >> 8 & 0xff : 128 + raw & 0x7f
            }
        }

        private static func spawn(_ program: ChildProgram, input: Int32, output: Int32) -> pid_t? {
            #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
            #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
            #endif
            posix_spawn_file_actions_init(&actions)
            posix_spawnattr_init(&attributes)
            defer {
                posix_spawn_file_actions_destroy(&actions)
                posix_spawnattr_destroy(&attributes)
            }
            posix_spawn_file_actions_adddup2(&actions, input, 0)
            posix_spawn_file_actions_adddup2(&actions, output, 1)
            posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
            // Signals that this process ignores or blocks are its own affair.
            var none = sigset_t()
            var all = sigset_t()
            sigemptyset(&none)
            sigfillset(&all)
            posix_spawnattr_setsigmask(&attributes, &none)
            posix_spawnattr_setsigdefault(&attributes, &all)
            posix_spawnattr_setpgroup(&attributes, 0)
            posix_spawnattr_setflags(
                &attributes,
                Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
            )
            var words = ([program.path] + program.arguments).map { strdup($0) }
            words.append(nil)
            defer { for word in words { free(word) } }
            var identifier: pid_t = 0
            guard posix_spawn(&identifier, program.path, &actions, &attributes, words, environ) == 0 else { return nil }
            return identifier
        }
    }

    /// Both ends of a pipe, closed in every program that is started.
    private final class Pipe {
        private(set) var reading: Int32
        private(set) var writing: Int32

        init?() {
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { return nil }
            (reading, writing) = (ends[0], ends[1])
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            _ = fcntl(reading, F_SETFL, O_NONBLOCK)
        }

        /// A pipe that holds a text already, for whoever reads it.
        convenience init?(holding text: String) {
            self.init()
            _ = fcntl(reading, F_SETFL, 0)
            _ = fcntl(writing, F_SETFL, O_NONBLOCK)
            let bytes = Array(text.utf8)
            guard bytes.isEmpty || write(writing, bytes, bytes.count) == bytes.count else { return nil }
            closeWriting()
        }

        deinit { close() }

        func closeWriting() {
            if writing >= 0 { _ = Self.closed(writing) }
            writing = -1
        }

        func close() {
            closeWriting()
            if reading >= 0 { _ = Self.closed(reading) }
            reading = -1
        }

        private static func closed(_ end: Int32) -> Int32 {
            #if canImport(Glibc)
            Glibc.close(end)
            #elseif canImport(Musl)
            Musl.close(end)
            #else
            Darwin.close(end)
            #endif
        }

        /// Takes what is there, after waiting at most so many milliseconds for it.
        func read(into output: inout Data, atMost limit: Int, waiting: Int32) {
            var entry = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, waiting) > 0, entry.revents & Int16(POLLIN) == 0 {
                // Closed, and its writer goes on: that must not become a busy wait.
                usleep(useconds_t(max(0, waiting) * 1000))
                return
            }
            var piece = [UInt8](repeating: 0, count: 65_536)
            // In portions: whoever writes without end must not keep us from looking after the program.
            for _ in 0..<64 {
                let count = readOnce(&piece)
                guard count > 0 else {
                    if count == 0, waiting > 0 { usleep(useconds_t(waiting * 1000)) }
                    return
                }
                if output.count < limit { output += piece.prefix(min(count, limit - output.count)) }
            }
        }

        private func readOnce(_ piece: inout [UInt8]) -> Int {
            #if canImport(Glibc)
            Glibc.read(reading, &piece, piece.count)
            #elseif canImport(Musl)
            Musl.read(reading, &piece, piece.count)
            #else
            Darwin.read(reading, &piece, piece.count)
            #endif
        }
    }
}
