package import Foundation

extension StatusReport {
    /// How well what finished runs of a workflow used was foretold. Sums over the runs that were compared: the first three
    /// of each definition and set of image-relevant parameters.
    package struct Coverage: Codable, Sendable, Equatable {
        package var runs = 0
        /// Images used, and those of them that were foretold, counted once for each run.
        package var used = 0
        package var foretold = 0
        /// What was not foretold, and is wanted from now on.
        package var missed: [String] = []
        package var comparedAt: Date?

        package init() {}

        /// "3 finished runs used 24 images, 23 of them foretold; missed: quay.io/a/b:1".
        package var sentence: String {
            guard runs > 0 else { return "no finished run was compared with what was foretold yet" }
            var text = "\(runs) finished \(runs == 1 ? "run" : "runs") used \(used) \(used == 1 ? "image" : "images"), "
            text += foretold == used ? "all of them foretold" : "\(foretold) of them foretold"
            if !missed.isEmpty { text += "; missed: \(missed.joined(separator: ", "))" }
            return text
        }
    }
}
