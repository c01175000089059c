package import Configuring
import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Entries in journald's own protocol: a datagram of fields to `/run/systemd/journal/socket`.
///
/// See systemd's "Native Journal Protocol". `MESSAGE` is the line as `journalctl` shows it; the constant sentence stands
/// in `SENTENCE`, and facts are fields too: `image.ref` is `IMAGE_REF`.
package struct JournalSink: LogSink {
    /// A field longer than this is cut, which keeps every entry below the size of a datagram.
    static let longestField = 8192
    /// Fields of facts beyond this number are left out.
    static let mostFacts = 12

    private let socket: DatagramSocket
    private let otherwise: any LogSink

    /// - Parameter otherwise: takes the entries that journald does not.
    /// - Returns: nil where nothing listens at the path.
    package init?(path: String = "/run/systemd/journal/socket", otherwise: any LogSink) {
        guard let socket = DatagramSocket(path: path) else { return nil }
        self.socket = socket
        self.otherwise = otherwise
    }

    package func write(_ entry: LogEntry) {
        if !socket.send(Self.datagram(entry)) { otherwise.write(entry) }
    }

    /// The entry as journald wants it.
    static func datagram(_ entry: LogEntry) -> [UInt8] {
        var bytes: [UInt8] = []
        field("MESSAGE", LineLogSink.sentence(entry), into: &bytes)
        field("PRIORITY", String(entry.priority), into: &bytes)
        field("SYSLOG_IDENTIFIER", "preclone", into: &bytes)
        field("SENTENCE", entry.message, into: &bytes)
        field("LOGGER", entry.label, into: &bytes)
        field("CODE_FILE", entry.file, into: &bytes)
        field("CODE_LINE", String(entry.line), into: &bytes)
        field("CODE_FUNC", entry.function, into: &bytes)
        var seen: Set<String> = [
            "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "SENTENCE", "LOGGER", "CODE_FILE", "CODE_LINE", "CODE_FUNC",
        ]
        for fact in entry.metadata.prefix(mostFacts) {
            let name = fieldName(fact.key)
            if seen.insert(name).inserted { field(name, fact.value, into: &bytes) }
        }
        return bytes
    }

    /// Upper-case letters, digits and `_`, beginning with a letter, at most 64 characters.
    static func fieldName(_ key: String) -> String {
        var name = String(
            key.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : Character("_") }.prefix(62)
        )
        if name.first?.isLetter != true { name = "F_" + name }
        return name
    }

    private static func field(_ name: String, _ value: String, into bytes: inout [UInt8]) {
        var value = Array(value.utf8)
        if value.count > longestField {
            // Decoded again, since the cut may go through a character, and journald takes what is no UTF-8 for binary.
            value = Array((String(decoding: value.prefix(longestField), as: UTF8.self) + "…").utf8)
        }
        bytes += Array(name.utf8)
        if value.contains(UInt8(ascii: "\n")) {
            bytes.append(UInt8(ascii: "\n"))
            withUnsafeBytes(of: UInt64(value.count).littleEndian) { bytes += Array($0) }
        } else {
            bytes.append(UInt8(ascii: "="))
        }
        bytes += value
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Whether standard error is the stream that systemd named in `$JOURNAL_STREAM` (`device:inode`, decimal); see
    /// systemd.exec(5).
    package static func isStandardError(of stream: String?) -> Bool {
        guard let parts = stream?.split(separator: ":"), parts.count == 2, let device = UInt64(parts[0]),
            let inode = UInt64(parts[1])
        else { return false }
        var status = stat()
        guard fstat(STDERR_FILENO, &status) == 0 else { return false }
        return UInt64(status.st_dev) == device && UInt64(status.st_ino) == inode
    }
}

extension LineLogSink {
    /// The sink for a configured format.
    ///
    /// - Parameter journalStream: the value of `$JOURNAL_STREAM`.
    package static func standard(_ format: Configuration.Log.Format, journalStream: String?) -> any LogSink {
        switch format {
        case .text: return LineLogSink(form: .text)
        case .json: return LineLogSink(form: .json)
        case .journal:
            let lines = LineLogSink(form: .priority)
            return JournalSink(otherwise: lines) ?? lines
        case .auto:
            guard JournalSink.isStandardError(of: journalStream) else { return LineLogSink(form: .text) }
            return standard(.journal, journalStream: journalStream)
        }
    }
}
