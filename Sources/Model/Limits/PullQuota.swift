/// A registry's limit on pulls (manifest GETs) within a window.
package struct PullQuota: Sendable, Hashable {
    /// Pulls in one window.
    package var pulls: Int
    /// The window.
    package var per: Duration
    /// Pulls never used except for images that a waiting run needs.
    package var keep: Int

    package init(pulls: Int, per: Duration, keep: Int = 0) {
        self.pulls = pulls
        self.per = per
        self.keep = keep
    }
}
