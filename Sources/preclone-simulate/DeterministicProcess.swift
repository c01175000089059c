import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What of a process's chance is decided before its first line runs.
enum DeterministicProcess {
    private static let variable = "SWIFT_DETERMINISTIC_HASHING"

    /// Starts the program again with hashing that has no seed of its own, unless it runs so already.
    ///
    /// - Throws: `POSIXError` when it cannot be started.
    static func enter() throws {
        guard ProcessInfo.processInfo.environment[variable] == nil else { return }
        setenv(variable, "1", 1)
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        execv("/proc/self/exe", &arguments)
        throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
    }
}
