/// The name that was probably meant.
package enum NearestName {
    /// The known name that is nearest, if it is near enough for a slip.
    package static func of(_ name: String, among known: [String]) -> String? {
        // Letters put in and left out: two for another letter, and for two that changed places.
        let slips = known.sorted().map { near in
            (name: near, count: name.lowercased().difference(from: near.lowercased()).count)
        }
        guard let near = slips.min(by: { $0.count < $1.count }), near.count <= max(2, min(4, name.count / 2)) else {
            return nil
        }
        return near.name
    }
}
