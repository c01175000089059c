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
        let home = try await verbs.account.home()
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
        let given = ContainerRegistryMap(
            registryMappings: try Self.mappings(arguments),
            imageMappings: try Self.imageMappings(arguments)
        )
        var notes = [
            "Save json_output as a file and give it as containerRegistryMap when you create the workflow or its version."
        ]
        var rules: [RulesVerb.Standing] = []
        if try arguments.bool("include_pull_through_caches", default: true) {
            if owner == home.account {
                rules = try await known(verbs.rules()).rules
            } else {
                notes.append("The rules of account \(owner) cannot be read from here: give them as mappings.")
            }
        }
        let map = MapVerb.write(for: rules, and: given, owner: owner == home.account ? nil : owner)
        let document = try ParameterValue(encoding: map).printable
        return ToolAnswer(
            .object([
                "success": .bool(true), "account_id": .string(owner), "region": .string(region),
                "discovered_healthomics_usable_caches": .integer(rules.compactMap(MapVerb.mapping).count),
                "container_registry_map": document, "json_output": .string(Self.indented(document)),
                "usage_hint": .string(notes.joined(separator: " ")),
            ])
        )
    }

    private static func mappings(_ arguments: NamedArguments) throws(ControlFault) -> [RegistryMapping] {
        let name = "additional_registry_mappings"
        var mappings: [RegistryMapping] = []
        for (index, given) in (try arguments.pairs(name, most: 100) ?? []).enumerated() {
            let place = "\(name)[\(index)]"
            try check(given, needs: ["upstreamRegistryUrl", "ecrRepositoryPrefix"], knows: mappingKeys, at: place)
            if let fault = ECRLocation.fault(inRepository: given["ecrRepositoryPrefix"] ?? "") {
                throw ControlFault(fault, at: "\(place).ecrRepositoryPrefix", mend: "give a prefix that ECR takes")
            }
            mappings.append(
                RegistryMapping(
                    upstreamRegistryUrl: given["upstreamRegistryUrl"],
                    ecrRepositoryPrefix: given["ecrRepositoryPrefix"],
                    upstreamRepositoryPrefix: given["upstreamRepositoryPrefix"],
                    ecrAccountId: given["ecrAccountId"],
                    credentialArn: given["credentialArn"]
                )
            )
        }
        return mappings
    }

    private static func imageMappings(_ arguments: NamedArguments) throws(ControlFault) -> [ImageMapping] {
        let name = "image_mappings"
        let keys: Set<String> = ["sourceImage", "destinationImage"]
        var mappings: [ImageMapping] = []
        for (index, given) in (try arguments.pairs(name, most: 1000) ?? []).enumerated() {
            let place = "\(name)[\(index)]"
            try check(given, needs: keys, knows: keys, at: place)
            guard let parsed = try? ImageReference(given["destinationImage"] ?? ""), ECRLocation(parsed) != nil else {
                throw ControlFault(
                    "this is no image in a private ECR",
                    at: "\(place).destinationImage",
                    mend: "give ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG"
                )
            }
            mappings.append(
                ImageMapping(sourceImage: given["sourceImage"], destinationImage: given["destinationImage"])
            )
        }
        return mappings
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
