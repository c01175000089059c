import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Files of the record, which its group may write as its owner may: members of group `preclone` ask for images and retries
/// by writing rows, and the daemon goes on with a record that root has made.
enum SharedFile {
    /// Makes an empty file where there is none. In a folder that its group shares (setgid, and the group may write) the
    /// group may write the file too, whatever the umask of whoever makes it; SQLite gives `-wal` and `-shm` the same mode.
    ///
    /// A file that cannot be made is left to its user, who reports why.
    static func make(_ path: String) {
        // Never opened when it is there: closing it would drop SQLite's locks; see "How To Corrupt", 2.2.
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o660)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        var status = stat()
        let shared = mode_t(S_ISGID) | mode_t(S_IWGRP)
        if stat(folder, &status) == 0, status.st_mode & shared == shared { fchmod(descriptor, 0o660) }
    }
}
