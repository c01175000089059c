/// Why a definition needs an image, or why it does not: `preclone inspect --why`.
///
/// Values of parameters are shown only as far as they stand in the image itself.
package struct ImageExplanation: Sendable, Equatable {
    /// A place on the way to an image, as it is shown.
    package struct Step: Sendable, Equatable {
        package var place: Evidence
        /// The line that stands there, shortened.
        package var line: String
        package var note: String?
    }

    /// A task that uses the image.
    package struct Use: Sendable, Equatable {
        package var task: String
        package var certainty: Certainty
        package var reason: String?
        package var steps: [Step]
    }

    /// A line of the definition that names the image, of which nothing came.
    package struct Naming: Sendable, Equatable {
        package var step: Step
        /// What became of it.
        package var outcome: String
    }

    package var image: String
    /// As the definition needs it; nil where it does not.
    package var mention: ImageMention?
    /// At most ten.
    package var uses: [Use]
    /// Where it is named although no task uses it.
    package var namings: [Naming] = []
    /// Images of this definition that are like it, with what they have in common.
    package var nearest: [String] = []
    /// Mentions that cannot be known and so may be it.
    package var unresolved: [UnresolvedMention] = []

    private static let maximumUses = 10
    private static let maximumNamings = 20

    /// - Parameter inspection: Of a request that asked for explanations.
    package init(
        of image: String,
        in inspection: Inspection,
        _ request: DefinitionRequest,
        files: any DefinitionFiles
    ) {
        self.image = image
        let wanted = Self.canonical(image)
        mention = inspection.images.first { Self.canonical($0.text) == wanted }
        var lines = SourceLines(files)
        func shown(_ steps: [ImageUse.Step]) -> [Step] {
            steps.map { step in
                Step(
                    place: step.place,
                    line: lines.text(at: step.place),
                    note: step.note ?? Self.value(of: step.place, in: image, request)
                )
            }
        }
        uses = inspection.uses.filter { $0.image.map(Self.canonical) == wanted }.prefix(Self.maximumUses).map { use in
            Use(task: use.task, certainty: use.certainty, reason: use.reason, steps: shown(use.steps))
        }
        guard mention == nil else { return }
        for (path, number) in lines.naming(image) {
            let place = Evidence.source(file: path, line: number)
            namings.append(
                Naming(
                    step: Step(place: place, line: lines.text(at: place)),
                    outcome: Self.outcome(of: place, lines.block(around: number, in: path), inspection.uses)
                )
            )
            if namings.count == Self.maximumNamings { break }
        }
        nearest = Self.nearest(to: wanted, in: inspection.images)
        unresolved = Array(inspection.unresolved.prefix(Self.maximumUses))
    }

    /// A parameter's value as far as it may be shown.
    private static func value(of place: Evidence, in image: String, _ request: DefinitionRequest) -> String? {
        guard case .parameter(let path) = place else { return nil }
        var value = request.parameters[path]
        if value == nil {
            // Nextflow's parameters may be maps and lists.
            var rest = path.split(separator: ".").map(String.init)[...]
            value = rest.popFirst().flatMap { request.parameters[$0] }
            for part in rest {
                switch value {
                case .object(let members)?: value = members[part]
                case .array(let elements)?:
                    value = Int(part).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
                default: value = nil
                }
            }
        }
        guard case .string(let text)? = value else { return nil }
        return ImageUse.shown(text, in: image, isAnyRun: false)
    }

    // MARK: What is not there

    /// What became of a line that names the image.
    private static func outcome(of place: Evidence, _ block: SourceLines.Block?, _ uses: [ImageUse]) -> String {
        func described(_ use: ImageUse) -> String {
            let image = use.image ?? "an image that is not known"
            let decided = use.steps.last.map { ", decided at \($0.place)" } ?? ""
            return "task \(use.task) has \(image) (\(use.certainty.rawValue)\(decided))"
        }
        func listed(_ uses: [ImageUse]) -> String {
            uses.prefix(3).map(described).joined(separator: "; ")
                + (uses.count > 3 ? "; and \(uses.count - 3) more" : "")
        }
        let overridden = uses.filter { $0.overridden.contains(place) }
        if !overridden.isEmpty { return "something stronger holds: " + listed(overridden) }
        if let block, block.isComment { return "a comment" }
        guard case .source(let file, _) = place else { return "" }
        guard let block else {
            // A CWL file is one tool, mostly.
            let inside = uses.filter { use in
                use.steps.contains { if case .source(file, _) = $0.place { true } else { false } }
            }
            let isCWL = [".cwl", ".yml", ".yaml", ".json"].contains(where: file.hasSuffix)
            return isCWL && !inside.isEmpty ? listed(inside) : "nothing that is reached uses this line"
        }
        let start = Evidence.source(file: file, line: block.line)
        let around = uses.filter { $0.steps.contains { $0.place == start } }
        if around.isEmpty { return "\(block.name) is not reached" }
        return "in \(block.name): " + listed(around)
    }

    private static func nearest(to wanted: String, in images: [ImageMention]) -> [String] {
        func described(_ image: ImageMention, _ what: String) -> String {
            let tasks = image.tasks.prefix(3).joined(separator: ", ") + (image.tasks.count > 3 ? ", …" : "")
            return "\(image.text) (\(what); \(image.certainty.rawValue)\(tasks.isEmpty ? "" : ", " + tasks))"
        }
        let repository = Self.repository(wanted)
        let name = repository.split(separator: "/").last ?? ""
        let all = images.map { ($0, Self.repository(Self.canonical($0.text))) }
        let same = all.filter { $0.1 == repository }
        if !same.isEmpty { return same.prefix(5).map { described($0.0, "another tag") } }
        let named = all.filter { $0.1.split(separator: "/").last == name }
        if !named.isEmpty { return named.prefix(5).map { described($0.0, "the same name elsewhere") } }
        let asked = Array(repository.utf8.prefix(200))
        var close: [(image: ImageMention, distance: Int)] = []
        for (image, repository) in all.prefix(2_000) {
            let distance = distance(Array(repository.utf8.prefix(200)), asked)
            if distance <= 3 { close.append((image, distance)) }
        }
        close.sort { ($0.distance, $0.image.text) < ($1.distance, $1.image.text) }
        return close.prefix(3).map { described($0.image, "spelt nearly so") }
    }

    /// Without what Docker adds by itself.
    static func canonical(_ image: String) -> String {
        var text = image[...]
        if text.hasPrefix("docker://") { text = text.dropFirst(9) }
        for prefix in ["docker.io/", "index.docker.io/"] where text.hasPrefix(prefix) {
            text = text.dropFirst(prefix.count)
        }
        if text.hasPrefix("library/") { text = text.dropFirst(8) }
        if text.hasSuffix(":latest") { text = text.dropLast(7) }
        return String(text)
    }

    /// What stands before tag and digest.
    private static func repository(_ image: String) -> String {
        let text = image.split(separator: "@", maxSplits: 1).first.map(String.init) ?? image
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")), !text[colon...].contains("/") else { return text }
        return String(text[..<colon])
    }

    /// Characters to change, add or take away to make one of the other.
    private static func distance(_ one: [UInt8], _ two: [UInt8]) -> Int {
        guard abs(one.count - two.count) <= 3 else { return .max }
        var row = Array(0...two.count)
        for (index, byte) in one.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, other) in two.enumerated() {
                let next = min(row[column] + 1, row[column + 1] + 1, diagonal + (byte == other ? 0 : 1))
                diagonal = row[column + 1]
                row[column + 1] = next
            }
        }
        return row[two.count]
    }
}
