import Definitions
import Foundation
import Testing

@testable import Model
@testable import Names
@testable import Precloning

/// Maps of real definitions. `PRECLONE_CORPUS` is a folder that `make_corpus.py` of `PRECLONE_TRUTH` has laid out.
@Suite("Registry maps of real definitions")
struct RegistryMapCorpusTests {
    private struct Truth: Decodable {
        var repo: String
        var root: String?
        var main: String
        var engine: String
        var params: String?
        var profiles: [String]?
    }

    private static let environment = ProcessInfo.processInfo.environment

    @Test(
        "leave no image unmapped that can be mapped, and hold no entry that nothing uses",
        .enabled(if: environment["PRECLONE_CORPUS"] != nil && environment["PRECLONE_TRUTH"] != nil, "needs the corpus")
    )
    func corpus() throws {
        let truths = URL(filePath: Self.environment["PRECLONE_TRUTH"] ?? "")
        let corpus = URL(filePath: Self.environment["PRECLONE_CORPUS"] ?? "")
        let bases = [[], DestinationTests.rules].map { rules in
            MapBasis(
                rules: PlacementRules(
                    home: DestinationTests.home,
                    pullThrough: rules,
                    template: "{registryAlias}/{repository}",
                    clonesUnmapped: true
                ),
                isHomeKnown: true
            )
        }
        var read = 0
        for engine in ["cwl", "nextflow", "wdl"] {
            let folder = truths.appending(path: engine)
            for file in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() {
                let data = try Data(contentsOf: folder.appending(path: file))
                let truth = try JSONDecoder().decode(Truth.self, from: data)
                let place = corpus.appending(path: truth.repo.replacing("/", with: "__"))
                let parameters = try truth.params.map { path in
                    let isOurs = path.hasPrefix("truth:")
                    return try Data(
                        contentsOf: (isOurs ? truths : place).appending(path: isOurs ? String(path.dropFirst(6)) : path)
                    )
                }
                let opened = try WorkflowDefinition.open(place.appending(path: truth.root ?? "").path)
                let shown = try WorkflowDefinition.engine(of: opened.files, main: truth.main)
                #expect(shown == WorkflowEngine(name: truth.engine), "\(file)")
                var request = DefinitionRequest(engine: shown, main: truth.main, profiles: truth.profiles ?? [])
                if let parameters, case .object(let members) = try ParameterValue(json: Array(parameters)) {
                    request.parameters = members
                }
                let inspection = try WorkflowDefinition.inspect(opened.files, request)
                read += 1
                for basis in bases {
                    let answer = MapVerb.write(for: inspection, basis)
                    try RegistryMapPlanTests.prove(.init(map: answer.map, images: answer.images), basis.rules)
                    for image in answer.images where image.problem != nil {
                        // What is left is no image of a registry, or in another Region's ECR.
                        let isFar = (try? ImageReference(image.image)).map { ECRLocation($0) != nil } ?? true
                        #expect(isFar, "\(file): \(image)")
                    }
                    let check = MapVerb.check(answer.map, for: inspection, basis)
                    #expect(check.unused.isEmpty && check.faults.isEmpty, "\(file)")
                }
            }
        }
        #expect(read > 200)
    }
}
