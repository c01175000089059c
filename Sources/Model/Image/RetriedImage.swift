/// What `preclone retry` changed for one image.
package struct RetriedImage: Codable, Sendable, Equatable {
    package var source: String
    package var destination: String
    /// The state it was in.
    package var state: String
    package var reason: String?

    package init(source: String, destination: String, state: String, reason: String? = nil) {
        self.source = source
        self.destination = destination
        self.state = state
        self.reason = reason
    }
}
