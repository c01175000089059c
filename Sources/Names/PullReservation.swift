/// What a pull quota keeps for one counted request until it is known whether it was counted.
package struct PullReservation: Hashable, Sendable {
    package var registry: String
    /// The budget's own key for it.
    package var id: Int64

    package init(registry: String, id: Int64) {
        self.registry = registry
        self.id = id
    }
}
