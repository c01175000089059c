import Foundation

/// A public registry: its images, who asks, and how often.
struct UpstreamState: Sendable {
    struct Repository: Sendable {
        var manifests: [String: StoredManifest] = [:]
        var tags: [String: String] = [:]
        var blobs: Set<String> = []
        /// Only accounts may read it.
        var isPrivate = false
    }

    struct Token: Sendable {
        /// nil: anonymous.
        var account: String?
        /// Repositories it may pull from.
        var repositories: Set<String>
        var expires: Date
    }

    var settings: UpstreamSettings
    /// Answers nothing but 503, to clients and to ECR.
    var isDown = false
    var repositories: [String: Repository] = [:]
    var tokens: [String: Token] = [:]
    /// Moments of counted pulls, by account; the empty name is anonymous.
    private var pulls: [String: [Date]] = [:]

    init(settings: UpstreamSettings) {
        self.settings = settings
    }

    mutating func push(_ image: MadeImage, repository: String, tags: [String]) {
        var entry = repositories[repository] ?? Repository()
        entry.manifests.merge(image.manifests) { _, new in new }
        entry.blobs.formUnion(image.blobs.keys)
        for tag in tags { entry.tags[tag] = image.root }
        repositories[repository] = entry
    }

    func manifest(_ repository: String, _ reference: String) -> StoredManifest? {
        guard let entry = repositories[repository] else { return nil }
        return entry.manifests[entry.tags[reference] ?? reference]
    }

    /// What a client may still pull; nil where nothing is counted.
    mutating func allowance(of account: String?, now: Date) -> (allowance: PullAllowance, used: Int)? {
        guard let allowance = account == nil ? settings.anonymousQuota : settings.accountQuota else { return nil }
        let name = account ?? ""
        pulls[name]?.removeAll { $0 <= now.addingTimeInterval(-allowance.window) }
        return (allowance, pulls[name]?.count ?? 0)
    }

    mutating func countPull(of account: String?, now: Date) {
        pulls[account ?? "", default: []].append(now)
    }
}
