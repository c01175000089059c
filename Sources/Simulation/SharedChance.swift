import Synchronization

/// A source of chance that several take from, in the order they come.
package final class SharedChance: Sendable {
    private let chance: Mutex<Chance>

    package init(_ chance: Chance) { self.chance = Mutex(chance) }

    package func unit() -> Double { chance.withLock { $0.unit() } }
}
