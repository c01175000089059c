import Model
package import Names
import Remotes

/// Where a registry map sends images, worked out without an account: for `preclone inspect`.
///
/// The workflow's own account and Region are not known there. `ACCOUNT` stands for the one; the other is taken from the
/// first image mapping that leads into ECR, and is `REGION` where there is none.
package struct OfflinePlacement: Sendable {
    /// The answer for one image.
    package struct Answer: Sendable, Hashable {
        /// What is cloned; nil where the text is no image, or ECR alone knows it.
        package var source: String?
        /// Where HealthOmics will look; nil where no run can pull the image.
        package var destination: String?
        /// Why there is no destination, and what to do about it.
        package var problem: String?
    }

    private let map: ContainerRegistryMap
    private let home: HomeRegistry

    package init(map: ContainerRegistryMap) {
        self.map = map
        let known = (map.imageMappings ?? []).lazy
            .compactMap { $0.destinationImage.flatMap { try? ImageReference($0) } }
            .compactMap { ECRLocation($0) }.first
        home = HomeRegistry(
            account: "ACCOUNT",
            region: known?.region ?? "REGION",
            suffix: known?.suffix ?? "dkr.ecr.REGION.amazonaws.com"
        )
    }

    /// The place of an image as the definition writes it.
    package func answer(for text: String) -> Answer {
        let reference: ImageReference
        do { reference = try ImageReference(text) } catch {
            return Answer(problem: "\(error)")
        }
        var home = home
        // A URI of ECR says itself which Region the workflow must be in.
        if let location = ECRLocation(reference) { home.region = location.region }
        let rules = PlacementRules(home: home, pullThrough: [], template: "", clonesUnmapped: false)
        switch Planner.destination(reference, mention: text, map: map, rules: rules) {
        case .placed(let destination):
            return Answer(source: destination.source?.description, destination: destination.location.description)
        case .unmapped(let refusal, _), .refused(let refusal):
            return Answer(source: reference.description, problem: "\(refusal.reason); \(refusal.mend)")
        }
    }
}
