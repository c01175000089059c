/// A reference to an image in a registry: host, repository, and a tag, a digest, or both.
///
/// The grammar is that of `distribution/reference`, with Docker's normalisation: a name without a host is on Docker
/// Hub, a Docker Hub name of one component lies below `library/`, and a reference without tag and digest means the
/// tag `latest`. A value is always canonical: two spellings of one image are equal.
package struct ImageReference: Hashable, Sendable, CustomStringConvertible {
    /// The registry's name: a host in lower case, with the port when one was written. Docker Hub is `docker.io`,
    /// whichever of its names was used; its API is at another host (see `RegistryEndpoint`).
    package let registry: String
    /// The repository within the registry, such as `library/ubuntu`.
    package let repository: String
    /// The tag; nil when only a digest was given.
    package let tag: String?
    /// The digest; when a tag is there too the digest decides what is meant.
    package let digest: Digest?

    /// The name under which references on Docker Hub are kept.
    package static let dockerHub = "docker.io"

    /// Parses a reference as people and workflow engines write it.
    ///
    /// White space around it is dropped, a leading `docker://` is accepted.
    package init(_ text: String) throws(ImageReferenceError) {
        func fail(_ reason: ImageReferenceError.Reason) -> ImageReferenceError {
            ImageReferenceError(text: text, reason: reason)
        }

        var rest = Substring(text)
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        guard !rest.isEmpty else { throw fail(.empty) }
        guard rest.utf8.count <= 1024 else { throw fail(.tooLong) }
        if let placeholder = Self.placeholder(in: rest) { throw fail(.placeholder(placeholder)) }
        if let mark = rest.range(of: "://") {
            let scheme = rest[..<mark.lowerBound].lowercased()
            guard scheme == "docker" else { throw fail(.scheme(scheme)) }
            rest = rest[mark.upperBound...]
            guard !rest.isEmpty else { throw fail(.empty) }
        }
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { throw fail(.badCharacter) }

        // No digest has a slash: before it stands who would log in.
        if Self.credentialsEnd(in: rest) != nil { throw fail(.credentials) }
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            let digestText = String(rest[rest.index(after: at)...])
            do { digest = try Digest(digestText) } catch { throw fail(.badDigest(error.reason)) }
            rest = rest[..<at]
        }

        var registry = Self.dockerHub
        var path = rest
        if let slash = rest.firstIndex(of: "/") {
            let first = rest[..<slash]
            if first.contains(where: { $0 == "." || $0 == ":" || $0 == "[" }) || first.lowercased() == "localhost" {
                guard let host = Self.canonicalHost(first) else { throw fail(.badHost(String(first))) }
                registry = host
                path = rest[rest.index(after: slash)...]
            }
        }

        var tag: String?
        if let colon = path.lastIndex(of: ":"), !path[colon...].contains("/") {
            let written = path[path.index(after: colon)...]
            guard !written.isEmpty else { throw fail(.emptyTag) }
            guard Self.isTag(written) else { throw fail(.badTag(String(written))) }
            tag = String(written)
            path = path[..<colon]
        }
        guard !path.isEmpty else { throw fail(.emptyRepository) }
        if path.utf8.contains(where: { (0x41...0x5a).contains($0) }) { throw fail(.upperCase(path.lowercased())) }
        guard path.utf8.count <= 255 else { throw fail(.tooLong) }
        guard Self.isRepository(path) else { throw fail(.badRepository(String(path))) }

        var repository = String(path)
        if registry == Self.dockerHub, !repository.contains("/") {
            // Docker refuses these too: they are identifiers of local images, not names.
            if repository.utf8.count == 64, repository.utf8.allSatisfy(\.isLowercaseHexadecimal) {
                throw fail(.imageIdentifier)
            }
            repository = "library/" + repository
        }
        guard registry.utf8.count + 1 + repository.utf8.count <= 255 else { throw fail(.tooLong) }
        self.registry = registry
        self.repository = repository
        self.tag = tag ?? (digest == nil ? "latest" : nil)
        self.digest = digest
    }

    /// The text without a user's name and password before a host, which nobody needs and nobody should keep.
    package static func withoutCredentials(_ text: String) -> String {
        guard let end = credentialsEnd(in: text[...]) else { return text }
        let start = text[...].range(of: "://").map(\.upperBound) ?? text.startIndex
        return start < end ? String(text[..<start]) + "***" + text[end...] : text
    }

    /// The `@` behind a user's name and password; nil where there is none.
    private static func credentialsEnd(in text: Substring) -> Substring.Index? {
        guard let at = text.firstIndex(of: "@"), text[at...].contains("/"), !text[at...].hasPrefix("@sha") else {
            return nil
        }
        return at
    }

    private init(registry: String, repository: String, tag: String?, digest: Digest?) {
        self.registry = registry
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// The same repository at a digest, without a tag.
    package func pinned(to digest: Digest) -> ImageReference {
        ImageReference(registry: registry, repository: repository, tag: nil, digest: digest)
    }

    /// Registry and repository, without tag and digest.
    package var name: String { "\(registry)/\(repository)" }

    /// What to put into a manifest URL: the digest if there is one, else the tag.
    package var manifestReference: String { digest?.description ?? tag ?? "latest" }

    /// The canonical form, such as `docker.io/library/ubuntu:latest`.
    package var description: String {
        var text = name
        if let tag { text += ":\(tag)" }
        if let digest { text += "@\(digest)" }
        return text
    }
}

