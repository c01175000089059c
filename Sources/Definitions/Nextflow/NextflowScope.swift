/// The names that code sees.
final class NextflowScope {
    var variables: [String: NextflowValue] = [:]
    let parent: NextflowScope?
    /// The file the code is in.
    let file: String
    /// Names that are no variables; asked last.
    let lookup: ((String) -> NextflowValue?)?
    /// The functions of the script the code is in.
    let functions: ((String) -> NextflowFunction?)?

    init(
        file: String,
        parent: NextflowScope? = nil,
        lookup: ((String) -> NextflowValue?)? = nil,
        functions: ((String) -> NextflowFunction?)? = nil
    ) {
        self.file = file
        self.parent = parent
        self.lookup = lookup
        self.functions = functions
    }

    func function(_ name: String) -> NextflowFunction? {
        var scope: NextflowScope? = self
        while let current = scope {
            if let functions = current.functions { return functions(name) }
            scope = current.parent
        }
        return nil
    }

    func variable(_ name: String) -> NextflowValue? {
        var scope: NextflowScope? = self
        while let current = scope {
            if let value = current.variables[name] { return value }
            scope = current.parent
        }
        return nil
    }

    func outside(_ name: String) -> NextflowValue? {
        var scope: NextflowScope? = self
        while let current = scope {
            if let value = current.lookup?(name) { return value }
            scope = current.parent
        }
        return nil
    }

    /// Changes a variable where it is, or makes one here.
    func assign(_ name: String, _ value: NextflowValue) {
        var scope: NextflowScope? = self
        while let current = scope {
            if current.variables[name] != nil {
                current.variables[name] = value
                return
            }
            scope = current.parent
        }
        variables[name] = value
    }

    /// What happened on the way to variables that were there before: the parameters it depended on.
    func taint(_ names: [String], _ cause: NextflowTrace) {
        guard !cause.parameters.isEmpty else { return }
        let more = NextflowTrace(parameters: cause.parameters)
        for name in names {
            if let value = variable(name) { assign(name, value.tracing(more)) }
        }
    }

    /// Variables that may have been changed to what is not known.
    func forget(_ names: [String], _ reasons: [String]) {
        for name in names {
            guard let value = variable(name) else { continue }
            if case .function = value.kind { continue }
            let trace = NextflowTrace(parameters: value.trace.parameters)
            assign(
                name,
                NextflowValue(.unknown(reasons.isEmpty ? ["not known before the run"] : reasons), trace: trace)
            )
        }
    }

    /// The variables of this scope and those around it.
    var snapshot: [[String: NextflowValue]] {
        get {
            var all: [[String: NextflowValue]] = []
            var scope: NextflowScope? = self
            while let current = scope {
                all.append(current.variables)
                scope = current.parent
            }
            return all
        }
        set {
            var scope: NextflowScope? = self
            for variables in newValue {
                scope?.variables = variables
                scope = scope?.parent
            }
        }
    }

    /// What holds after one of two ways was taken.
    static func merged(
        _ left: [[String: NextflowValue]],
        _ right: [[String: NextflowValue]],
        _ reasons: [String]
    ) -> [[String: NextflowValue]] {
        zip(left, right).map { one, two in
            one.merging(two) { left, right in
                left.equals(right) == true ? left : NextflowValue.oneOf([left, right], reasons)
            }
        }
    }
}
