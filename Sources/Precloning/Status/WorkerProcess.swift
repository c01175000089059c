import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The process that works on a record, seen from outside.
package enum WorkerProcess {
    /// Whether a process with this id is there and is preclone's: ids are used again after a crash.
    package static func isAlive(_ pid: Int32) -> Bool {
        // EPERM means that it is there and belongs to somebody else: the daemon's user.
        guard kill(pid, 0) == 0 || errno == EPERM else { return false }
        guard let name = try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8) else { return true }
        return name.hasPrefix("preclone")
    }
}
