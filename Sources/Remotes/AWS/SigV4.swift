import Crypto
package import Foundation
import Names

/// AWS Signature Version 4, as a pure function of request, credentials and time.
///
/// Source: IAM user guide, "Create a signed AWS API request", and the public test suite of awslabs/aws-c-auth.
package struct SigV4: Sendable {
    /// Headers that intermediaries change, so they are never signed.
    private static let unsigned: Set<String> = [
        "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id", "authorization",
    ]

    /// A request as far as its signature depends on it.
    package struct Request: Sendable {
        package var method: String
        /// As it goes on the wire: percent-encoded once, beginning with `/`.
        package var path: String
        /// Names and values, decoded.
        package var query: [(name: String, value: String)]
        package var headers: [(name: String, value: String)]
        package var bodyHash: String

        package init(
            method: String,
            path: String,
            query: [(name: String, value: String)] = [],
            headers: [(name: String, value: String)],
            bodyHash: String
        ) {
            self.method = method
            self.path = path
            self.query = query
            self.headers = headers
            self.bodyHash = bodyHash
        }
    }

    package let region: String
    package let service: String
    /// S3 encodes the path once and does not normalise it; every other service twice.
    package let isS3: Bool
    /// Whether `.` and `..` in paths are resolved; off only in the public test cases that ask for it.
    package let normalizesPath: Bool

    package init(region: String, service: String, normalizesPath: Bool = true) {
        self.region = region
        self.service = service
        isS3 = service == "s3"
        self.normalizesPath = normalizesPath && service != "s3"
    }

    package static let emptyBodyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    package static func hash(_ body: some Sequence<UInt8>) -> String {
        Digest.hexadecimal(SHA256.hash(data: Data(body)))
    }

    /// The headers to add to a request: `X-Amz-Date`, the session token's, and `Authorization`.
    package func headers(
        for request: Request,
        credentials: AWSCredentials,
        at date: Date
    ) -> [(name: String, value: String)] {
        let stamp = Self.timestamp(date)
        var added = [(name: "X-Amz-Date", value: stamp)]
        if let token = credentials.sessionToken { added.append((name: "X-Amz-Security-Token", value: token)) }
        if isS3 { added.append((name: "X-Amz-Content-Sha256", value: request.bodyHash)) }
        var signed = request
        signed.headers += added
        let (canonical, names) = canonicalRequest(signed)
        let signature = self.signature(of: canonical, stamp: stamp, credentials: credentials)
        added.append(
            (
                name: "Authorization",
                value: "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope(stamp)), "
                    + "SignedHeaders=\(names), Signature=\(signature)"
            )
        )
        return added
    }

    // MARK: The steps

    /// The canonical request and the list of signed headers.
    package func canonicalRequest(_ request: Request) -> (text: String, signedHeaders: String) {
        var byName: [String: [String]] = [:]
        for (name, value) in request.headers {
            let lower = name.lowercased()
            if !Self.unsigned.contains(lower) { byName[lower, default: []].append(Self.folded(value)) }
        }
        let names = byName.keys.sorted()
        let headers = names.map { "\($0):\(byName[$0, default: []].joined(separator: ","))\n" }.joined()
        let query = request.query
            .map { (Self.encoded($0.name), Self.encoded($0.value)) }
            .sorted { ($0.0, $0.1) < ($1.0, $1.1) }
            .map { "\($0.0)=\($0.1)" }
            .joined(separator: "&")
        let signedHeaders = names.joined(separator: ";")
        let text = [
            request.method, canonicalPath(request.path), query, headers, signedHeaders, request.bodyHash,
        ].joined(separator: "\n")
        return (text, signedHeaders)
    }

    private func canonicalPath(_ path: String) -> String {
        var text = path.isEmpty ? "/" : path
        if normalizesPath { text = Self.normalized(text) }
        return isS3 ? text : Self.encoded(text, keepingSlashes: true)
    }

    private static func normalized(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/", omittingEmptySubsequences: true) {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        let isFolder = path.hasSuffix("/") || path.hasSuffix("/.") || path.hasSuffix("/..")
        return "/" + parts.joined(separator: "/") + (isFolder && !parts.isEmpty ? "/" : "")
    }

    package func stringToSign(_ canonical: String, stamp: String) -> String {
        "AWS4-HMAC-SHA256\n\(stamp)\n\(scope(stamp))\n\(Self.hash(canonical.utf8))"
    }

    private func scope(_ stamp: String) -> String { "\(stamp.prefix(8))/\(region)/\(service)/aws4_request" }

    package func signature(of canonical: String, stamp: String, credentials: AWSCredentials) -> String {
        var key = SymmetricKey(data: Data("AWS4\(credentials.secretAccessKey)".utf8))
        for part in [String(stamp.prefix(8)), region, service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Data(part.utf8), using: key))
        }
        let text = stringToSign(canonical, stamp: stamp)
        return Digest.hexadecimal(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key))
    }

    // MARK: Texts

    /// Everything but `A-Z a-z 0-9 - _ . ~` as `%XX`.
    package static func encoded(_ text: String, keepingSlashes: Bool = false) -> String {
        WebAddress.escape(text, keepingSlashes: keepingSlashes)
    }

    /// Trimmed, with runs of blanks as one.
    private static func folded(_ value: String) -> String {
        value.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r\n" || $0 == "\r" })
            .joined(separator: " ")
    }

    /// `20150830T123600Z`, by proleptic Gregorian arithmetic (no formatter, no locale).
    package static func timestamp(_ date: Date) -> String {
        let seconds = Int(date.timeIntervalSince1970.rounded(.down))
        let day = Int((Double(seconds) / 86_400).rounded(.down))
        let clock = seconds - day * 86_400
        // Days to civil: https://howardhinnant.github.io/date_algorithms.html#civil_from_days
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(year)\(two(month))\(two(dayOfYear - (153 * monthIndex + 2) / 5 + 1))T"
            + "\(two(clock / 3600))\(two(clock / 60 % 60))\(two(clock % 60))Z"
    }
}
