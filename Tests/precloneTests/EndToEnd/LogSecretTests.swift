import Foundation
import Sandbox
import Testing

/// What a whole run writes, at its most talkative and with everything going wrong, holds no secret.
@Suite("Secrets of a whole run")
struct LogSecretTests {
    @Test(
        "neither log nor record has a secret, a presigned query or an Authorization header",
        arguments: ["json", "text"]
    )
    func wholeRun(format: String) async throws {
        let (user, password) = ("robot-of-the-lab", "correct-horse-battery-staple")
        var upstreams = SandboxConfiguration.usualUpstreams
        upstreams["quay.io"] = UpstreamSettings(
            isAnonymousAllowed: false,
            accounts: [user: password],
            redirectsBlobs: true
        )
        let keys: [String: SandboxJSON] = [
            "log": ["level": "trace", "format": .string(format)],
            // quay.io leads to the storage for its blobs.
            "network": ["trustedHosts": ["127.0.0.1"]],
            "registries": ["quay.io": ["credentials": ["environment": ["LAB_USER", "LAB_PASSWORD"]]]],
        ]
        try await RunningSandbox.with(SandboxConfiguration(upstreams: upstreams), keys: keys) { world in
            let images = (0..<3).map { "quay.io/org/tool\($0):1" } + ["docker.io/library/open:1"]
            for image in images { try world.put(image, size: 1 << 20) }
            for fault in [
                Fault(.error, service: "storage", times: 1, status: 403),
                Fault(.cut, service: "storage", times: 1, bytes: 10),
                Fault(.expiredToken, service: "omics", times: 1), Fault(.expiredToken, service: "ecr", times: 1),
                Fault(.cut, operation: "GetBlob", times: 2, bytes: 1000),
                Fault(.error, operation: "Token", times: 2, status: 500),
                Fault(.cutUpload, operation: "UploadChunk", times: 1, bytes: 1000),
                Fault(.error, operation: "PutManifest", times: 1, status: 500),
                Fault(.corrupt, operation: "GetBlob", times: 1),
            ] { world.sandbox.add(fault) }
            try world.startRun("one", of: images)
            let daemon = try world.start("run", environment: ["LAB_USER": user, "LAB_PASSWORD": password])
            try await world.until(Dictionary(uniqueKeysWithValues: images.map { ($0, "ready") }), within: .seconds(120))
            daemon.signal(SIGTERM)
            let log = await daemon.end().standardError
            // It did say much, or there would be nothing to look for.
            #expect(log.split(separator: "\n").count > 60)

            var written = [("log", log)]
            for name in ["", "-wal"] {
                let bytes = (try? Data(contentsOf: URL(filePath: world.record + name))) ?? Data()
                written.append(("record" + name, String(decoding: bytes, as: UTF8.self)))
            }
            let basic = Data("\(user):\(password)".utf8).base64EncodedString()
            for (place, text) in written {
                for secret in [
                    world.sandbox.addresses.secretAccessKey, password, basic, "X-Amz-Signature", "X-Amz-Credential",
                    "X-Amz-Security-Token", "AWS4-HMAC-SHA256", "Authorization:", "authorization=", "Bearer ey",
                    "Basic QVdT",
                    Data("AWS:".utf8).base64EncodedString().dropLast(2).description,
                ] {
                    #expect(!text.contains(secret), "\(secret) is in the \(place)")
                }
            }
            #expect(written[1].1.hasPrefix("SQLite format 3"))
        }
    }
}
