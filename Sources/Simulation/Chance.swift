/// A source of chance that follows from a seed alone (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators"): the same seed gives the same numbers on every machine and with every release.
package struct Chance: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    /// A source of its own for one subject, so that a number more or less that one of them takes moves no other's.
    package init(seed: UInt64, _ subject: String) {
        // FNV-1a.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in subject.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        self.init(seed: seed ^ hash)
        _ = next()
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in `0..<1`.
    package mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// True with this probability.
    package mutating func isLucky(_ probability: Double) -> Bool { unit() < probability }

    /// Uniform in `0..<bound`; 0 for a bound below 2.
    package mutating func below(_ bound: Int) -> Int { bound < 2 ? 0 : Int(next() % UInt64(bound)) }

    package mutating func between(_ low: Int, _ high: Int) -> Int { low + below(high - low + 1) }

    package mutating func between(_ low: Double, _ high: Double) -> Double { low + unit() * (high - low) }

    /// One of them; nil where there is none.
    package mutating func one<Value>(of values: [Value]) -> Value? {
        values.isEmpty ? nil : values[below(values.count)]
    }

    /// So many of them, in an order of chance.
    package mutating func some<Value>(_ count: Int, of values: [Value]) -> [Value] {
        var rest = values
        return (0..<min(count, values.count)).map { _ in rest.swapRemove(at: below(rest.count)) }
    }
}

extension Array {
    /// Takes one out and moves the last into its place.
    mutating func swapRemove(at index: Int) -> Element {
        swapAt(index, count - 1)
        return removeLast()
    }
}
