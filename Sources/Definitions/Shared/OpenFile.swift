#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A regular file open for reading; closed when the last reference goes.
final class OpenFile: Sendable {
    let size: Int
    private let descriptor: Int32

    /// - Throws: `DefinitionError` where it cannot be opened or is no regular file (a pipe, a device).
    init(_ path: String) throws(DefinitionError) {
        // Not blocking: a named pipe would wait for its writer.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw DefinitionError("\(path): \(OpenFile.lastError)") }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw DefinitionError("\(path): not a regular file")
        }
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// The bytes of a range; fewer where the file ends, nil on a read error.
    func read(at offset: Int, count: Int) -> [UInt8]? {
        guard offset >= 0, count > 0 else { return count == 0 ? [] : nil }
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count, let start = buffer.baseAddress {
                let result = pread(descriptor, start + filled, count - filled, off_t(offset + filled))
                if result < 0, errno == EINTR { continue }
                failed = result < 0
                guard result > 0 else { break }
                filled += result
            }
        }
        return failed ? nil : bytes
    }

    static var lastError: String { String(cString: strerror(errno)) }
}
