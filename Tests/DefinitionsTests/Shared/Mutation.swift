import Foundation

/// How many mutated inputs a fuzz test tries: 20,000, or what DEFINITIONS_FUZZ says.
let fuzzCount = ProcessInfo.processInfo.environment["DEFINITIONS_FUZZ"].flatMap { Int($0) } ?? 20_000

/// Damages inputs in a way that repeats: the same seed gives the same inputs.
struct Mutation {
    private var state: UInt64
    private let tokens: [[UInt8]]

    init(seed: UInt64, tokens: [String]) {
        state = seed
        self.tokens = tokens.map { Array($0.utf8) }
    }

    /// SplitMix64.
    mutating func next(below limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((value ^ value >> 31) % UInt64(max(1, limit)))
    }

    mutating func callAsFunction(_ input: [UInt8]) -> [UInt8] {
        var bytes = input
        for _ in 0...next(below: 4) {
            let place = next(below: bytes.count + 1)
            let length = min(next(below: 12), bytes.count - place)
            switch next(below: 7) {
            case 0: if place < bytes.count { bytes[place] = UInt8(truncatingIfNeeded: next(below: 256)) }
            case 1: if place < bytes.count { bytes[place] ^= 1 << UInt8(next(below: 8)) }
            case 2: bytes.removeSubrange(place..<place + length)
            case 3: bytes.insert(contentsOf: bytes[place..<place + length], at: next(below: bytes.count + 1))
            case 4: bytes.insert(contentsOf: tokens[next(below: tokens.count)], at: place)
            case 5:
                let token = tokens[next(below: tokens.count)]
                bytes.insert(
                    contentsOf: repeatElement(token, count: next(below: next(below: 8) == 0 ? 300 : 5)).joined(),
                    at: place
                )
            default: if next(below: 4) == 0 { bytes.removeSubrange(place...) }
            }
        }
        return bytes
    }
}
