package import Foundation
import Remotes

/// An event of HealthOmics, as far as it says that something should be looked at.
///
/// Events are hints: what they name is asked of the service before anything is done. Source: HealthOmics user guide,
/// EventBridge; older events have an ARN and a status and nothing else.
package struct EventMessage: Sendable, Hashable {
    /// What it is about.
    package enum Subject: Sendable, Hashable {
        case run(id: String, uuid: String?)
        /// A task of a run; its own id is of no use here.
        case task(runID: String, runUUID: String?)
        case workflow(id: String, version: String?)
        case batch(id: String)
    }

    /// Its `detail-type`, or the one that its subject has where a transformer left that out.
    package var kind: String
    package var subject: Subject
    /// In upper case with underscores; empty where the event has none.
    package var status: String
    package var at: Date?
    package var account: String?
    package var region: String?
    package var workflowID: String?

    /// How the record and people name what it is about.
    package var label: String {
        switch subject {
        case .run(let id, _), .task(let id, _), .batch(let id), .workflow(let id, nil): id
        case .workflow(let id, let version?): "\(id)/\(version)"
        }
    }
}

/// What a message's body came to.
package enum EventReading: Sendable, Hashable {
    case event(EventMessage)
    /// An event of another kind: recorded and dropped.
    case other(kind: String, why: String)
    /// Not to be understood at all: recorded and dropped, since it will not get better.
    case poison(why: String)

    /// Envelopes in envelopes further down than this are nobody's honest event.
    private static let deepestEnvelope = 4

    /// Reads the body of a message: an event, an event in an SNS envelope, or what an input transformer made of one.
    package init(_ body: String) { self = Self.read(body, depth: 0) }

    private static func read(_ body: String, depth: Int) -> EventReading {
        guard depth < deepestEnvelope else { return .poison(why: "envelopes within envelopes") }
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(body.utf8)) else {
            // A transformer's template may be plain text.
            return EventFields(text: body).reading ?? .poison(why: "neither JSON nor a text that names a resource")
        }
        switch value {
        case .string(let inner): return read(inner, depth: depth + 1)
        case .array(let values):
            guard values.count == 1, let only = values.first, case .object(let members) = only else {
                return .poison(why: "a list of \(values.count) values, not one event")
            }
            return read(members, depth: depth)
        case .object(let members): return read(members, depth: depth)
        case .null, .bool, .number: return .poison(why: "no JSON object")
        }
    }

    private static func read(_ members: [String: JSONValue], depth: Int) -> EventReading {
        // SNS without raw message delivery: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
        if case .string(let inner)? = members["Message"], members["TopicArn"] != nil || members["Type"] != nil {
            return read(inner, depth: depth + 1)
        }
        return EventFields(members).reading ?? .poison(why: "names no run, workflow or batch of HealthOmics")
    }
}

/// The fields of an event wherever they stand: at the top, below `detail`, or under the names of a transformer.
private struct EventFields {
    private static let kinds = [
        "Run Status Change", "Task Status Change", "Workflow Status Change", "RunBatch Status Change",
    ]

    private var texts: [String: String] = [:]
    private var resource: ResourceName?

    init(_ members: [String: JSONValue]) {
        collect(members)
        if case .array(let resources)? = members["resources"] {
            for case .string(let text) in resources where resource == nil { resource = ResourceName(text) }
        }
        // What `detail` says is meant, where both levels have a key.
        if case .object(let detail)? = members["detail"] { collect(detail) }
        if let own = texts["arn"].flatMap(ResourceName.init) { resource = own }
        if resource == nil { resource = texts.sorted { $0.key < $1.key }.lazy.compactMap { ResourceName($1) }.first }
    }

    /// A sentence such as `Run arn:aws:omics:…:run/1 is PENDING`.
    init(text: String) {
        let words = text.split { $0.isWhitespace || "\"',;()<>".contains($0) }.map(String.init)
        resource = words.lazy.compactMap { ResourceName($0.trimmingCharacters(in: ["."])) }.first
        let statuses: Set<String> = [
            "PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED", "DELETED", "FAILED",
            "CANCELLED", "ACTIVE",
        ]
        texts["status"] = words.map { $0.uppercased().trimmingCharacters(in: ["."]) }.first(where: statuses.contains)
    }

    private mutating func collect(_ members: [String: JSONValue]) {
        for (key, value) in members {
            let name = key.lowercased().filter { $0 != "-" && $0 != "_" }
            switch value {
            case .string(let text) where !text.isEmpty: texts[name] = text
            case .number(let text): texts[name] = text
            default: continue
            }
        }
    }

