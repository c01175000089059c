import Foundation
import Remotes
import Testing

@Suite("SigV4")
struct AWSSigV4Tests {
    struct Context: Decodable {
        struct Keys: Decodable {
            var accessKeyId: String
            var secretAccessKey: String
            var token: String?
        }
        var credentials: Keys
        var region: String
        var service: String
        var timestamp: String
        var normalize: Bool
        var signBody: Bool
        var expirationInSeconds: Int
        var omitSessionToken: Bool?
    }

    /// The folder of the public cases: what `SIGV4_VECTORS` names, else beside the project.
    static var folder: URL {
        if let named = ProcessInfo.processInfo.environment["SIGV4_VECTORS"] { return URL(fileURLWithPath: named) }
        return URL(fileURLWithPath: #filePath).appending(path: "../../../../../shared/sigv4-vectors").standardized
    }

    /// What `request.txt` says, as a request to sign.
    static func request(_ text: String, signsBody: Bool) -> SigV4.Request? {
        let parts = text.split(separator: "\n\n", maxSplits: 1, omittingEmptySubsequences: false)
        let lines = parts[0].split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first, let space = first.firstIndex(of: " "), let end = first.lastIndex(of: " ") else {
            return nil
        }
        let target = String(first[first.index(after: space)..<end])
        var headers: [(name: String, value: String)] = []
        for line in lines.dropFirst() where !line.isEmpty {
            if line.first == " " || line.first == "\t", let last = headers.popLast() {
                headers.append((name: last.name, value: last.value + " " + line))
            } else if let colon = line.firstIndex(of: ":") {
                headers.append((name: String(line[..<colon]), value: String(line[line.index(after: colon)...])))
            }
        }
        let pieces = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query = (pieces.count > 1 ? pieces[1] : "").split(separator: "&").map { pair in
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let name = halves[0].removingPercentEncoding ?? halves[0]
            let value = halves.count > 1 ? halves[1] : ""
            return (name: name, value: value.removingPercentEncoding ?? value)
        }
        let body = parts.count > 1 ? String(parts[1]) : ""
        let hash = SigV4.hash(body.utf8)
        if signsBody { headers.append((name: "X-Amz-Content-Sha256", value: hash)) }
        return SigV4.Request(
            method: String(first[..<space]),
            path: String(pieces[0]),
            query: query,
            headers: headers,
            bodyHash: hash
        )
    }

    /// A folder that is named must be there; without a name the one beside the project may be missing.
    static var isExpected: Bool {
        ProcessInfo.processInfo.environment["SIGV4_VECTORS"] != nil
            || FileManager.default.fileExists(atPath: folder.path)
    }

    @Test(
        "the public cases, as headers and presigned",
        .enabled(
            if: AWSSigV4Tests.isExpected,
            "the public SigV4 cases are not beside the project: name their folder in SIGV4_VECTORS"
        )
    )
    func publicCases() throws {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: Self.folder.path)) ?? []
        let cases = names.filter {
            FileManager.default.fileExists(atPath: Self.folder.appending(path: "\($0)/context.json").path)
        }
        try #require(
            cases.count == 38,
            "the public SigV4 cases are not in \(Self.folder.path): name their folder in SIGV4_VECTORS"
        )
        for name in cases.sorted() {
            func text(_ file: String) throws -> String {
                try String(contentsOf: Self.folder.appending(path: "\(name)/\(file)"), encoding: .utf8)
            }
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            let context = try decoder.decode(Context.self, from: Data(text("context.json").utf8))
            let date = try #require(AWSDates.date(context.timestamp))
            let omits = context.omitSessionToken ?? false
            let credentials = AWSCredentials(
                accessKeyID: context.credentials.accessKeyId,
                secretAccessKey: context.credentials.secretAccessKey,
                sessionToken: omits ? nil : context.credentials.token,
                provider: "test"
            )
            let request = try #require(try Self.request(text("request.txt"), signsBody: context.signBody))
            let signer = SigV4(
                region: context.region,
                service: context.service,
                normalizesPath: context.normalize
            )
            let added = signer.headers(for: request, credentials: credentials, at: date)
            let authorization = try #require(added.first { $0.name == "Authorization" }?.value)
            #expect(authorization.hasSuffix("Signature=\(try text("header-signature.txt"))"), "\(name), headers")
            var presigned = try #require(try Self.request(text("request.txt"), signsBody: false))
            presigned.bodyHash = request.bodyHash
            let stamp = SigV4.timestamp(date)
            let scope = "\(stamp.prefix(8))/\(context.region)/\(context.service)/aws4_request"
            presigned.query += [
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Date", stamp),
                ("X-Amz-Credential", "\(credentials.accessKeyID)/\(scope)"),
                ("X-Amz-Expires", "\(context.expirationInSeconds)"),
                ("X-Amz-SignedHeaders", signer.canonicalRequest(presigned).signedHeaders),
            ]
            if let token = credentials.sessionToken { presigned.query.append(("X-Amz-Security-Token", token)) }
            let signature = signer.signature(
                of: signer.canonicalRequest(presigned).text,
                stamp: stamp,
                credentials: credentials
            )
            #expect(signature == (try text("query-signature.txt")), "\(name), presigned")
        }
    }

    @Test("S3 encodes the path once and keeps it as it is")
    func s3Path() {
        let request = SigV4.Request(method: "GET", path: "/a%20b/../c", headers: [], bodyHash: "x")
        let s3 = SigV4(region: "us-east-1", service: "s3").canonicalRequest(request).text
        let other = SigV4(region: "us-east-1", service: "omics").canonicalRequest(request).text
        #expect(s3.split(separator: "\n")[1] == "/a%20b/../c")
        #expect(other.split(separator: "\n")[1] == "/c")
    }

    @Test("credentials are never printed")
    func redaction() {
        let credentials = AWSCredentials(
            accessKeyID: "AKIDEXAMPLE",
            secretAccessKey: "wJalr",
            sessionToken: "tok",
            provider: "test"
        )
        for text in ["\(credentials)", String(reflecting: credentials)] {
            #expect(!text.contains("AKID") && !text.contains("wJalr") && !text.contains("tok"))
        }
    }
}
