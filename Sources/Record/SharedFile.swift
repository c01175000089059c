import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Files of the record: the service writes them, and members of its group read them. Who wants something asks the daemon,
/// on its control socket.
enum SharedFile {
    /// Makes an empty file where there is none. In a folder that its group shares (setgid, and the group may look into it)
    /// the group may read the file, whatever the umask of whoever makes it; SQLite gives `-wal` and `-shm` the same mode.
    /// What root makes in another user's folder is that user's.
    ///
    /// From files that are there already the group's right to write is taken, which earlier versions gave. A file that
    /// cannot be made is left to its user, who reports why.
    static func make(_ path: String) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        var status = stat()
        let isThere = stat(folder, &status) == 0
        // Never opened when it is there: closing it would drop SQLite's locks; see "How To Corrupt", 2.2.
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { return narrow(path) }
        defer { close(descriptor) }
        guard isThere else { return }
        let shared = mode_t(S_ISGID) | mode_t(S_IRGRP) | mode_t(S_IXGRP)
        if status.st_mode & shared == shared { fchmod(descriptor, 0o640) }
        if geteuid() == 0, status.st_uid != 0 { _ = fchown(descriptor, status.st_uid, status.st_gid) }
    }

    private static func narrow(_ path: String) {
        var status = stat()
        for file in [path, path + "-wal", path + "-shm"] {
            // By name, and only a file that is ours: never opened, and never through a link.
            guard lstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            guard geteuid() == 0 || status.st_uid == geteuid(), status.st_mode & 0o022 != 0 else { continue }
            chmod(file, status.st_mode & 0o7755)
        }
    }
}
