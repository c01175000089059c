package import Foundation
package import Logging
import Model
import Synchronization

/// Where log lines go, and in which form; chosen once at the start by `LineLogSink.standard`.
package protocol LogSink: Sendable {
    /// Writes one entry; never throws and never blocks on a network. A line that can't be written is lost.
    func write(_ entry: LogEntry)
}

/// One log line with everything that belongs to it.
package struct LogEntry: Sendable {
    package var level: Logger.Level
    /// A constant sentence; the facts are in `metadata`.
    package var message: String
    /// Sorted by key, nested values flattened to `key.inner`.
    package var metadata: [(key: String, value: String)]
    package var label: String
    package var file: String
    package var function: String
    package var line: UInt
    package var date: Date

    /// syslog's priorities, 0 (emergency) to 7 (debug); see syslog(3).
    package var priority: Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}

/// The least level that is written; one value for all loggers, so that a reload changes it everywhere.
package final class LogThreshold: Sendable {
    private let state: Mutex<Logger.Level>

    package init(_ level: Logger.Level) { state = Mutex(level) }

    package var level: Logger.Level {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

/// A swift-log handler that merges metadata and hands entries to a sink.
package struct SinkLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let sink: any LogSink
    private let threshold: LogThreshold
    private let now: @Sendable () -> Date
    private var ownLevel: Logger.Level?

    package init(
        label: String,
        sink: any LogSink,
        threshold: LogThreshold,
        metadataProvider: Logger.MetadataProvider? = nil,
        now: @escaping @Sendable () -> Date
    ) {
        self.label = label
        self.sink = sink
        self.threshold = threshold
        self.metadataProvider = metadataProvider
        self.now = now
    }

    package var logLevel: Logger.Level {
        get { ownLevel ?? threshold.level }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var merged = metadataProvider?.get() ?? [:]
        merged.merge(metadata) { $1 }
        merged.merge(event.metadata ?? [:]) { $1 }
        if let error = event.error, merged["error"] == nil { merged["error"] = "\(error)" }
        var flat: [(key: String, value: String)] = []
        Self.flatten(merged, prefix: "", into: &flat)
        sink.write(
            LogEntry(
                level: event.level,
                message: event.message.description,
                metadata: flat.sorted { $0.key < $1.key },
                label: label,
                file: event.file,
                function: event.function,
                line: event.line,
                date: now()
            )
        )
    }

    private static func flatten(
        _ metadata: Logger.Metadata,
        prefix: String,
        into flat: inout [(key: String, value: String)]
    ) {
        for (key, value) in metadata {
            if case .dictionary(let inner) = value {
                flatten(inner, prefix: prefix + key + ".", into: &flat)
            } else {
                flat.append((prefix + key, value.description))
            }
        }
    }
}

/// What of a log was not written.
private final class LostLines: Sendable {
    struct Count {
        var lines = 0
        /// A line was written in part.
        var isTorn = false
    }

    let count = Mutex(Count())
}

/// Lines for people, machines or journald's reading of stderr, written to a file descriptor in one piece each.
package struct LineLogSink: LogSink {
    /// The form of a line.
    package enum Form: Sendable, Hashable {
        /// `2026-01-31T10:20:30.123Z info Message key=value`.
        case text
        /// One JSON object a line, with `time`, `level`, `message`, `logger` and a key for each fact.
        case json
        /// `<6>Message key=value`, which journald turns into a priority; see sd-daemon(3).
        case priority
    }

    private let form: Form
    private let write: @Sendable (String) throws -> Void
    private let lost = LostLines()

    package init(
        form: Form,
        write: @escaping @Sendable (String) throws -> Void = { try StandardStream.error.write($0) }
    ) {
        self.form = form
        self.write = write
    }

    /// A line that cannot be written, because the disk of the log is full or its reader has gone, is counted; the first
    /// that can be is preceded by how many were lost.
    package func write(_ entry: LogEntry) {
        lost.count.withLock { lost in
            var text = Self.line(entry, form: form)
            if lost.lines > 0 {
                var word = entry
                word.level = .warning
                word.message = "Lines of this log could not be written"
                word.metadata = [("lines", String(lost.lines))]
                // What was cut off in its middle is ended first.
                text = (lost.isTorn ? "\n" : "") + Self.line(word, form: form) + text
            }
            do {
                try write(text)
                lost = LostLines.Count()
            } catch {
                lost.lines += 1
                if let failure = error as? StandardStream.WriteFailure, failure.written > 0 { lost.isTorn = true }
            }
        }
    }

    static func line(_ entry: LogEntry, form: Form) -> String {
        switch form {
        case .text: return "\(time(entry.date)) \(entry.level.rawValue) \(sentence(entry))\n"
        case .priority: return "<\(entry.priority)>\(sentence(entry))\n"
        case .json:
            var members = [
                "time": Self.time(entry.date), "level": entry.level.rawValue, "message": entry.message,
                "logger": entry.label,
            ]
            for fact in entry.metadata {
                members[members[fact.key] == nil ? fact.key : "fact." + fact.key] = fact.value
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            guard let data = try? encoder.encode(members) else { return "" }
            return String(decoding: data, as: UTF8.self) + "\n"
        }
    }

    /// The sentence and its facts on one line, with nothing in it that could forge another line.
    static func sentence(_ entry: LogEntry) -> String {
        ([printable(entry.message)] + entry.metadata.map { "\(printable($0.key))=\(quoted($0.value))" })
            .joined(separator: " ")
    }

    static func time(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    private static func quoted(_ value: String) -> String {
        let clean = printable(value)
        guard clean.isEmpty || clean.contains(where: { " \"=".contains($0) }) else { return clean }
        return "\"" + clean.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// Control characters from outside, which could forge a line or steer a terminal, become U+FFFD.
    private static func printable(_ text: String) -> String { PrintableText.stripped(text) }
}
