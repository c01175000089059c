package import Model
import Names
import Remotes

extension Cloner {
    /// What a later look found.
    package enum Look: Sendable {
        case asItShouldBe(HealthOmicsAccess)
        case changed(String)
        /// It could not be looked at; says nothing about the image.
        case unknown(String)
    }

    /// Looks at ready images of one repository again, and mends its policy where that is all that is missing.
    ///
    /// - Returns: what was found, in the order of the images.
    package func verify(_ images: [ImageRecord]) async -> [Look] {
        do {
            var destinations: [Destination] = []
            for image in images { destinations.append(try await destination(of: image)) }
            let wanted = zip(destinations, images).map {
                ECRView.Wanted($0.location, known: Self.platformDigest(of: $1))
            }
            let holdings = try await view.look(at: wanted, depth: .changes)
            var looks: [Look] = []
            for (index, holding) in holdings.enumerated() {
                looks.append(await judge(holding, of: images[index], at: destinations[index]))
            }
            return looks
        } catch is ManifestError where images.count > 1 {
            // One that cannot be read says nothing of the others.
            var looks: [Look] = []
            for image in images { looks += await verify([image]) }
            return looks
        } catch {
            return images.map { _ in .unknown("\(error)") }
        }
    }

    private func judge(_ holding: ECRHolding, of image: ImageRecord, at destination: Destination) async -> Look {
        guard holding.isComplete else {
            return .changed("\(destination.location) \(Planner.words(holding))")
        }
        if let was = image.ecrDigest, let now = holding.digest?.description, was != now {
            // Below a pull-through prefix ECR refreshes tags by itself; elsewhere somebody pushed.
            return .changed("\(destination.location) now has digest \(now), it had \(was)")
        }
        guard holding.access == .notAccessible, destination.isOurs else { return .asItShouldBe(holding.access) }
        do {
            let granted = try await preparation.grant(destination.location)
            try audit(granted.change, image, caller: "daemon")
            return .asItShouldBe(granted.access)
        } catch {
            return .unknown("\(error)")
        }
    }
}
