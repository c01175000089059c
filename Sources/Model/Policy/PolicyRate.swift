/// At most `max` images in each `window`, per rule and per caller.
package struct PolicyRate: Sendable, Hashable {
    package var max: Int
    package var window: Duration

    package init(max: Int, window: Duration) {
        self.max = max
        self.window = window
    }
}

/// At most so many bytes of images in each window, per rule and per caller.
package struct PolicyBudget: Sendable, Hashable {
    package var bytes: ByteCount
    package var window: Duration

    package init(bytes: ByteCount, window: Duration) {
        self.bytes = bytes
        self.window = window
    }
}
