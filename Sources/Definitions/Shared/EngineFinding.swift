extension WorkflowDefinition {
    /// The engine that a definition shows by itself: `main.nf` or `nextflow.config`, a `.wdl` file, a `.cwl` file or a main
    /// file with `cwlVersion`. What lies at the top counts, or in the only folder there; only where nothing there tells it,
    /// the rest does.
    ///
    /// - Parameter main: the main file, where it is named; a CWL one may name a process in it (`FILE#ID`).
    /// - Throws: `DefinitionError` where the definition shows none, or more than one; it says what to name.
    package static func engine(
        of files: any DefinitionFiles,
        main: String? = nil
    ) throws(DefinitionError) -> WorkflowEngine {
        if let main { return try engine(ofMain: main, in: files) }
        let all = files.paths.filter { !DefinitionPath.isCompanion($0) }
        let top = all.filter { !$0.contains("/") }
        let signs = signs(in: top)
        if let found = try only(signs) { return found }
        // An archive often holds one folder with everything.
        let folders = Set(all.compactMap { $0.contains("/") ? $0.split(separator: "/", maxSplits: 1).first : nil })
        if top.isEmpty, folders.count == 1, let folder = folders.first {
            let inside = all.filter { $0.split(separator: "/").count == 2 && $0.hasPrefix("\(folder)/") }
            if let found = try only(Self.signs(in: inside)) { return found }
        }
        if let found = try only(Self.signs(in: all)) { return found }
        throw DefinitionError(
            "the definition does not show its engine: it has no main.nf, nextflow.config, .wdl or .cwl file; "
                + "name the engine with --engine"
        )
    }

    private static func engine(
        ofMain main: String,
        in files: any DefinitionFiles
    ) throws(DefinitionError) -> WorkflowEngine {
        let path = files.exists(main) ? main : String(main.prefix { $0 != "#" })
        switch path.split(separator: ".").last?.lowercased() {
        case "nf": return .nextflow
        case "wdl": return .wdl
        case "cwl": return .cwl
        default: break
        }
        if case .contents(let bytes) = files.read(path), String(decoding: bytes, as: UTF8.self).contains("cwlVersion") {
            return .cwl
        }
        throw DefinitionError("main file \(main) does not show its engine; name the engine with --engine")
    }

    /// The first file that speaks for each engine.
    private static func signs(in paths: [String]) -> [(engine: WorkflowEngine, path: String)] {
        func first(_ isSign: (String) -> Bool) -> String? { paths.first(where: isSign) }
        func name(_ path: String) -> Substring { path.split(separator: "/").last ?? "" }
        let nextflow =
            first { name($0) == "main.nf" } ?? first { name($0) == "nextflow.config" } ?? first { $0.hasSuffix(".nf") }
        return [
            (.nextflow, nextflow), (.wdl, first { $0.hasSuffix(".wdl") }), (.cwl, first { $0.hasSuffix(".cwl") }),
        ].compactMap { engine, path in path.map { (engine, $0) } }
    }

    private static func only(
        _ signs: [(engine: WorkflowEngine, path: String)]
    ) throws(DefinitionError) -> WorkflowEngine? {
        guard signs.count > 1 else { return signs.first?.engine }
        let named = signs.map { "\($0.path) (\($0.engine.rawValue))" }.joined(separator: " and ")
        throw DefinitionError("the definition is of more than one engine: it has \(named); name the one with --engine")
    }
}
