/// The DockerRequirement that holds for a process: the most specific of the requirements on the way to it, else the most
/// specific of the hints (CWL 1.2, 4.4 "Requirements and hints").
struct CWLDocker: Sendable {
    var requirement: CWLNode?
    var hint: CWLNode?
    /// Imports on the way that could not be read; one of them may hold the requirement.
    var broken: [CWLNode] = []
    /// What the run's `cwl:requirements` ask for, where nothing more specific than the main process does.
    var given: CWLNode?

    /// Nodes that are looked at in one list; a list of aliases of lists can name exponentially many.
    private static let maximumNodes = 2_000

    var effective: CWLNode? { requirement ?? hint }

    /// What holds below a step or process that has requirements and hints of its own.
    func inner(_ node: CWLNode, _ loader: inout CWLLoader) -> CWLDocker {
        var inner = self
        for (field, isHint) in [("requirements", false), ("hints", true)] {
            guard let list = node[field] else { continue }
            var found: CWLNode?
            var budget = Self.maximumNodes
            Self.find(in: list, &loader, depth: 0, &budget, &found, &inner.broken)
            if budget <= 0, inner.broken.count < 20 {
                loader.note(list.evidence, "more than \(Self.maximumNodes) entries; the others are not looked at")
                inner.broken.append(list)
            }
            guard let found else { continue }
            if isHint { inner.hint = found } else { inner.requirement = found }
        }
        return inner
    }

    /// Looks through lists, maps and imports of either.
    private static func find(
        in list: CWLNode,
        _ loader: inout CWLLoader,
        depth: Int,
        _ budget: inout Int,
        _ found: inout CWLNode?,
        _ broken: inout [CWLNode]
    ) {
        budget -= 1
        guard depth < 8, budget > 0, !list.isNull else { return }
        guard let list = loader.resolved(list) else {
            if broken.count < 20 { broken.append(list) }
            return
        }
        if let elements = list.elements {
            for element in elements where budget > 0 {
                find(in: element, &loader, depth: depth + 1, &budget, &found, &broken)
            }
        } else if let name = list["class"]?.string {
            if isDocker(name) { found = list }
        } else {
            // In map form the class is the key.
            for entry in list.entries ?? [] where isDocker(entry.key) {
                if let value = loader.resolved(entry.value) {
                    found = value
                } else {
                    broken.append(entry.value)
                }
            }
        }
    }

    /// The DockerRequirement among the requirements that a run gives in its input object (CWL 1.1 and later, "Requirements
    /// and hints": they count as requirements of the main process, above its own).
    ///
    /// HealthOmics does not document that it reads them (its user guide, "CWL workflow definition specifics", names
    /// requirements and hints of the definition alone).
    static func given(_ value: ParameterValue, _ loader: inout CWLLoader) -> CWLNode? {
        var parser = YAMLParser(Array(value.text.utf8))
        guard let yaml = try? parser.document() else { return nil }
        let list = CWLNode(document: CWLDocument(path: "", parameter: parameterName, yaml: yaml), index: yaml.root)
        var found: CWLNode?
        var budget = maximumNodes
        var broken: [CWLNode] = []
        find(in: list, &loader, depth: 0, &budget, &found, &broken)
        return found
    }

    static let parameterName = "cwl:requirements"

    /// The class by its name, or by its name in the CWL vocabulary.
    private static func isDocker(_ name: String) -> Bool {
        name == "DockerRequirement" || name.hasSuffix("#DockerRequirement") || name == "cwl:DockerRequirement"
    }
}
