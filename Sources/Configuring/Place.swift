/// Where a value of the file stands, and where complaints about it are gathered.
struct Place {
    /// What is wrong with one document.
    final class Findings {
        var problems: [ConfigurationError.Problem] = []
    }

    let path: String
    let findings: Findings
    private var isNullable = false

    init(path: String, findings: Findings) {
        self.path = path
        self.findings = findings
    }

    /// The same place, where `null` could stand as well, which complaints then say.
    var orNull: Place {
        var place = self
        place.isNullable = true
        return place
    }

    /// The place of a key in an object that stands here.
    func key(_ key: String) -> Place {
        let plain = key.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
        let step = plain ? (path.isEmpty ? key : ".\(key)") : "[\"\(key)\"]"
        return Place(path: path + step, findings: findings)
    }

    /// The place of an element of an array that stands here.
    func element(_ index: Int) -> Place { Place(path: "\(path)[\(index)]", findings: findings) }

    func complain(_ position: JSONNode.Position?, _ message: String) {
        let (line, column) = (position?.line, position?.column)
        findings.problems.append(.init(path: path, line: line, column: column, message: message))
    }

    /// Complains of a value that cannot be used.
    func expected(_ what: String, _ node: JSONNode) { expected(what, node, found: node.shown) }

    /// Complains of a value that is no object or array. The value is not shown: it could be a secret, which has no place
    /// in the file, in the place of an object that says where the secret is.
    func expectedParts(_ what: String, _ node: JSONNode) { expected(what, node, found: node.kind) }

    private func expected(_ what: String, _ node: JSONNode, found: String) {
        complain(node.position, "expected \(what)\(isNullable ? " or null" : ""), found \(found)")
    }

    /// The keys of an object, the first of those that are equal; nil where the node is no object. Complains of both.
    func members(of node: JSONNode) -> [JSONNode.Member]? {
        guard case .object(let members) = node.value else {
            expectedParts("an object", node)
            return nil
        }
        var kept: [String: JSONNode.Position] = [:]
        return members.filter { member in
            if let earlier = kept[member.key] {
                let message = "this key already stands in line \(earlier.line); remove one of the two"
                key(member.key).complain(member.position, message)
                return false
            }
            kept[member.key] = member.position
            return true
        }
    }
}

/// What the file says in one object, for checks across its keys.
struct Said {
    let members: [JSONNode.Member]
    let place: Place

    subscript(_ key: String) -> JSONNode? { members.first { $0.key == key }?.value }

    /// Complains of what is said at a key; what is not said is never to blame.
    func complain(_ key: String, _ message: String) {
        if let node = self[key] { place.key(key).complain(node.position, message) }
    }
}
