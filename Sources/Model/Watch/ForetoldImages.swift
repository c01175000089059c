import Names

/// The images that were foretold for a run.
package struct ForetoldImages: Sendable, Equatable {
    /// How many images, each counted once.
    package private(set) var count: Int
    private var names: Set<String>

    /// - Parameter images: every name of each image: as mentioned, canonical, and at its destination.
    package init(_ images: [[String]]) {
        count = Set(images.map { $0.first ?? "" }).count
        names = Set(images.joined().flatMap(Self.keys))
    }

    /// Whether an image that a task reports is one of them, by any of the names that the task gives it.
    package func covers(_ reported: [String]) -> Bool {
        reported.contains { !names.isDisjoint(with: Self.keys($0)) }
    }

    /// One image has many spellings: canonical, with its tag or with its digest alone.
    private static func keys(_ text: String) -> [String] {
        guard let reference = try? ImageReference(text) else { return text.isEmpty ? [] : [text] }
        let name = "\(reference.registry)/\(reference.repository)"
        return [reference.tag.map { "\(name):\($0)" }, reference.digest.map { "\(name)@\($0)" }].compactMap(\.self)
    }
}
