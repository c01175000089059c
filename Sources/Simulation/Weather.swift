import Synchronization

/// What the network does to the requests to a host, for a while.
package enum Mischief: String, Sendable, Hashable, CaseIterable {
    /// Nobody answers at the address.
    case down
    /// The name is not found.
    case unresolved
    /// The connection is reset before an answer, and the service has not seen the request.
    case reset
    /// The service has done what was asked, and the answer is lost.
    case answerLost
    /// 429 with a page of a gateway.
    case tooMany
    /// 503 with a page of a gateway.
    case unavailable
    /// No byte comes any more.
    case stall
    /// Everything takes twenty times as long.
    case slow
    /// The answer's body ends before its end.
    case cut
    /// A bit of the answer's body is another.
    case corrupt
    /// The request's body is cut off on its way.
    case uploadCut
    /// The connection is reset in the TLS handshake.
    case handshake
    /// A web page with status 200 answers everything.
    case webPage
    /// A small answer never ends.
    case trickle
    /// HEAD is refused, without a word.
    case headRefused
    /// A registry has a blob's bytes not yet, or no longer.
    case blobMissing
    /// The address that a blob or a definition is at has run out.
    case addressExpired
    /// Small answers come compressed, although nobody asked for that.
    case compressed

    /// The first that there were: stories are told by their number.
    static let usual = allCases.prefix(11)
    /// What registries and what stands before them do besides.
    static let odd = allCases.dropFirst(11)
}

/// One stretch of mischief.
package struct Spell: Sendable, Hashable, CustomStringConvertible {
    package var mischief: Mischief
    /// A host's name, or the end of one that begins with a dot; empty: every host.
    package var host: String
    /// How likely each request is to meet it.
    package var probability: Double
    /// Seconds of the Retry-After header, where there is an answer; nil: none.
    package var retryAfter: Int?

    package init(_ mischief: Mischief, host: String, probability: Double, retryAfter: Int? = nil) {
        self.mischief = mischief
        self.host = host
        self.probability = probability
        self.retryAfter = retryAfter
    }

    func reaches(_ name: String) -> Bool {
        host.isEmpty || name == host || (host.hasPrefix(".") && name.hasSuffix(host))
    }

    package var description: String {
        "\(mischief.rawValue) at \(host.isEmpty ? "every host" : host) (\(Int(probability * 100)) %)"
    }
}

/// What goes on in the network now, and the chance of what single requests meet.
package final class Weather: Sendable {
    private struct State {
        var spells: [Int: Spell] = [:]
        var chance: Chance
        var lostAnswers = 0
    }

    private let state: Mutex<State>

    package init(seed: UInt64) { state = Mutex(State(chance: Chance(seed: seed, "weather"))) }

    package func begin(_ spell: Spell, id: Int) { state.withLock { $0.spells[id] = spell } }

    package func end(_ id: Int) { state.withLock { _ = $0.spells.removeValue(forKey: id) } }

    /// How many answers never arrived whole.
    package var lostAnswers: Int { state.withLock { $0.lostAnswers } }

    package func clear() { state.withLock { $0.spells = [:] } }

    /// What a request to a host meets.
    struct Fate: Sendable {
        var mischief: Mischief?
        var retryAfter: Int?
        /// Until the service sees it, and until its answer arrives.
        var there: Duration
        var back: Duration
        /// A number for whatever else has to be decided, in `0..<1`.
        var dice: Double
    }

    func fate(of host: String) -> Fate {
        state.withLock { state in
            var fate = Fate(there: .zero, back: .zero, dice: 0)
            for id in state.spells.keys.sorted() {
                guard let spell = state.spells[id], spell.reaches(host) else { continue }
                if state.chance.isLucky(spell.probability), fate.mischief == nil {
                    fate.mischief = spell.mischief
                    fate.retryAfter = spell.retryAfter
                }
            }
            // Most answers come in some milliseconds, a few in seconds.
            let slow = state.chance.isLucky(0.01) ? 2_000 : 60
            let factor = fate.mischief == .slow ? 20 : 1
            fate.there = .milliseconds(state.chance.between(1, slow) * factor)
            fate.back = .milliseconds(state.chance.between(1, slow) * factor)
            fate.dice = state.chance.unit()
            if fate.mischief == .answerLost || fate.mischief == .cut || fate.mischief == .corrupt {
                state.lostAnswers += 1
            }
            return fate
        }
    }
}
