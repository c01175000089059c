package import struct Foundation.Date

/// How far an image is, for whoever waits for it.
package struct ImageProgress: Sendable, Hashable {
    package var source: String
    package var state: ImageState
    /// Why it waits or cannot be; nil where there is nothing to say.
    package var reason: String?
    /// When it is tried again.
    package var due: Date?
    /// Of the attempt that runs; nil where nothing is moved.
    package var bytesDone: Int64?
    package var bytesTotal: Int64?

    package init(source: String, state: ImageState) {
        self.source = source
        self.state = state
    }

    /// One line: `cloning  quay.io/org/tool:1.0  36 % of 30 MB`.
    package var line: String {
        var line = "\(state.rawValue)  \(source)"
        if let bytesDone, let bytesTotal, bytesTotal > 0 {
            line += "  \(bytesDone * 100 / bytesTotal) % of \(Phrase.bytes(bytesTotal))"
        }
        return line
    }
}
