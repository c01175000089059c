package import Foundation
import Model
package import Names

/// What a workflow's images are, by digest: the content of a lock file. Equal locks have equal bytes: no time, nothing of the
/// machine, images sorted.
///
/// `config/preclone-lock.schema.json` explains every key.
package struct ImageLock: Codable, Sendable, Hashable {
    package static let version = 1

    package struct Definition: Codable, Sendable, Hashable {
        /// The service's digest of a registered definition, or ours of one on disk; nil where none is known.
        package var digest: String?
        package var engine: String
        package var main: String?

        package init(digest: String?, engine: String, main: String?) {
            self.digest = digest
            self.engine = engine
            self.main = main
        }
    }

    package struct Image: Codable, Sendable, Hashable {
        /// As the definition writes it.
        package var image: String
        /// The canonical reference, or an ECR URI where ECR alone knows it.
        package var reference: String
        /// What the reference's registry named when the lock was made, and of which this image is; nil where ECR alone knows it.
        package var upstreamDigest: Digest?
        /// The linux/amd64 image.
        package var platformDigest: Digest
        /// What ECR holds: the same as one of the two.
        package var ecrDigest: Digest
        /// Where HealthOmics looks for it.
        package var destination: String
    }

    package var schemaVersion = Self.version
    package var account: String
    package var region: String
    /// `workflow 9/v2`, or the definition's path.
    package var subject: String
    package var definition: Definition
    package var images: [Image]

    /// The file's bytes.
    package var text: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            var sorted = self
            sorted.images.sort { ($0.image, $0.destination) < ($1.image, $1.destination) }
            return String(decoding: try encoder.encode(sorted), as: UTF8.self) + "\n"
        }
    }

    /// - Throws: `LedgerError` that says what is wrong with the file.
    package init(text: Data, path: String) throws {
        struct Head: Decodable { var schemaVersion: Int? }
        let decoder = JSONDecoder()
        guard let head = try? decoder.decode(Head.self, from: text), let version = head.schemaVersion else {
            throw LedgerError("\(path) is no lock file of preclone: make one with `preclone lock`")
        }
        guard version == Self.version else {
            throw LedgerError("\(path) is a lock of version \(version), and this preclone reads \(Self.version)")
        }
        do { self = try decoder.decode(ImageLock.self, from: text) } catch DecodingError.keyNotFound(let key, _) {
            throw LedgerError("\(path): `\(key.stringValue)` is missing")
        } catch DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context),
            DecodingError.valueNotFound(_, let context)
        {
            let place = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? "\($0.stringValue)" }
            throw LedgerError("\(path): `\(place.joined(separator: "."))`: \(context.debugDescription)")
        }
        for image in images where image.ecrDigest != image.platformDigest && image.ecrDigest != image.upstreamDigest {
            throw LedgerError("\(path): \(image.image): ecrDigest is neither upstreamDigest nor platformDigest")
        }
    }

    package init(
        account: String,
        region: String,
        subject: String,
        definition: Definition,
        images: [Image]
    ) {
        self.account = account
        self.region = region
        self.subject = subject
        self.definition = definition
        self.images = images.sorted { ($0.image, $0.destination) < ($1.image, $1.destination) }
    }
}

/// What was found for one image now.
package struct LockedImageNow: Sendable, Hashable {
    package var image: String
    package var reference: String
    package var destination: String
    /// What its registry names now; nil where that is not known, with the reason.
    package var upstream: Digest?
    package var upstreamProblem: String?
    /// It could not be asked: whether the tag is there is not known.
    package var isUpstreamUnknown = false
    /// The linux/amd64 image of what the registry names now.
    package var upstreamPlatform: Digest?
    /// What ECR holds whole, and its linux/amd64 image; nil where it holds nothing whole, with the reason.
    package var held: Digest?
    package var heldPlatform: Digest?
    package var heldProblem: String?
    /// It could not be asked: whether ECR holds it is not known.
    package var isHeldUnknown = false

    package init(image: String, reference: String, destination: String) {
        self.image = image
        self.reference = reference
        self.destination = destination
    }

    /// The image as a lock holds it; nil where ECR does not hold it.
    package var locked: ImageLock.Image? {
        guard let held, let platform = heldPlatform else { return nil }
        // What the registry names now counts where it is what ECR holds.
        let isOf = upstream == held || upstream == platform || upstreamPlatform == platform
        let own = isOf ? upstream : held == platform ? nil : held
        return ImageLock.Image(
            image: image,
            reference: reference,
            upstreamDigest: own,
            platformDigest: platform,
            ecrDigest: held,
            destination: destination
        )
    }
}

