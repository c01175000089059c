import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
import Model
#elseif canImport(Musl)
import Musl
#endif

/// The one worker process of a record: an advisory lock on `RECORD.lock`, with the holder's name inside. The kernel
/// drops it when the process ends, however it ends.
///
/// It is a lock of the open file description (fcntl(2)): unlike one of flock(2), others can ask for it without taking it
/// themselves, so that whoever looks never keeps a worker out.
package final class RecordLock: Sendable {
    /// Somebody else works on the record.
    package struct Held: Error, Sendable, CustomStringConvertible {
        /// As the holder wrote it: `preclone run, process 1234`.
        package var holder: String
        package var path: String

        package var description: String {
            "\(path) is held by \(holder.isEmpty ? "another process" : holder); one process works on a record at a time"
        }
    }

    private let descriptor: Mutex<CInt>
    private let holder: String

    /// Takes the lock without waiting.
    ///
    /// - Parameter holder: what others are told, on one line.
    /// - Throws: `Held` when another process has it; `LedgerError` when the file cannot be made.
    package init(record path: String, holder: String) throws {
        let file = path + ".lock"
        SharedFile.make(file)
        let opened = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard opened >= 0 else {
            throw LedgerError(
                "\(file): \(String(cString: strerror(errno))); check that the folder exists and may be written"
            )
        }
        guard Self.writeLock(opened, Self.take) != nil else {
            let reason = errno
            let holder = Self.contents(of: opened).first ?? ""
            close(opened)
            if reason == EAGAIN || reason == EACCES { throw Held(holder: holder, path: path) }
            throw LedgerError("\(file): \(String(cString: strerror(reason)))")
        }
        self.holder = "\(holder), process \(getpid())"
        descriptor = Mutex(opened)
        say(nil)
    }

    /// The file's length: what is said later takes no room that a full disk would not have.
    private static let length = 1024

    /// Says in the file, behind the holder's name, what keeps the holder from using the record: this is read where the
    /// record itself can neither be written nor read.
    ///
    /// - Parameter trouble: nil: nothing.
    package func say(_ trouble: String?) {
        descriptor.withLock { descriptor in
            guard descriptor >= 0 else { return }
            let words = trouble.map { String($0.split(whereSeparator: \.isNewline).joined(separator: " ")) } ?? ""
            var text = Array("\(holder)\n\(words)\n".utf8.prefix(Self.length - 1))
            text += [UInt8](repeating: UInt8(ascii: "\n"), count: Self.length - text.count)
            _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        }
    }

    /// What the holder of a record's lock said last of the record; nil where nobody holds it, or there is nothing.
    package static func trouble(record path: String) -> String? {
        guard let lines = Self.lines(record: path), lines.count > 1 else { return nil }
        return lines[1]
    }

    /// Who holds the lock of a record; nil when nobody does.
    package static func holder(record path: String) -> String? {
        lines(record: path).map { $0.first ?? "another process" }
    }

    /// The lines of the file of a lock that is held; nil where it is not.
    private static func lines(record path: String) -> [String]? {
        let opened = open(path + ".lock", O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else { return nil }
        defer { close(opened) }
        guard writeLock(opened, ask) == F_WRLCK else { return nil }
        return contents(of: opened)
    }

    /// Whether the process with this id holds the lock; nil where this user may not look.
    package static func isHeld(record path: String, by pid: Int32) -> Bool? {
        guard access(path + ".lock", R_OK) == 0 else { return nil }
        return holder(record: path)?.hasSuffix(", process \(pid)") ?? false
    }

    /// `F_OFD_SETLK` and `F_OFD_GETLK`, which the C library shows to GNU sources alone.
    private static let take: CInt = 37
    private static let ask: CInt = 36

    /// Applies a command to the lock of the whole file for writing.
    ///
    /// - Returns: the lock's type afterwards, with `ask` `F_UNLCK` where nobody holds it; nil with `errno` set.
    private static func writeLock(_ descriptor: CInt, _ command: CInt) -> CInt? {
        var range = flock()
        range.l_type = Int16(F_WRLCK)
        range.l_whence = Int16(SEEK_SET)
        guard fcntl(descriptor, command, &range) == 0 else { return nil }
        return CInt(range.l_type)
    }

    private static func contents(of descriptor: CInt) -> [String] {
        var bytes = [UInt8](repeating: 0, count: length)
        let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        guard count > 0 else { return [] }
        return String(decoding: bytes.prefix(count), as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
    }

    /// Gives the lock back; also done by the end of the process.
    package func release() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { close(descriptor) }
            descriptor = -1
        }
    }

    deinit { release() }
}
