import Logging
import Model
package import Record
package import Remotes
import Synchronization

/// Says every few seconds that the process lives and what keeps it from its work, and looks whether the record is still
/// the one that was opened.
package final class HealthLoop: WorkLoop {
    package let name = "health"
    package var bell: Bell { troubles.bell }

    let ledger: Ledger
    /// Nil for a record that is no file.
    let files: RecordFiles?
    let troubles: Troubles
    let timeline: Timeline
    /// The loops that have given no sign of life for longer than they promised.
    let overdue: @Sendable () -> [String]
    /// Told what is wrong with the record, in a place that needs none; nil: nothing.
    let record: @Sendable (String?) -> Void
    /// The record cannot be used any more.
    let lost: @Sendable (RecordFiles.Lost) -> Void
    private let said = Mutex<String?>(nil)

    package init(
        ledger: Ledger,
        files: RecordFiles?,
        troubles: Troubles,
        timeline: Timeline,
        overdue: @escaping @Sendable () -> [String],
        record: @escaping @Sendable (String?) -> Void,
        lost: @escaping @Sendable (RecordFiles.Lost) -> Void
    ) {
        self.ledger = ledger
        self.files = files
        self.troubles = troubles
        self.timeline = timeline
        self.overdue = overdue
        self.record = record
        self.lost = lost
    }

    package func pass() async throws -> Duration {
        let late = overdue().filter { $0 != name }
        troubles.tell("loops", late.isEmpty ? nil : "no sign of life from: \(late.joined(separator: ", "))")
        do {
            try files?.check(ledger)
            try ledger.alive(now: timeline.now())
            say(nil)
            try troubles.write(elapsed: timeline.elapsed()) { try ledger.trouble(of: $0, $1, now: timeline.now()) }
        } catch let error as RecordFiles.Lost {
            // The log is still there for who has it open.
            if error.isLogAlone { try? ledger.saveLog() }
            say("\(error); this process ends, and its successor begins with what it finds")
            lost(error)
        } catch {
            say(RecordTrouble(error)?.description ?? "\(error)")
        }
        return DaemonRow.lifeSign
    }

    private func say(_ what: String?) {
        let isNews = said.withLock { said in
            defer { said = what }
            return said != what
        }
        guard isNews else { return }
        record(what)
        troubles.tell("record", what)
        if let what {
            Logger.current.critical("The record cannot be used", metadata: ["error": "\(what)"])
        } else {
            Logger.current.notice("The record can be used again")
        }
    }
}
