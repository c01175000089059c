import Dispatch

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Standard input, a piece at a time, read by a thread of its own: whatever it is (a pipe, a file, a terminal), nothing else
/// waits for it, and no more is read than was asked for.
struct StandardInput: AsyncSequence {
    private static let piece = 64 << 10

    struct AsyncIterator: AsyncIteratorProtocol {
        private let queue = DispatchQueue(label: "standard input")

        /// - Returns: nil at the end, and where it cannot be read.
        mutating func next() async -> [UInt8]? {
            let queue = queue
            return await withCheckedContinuation { continuation in
                queue.async { continuation.resume(returning: StandardInput.read()) }
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator() }

    private static func read() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: piece)
        while true {
            let count = bytes.withUnsafeMutableBytes { systemRead(STDIN_FILENO, $0.baseAddress, $0.count) }
            if count > 0 { return Array(bytes.prefix(count)) }
            guard count < 0 else { return nil }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                // Somebody who shares the stream set it not to block.
                var wanted = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
                _ = poll(&wanted, 1, -1)
            default: return nil
            }
        }
    }
}

private func systemRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    #if canImport(Glibc)
    Glibc.read(descriptor, bytes, count)
    #else
    Musl.read(descriptor, bytes, count)
    #endif
}
