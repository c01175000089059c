/// At most `max` images in each `window`, per rule and per caller.
package struct PolicyRate: Sendable, Hashable {
    package var max: Int
    package var window: Duration

    package init(max: Int, window: Duration) {
        self.max = max
        self.window = window
    }
}
