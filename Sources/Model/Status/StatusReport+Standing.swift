package import Foundation

extension StatusReport.Standing {
    package mutating func add(_ image: StatusReport.ImageStatus) {
        add(
            1,
            state: image.state,
            registry: image.registry,
            reason: image.failureClass,
            until: image.dueAt,
            restsUntil: image.registryRestsUntil,
            comesByItself: image.comesByItself ?? false
        )
    }

    /// - Parameters:
    ///   - restsUntil: nothing is asked of the registry before then.
    ///   - comesByItself: HealthOmics copies them when a task asks for them.
    package mutating func add(
        _ images: Int,
        state: String,
        registry: String,
        reason: String?,
        until: Date?,
        restsUntil: Date?,
        comesByItself: Bool
    ) {
        total += images
        switch state {
        // Nobody has tried it yet, and nobody will before the registry's rest is over.
        case "pending" where restsUntil != nil:
            waits.append(.init(registry: registry, reason: nil, images: images, until: restsUntil))
        case "ready": ready += images
        case "cloning": copying += images
        case "pending": queued += images
        case "blocked" where comesByItself: late += images
        case "blocked": blocked += images
        default: waits.append(.init(registry: registry, reason: reason, images: images, until: until))
        }
    }
}

extension StatusReport.ImageStatus {
    /// Whether the standing of whoever wants it counts it.
    package var counts: Bool { certainty != "inactive" && isOutOfReach != true }
}
