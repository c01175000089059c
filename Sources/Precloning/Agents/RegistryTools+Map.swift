import Definitions
import Model
import Names
import Remotes

extension RegistryTools {
    private static let mappingKeys: Set<String> = [
        "upstreamRegistryUrl", "ecrRepositoryPrefix", "upstreamRepositoryPrefix", "ecrAccountId", "credentialArn",
    ]

    /// The registry map of rules that HealthOmics can use, and of what is given.
    func registryMap(_ arguments: NamedArguments) async throws -> ToolAnswer {
        let home = try await desk.account.home()
        let owner = try arguments.string("ecr_account_id") ?? home.account
        guard owner.count == 12, owner.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw ControlFault("this is no account", at: "ecr_account_id", mend: "give 12 digits")
        }
        let region = try arguments.string("ecr_region") ?? home.region
        guard region == home.region else {
            throw ControlFault(
                "a map has no Region: HealthOmics pulls from the workflow's own, and this is \(home.region)",
                at: "ecr_region",
                mend: "give aws_region, to ask there"
            )
        }
        if let format = try arguments.string("output_format"), format != "json" {
            throw ControlFault("there is no such format", at: "output_format", mend: "give json")
        }
        let given = try Self.mappings(arguments)
        let images = try Self.imageMappings(arguments)
        var mappings: [[String: String]] = []
        var usable = 0
        var notes: [String] = []
        if try arguments.bool("include_pull_through_caches", default: true) {
            if owner == home.account {
                for standing in try await desk.rules() {
                    guard let mapping = Self.mapping(of: standing) else { continue }
                    usable += 1
                    mappings.append(mapping)
                }
            } else {
                notes.append("The rules of account \(owner) cannot be read from here: give them as mappings.")
            }
        }
        for mapping in given {
            mappings.removeAll { $0["upstreamRegistryUrl"] == mapping["upstreamRegistryUrl"] }
            mappings.append(mapping)
        }
        if owner != home.account {
            for index in mappings.indices where mappings[index]["ecrAccountId"] == nil {
                mappings[index]["ecrAccountId"] = owner
            }
        }
        func list(_ pairs: [[String: String]]) -> ParameterValue {
            .array(pairs.map { .object($0.mapValues { .text($0) }) })
        }
        var map: [String: ParameterValue] = [:]
        if !mappings.isEmpty { map["registryMappings"] = list(mappings) }
        if !images.isEmpty { map["imageMappings"] = list(images) }
        notes.insert(
            "Save json_output as a file and give it as containerRegistryMap when you create the workflow or its version.",
            at: 0
        )
        return ToolAnswer(
            .object([
                "success": .bool(true), "account_id": .string(owner), "region": .string(region),
                "discovered_healthomics_usable_caches": .integer(usable), "container_registry_map": .object(map),
                "json_output": .string(Self.indented(.object(map))),
                "usage_hint": .string(notes.joined(separator: " ")),
            ])
        )
    }

    /// Nil for a rule that HealthOmics cannot use, or that a map cannot name.
    private static func mapping(of standing: RegistryDesk.RuleStanding) -> [String: String]? {
        guard standing.trouble == nil, standing.verdict?.isUsable == true,
            let upstream = standing.rule.upstreamRegistryUrl,
            standing.rule.ecrRepositoryPrefix != "ROOT",
            // HealthOmics pulls through no rule whose upstream is a private ECR (its guide, pull-through cache).
            standing.rule.upstreamRegistry != "ecr"
        else { return nil }
        var mapping = ["upstreamRegistryUrl": upstream, "ecrRepositoryPrefix": standing.rule.ecrRepositoryPrefix]
        if let prefix = standing.rule.upstreamRepositoryPrefix, !prefix.isEmpty, prefix != "ROOT" {
            mapping["upstreamRepositoryPrefix"] = prefix
        }
        return mapping
    }

    private static func mappings(_ arguments: NamedArguments) throws(ControlFault) -> [[String: String]] {
        let name = "additional_registry_mappings"
        let given = try arguments.pairs(name, most: 100) ?? []
        for (index, mapping) in given.enumerated() {
            let place = "\(name)[\(index)]"
            try check(mapping, needs: ["upstreamRegistryUrl", "ecrRepositoryPrefix"], knows: mappingKeys, at: place)
            if let fault = ECRLocation.fault(inRepository: mapping["ecrRepositoryPrefix"] ?? "") {
                throw ControlFault(fault, at: "\(place).ecrRepositoryPrefix", mend: "give a prefix that ECR takes")
            }
        }
        return given
    }

    private static func imageMappings(_ arguments: NamedArguments) throws(ControlFault) -> [[String: String]] {
        let name = "image_mappings"
        let given = try arguments.pairs(name, most: 1000) ?? []
        for (index, mapping) in given.enumerated() {
            let place = "\(name)[\(index)]"
            let keys: Set<String> = ["sourceImage", "destinationImage"]
            try check(mapping, needs: keys, knows: keys, at: place)
            guard let parsed = try? ImageReference(mapping["destinationImage"] ?? ""), ECRLocation(parsed) != nil else {
                throw ControlFault(
                    "this is no image in a private ECR",
                    at: "\(place).destinationImage",
                    mend: "give ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG"
                )
            }
        }
        return given
    }

    private static func check(
        _ mapping: [String: String],
        needs: Set<String>,
        knows: Set<String>,
        at place: String
    ) throws(ControlFault) {
        if let missing = needs.filter({ (mapping[$0] ?? "").isEmpty }).min() {
            throw ControlFault("this is missing", at: "\(place).\(missing)", mend: "give it")
        }
        if let stranger = mapping.keys.filter({ !knows.contains($0) }).min() {
            throw ControlFault(
                "there is no such key",
                at: "\(place).\(PrintableText.stripped(stranger))",
                mend: "known are: \(knows.sorted().joined(separator: ", "))"
            )
        }
    }

    /// By four spaces, as the tool did that preclone replaces.
    private static func indented(_ value: ParameterValue) -> String {
        value.text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            String(repeating: " ", count: line.prefix { $0 == " " }.count) + line
        }.joined(separator: "\n")
    }
}
