import Definitions
import Precloning

/// A message of the Model Context Protocol, as JSON-RPC 2.0 has it.
enum MCPMessage {
    case request(id: ParameterValue, method: String, params: [String: ParameterValue])
    case notification(method: String, params: [String: ParameterValue])
    /// An answer to a question of ours; we ask none.
    case response
    /// No message, or not one of this protocol.
    case invalid(id: ParameterValue?, MCPError)

    init(_ value: ParameterValue) {
        guard case .object(let members) = value else {
            self = .invalid(id: nil, MCPError(.invalidRequest, "a message is a JSON object"))
            return
        }
        let id = members["id"].flatMap { Self.isID($0) ? $0 : nil }
        guard members["jsonrpc"] == .string("2.0") else {
            self = .invalid(id: id, MCPError(.invalidRequest, "\"jsonrpc\" is to be \"2.0\""))
            return
        }
        guard let named = members["method"] else {
            let isAnswer = id != nil && (members["result"] != nil) != (members["error"] != nil)
            self = isAnswer ? .response : .invalid(id: id, MCPError(.invalidRequest, "\"method\" is missing"))
            return
        }
        guard case .string(let method) = named else {
            self = .invalid(id: id, MCPError(.invalidRequest, "\"method\" is to be a string"))
            return
        }
        if members["id"] != nil, id == nil {
            self = .invalid(id: nil, MCPError(.invalidRequest, "\"id\" is to be a string or a whole number"))
            return
        }
        let params: [String: ParameterValue]
        switch members["params"] {
        case nil: params = [:]
        case .object(let given)?: params = given
        default:
            // A notification is answered by nothing, whatever is wrong with it.
            self =
                id == nil
                ? .notification(method: "", params: [:])
                : .invalid(id: id, MCPError(.invalidParams, "\"params\" is to be an object"))
            return
        }
        self =
            id.map { .request(id: $0, method: method, params: params) }
            ?? .notification(method: method, params: params)
    }

    private static func isID(_ value: ParameterValue) -> Bool {
        switch value {
        case .string: true
        case .number(let text): Int64(text) != nil
        default: false
        }
    }
}

/// An error of the protocol: the caller's program, not a model, is to see it.
struct MCPError: Error, Hashable {
    enum Code: Int {
        case parseError = -32700
        case invalidRequest = -32600
        case methodNotFound = -32601
        case invalidParams = -32602
        case internalError = -32603
        /// Of the revisions with a handshake; later it is `invalidParams`.
        case resourceNotFound = -32002
        /// Of revision 2026-07-28.
        case unsupportedVersion = -32022
    }

    var code: Code
    var message: String
    var data: ParameterValue?

    init(_ code: Code, _ message: String, data: ParameterValue? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }

    var json: ParameterValue {
        var members: [String: ParameterValue] = [
            "code": .number("\(code.rawValue)"), "message": .text(message),
        ]
        if let data { members["data"] = data }
        return .object(members)
    }
}

/// The revisions of the protocol.
enum MCPRevision: String, CaseIterable {
    case november2024 = "2024-11-05"
    case march2025 = "2025-03-26"
    case june2025 = "2025-06-18"
    case november2025 = "2025-11-25"
    /// Without a handshake: each request says which revision it is of.
    case july2026 = "2026-07-28"

    /// The last of those that begin with `initialize`.
    static let lastWithHandshake = MCPRevision.november2025

    var hasHandshake: Bool { self != .july2026 }

    /// The newest first.
    static var supported: ParameterValue { .array(allCases.reversed().map { .string($0.rawValue) }) }
}
