package import Foundation
package import Model

/// What an attempt reads of what was, and tells of how it goes. The loops supply it; how the attempt ended is its outcome,
/// and theirs to keep.
package protocol CloneRecord: Sendable {
    /// What is known of an image's place and of the digest that is held there.
    func claims(of image: ImageRecord, at location: ECRLocation, holding digest: String?) throws -> PlaceClaims
    /// Bytes moved since UTC midnight.
    func bytesMovedToday(now: Date) throws -> Int64
    /// Whether a repository was made by preclone, and no other image is in it or on its way there.
    func isOursAndUnused(_ location: ECRLocation, besides image: Int64) throws -> Bool
    /// A tag was seen to name a digest at a place.
    @discardableResult
    func sawDigest(source: String, location: String, digest: String, note: String?, now: Date) throws -> String?
    /// A change was made to AWS.
    func audit(_ entry: AuditEntry) throws
    /// A host asks for less.
    func pause(host: String, credential: String, until: Date?, reason: String?, now: Date) throws
    /// How far a copy is.
    func progress(_ imageID: Int64, done: Int64, total: Int64?, bytesPerSecond: Int64?, started: Date, now: Date) throws
}
