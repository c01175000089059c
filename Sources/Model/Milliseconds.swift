package import Foundation

/// Milliseconds since 1970, as the record keeps times.
package typealias Milliseconds = Int64

extension Date {
    package var milliseconds: Milliseconds { Milliseconds((timeIntervalSince1970 * 1000).rounded()) }

    package init(milliseconds: Milliseconds) {
        self.init(timeIntervalSince1970: Double(milliseconds) / 1000)
    }
}

extension Duration {
    package var milliseconds: Milliseconds {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
