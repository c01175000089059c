import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// The metadata service of an EC2 instance, by its version 2 alone: version 1 answers whoever makes us ask.
///
/// Source: EC2 user guide, instance metadata; AWS SDKs and Tools reference, IMDS credential provider.
package struct InstanceMetadata: Sendable {
    private let base: String
    private let endpoint: LocalEndpoint

    /// - Returns: nil where `AWS_EC2_METADATA_DISABLED` switches it off.
    package init?(environment: [String: String], transport: any HTTPTransport) {
        if environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() == "true" { return nil }
        var base = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] ?? ""
        if base.isEmpty {
            let isSix = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.lowercased() == "ipv6"
            base = isSix ? "http://[fd00:ec2::254]" : "http://169.254.169.254"
        }
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
        endpoint = LocalEndpoint(transport: transport)
    }

    /// The Region the instance is in; nil off EC2.
    package func region() async throws -> String? {
        guard let header = try await session() else { return nil }
        let data = try await endpoint.get(base + "/latest/meta-data/placement/region", headers: [header])
        let region = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        let isPlausible = region.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || $0 == UInt8(ascii: "-")
        }
        return region.isEmpty || !isPlausible ? nil : region
    }

    /// The credentials of the instance's role; nil off EC2 and for an instance without a role.
    func credentials() async throws -> AWSCredentials? {
        guard let header = try await session() else { return nil }
        let path = "/latest/meta-data/iam/security-credentials/"
        let list: Data
        do {
            list = try await endpoint.get(base + path, headers: [header])
        } catch let error as AWSError where error.status == 404 {
            return nil
        }
        let role = String(decoding: list, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard !role.isEmpty, !role.contains("<"), !role.contains(where: \.isNewline) else { return nil }
        let data = try await endpoint.get(base + path + SigV4.encoded(role), headers: [header])
        return try CredentialDocument.credentials(data, provider: "instance metadata")
    }

    /// The header of a session; nil where nothing answers: off EC2, or in a container that the answer with its hop limit
    /// of 1 does not reach.
    private func session() async throws -> (String, String)? {
        do {
            let token = try await endpoint.get(
                base + "/latest/api/token",
                method: .PUT,
                headers: [("x-aws-ec2-metadata-token-ttl-seconds", "21600")]
            )
            return ("x-aws-ec2-metadata-token", String(decoding: token, as: UTF8.self))
        } catch is TransportError {
            return nil
        }
    }
}

/// An endpoint beside the machine, as containers and instances have for their credentials: near, plain and quick.
struct LocalEndpoint: Sendable {
    let transport: any HTTPTransport

    func get(_ url: String, method: HTTPMethod = .GET, headers: [(String, String)] = []) async throws -> Data {
        var request = HTTPClientRequest(url: url)
        request.method = method
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        let patience = Patience(connect: .seconds(2), idle: .seconds(2), head: .seconds(2), whole: .seconds(5))
        let response = try await transport.send(request, patience: patience)
        let body = Data(buffer: try await response.body.collect(upTo: 1 << 20))
        guard response.status == .ok else {
            throw AWSError(
                operation: "credentials",
                code: "HTTP\(response.status.code)",
                message:
                    "\(URLComponents(string: url)?.host ?? "the credential endpoint") answered \(response.status.code)",
                status: Int(response.status.code),
                kind: response.status.code == 429 || response.status.code >= 500 ? .transient : .permanent
            )
        }
        return body
    }
}