extension ImageReference: Codable {
    package init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension ImageReference: Comparable {
    package static func < (left: ImageReference, right: ImageReference) -> Bool {
        left.description < right.description
    }
}

// MARK: - Grammar

extension ImageReference {
    /// Whether text is a tag: `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`.
    package static func isTag(_ text: some StringProtocol) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 128 else { return false }
        func isWord(_ byte: UInt8) -> Bool { byte.isAlphanumeric || byte == UInt8(ascii: "_") }
        return isWord(first)
            && text.utf8.dropFirst().allSatisfy {
                isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
            }
    }

    /// Whether text is a repository name: components of lower-case letters and digits, joined inside by one `.`,
    /// one or two `_`, or any number of `-`, separated by `/`.
    package static func isRepository(_ text: some StringProtocol) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 255 else { return false }
        return text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { isComponent(Array($0.utf8)) }
    }

    private static func isComponent(_ bytes: [UInt8]) -> Bool {
        func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) }
        guard let first = bytes.first, let last = bytes.last, isLetter(first), isLetter(last) else { return false }
        var index = 0
        while index < bytes.count {
            if isLetter(bytes[index]) {
                index += 1
                continue
            }
            let start = index
            while index < bytes.count, !isLetter(bytes[index]) { index += 1 }
            let separator = bytes[start..<index]
            let isSeparator =
                separator.elementsEqual(".".utf8) || separator.elementsEqual("_".utf8)
                || separator.elementsEqual("__".utf8) || separator.allSatisfy { $0 == UInt8(ascii: "-") }
            guard isSeparator else { return false }
        }
        return true
    }

    /// The host in lower case with its port, Docker Hub's names made one; nil when it is no host.
    package static func canonicalHost(_ text: some StringProtocol) -> String? {
        var name = text.lowercased()
        var port = ""
        if name.hasPrefix("[") {
            guard let end = name.firstIndex(of: "]") else { return nil }
            let inside = name[name.index(after: name.startIndex)..<end]
            let rest = name[name.index(after: end)...]
            guard inside.contains(":"),
                inside.utf8.allSatisfy({ $0.isLowercaseHexadecimal || $0 == 0x3a || $0 == 0x2e })
            else { return nil }
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            guard rest.isEmpty || isPort(rest.dropFirst()) else { return nil }
            return name
        }
        if let colon = name.firstIndex(of: ":") {
            port = String(name[colon...])
            guard isPort(port.dropFirst()) else { return nil }
            name = String(name[..<colon])
        }
        guard !name.isEmpty, name.utf8.count <= 253 else { return nil }
        for label in name.split(separator: ".", omittingEmptySubsequences: false) {
            guard let first = label.utf8.first, let last = label.utf8.last, label.utf8.count <= 63 else { return nil }
            guard first.isAlphanumeric, last.isAlphanumeric else { return nil }
            guard label.utf8.allSatisfy({ $0.isAlphanumeric || $0 == UInt8(ascii: "-") }) else { return nil }
        }
        if port.isEmpty, dockerHubNames.contains(name) { return dockerHub }
        return name + port
    }

    private static let dockerHubNames: Set<String> = ["docker.io", "index.docker.io", "registry-1.docker.io"]

    private static func isPort(_ text: some StringProtocol) -> Bool {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(text)
        else { return false }
        return (1...65535).contains(number)
    }

    private static func placeholder(in text: Substring) -> String? {
        ["${", "{{", "~{", "$("].first { text.contains($0) } ?? (text.contains("$") ? "$" : nil)
    }
}

