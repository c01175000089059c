/// The end of an image's row.
extension ImageLife {
    /// Why a row cannot be taken out of the record; nil where it can. Pure.
    ///
    /// - Parameter wantedBy: who wants it now: `run 123`, `version 9/v2`.
    package static func whyKept(_ standing: ImageStanding, wantedBy: [String]) -> String? {
        if !wantedBy.isEmpty { return "it is wanted by \(wantedBy.joined(separator: ", "))" }
        return standing.state == .cloning ? "it is being cloned" : nil
    }
}

/// What became of an image that somebody wanted forgotten.
package struct ForgottenImage: Codable, Sendable, Hashable {
    /// Of its row.
    package var id: Int64
    package var source: String
    package var destination: String
    /// Why it was kept; nil where it was forgotten.
    package var kept: String?

    package init(id: Int64, source: String, destination: String) {
        self.id = id
        self.source = source
        self.destination = destination
    }
}
