extension RegularExpression {
    /// One text being searched: threads are followed one after the other, in order of preference. Where nothing that was
    /// read before can matter, a step is tried once at each position, so that the time is no more than text times
    /// program; everywhere it is no more than `work`.
    struct Matcher {
        private enum Frame {
            case branch(Int, Int)
            case restore(Int, Int)
        }

        /// Bits for steps tried at positions.
        private static let maximumTried = 1 << 22

        private let program: [Step]
        let text: [UInt32]
        /// Steps that may still be taken; 0 and below: the answer means nothing.
        private(set) var work: Int
        /// Start and end of each group, -1 where it took no part; then other positions.
        private var slots: [Int]
        private let groups: Int
        private var stack: [Frame] = []
        private var tried: [UInt64] = []
        /// The words of `tried` that are not 0.
        private var touched: [Int] = []

        /// - Returns: nil where the answer would depend on the version of Java.
        init?(_ expression: RegularExpression, _ text: String, work: Int) {
            if expression.needsASCII, !text.utf8.allSatisfy({ $0 < 0x80 }) { return nil }
            program = expression.program
            self.text = text.unicodeScalars.map(\.value)
            self.work = work
            groups = expression.groups
            slots = Array(repeating: -1, count: expression.registers)
            let bits = program.count * (self.text.count + 1)
            if !expression.hasBackReferences, bits <= Self.maximumTried {
                tried = Array(repeating: 0, count: bits / 64 + 1)
                self.work -= tried.count / 64
            }
        }

        func text(of range: Range<Int>) -> String {
            var scalars = String.UnicodeScalarView()
            for value in text[range] { if let scalar = Unicode.Scalar(value) { scalars.append(scalar) } }
            return String(scalars)
        }

        func group(_ number: Int) -> Range<Int>? {
            slots[2 * number] < 0 ? nil : slots[2 * number]..<slots[2 * number + 1]
        }

        /// The first match at or behind a position.
        mutating func find(from start: Int) -> Range<Int>? {
            forget()
            var position = start
            while position <= text.count, work > 0 {
                if match(at: position, endingAt: nil) { return group(0) }
                position += 1
            }
            return nil
        }

        /// Whether there is a match that begins at a position, and ends at one where that is given.
        mutating func match(at position: Int, endingAt end: Int?) -> Bool {
            for index in slots.indices { slots[index] = -1 }
            stack.removeAll(keepingCapacity: true)
            return run(0, at: position, endingAt: end, isWhole: true) != nil
        }

        /// A match was found: what led to it has not failed.
        private mutating func forget() {
            for word in touched { tried[word] = 0 }
            touched.removeAll(keepingCapacity: true)
        }

        private mutating func isNew(_ step: Int, _ position: Int) -> Bool {
            let bit = step * (text.count + 1) + position
            let mask = UInt64(1) << UInt64(bit & 63)
            guard tried[bit >> 6] & mask == 0 else { return false }
            if tried[bit >> 6] == 0 { touched.append(bit >> 6) }
            tried[bit >> 6] |= mask
            return true
        }

        /// Follows threads from a step to `match`.
        ///
        /// - Parameter isWhole: It is the program itself, not a part that is tried within it.
        /// - Returns: Where the match ends.
        private mutating func run(_ start: Int, at from: Int, endingAt end: Int?, isWhole: Bool) -> Int? {
            let base = stack.count
            var (step, position) = (start, from)
            while true {
                var isAlive = true
                while isAlive {
                    work -= 1
                    guard work > 0 else {
                        stack.removeSubrange(base...)
                        return nil
                    }
                    if isWhole, !tried.isEmpty, !isNew(step, position) { break }
                    switch program[step] {
                    case .scalar(let wanted):
                        isAlive = position < text.count && text[position] == wanted
                        (step, position) = (step + 1, position + 1)
                    case .set(let set):
                        isAlive = position < text.count && set.contains(text[position])
                        (step, position) = (step + 1, position + 1)
                    case .assertion(let assertion):
                        isAlive = holds(assertion, at: position)
                        step += 1
                    case .split(let first, let second):
                        stack.append(.branch(second, position))
                        step = first
                    case .jump(let target): step = target
                    case .mark(let register):
                        keep(position, in: register)
                        step += 1
                    case .capture(let number, let register):
                        keep(slots[register], in: 2 * number)
                        keep(position, in: 2 * number + 1)
                        step += 1
                    case .leaveIfEmpty(let register, let exit): step = slots[register] == position ? exit : step + 1
                    case .backReference(let number, let ignoresCase):
                        if let length = length(of: number, at: position, ignoresCase: ignoresCase) {
                            position += length
                            step += 1
                        } else {
                            isAlive = false
                        }
                    case .ahead(let isWanted, let after):
                        isAlive = look(step + 1, at: position...position, endingAt: nil, isWanted: isWanted)
                        step = after
                    case .behind(let isWanted, let lengths, let after):
                        let places = (position - lengths.upperBound)...(position - lengths.lowerBound)
                        isAlive = look(step + 1, at: places, endingAt: position, isWanted: isWanted)
                        step = after
                    case .atomic(let after):
                        if let end = run(step + 1, at: position, endingAt: nil, isWhole: false) {
                            (step, position) = (after, end)
                        } else {
                            isAlive = false
                        }
                    case .match:
                        guard let end, end != position else {
                            settle(base)
                            return position
                        }
                        isAlive = false
                    }
                }
                guard let next = backtrack(to: base) else { return nil }
                (step, position) = next
            }
        }