extension Substring {
    /// Position of the first occurrence of a short text.
    fileprivate func range(of text: String) -> Range<Index>? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) {
                return index..<self.index(index, offsetBy: text.count)
            }
            index = self.index(after: index)
        }
        return nil
    }

    fileprivate func contains(_ text: String) -> Bool { range(of: text) != nil }
}

extension UInt8 {
    fileprivate var isAlphanumeric: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5a).contains(self) || (0x61...0x7a).contains(self)
    }

    fileprivate var isLowercaseHexadecimal: Bool { (0x30...0x39).contains(self) || (0x61...0x66).contains(self) }
}

// MARK: - Errors

/// A text that is no image reference; not worth another try, a person has to change it where it was written.
package struct ImageReferenceError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Reason: Hashable, Sendable {
        case empty
        case tooLong
        /// A part that the workflow engine fills in at run time is still there.
        case placeholder(String)
        /// A scheme other than `docker`, in lower case.
        case scheme(String)
        case badCharacter
        /// A user's name and password stand before the host.
        case credentials
        case badHost(String)
        /// Repository names are lower case; the name in lower case.
        case upperCase(String)
        case emptyRepository
        case badRepository(String)
        case emptyTag
        case badTag(String)
        case badDigest(String)
        /// 64 hexadecimal digits: a local image's identifier.
        case imageIdentifier
    }

    /// What was given, shortened to at most 300 characters.
    package let text: String
    package let reason: Reason

    package init(text: String, reason: Reason) {
        self.text = String(ImageReference.withoutCredentials(text).prefix(300))
        self.reason = reason
    }

    package var description: String { "`\(text)` is not an image reference: \(explanation)" }

    /// What is wrong and how to mend it.
    package var explanation: String {
        switch reason {
        case .empty: "it is empty"
        case .tooLong: "it is longer than registries allow (255 characters of host and repository)"
        case .placeholder(let mark): "`\(mark)` is a placeholder that nobody has filled in"
        case .scheme("oras"):
            "oras:// names an artifact such as a Singularity image, not a container image; "
                + "use the docker name of the same tool"
        case .scheme(let scheme) where scheme == "https" || scheme == "http":
            "\(scheme):// is the address of a file, such as a Singularity image; name an image in a registry, "
                + "for example quay.io/biocontainers/NAME:TAG"
        case .scheme(let scheme): "\(scheme):// is not supported; write HOST/REPOSITORY:TAG"
        case .badCharacter: "it contains a blank, a control character or a character beyond ASCII"
        case .credentials:
            "it holds a user's name and password, which no image name does; name them in `registries` of the configuration"
        case .badHost(let host): "`\(host)` is not a host name with an optional port from 1 to 65535"
        case .upperCase(let lower): "repository names are lower case; did you mean `\(lower)`?"
        case .emptyRepository: "the repository is missing"
        case .badRepository(let name):
            "`\(name)` is not a repository name: lower-case letters and digits, joined by `.`, `_`, `__` or `-`, "
                + "in parts separated by `/`"
        case .emptyTag: "there is a `:` with no tag behind it"
        case .badTag(let tag):
            "`\(tag)` is not a tag: up to 128 letters, digits, `_`, `.` or `-`, not beginning with `.` or `-`"
        case .badDigest(let reason): "the part behind `@` is not a digest: \(reason)"
        case .imageIdentifier: "64 hexadecimal digits are the identifier of a local image, not a name in a registry"
        }
    }
}
