package import Names

/// What ECR holds at a place, beside what the source names.
package enum Comparison: Sendable, Hashable {
    /// The same image: the object whole, or its linux/amd64 manifest. With what the source names now.
    case same(Digest)
    /// It was cloned from there or found to be the same before; the source was not asked again, or could not be.
    case known
    /// The source has no such image, and says so: what is held cannot be another than that.
    case gone
    /// Another image; with what the source names now.
    case other(Digest)
}

/// How the history says that a digest at a place is the source's image.
package enum DigestNote {
    /// Put there by an attempt of ours, or by ECR because of one.
    package static let cloned = "cloned"
    /// Found there, and found to be what the source names.
    package static let compared = "compared"
}

/// What the record knows of a place in ECR and of the digest that is held there.
package struct PlaceClaims: Sendable, Hashable {
    /// The digest was cloned from the image's own source, or found to be its.
    package var isOwn = false
    /// The other source that the digest was cloned from or found to be.
    package var holder: String?
    /// Whether somebody wants that source there now.
    package var isHolderWanted = false
    /// Other sources that are wanted at the same place now.
    package var rivals: [String] = []
    /// A person named the place.
    package var isExplicit = false

    package init() {}
}
