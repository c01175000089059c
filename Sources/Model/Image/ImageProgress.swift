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

    /// One line for several: how many are ready, and the one that is being moved, or waits.
    package static func line(of images: [ImageProgress]) -> String {
        let moving =
            images.first { $0.state == .cloning } ?? images.first { ![.ready, .blocked].contains($0.state) }
        guard images.count > 1 else { return (moving ?? images.first)?.line ?? "" }
        let ready = images.count { $0.state == .ready }
        let blocked = images.count { $0.state == .blocked }
        let parts = ["\(ready) of \(images.count) ready", blocked > 0 ? "\(blocked) blocked" : nil, moving?.line]
        return parts.compactMap(\.self).joined(separator: "; ")
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
