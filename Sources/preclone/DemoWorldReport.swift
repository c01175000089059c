import Foundation
import Model
import Precloning

/// What the sandbox says of itself and of the end that is expected.
struct DemoWorldReport: Decodable {
    struct Addresses: Decodable {
        var accessKeyID: String
        var secretAccessKey: String
        var aws: String
        var region: String
        var registries: [String: String]
    }

    struct Expectation: Decodable {
        var image: String
        var state: String
        var route: String?
        var destination: String?
        var platformDigest: String?
    }

    struct Workflow: Decodable {
        var engine: String
        var id: String
        var name: String
    }

    var addresses: Addresses
    var expectations: [Expectation]
    var runs: [String]
    var workflows: [Workflow]

    init(line: Data) throws { self = try JSONDecoder().decode(DemoWorldReport.self, from: line) }

    var environment: [String: String] {
        [
            "AWS_ENDPOINT_URL": addresses.aws, "AWS_REGION": addresses.region,
            "AWS_ACCESS_KEY_ID": addresses.accessKeyID, "AWS_SECRET_ACCESS_KEY": addresses.secretAccessKey,
            "AWS_EC2_METADATA_DISABLED": "true",
        ]
    }

    /// The daemon's configuration: the sandbox's registries by their names, and short intervals.
    func configuration(record: String) throws -> Data {
        struct Document: Encodable {
            struct Record: Encodable { var path: String }
            struct Registry: Encodable { var endpoint: String }
            struct Watch: Encodable {
                var pollInterval = "1s"
                var workflowInterval = "2s"
            }
            var version = 1
            var record: Record
            var watch = Watch()
            var registries: [String: Registry]
        }
        var registries: [String: Document.Registry] = [:]
        for (host, endpoint) in addresses.registries {
            registries[host == "registry-1.docker.io" ? "docker.io" : host] = Document.Registry(endpoint: endpoint)
        }
        return try JSONEncoder().encode(Document(record: .init(path: record), registries: registries))
    }

    /// Whether every image stands as it is meant to end.
    func isReached(by images: [ImageGlimpse]) -> Bool {
        expectations.allSatisfy { expectation in
            images.contains { image in
                image.matches(expectation.image) && image.state == expectation.state
                    && (expectation.route == nil || image.route == expectation.route)
                    && (expectation.platformDigest == nil || expectation.state != "ready"
                        || image.platformDigest == expectation.platformDigest)
            }
        }
    }
}