        private mutating func keep(_ value: Int, in slot: Int) {
            stack.append(.restore(slot, slots[slot]))
            slots[slot] = value
        }

        /// The other ways of what was matched are given up; what it changed can still be taken back.
        private mutating func settle(_ base: Int) {
            var kept = base
            for index in base..<stack.count {
                if case .restore = stack[index] {
                    stack[kept] = stack[index]
                    kept += 1
                }
            }
            work -= (stack.count - base) / 8
            stack.removeSubrange(kept...)
        }

        private mutating func backtrack(to base: Int) -> (step: Int, position: Int)? {
            while stack.count > base {
                switch stack.removeLast() {
                case .restore(let slot, let value): slots[slot] = value
                case .branch(let step, let position): return (step, position)
                }
            }
            return nil
        }

        /// Whether a part matches from one of some places, nearest first.
        private mutating func look(_ start: Int, at places: ClosedRange<Int>, endingAt end: Int?, isWanted: Bool)
            -> Bool
        {
            let base = stack.count
            var isHit = false
            for place in places.reversed() where place >= 0 && !isHit {
                isHit = run(start, at: place, endingAt: end, isWhole: false) != nil
                guard work > 0 else { return false }
            }
            // What lies within something that must not match leaves no groups.
            if isHit, !isWanted { _ = backtrack(to: base) }
            return isHit == isWanted
        }

        private mutating func length(of number: Int, at position: Int, ignoresCase: Bool) -> Int? {
            guard number < groups, let range = group(number), position + range.count <= text.count else { return nil }
            work -= range.count
            for (one, two) in zip(text[range], text[position...]) {
                let isSame =
                    one == two || (ignoresCase && CharacterSet.otherCase(one) == two)
                guard isSame else { return nil }
            }
            return range.count
        }

        // MARK: Assertions

        private func holds(_ assertion: Assertion, at position: Int) -> Bool {
            switch assertion {
            case .textStart: return position == 0
            case .textEnd: return position == text.count
            case .wordEdge(let isWanted):
                let before = position > 0 && CharacterSet.isWord(text[position - 1])
                let after = position < text.count && CharacterSet.isWord(text[position])
                return (before != after) == isWanted
            case .lineStart(let isUnix):
                // Never at the end, not even of an empty text.
                guard position < text.count else { return false }
                guard position > 0 else { return true }
                let before = text[position - 1]
                if isUnix { return before == 0x0A }
                return Self.isLineEnd(before) && !(before == 0x0D && text[position] == 0x0A)
            case .end(let isMultiline, let isUnix):
                guard position < text.count else { return true }
                let here = text[position]
                if isUnix { return here == 0x0A && (isMultiline || position + 1 == text.count) }
                guard Self.isLineEnd(here), !(here == 0x0A && position > 0 && text[position - 1] == 0x0D) else {
                    return false
                }
                if isMultiline || position + 1 == text.count { return true }
                return position + 2 == text.count && here == 0x0D && text[position + 1] == 0x0A
            }
        }

        private static func isLineEnd(_ scalar: UInt32) -> Bool {
            scalar == 0x0A || scalar == 0x0D || scalar == 0x85 || scalar | 1 == 0x2029
        }
    }
}
