package import Names

/// One place in a private ECR: registry, repository, and a tag, a digest, or both.
package struct ECRLocation: Hashable, Sendable, CustomStringConvertible {
    package var account: String
    package var region: String
    /// `dkr.ecr.us-east-1.amazonaws.com`: what follows the account in the registry's name.
    package var suffix: String
    package var repository: String
    package var tag: String?
    package var digest: Digest?

    /// The registry's name, as it stands in plans, record and output.
    package var registry: String { "\(account).\(suffix)" }

    /// The repository's ARN.
    package var repositoryARN: String {
        "arn:\(AWSPartition(region: region).rawValue):ecr:\(region):\(account):repository/\(repository)"
    }

    package var description: String {
        var text = "\(registry)/\(repository)"
        if let tag { text += ":\(tag)" }
        if let digest { text += "@\(digest)" }
        return text
    }

    /// What is written when the image is stored: the tag, or the digest where there is none.
    package var place: String {
        var place = self
        if tag != nil { place.digest = nil }
        return place.description
    }

    /// The location that a reference names, or nil when its registry is no private ECR.
    ///
    /// Source: the registry URL forms of the Amazon ECR user guide ("Private registry") and of its endpoints for FIPS
    /// (`dkr.ecr-fips`) and dual stack (`dkr-ecr.REGION.on.aws`).
    package init?(_ reference: ImageReference) {
        let labels = reference.registry.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard let account = labels.first, account.count == 12, account.allSatisfy({ $0.isASCII && $0.isNumber }) else {
            return nil
        }
        let rest = Array(labels.dropFirst())
        if rest.count >= 5, rest[0] == "dkr", rest[1] == "ecr" || rest[1] == "ecr-fips" {
            region = rest[2]
        } else if rest.count >= 4, rest[0] == "dkr-ecr" || rest[0] == "dkr-ecr-fips" {
            region = rest[1]
        } else {
            return nil
        }
        self.account = account
        suffix = rest.joined(separator: ".")
        repository = reference.repository
        tag = reference.tag
        digest = reference.digest
    }

    package init(account: String, region: String, suffix: String, repository: String, tag: String?, digest: Digest?) {
        self.account = account
        self.region = region
        self.suffix = suffix
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// Why ECR would refuse a repository name, or nil when it is fine.
    ///
    /// Source: `RepositoryName` of the ECR API: 2 to 256 characters, `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` between slashes.
    package static func fault(inRepository name: String) -> String? {
        guard (2...256).contains(name.utf8.count) else {
            return "ECR repository names have 2 to 256 characters, this one has \(name.utf8.count)"
        }
        for component in name.split(separator: "/", omittingEmptySubsequences: false) where !isValid(component) {
            return component.isEmpty
                ? "an ECR repository name has no empty part between slashes"
                : "`\(component)` is no part of an ECR repository name (lower-case letters, digits, single . _ or -)"
        }
        return nil
    }

    private static func isValid(_ component: Substring) -> Bool {
        let bytes = Array(component.utf8)
        func isWord(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard let first = bytes.first, let last = bytes.last, isWord(first), isWord(last) else { return false }
        var index = 0
        while index < bytes.count {
            if isWord(bytes[index]) {
                index += 1
                continue
            }
            let start = index
            while index < bytes.count, !isWord(bytes[index]) { index += 1 }
            let separator = bytes[start..<index]
            let isDashes = separator.allSatisfy { $0 == UInt8(ascii: "-") }
            let isOther =
                separator.elementsEqual(".".utf8) || separator.elementsEqual("_".utf8)
                || separator.elementsEqual("__".utf8)
            if !isDashes && !isOther { return false }
        }
        return true
    }
}

/// The account whose ECR HealthOmics pulls from, as the services named it.
package struct HomeRegistry: Sendable, Hashable {
    package var account: String
    package var region: String
    /// `dkr.ecr.REGION.SUFFIX` of the partition.
    package var suffix: String

    package init(account: String, region: String, suffix: String) {
        self.account = account
        self.region = region
        self.suffix = suffix
    }

    package var registry: String { "\(account).\(suffix)" }

    package func location(_ repository: String, account: String? = nil, tag: String?, digest: Digest?) -> ECRLocation {
        ECRLocation(
            account: account ?? self.account,
            region: region,
            suffix: suffix,
            repository: repository,
            tag: tag,
            digest: digest
        )
    }
}
