package import Foundation

extension StatusReport {
    /// Live runs of one workflow that are not ready.
    package struct RunGroup: Codable, Sendable, Equatable {
        package var workflowID: String?
        /// Not ready; of them, those that need a person, and those whose images are not known.
        package var runs: Int
        package var blocked: Int
        package var unread: Int
        /// The one that stands worst.
        package var first: RunStatus
        /// The last of their times, where each has one.
        package var readyBy: Date?

        /// - Parameter runs: those that are not ready, of any workflow.
        package static func groups(of runs: [RunStatus]) -> [RunGroup] {
            var groups: [RunGroup] = []
            var places: [String?: Int] = [:]
            for run in runs {
                let place = places[run.workflowID] ?? groups.count
                if place == groups.count {
                    places[run.workflowID] = place
                    groups.append(
                        RunGroup(
                            workflowID: run.workflowID,
                            runs: 0,
                            blocked: 0,
                            unread: 0,
                            first: run,
                            readyBy: run.readyBy
                        )
                    )
                }
                let isLater = [groups[place].readyBy, run.readyBy].allSatisfy { $0 != nil }
                groups[place].readyBy = isLater ? [groups[place].readyBy, run.readyBy].compactMap(\.self).max() : nil
                groups[place].runs += 1
                if run.standing.isStuck {
                    if groups[place].blocked == 0 { groups[place].first = run }
                    groups[place].blocked += 1
                }
                if run.standing.isUnknown { groups[place].unread += 1 }
            }
            return groups.sorted {
                ($1.blocked, $1.runs, $0.workflowID ?? "") < ($0.blocked, $0.runs, $1.workflowID ?? "")
            }
        }
    }

    /// How fast images come, by the last clones: what the time of a run's images is told from.
    package struct Pace: Sendable, Equatable {
        /// Of the last clones that ended well; nil where there was none.
        package var secondsPerImage: Double?
        /// Clones that run now.
        package var parallel: Int
        /// Images that wait for their turn.
        package var queued: Int
        /// Until the last of those that are copied now is there; nil where one does not tell.
        package var copyingSeconds: Double?

        package init(secondsPerImage: Double?, parallel: Int, queued: Int, copyingSeconds: Double?) {
            self.secondsPerImage = secondsPerImage
            self.parallel = parallel
            self.queued = queued
            self.copyingSeconds = copyingSeconds
        }
    }
}

extension StatusReport.Standing {
    /// When the last of its images will be there if things go on as they do; nil where they are, where a person is needed
    /// first, and where nothing tells.
    package func readyBy(_ pace: StatusReport.Pace, now: Date) -> Date? {
        guard !isUnknown, !isStuck, late == 0, ready < total else { return nil }
        var times: [Date] = []
        if copying > 0 {
            guard let seconds = pace.copyingSeconds else { return nil }
            times.append(now.addingTimeInterval(seconds))
        }
        if queued > 0 || !waits.isEmpty {
            guard let seconds = pace.secondsPerImage else { return nil }
            if queued > 0 {
                // As if it were the last in the queue: others may be as urgent.
                let turns = (Double(max(pace.queued, queued)) / Double(max(1, pace.parallel))).rounded(.up)
                times.append(now.addingTimeInterval(turns * seconds))
            }
            for wait in waits {
                guard let until = wait.until else { return nil }
                times.append(max(until, now).addingTimeInterval(seconds))
            }
        }
        return times.max()
    }
}
