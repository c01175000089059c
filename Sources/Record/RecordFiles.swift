import Foundation
import GRDB
import GRDBSQLite
import Model

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The files of a record that is open: whether they are still those that were opened. SQLite goes on with files that were
/// removed or replaced, and what it writes then is lost, or spoils what took their place.
package final class RecordFiles: Sendable {
    /// What happened to them, so that nothing more can be kept in them.
    package struct Lost: Error, Sendable, Hashable, CustomStringConvertible {
        package var description: String
        /// The record is whole, but for what its log of changes holds.
        package var isLogAlone = false
    }

    private let path: String
    /// Opened by `O_PATH`: unlike others, these descriptors can be closed without SQLite's locks being lost (see "How To
    /// Corrupt An SQLite Database File", 2.2).
    private let held: [(name: String, descriptor: CInt)]

    /// - Parameter path: of a record that is open in this process, or is about to be.
    package init(path: String) {
        self.path = path
        held = ["", "-wal", "-shm"].map { name in (name, open(path + name, pathAlone | O_CLOEXEC)) }
    }

    deinit {
        for file in held where file.descriptor >= 0 { close(file.descriptor) }
    }

    /// - Throws: `Lost`.
    package func check(_ ledger: Ledger) throws {
        for file in held where file.descriptor >= 0 {
            var (opened, found) = (stat(), stat())
            guard fstat(file.descriptor, &opened) == 0 else { continue }
            if stat(path + file.name, &found) != 0 {
                // What cannot be looked at is not known to be gone.
                guard errno == ENOENT || errno == ENOTDIR else { continue }
                throw Lost(description: "\(path)\(file.name) was removed", isLogAlone: !file.name.isEmpty)
            } else if found.st_ino != opened.st_ino || found.st_dev != opened.st_dev {
                throw Lost(description: "\(path)\(file.name) was replaced by another file")
            }
        }
        // Twice: while another process brings its changes into the file, the file's beginning is ahead of its end.
        if try ledger.damage() != nil, let damage = try ledger.damage(after: 200_000) {
            throw Lost(description: "\(path) \(damage)")
        }
    }

    /// What keeps a record from being written although it is whole, as anybody can see who may look at it: its disk is full,
    /// or it was made read-only.
    package static func hindrance(_ path: String) -> String? {
        var status = stat()
        for name in ["", "-wal"] where stat(path + name, &status) == 0 && status.st_mode & 0o222 == 0 {
            return "\(path)\(name) was made read-only: give user preclone the right to write it again"
        }
        var disk = statvfs()
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard statvfs(folder, &disk) == 0 else { return nil }
        if disk.f_flag & UInt(mountedReadOnly) != 0 { return "the disk of \(folder) is mounted read-only" }
        let free = UInt64(disk.f_bavail) * UInt64(disk.f_frsize)
        // No page of the record and its log of changes would have room.
        guard disk.f_blocks > 0, free < 64 << 10 else { return nil }
        return "disk full: \(Phrase.bytes(Int64(free))) are free at \(folder)"
    }
}

/// `O_PATH`, which the C library shows to GNU sources alone.
private let pathAlone: CInt = 0o10000000
private let mountedReadOnly: CInt = 1

extension Ledger {
    /// What is wrong with the record's file as it lies on the disk: cut off, or written over. Nil where it is whole as far
    /// as its first page tells; what is damaged further on is found by whoever reads it.
    ///
    /// - Parameter pause: microseconds to wait before, in which nobody else may write.
    func damage(after pause: UInt32 = 0) throws -> String? {
        // In turn with our own writing: a checkpoint writes the first page before it lengthens the file.
        try database.writeWithoutTransaction { database in
            if pause > 0 { usleep(pause) }
            guard let (size, header) = try Self.beginning(of: database) else { return nil }
            guard header.starts(with: Array("SQLite format 3\0".utf8)) else {
                return size == 0 ? "was emptied" : "was written over"
            }
            let page = Int64(header[16]) << 8 | Int64(header[17])
            let pages = header[28..<32].reduce(Int64(0)) { $0 << 8 | Int64($1) }
            return size < (page == 1 ? 65_536 : page) * pages ? "was cut off" : nil
        }
    }

    /// The file's length and first 100 bytes, read through SQLite's own descriptor; nil for a record without a file, or
    /// one of which nothing was ever put into the file.
    private static func beginning(of database: Database) throws -> (size: Int64, header: [UInt8])? {
        var file: UnsafeMutablePointer<sqlite3_file>?
        let code = sqlite3_file_control(database.sqliteConnection, nil, SQLITE_FCNTL_FILE_POINTER, &file)
        guard code == SQLITE_OK, let file, let methods = file.pointee.pMethods else { return nil }
        var size: Int64 = 0
        guard methods.pointee.xFileSize(file, &size) == SQLITE_OK else { return nil }
        var header = [UInt8](repeating: 0, count: 100)
        let read = header.withUnsafeMutableBytes { methods.pointee.xRead(file, $0.baseAddress, CInt($0.count), 0) }
        // Beyond the end SQLite reads zeros, and says so.
        guard read == SQLITE_OK || read == 522 else { return nil }
        return (size, header)
    }
}

extension Ledger {
    /// Brings what the log of changes holds into the record's file.
    package func saveLog() throws { _ = try database.writeWithoutTransaction { try $0.checkpoint(.passive) } }
}
