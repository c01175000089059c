#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Standard output and standard error: the only two places that text is written to. A write that fails is an error like
/// any other, where Foundation's `FileHandle.write(_:)` ends the process.
package enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    /// What could not be written, and why.
    package struct WriteFailure: Error, Sendable, Hashable, CustomStringConvertible {
        package var stream: StandardStream
        /// As in errno(3).
        package var code: Int32
        /// Bytes of the text that were written before.
        package var written: Int

        /// Whoever read it has gone, as `head` does.
        package var isClosedPipe: Bool { code == EPIPE }

        package var description: String {
            "standard \(stream == .output ? "output" : "error"): \(String(cString: strerror(code)))"
        }
    }

    /// Writes all of a text, however many pieces the kernel takes it in.
    package func write(_ text: String) throws(WriteFailure) {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { systemWrite(rawValue, $0.baseAddress, $0.count) }
            if count >= 0 {
                written += count
                continue
            }
            let code = errno
            switch code {
            case EINTR: continue
            case EAGAIN:
                // Somebody who shares the stream set it not to block.
                var wanted = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
                _ = poll(&wanted, 1, -1)
            default: throw WriteFailure(stream: self, code: code, written: written)
            }
        }
    }

    /// Prepares the process's streams, before anything is opened.
    ///
    /// A stream that was closed would become the number of the next file or connection, and what is written to it would
    /// go there; it is held by a descriptor that takes no writes. A reader that goes is an error of the write, not the
    /// end of the process.
    package static func prepare() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
        where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
            // The lowest number that is free is this one.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
        signal(SIGPIPE, SIG_IGN)
    }

    /// Ends the process as the signal would have that other programs leave to the kernel: quietly.
    package static func endByClosedPipe() -> Never {
        signal(SIGPIPE, SIG_DFL)
        raise(SIGPIPE)
        exit(128 + SIGPIPE)
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    #if canImport(Glibc)
    Glibc.write(descriptor, bytes, count)
    #else
    Musl.write(descriptor, bytes, count)
    #endif
}
