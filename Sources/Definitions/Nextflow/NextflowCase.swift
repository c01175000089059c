/// A case of a `switch` with all that is carried out when it is the one: without `break` the next cases' statements too.
struct NextflowCase {
    var values: [NextflowExpression]
    var isDefault: Bool
    var body: [NextflowStatement]
    /// Whether it is known where it ends: no `break` inside of another statement.
    var isClear: Bool

    /// The cases in their order; those without statements of their own are joined with the next.
    static func all(of cases: [(values: [NextflowExpression], body: [NextflowStatement])]) -> [NextflowCase] {
        var all: [NextflowCase] = []
        var values: [NextflowExpression] = []
        var isDefault = false
        for (index, entry) in cases.enumerated() {
            values += entry.values
            isDefault = isDefault || entry.values.isEmpty
            guard !entry.body.isEmpty || index == cases.count - 1 else { continue }
            var body: [NextflowStatement] = []
            var isClear = true
            // Bounded: what many cases without `break` would carry out is not followed to the end.
            for (step, next) in cases[index...].enumerated() {
                let end = next.body.firstIndex { if case .leave = $0.kind { true } else { false } }
                body += end.map { Array(next.body[..<$0]) } ?? next.body
                if step > 20 { isClear = false }
                if end != nil || step > 20 || Self.ends(next.body) { break }
            }
            if leaves(body) { isClear = false }
            all.append(NextflowCase(values: values, isDefault: isDefault, body: body, isClear: isClear))
            values = []
            isDefault = false
        }
        return all
    }

    private static func ends(_ statements: [NextflowStatement]) -> Bool {
        switch statements.last?.kind {
        case .finish?, .raise?: true
        default: false
        }
    }

    /// Whether a `break` or `continue` in the statements leaves the loop or `switch` around them.
    static func leaves(_ statements: [NextflowStatement]) -> Bool {
        statements.contains { statement in
            switch statement.kind {
            case .leave: true
            case .choice(_, let then, let other): leaves(then) || leaves(other)
            case .attempt(let body, let caught, let finally): leaves(body) || leaves(caught) || leaves(finally)
            // A `break` is the `switch`'s own, a `continue` is not; they are not told apart.
            case .selection(_, let cases): cases.contains { holdsNested($0.body) }
            default: false
            }
        }
    }

    private static func holdsNested(_ statements: [NextflowStatement]) -> Bool {
        statements.contains { statement in
            switch statement.kind {
            case .choice(_, let then, let other): leaves(then) || leaves(other)
            default: false
            }
        }
    }
}
