package import Definitions
package import Model
package import Names
import Remotes

/// From an inspection to demands with places: the text of a mention becomes a reference here and nowhere before.
package enum DemandPlanning {
    /// The demands of one subject, and the mentions that stay unresolved.
    ///
    /// - Parameters:
    ///   - map: the version's container registry map.
    ///   - certainties: `clone.certainty`; `inactive` is never cloned.
    package static func demands(
        of inspection: Inspection,
        map: ContainerRegistryMap?,
        rules: PlacementRules,
        certainties: Set<String>
    ) -> (demands: [PlannedDemand], unresolved: [UnresolvedDemand]) {
        var demands: [PlannedDemand] = []
        var unresolved = inspection.unresolved.map { mention in
            UnresolvedDemand(
                place: mention.place.description,
                expression: mention.expression,
                missing: mention.missing,
                tasks: mention.tasks
            )
        }
        for image in inspection.images
        where image.certainty != .inactive && certainties.contains(image.certainty.rawValue) {
            switch plan(image.text, map: map, rules: rules) {
            case .success(let planned):
                for var demand in planned {
                    demand.certainty = image.certainty.rawValue
                    demand.reason = image.reason
                    demand.depth = image.depth
                    demand.places = image.places.map(\.description)
                    demand.tasks = image.tasks
                    demands.append(demand)
                }
            case .failure(let fault) where fault.namesPlaceholder:
                unresolved.append(
                    UnresolvedDemand(
                        place: image.places.first?.description ?? "",
                        expression: image.text,
                        missing: fault.description,
                        tasks: image.tasks
                    )
                )
            case .failure(let fault):
                let text = ImageReference.withoutCredentials(image.text)
                var demand = PlannedDemand(
                    source: text,
                    destination: "",
                    registry: "",
                    mention: text,
                    certainty: image.certainty.rawValue
                )
                demand.reason = image.reason
                demand.depth = image.depth
                demand.places = image.places.map(\.description)
                demand.tasks = image.tasks
                demand.refusal = Refusal(
                    .invalidName,
                    reason: fault.description,
                    mend: "correct the image name in the workflow or its parameters"
                )
                demands.append(demand)
            }
        }
        return (merged(demands), unresolved)
    }

    /// The rows that one image text leads to: one, or two where it is cloned although no mapping reaches it.
    package static func plan(
        _ text: String,
        map: ContainerRegistryMap?,
        rules: PlacementRules
    ) -> Result<[PlannedDemand], ImageReferenceError> {
        let reference: ImageReference
        do { reference = try ImageReference(text) } catch { return .failure(error) }
        var rows: [PlannedDemand]
        switch Planner.destination(reference, mention: text, map: map, rules: rules) {
        case .placed(let destination):
            rows = [row(reference, text, destination)]
        case .unmapped(let refusal, let fallback):
            rows = [refused(reference, text, refusal)]
            if let fallback { rows.append(row(reference, text, fallback)) }
        case .refused(let refusal):
            rows = [refused(reference, text, refusal)]
        }
        let comesByItself = Planner.comesByItself(reference, map: map)
        for index in rows.indices { rows[index].comesByItself = comesByItself }
        return .success(rows)
    }

    /// The row of a placed image.
    package static func row(_ reference: ImageReference, _ text: String, _ destination: Destination) -> PlannedDemand {
        let source = destination.source ?? reference
        return PlannedDemand(
            source: source.description,
            destination: destination.location.description,
            registry: source.registry,
            mention: text,
            certainty: Certainty.certain.rawValue
        )
    }

    private static func refused(_ reference: ImageReference, _ text: String, _ refusal: Refusal) -> PlannedDemand {
        var demand = PlannedDemand(
            source: reference.description,
            destination: "",
            registry: reference.registry,
            mention: text,
            certainty: Certainty.certain.rawValue
        )
        demand.refusal = refusal
        return demand
    }

    /// Several spellings of one image are one demand: the surest of them, with all places and tasks.
    private static func merged(_ demands: [PlannedDemand]) -> [PlannedDemand] {
        var order: [String] = []
        var byKey: [String: PlannedDemand] = [:]
        for demand in demands {
            let key = demand.source + "\n" + demand.destination
            guard var known = byKey[key] else {
                order.append(key)
                byKey[key] = demand
                continue
            }
            known.depth = min(known.depth, demand.depth)
            known.comesByItself = known.comesByItself || demand.comesByItself
            known.places += demand.places.filter { !known.places.contains($0) }
            known.tasks = Array(Set(known.tasks + demand.tasks)).sorted()
            if demand.certainty == Certainty.certain.rawValue {
                known.certainty = demand.certainty
                known.reason = nil
            }
            byKey[key] = known
        }
        return order.compactMap { byKey[$0] }
    }
}

extension ImageReferenceError {
    /// A template placeholder is a value that is not known, not a wrong name.
    fileprivate var namesPlaceholder: Bool {
        if case .placeholder = reason { true } else { false }
    }
}