    var reading: EventReading? {
        let kind = texts["detailtype"] ?? ""
        if let source = texts["source"], source != "aws.omics" {
            return .other(kind: kind.isEmpty ? "?" : kind, why: "from \(source), not from aws.omics")
        }
        if !kind.isEmpty, !Self.kinds.contains(kind) {
            return .other(kind: kind, why: "not a kind that preclone reads")
        }
        guard let (ownKind, subject) = subject(kind) else {
            return kind.isEmpty
                ? nil : .poison(why: "a \(kind) that names no \(kind.prefix { $0 != " " }.lowercased())")
        }
        return .event(
            EventMessage(
                kind: kind.isEmpty ? ownKind : kind,
                subject: subject,
                status: (texts["status"] ?? "").uppercased().replacing(" ", with: "_"),
                at: texts["time"].flatMap(AWSDates.date),
                account: texts["account"].map(Self.account) ?? resource?.account,
                region: texts["region"] ?? resource?.region,
                workflowID: texts["workflowid"].flatMap { ResourceName.isID($0) ? $0 : nil }
            )
        )
    }

    private func subject(_ kind: String) -> (kind: String, subject: EventMessage.Subject)? {
        let run = id("runid") ?? texts["runarn"].flatMap(ResourceName.init).flatMap { $0.type == .run ? $0.id : nil }
        let runUUID = texts["runuuid"]
        let type = kind.isEmpty ? resource?.type : ResourceName.Kind(event: kind)
        switch type ?? (run != nil ? .run : id("batchid") != nil ? .batch : id("workflowid") != nil ? .workflow : nil) {
        case .run:
            // In AWS's own sample the two ids differ; `runId` is the one that the API takes.
            guard let id = run ?? (resource?.type == .run ? resource?.id : nil) else { return nil }
            return ("Run Status Change", .run(id: id, uuid: texts["uuid"] ?? runUUID))
        case .task:
            return run.map { ("Task Status Change", .task(runID: $0, runUUID: runUUID)) }
        case .workflow:
            let named = resource?.type == .workflow ? resource : nil
            guard let id = named?.id ?? id("workflowid") else { return nil }
            let version = named?.version ?? texts["workflowversionname"].flatMap { ResourceName.isName($0) ? $0 : nil }
            return ("Workflow Status Change", .workflow(id: id, version: version))
        case .batch:
            guard let id = id("batchid") ?? (resource?.type == .batch ? resource?.id : nil) else { return nil }
            return ("RunBatch Status Change", .batch(id: id))
        case nil: return nil
        }
    }

    /// An account's twelve digits; a transformer that makes a number of them loses the zeros in front.
    private static func account(_ text: String) -> String {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) }
            ? String(repeating: "0", count: max(0, 12 - text.utf8.count)) + text : text
    }

    private func id(_ name: String) -> String? { texts[name].flatMap { ResourceName.isID($0) ? $0 : nil } }
}

/// The ARN of something of HealthOmics: `arn:PARTITION:omics:REGION:ACCOUNT:TYPE/ID`.
private struct ResourceName {
    enum Kind {
        case run, task, workflow, batch

        /// What an event of this kind is about.
        init?(event kind: String) {
            switch kind {
            case "Run Status Change": self = .run
            case "Task Status Change": self = .task
            case "Workflow Status Change": self = .workflow
            case "RunBatch Status Change": self = .batch
            default: return nil
            }
        }
    }

    var type: Kind
    var id: String
    var version: String?
    var region: String
    var account: String

    init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[0] == "arn", parts[1].hasPrefix("aws"), parts[2] == "omics" else { return nil }
        let path = parts[5].split(separator: "/").map(String.init)
        guard path.count >= 2, Self.isID(path[1]) else { return nil }
        switch path[0].lowercased().filter({ $0 != "-" }) {
        case "run": type = .run
        case "task": type = .task
        case "workflow": type = .workflow
        case "runbatch": type = .batch
        default: return nil
        }
        id = path[1]
        if type == .workflow, path.count == 4, path[2] == "version", Self.isName(path[3]) { version = path[3] }
        (region, account) = (parts[3], parts[4])
    }

    /// What HealthOmics gives as ids; nothing else from a message gets into a request's path.
    static func isID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") }
    }

    /// A version's name. Source: the service model, `[A-Za-z0-9][A-Za-z0-9\-\._]*`, at most 64.
    static func isName(_ text: String) -> Bool {
        guard (1...64).contains(text.utf8.count), text.utf8.first?.isLetterOrDigit == true else { return false }
        return text.utf8.allSatisfy { $0.isLetterOrDigit || "-._".utf8.contains($0) }
    }
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}
