import Foundation

#if canImport(Glibc)
import Glibc
import Model
#endif

/// Tells the service manager how the service is, by the protocol of sd_notify(3). Without a manager it does nothing.
package struct SystemdNotifier: Sendable {
    private let socket: DatagramSocket?
    /// How long the manager waits for a sign of life before it kills the service; nil: it does not watch.
    package let watchdog: Duration?

    /// - Parameter environment: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are read from it.
    package init(environment: [String: String]) {
        socket = environment["NOTIFY_SOCKET"].flatMap { DatagramSocket(path: $0) }
        // WATCHDOG_PID names whom the manager meant; a child that inherits the environment is not meant.
        let meant = environment["WATCHDOG_PID"].map { $0 == String(getpid()) } ?? true
        if socket != nil, meant, let micros = environment["WATCHDOG_USEC"].flatMap(Int64.init), micros > 0 {
            watchdog = .microseconds(micros)
        } else {
            watchdog = nil
        }
    }

    /// Whether there is a manager to tell.
    package var isConnected: Bool { socket != nil }

    /// The service is up, or has ended a reload.
    ///
    /// - Parameter status: nil leaves the line as it is.
    package func ready(status: String?) {
        send(["READY=1"] + (status.map { ["STATUS=" + Self.line($0)] } ?? []))
    }

    /// The start takes longer than the manager grants.
    ///
    /// - Parameter within: the time until the next word from here.
    package func starting(status: String, within: Duration) {
        let micros = within.components.seconds * 1_000_000
        send(["STATUS=" + Self.line(status), "EXTEND_TIMEOUT_USEC=\(micros)"])
    }

    /// A reload begins; `ready` ends it. The manager needs the monotonic time to tell its own reload from an older one.
    package func reloading() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        send(["RELOADING=1", "MONOTONIC_USEC=\(Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)"])
    }

    /// The service drains and will end.
    ///
    /// - Parameter within: at the latest; the manager, which kills after its own time, is asked to wait that long.
    package func stopping(status: String, within: Duration) {
        let micros = within.components.seconds * 1_000_000
        send(["STOPPING=1", "STATUS=" + Self.line(status), "EXTEND_TIMEOUT_USEC=\(micros)"])
    }

    /// One line for `systemctl status`.
    package func status(_ status: String) { send(["STATUS=" + Self.line(status)]) }

    /// A sign of life.
    package func alive() { send(["WATCHDOG=1"]) }

    private func send(_ fields: [String]) {
        guard let socket else { return }
        // A full queue drops a status line at worst; a missed sign of life is followed by the next.
        _ = socket.send(Array(fields.joined(separator: "\n").utf8))
    }

    private static func line(_ text: String) -> String { PrintableText.stripped(text) }
}
