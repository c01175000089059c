/// Finds the shortest story that still breaks a promise: leaves events out, many at a time and then fewer, for as long as
/// the same one breaks (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input").
package struct Shrinker {
    /// Plays a story, and says what it broke.
    let play: (Story) throws -> [Violation]
    /// So many stories are played at most.
    let trials: Int
    /// Told how many events are left, after each that could go.
    let tell: (Int) -> Void

    package init(trials: Int, play: @escaping (Story) throws -> [Violation], tell: @escaping (Int) -> Void) {
        self.trials = trials
        self.play = play
        self.tell = tell
    }

    /// - Throws: what playing throws.
    package func shrink(_ story: Story, breaking invariant: Invariant) throws -> Story {
        var best = story
        var left = trials
        var size = max(1, story.steps.count / 2)
        func breaks(_ candidate: Story) throws -> Bool {
            left -= 1
            return try play(candidate).contains { $0.invariant == invariant }
        }
        while left > 0 {
            var start = 0
            var isShorter = false
            while start < best.steps.count, left > 0 {
                var candidate = best
                candidate.steps.removeSubrange(start..<min(best.steps.count, start + size))
                if try breaks(candidate) {
                    best = candidate
                    isShorter = true
                    tell(best.steps.count)
                } else {
                    start += size
                }
            }
            if size == 1, !isShorter { break }
            if !isShorter || size > best.steps.count { size = max(1, min(size, best.steps.count) / 2) }
        }
        // Of what is configured too.
        for choice in best.choices where left > 0 {
            var candidate = best
            candidate.choices.removeAll { $0 == choice }
            if try breaks(candidate) { best = candidate }
        }
        return best
    }
}