/// One way in which things are no longer as a lock says.
package struct LockDrift: Codable, Sendable, Hashable {
    package enum Kind: String, Codable, Sendable {
        case definition, engine, main
        /// The definition needs an image that the lock does not have, or no longer needs one.
        case added, removed
        case reference, destination
        /// The tag names another digest upstream, or nothing.
        case upstreamMoved, upstreamGone
        /// Its registry, or ECR, could not be asked.
        case upstreamUnknown, ecrUnknown
        /// ECR holds another digest, another linux/amd64 image in it, or nothing whole.
        case ecrChanged, platformChanged, ecrGone
    }

    package var kind: Kind
    /// As the definition writes it; nil where the drift is the definition's own.
    package var image: String?
    package var locked: String?
    package var now: String?
    package var reason: String?
}

extension ImageLock {
    /// Every drift from a lock. Pure.
    ///
    /// - Parameters:
    ///   - definition: what the definition is now; nil where it was not looked at, and so neither what it needs.
    ///   - images: what was found for each image that is needed now, or that the lock has.
    package func drifts(definition now: Definition?, images found: [LockedImageNow]) -> [LockDrift] {
        var drifts: [LockDrift] = []
        if let now {
            func compare(_ kind: LockDrift.Kind, _ locked: String?, _ now: String?) {
                if locked != now { drifts.append(LockDrift(kind: kind, locked: locked, now: now)) }
            }
            compare(.definition, definition.digest, now.digest)
            compare(.engine, definition.engine, now.engine)
            compare(.main, definition.main, now.main)
        }
        let byImage = Dictionary(grouping: found, by: \.image)
        for locked in images {
            let candidates = byImage[locked.image] ?? []
            guard let now = candidates.first(where: { $0.destination == locked.destination }) ?? candidates.first else {
                drifts.append(LockDrift(kind: .removed, image: locked.image, locked: locked.reference))
                continue
            }
            drifts += Self.drifts(locked, now)
        }
        let known = Set(images.map(\.image))
        drifts += found.filter { !known.contains($0.image) }.map {
            LockDrift(kind: .added, image: $0.image, now: $0.reference)
        }
        return drifts.sorted { ($0.image ?? "", $0.kind.rawValue) < ($1.image ?? "", $1.kind.rawValue) }
    }

    private static func drifts(_ locked: Image, _ now: LockedImageNow) -> [LockDrift] {
        var drifts: [LockDrift] = []
        func add(_ kind: LockDrift.Kind, _ before: String?, _ after: String?, _ reason: String? = nil) {
            drifts.append(LockDrift(kind: kind, image: locked.image, locked: before, now: after, reason: reason))
        }
        if locked.reference != now.reference { add(.reference, locked.reference, now.reference) }
        if locked.destination != now.destination { add(.destination, locked.destination, now.destination) }
        if let before = locked.upstreamDigest, before != now.upstream {
            let kind: LockDrift.Kind =
                now.isUpstreamUnknown ? .upstreamUnknown : now.upstream == nil ? .upstreamGone : .upstreamMoved
            add(kind, before.description, now.upstream?.description, now.upstreamProblem)
        }
        guard let held = now.held else {
            let kind: LockDrift.Kind = now.isHeldUnknown ? .ecrUnknown : .ecrGone
            add(kind, locked.ecrDigest.description, nil, now.heldProblem)
            return drifts
        }
        if held != locked.ecrDigest {
            add(.ecrChanged, locked.ecrDigest.description, held.description)
        } else if now.heldPlatform != locked.platformDigest {
            add(.platformChanged, locked.platformDigest.description, now.heldPlatform?.description)
        }
        return drifts
    }
}
