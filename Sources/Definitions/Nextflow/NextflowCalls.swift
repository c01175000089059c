/// A process under one of the names it is called by.
struct NextflowProcessCall {
    var process: NextflowScript.Definition
    /// The name in the calling script.
    var alias: String
    /// With the workflows around it: `WF:SUB:ALIAS`.
    var qualifiedName: String
    /// How sure it is that it is called.
    var standing: NextflowStanding
}

/// Walks from the entry workflow to every process that may be called, with how sure that is.
struct NextflowCalls {
    private struct Visit: Hashable {
        var definition: ObjectIdentifier
        var name: String
    }

    /// How a body was entered so far.
    private struct Entered {
        var certainty: Certainty
        var arguments: [[NextflowValue]?]
    }

    private static let maximumVisits = 50_000
    private static let maximumDepth = 80
    private static let maximumMissing = 1000
    /// Different arguments of one body that are looked at one by one; more are looked at as unknown.
    private static let maximumArguments = 4

    private let library: NextflowLibrary
    private let sources: NextflowSources
    private var visits = 0
    private var entered: [Visit: Entered] = [:]
    private var known: [Visit: Int] = [:]
    private(set) var calls: [NextflowProcessCall] = []
    /// Calls of what scripts would define that could not be read.
    private(set) var missing: [(qualifiedName: String, include: NextflowScript.Missing)] = []
    /// Parameters that decide which calls are made.
    private(set) var parameters: Set<String> = []

    init(main: NextflowScript, library: NextflowLibrary, sources: NextflowSources) {
        self.library = library
        self.sources = sources
        parameters = main.conditionParameters
        let standing = main.end ?? .certain
        if let entry = main.definitions[""] {
            enter(entry, [], standing, prefix: "", depth: 0)
        } else if main.definitions.values.contains(where: \.isWorkflow) {
            // "No entry workflow specified" (`BaseScript.run0` of Nextflow): nothing is called.
            sources.note(
                .source(file: main.path, line: 1),
                "there is no entry workflow: named workflows alone run nothing"
            )
        } else {
            // DSL1, or a single process that runs by itself.
            for process in main.processes {
                record(process, process.name, process.name, standing.and(process.standing))
            }
            if calls.isEmpty {
                sources.note(
                    .source(file: main.path, line: 1),
                    "there is no entry workflow, and no process outside of workflows"
                )
            }
        }
        parameters.formUnion(library.conditionParameters)
    }

    private mutating func record(
        _ process: NextflowScript.Definition,
        _ alias: String,
        _ qualified: String,
        _ standing: NextflowStanding
    ) {
        let key = Visit(definition: ObjectIdentifier(process), name: qualified)
        if let index = known[key] {
            calls[index].standing = calls[index].standing.or(standing)
            return
        }
        known[key] = calls.count
        calls.append(
            NextflowProcessCall(process: process, alias: alias, qualifiedName: qualified, standing: standing)
        )
    }

    /// Enters a body unless it was entered as surely with the same arguments.
    private mutating func enter(
        _ definition: NextflowScript.Definition,
        _ arguments: [NextflowValue]?,
        _ standing: NextflowStanding,
        prefix: String,
        depth: Int
    ) {
        let key = Visit(definition: ObjectIdentifier(definition), name: prefix)
        var arguments = arguments
        var before = entered[key] ?? Entered(certainty: .inactive, arguments: [])
        if before.arguments.count >= Self.maximumArguments { arguments = nil }
        let isKnown = before.arguments.contains { NextflowBody.areSame($0, arguments) }
        guard !isKnown || standing.certainty < before.certainty else { return }
        if !isKnown { before.arguments.append(arguments) }
        before.certainty = min(before.certainty, standing.certainty)
        entered[key] = before
        visits += 1
        guard depth < Self.maximumDepth, visits < Self.maximumVisits else {
            sources.note(
                .source(file: definition.script.path, line: definition.line),
                "calls are not followed further: too many, or nested too deeply"
            )
            return
        }
        walk(definition, arguments, standing, prefix: prefix, depth: depth)
    }

    private mutating func walk(
        _ definition: NextflowScript.Definition,
        _ arguments: [NextflowValue]?,
        _ standing: NextflowStanding,
        prefix: String,
        depth: Int
    ) {
        let body = NextflowBody(definition, library: library, sources: sources)
        body.run(arguments)
        parameters.formUnion(body.parameters)
        var order: [String] = []
        var places: [String: [Int]] = [:]
        for (index, site) in body.sites.enumerated() {
            if places[site.name] == nil { order.append(site.name) }
            places[site.name, default: []].append(index)
        }
        for name in order {
            let targets = library.definitions(name, in: definition.script)
            if targets.isEmpty {
                miss(name, prefix, definition, standing.and(surest(places[name] ?? [], body)))
                continue
            }
            for (target, own) in targets {
                let outer = standing.and(own)
                switch target.kind {
                case .process:
                    record(target, name, prefix + name, outer.and(surest(places[name] ?? [], body)))
                case .workflow, .function:
                    // A function adds nothing to the names of what it calls.
                    let inner = target.isWorkflow ? prefix + name + ":" : prefix
                    for index in places[name] ?? [] {
                        let seen = body.arguments[index]
                        for arguments in seen.isEmpty ? [nil] : seen {
                            enter(
                                target,
                                arguments,
                                outer.and(body.standings[index]),
                                prefix: inner,
                                depth: depth + 1
                            )
                        }
                    }
                }
            }
        }
    }

    private func surest(_ places: [Int], _ body: NextflowBody) -> NextflowStanding {
        places.dropFirst().reduce(places.first.map { body.standings[$0] } ?? .certain) { $0.or(body.standings[$1]) }
    }

    private mutating func miss(
        _ name: String,
        _ prefix: String,
        _ definition: NextflowScript.Definition,
        _ standing: NextflowStanding
    ) {
        guard standing.certainty != .inactive, missing.count < Self.maximumMissing,
            let include = definition.script.missing[name]
        else { return }
        missing.append((prefix + name, include))
    }
}
