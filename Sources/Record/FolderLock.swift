import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// One process at a time opens a record of a folder: two that find a new or an old one would both bring it up to date.
struct FolderLock: ~Copyable {
    private let descriptor: CInt

    /// Waits for whoever has it, which is for as long as a migration takes. Where the folder cannot be locked, SQLite alone
    /// keeps the two apart.
    init(of file: String) {
        let folder = URL(filePath: file).deletingLastPathComponent().path
        descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        while descriptor >= 0, flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}
