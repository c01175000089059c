package import Model
package import Names

/// What a given container registry map leaves out, sends astray or never uses. Pure.
package struct RegistryMapCheck: Sendable, Hashable {
    /// An entry of the map, as people find it again.
    package struct Entry: Codable, Sendable, Hashable {
        /// `registryMappings[0]`.
        package var path: String
        /// `quay.io -> quay`.
        package var text: String
        /// What is wrong with it; nil where nothing uses it and that is all.
        package var problem: String?
    }

    /// Every image, with its place under this map.
    package var images: [MappedImage]
    /// Entries that HealthOmics would refuse, or that lead nowhere.
    package var faults: [Entry]
    /// Entries that no image uses.
    package var unused: [Entry]

    /// Whether every image is led to a place of its own.
    package var isComplete: Bool { faults.isEmpty && images.allSatisfy { $0.problem == nil } }

    /// - Parameter texts: images as the definition writes them.
    package init(_ map: ContainerRegistryMap, for texts: [String], rules: PlacementRules) {
        faults = Self.faults(in: map)
        var used: Set<String> = []
        var found: [MappedImage] = []
        var takenBy: [String: String] = [:]
        for text in Set(texts).sorted() {
            let reference: ImageReference
            do { reference = try ImageReference(text) } catch {
                found.append(
                    MappedImage(text, problem: error.explanation, mend: "correct the image's name in the workflow")
                )
                continue
            }
            var basis = MappedImage.Basis.asWritten
            if ECRLocation(reference) == nil {
                if let index = Planner.imageMappingIndex(for: reference, mention: text, in: map) {
                    used.insert(Self.path(image: index))
                    basis = .imageMapping
                } else if let index = Planner.registryMappingIndex(for: reference, in: map) {
                    used.insert(Self.path(registry: index))
                    basis = .registryMapping
                }
            }
            switch Planner.destination(reference, mention: text, map: map, rules: rules) {
            case .placed(let destination):
                var image = MappedImage(text, destination, basis: basis)
                Self.judge(&image, destination, of: reference, rules: rules, &takenBy)
                found.append(image)
            case .unmapped(let refusal, _), .refused(let refusal):
                var image = MappedImage(text, problem: refusal.reason, mend: refusal.mend)
                image.source = reference.description
                found.append(image)
            }
        }
        images = found
        unused = Self.entries(of: map).filter { !used.contains($0.path) }
    }

    /// Whether an image goes astray: to where ECR keeps another registry's images, or where another image goes.
    private static func judge(
        _ image: inout MappedImage,
        _ destination: Destination,
        of reference: ImageReference,
        rules: PlacementRules,
        _ takenBy: inout [String: String]
    ) {
        let place = destination.location
        // What ECR alone knows may be anybody's.
        guard let source = destination.source?.description else { return }
        if destination.isOurs, image.basis != .asWritten, destination.rule == nil,
            let (other, rule) = Planner.upstream(of: place, rules: rules.pullThrough), other.name != reference.name
        {
            image.problem =
                "it is sent to \(place), where pull-through rule `\(rule.ecrRepositoryPrefix)` keeps \(other)"
            image.mend = "send it to a repository of its own"
            return
        }
        // A digest is the same image under every name.
        guard place.digest == nil else { return }
        if let known = takenBy[place.place], known != source {
            image.problem = "it is sent to \(place.place), and so is \(known)"
            image.mend = "send the two to two repositories"
            return
        }
        takenBy[place.place] = source
    }

    // MARK: Entries

    private static func path(registry index: Int) -> String { "registryMappings[\(index)]" }

    private static func path(image index: Int) -> String { "imageMappings[\(index)]" }

    private static func entries(of map: ContainerRegistryMap) -> [Entry] {
        let registries = (map.registryMappings ?? []).enumerated().map { index, mapping in
            Entry(path: path(registry: index), text: text(mapping))
        }
        let images = (map.imageMappings ?? []).enumerated().map { index, mapping in
            Entry(
                path: path(image: index),
                text: "\(mapping.sourceImage ?? "-") -> \(mapping.destinationImage ?? "-")"
            )
        }
        return registries + images
    }

    private static func text(_ mapping: RegistryMapping) -> String {
        let part = mapping.upstreamRepositoryPrefix.map { "/\($0)" } ?? ""
        let account = mapping.ecrAccountId.map { " of account \($0)" } ?? ""
        return "\(mapping.upstreamRegistryUrl ?? "-")\(part) -> \(mapping.ecrRepositoryPrefix ?? "-")\(account)"
    }

    /// Source: the service model `omics/2022-11-28`, RegistryMapping and ImageMapping.
    private static func faults(in map: ContainerRegistryMap) -> [Entry] {
        var faults: [Entry] = []
        for (index, mapping) in (map.registryMappings ?? []).enumerated() {
            func fault(_ problem: String) {
                faults.append(Entry(path: path(registry: index), text: text(mapping), problem: problem))
            }
            if let part = mapping.upstreamRepositoryPrefix, !(2...30).contains(part.utf8.count) {
                fault("upstreamRepositoryPrefix has 2 to 30 characters, this one has \(part.utf8.count)")
            }
            if let prefix = mapping.ecrRepositoryPrefix, !(1...256).contains(prefix.utf8.count) {
                fault("ecrRepositoryPrefix has 1 to 256 characters, this one has \(prefix.utf8.count)")
            }
            if let account = mapping.ecrAccountId, account.utf8.count != 12 || !account.allSatisfy(\.isNumber) {
                fault("ecrAccountId has 12 digits")
            }
        }
        for (index, mapping) in (map.imageMappings ?? []).enumerated() {
            guard let text = mapping.sourceImage,
                let first = (map.imageMappings ?? []).firstIndex(where: { $0.sourceImage == text }),
                first != index, map.imageMappings?[first].destinationImage != mapping.destinationImage
            else { continue }
            faults.append(
                Entry(
                    path: path(image: index),
                    text: "\(text) -> \(mapping.destinationImage ?? "-")",
                    problem: "\(path(image: first)) maps the same sourceImage to another place"
                )
            )
        }
        return faults
    }
}
