import Crypto
import Foundation

/// Checks the AWS Signature Version 4 of a request (AWS General Reference, "Signing AWS API requests"), written apart
/// from the signer of the product so that the two can disagree.
struct SignatureCheck {
    var keys: [String: AccessKey]
    var region: String
    /// The machine's clock: signatures must be fresh by it.
    var machineNow: Date
    /// The sandbox's clock: temporary credentials end by it.
    var sandboxNow: Date

    /// - Throws: `AWSFailure` with the code each protocol uses.
    func caller(of request: Incoming, body: Data, wire: Wire) throws -> Caller {
        guard let authorization = request.headers["authorization"] else {
            throw AWSFailure(
                wire == .query ? "MissingAuthenticationToken" : "MissingAuthenticationTokenException",
                "Request is missing Authentication Token",
                status: 403
            )
        }
        let parts = try Self.parse(authorization)
        guard let key = keys[parts.accessKeyID] else {
            throw AWSFailure(
                wire == .query ? "InvalidClientTokenId" : "UnrecognizedClientException",
                "The security token included in the request is invalid.",
                status: 403
            )
        }
        guard parts.region == region else {
            throw refuse("Credential should be scoped to a valid region: \(region), not \(parts.region).", wire)
        }
        guard request.headers["x-amz-security-token"] == key.sessionToken else {
            throw AWSFailure(
                wire == .query ? "InvalidClientTokenId" : "UnrecognizedClientException",
                "The security token included in the request is invalid.",
                status: 403
            )
        }
        if let expires = key.expires, expires <= sandboxNow { throw wire.expired }
        guard let stamp = request.headers["x-amz-date"], let date = Self.date(stamp) else {
            throw refuse("The request has no valid X-Amz-Date.", wire)
        }
        guard stamp.hasPrefix(parts.date) else {
            throw refuse("Date in Credential scope does not match X-Amz-Date.", wire)
        }
        guard abs(date.timeIntervalSince(machineNow)) <= 300 else {
            throw refuse("Signature expired: \(stamp) is not within 5 minutes of the server's time.", wire)
        }
        guard parts.signedHeaders.contains("host") else { throw refuse("The host header is not signed.", wire) }
        for name in request.headers.keys where name.hasPrefix("x-amz-") && !parts.signedHeaders.contains(name) {
            throw refuse("The header \(name) is not signed.", wire)
        }
        let canonical = Self.canonicalRequest(request, body: body, signedHeaders: parts.signedHeaders)
        let scope = "\(parts.date)/\(parts.region)/\(parts.service)/aws4_request"
        let text = ["AWS4-HMAC-SHA256", stamp, scope, SandboxDigest.hex(SHA256.hash(data: Data(canonical.utf8)))]
            .joined(separator: "\n")
        let expected = Self.signature(text, secret: key.secret, parts: parts)
        guard expected == parts.signature else {
            throw refuse(
                "The request signature we calculated does not match the signature you provided. "
                    + "The canonical string for this request should have been '\(canonical)'",
                wire
            )
        }
        return Caller(
            accessKeyID: parts.accessKeyID,
            principal: key.principal,
            userID: key.userID,
            service: parts.service
        )
    }

    private func refuse(_ message: String, _ wire: Wire) -> AWSFailure {
        AWSFailure(wire == .query ? "SignatureDoesNotMatch" : "InvalidSignatureException", message, status: 403)
    }

    struct Parts {
        var accessKeyID = ""
        var date = ""
        var region = ""
        var service = ""
        var signedHeaders: [String] = []
        var signature = ""
    }

    static func parse(_ authorization: String) throws -> Parts {
        let wrong = AWSFailure(
            "IncompleteSignatureException",
            "The Authorization header is not a complete AWS4-HMAC-SHA256 signature.",
            status: 403
        )
        guard authorization.hasPrefix("AWS4-HMAC-SHA256 ") else { throw wrong }
        var fields: [String: String] = [:]
        for field in authorization.dropFirst(17).split(separator: ",") {
            let pair = field.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { throw wrong }
            fields[pair[0].trimmingCharacters(in: .whitespaces)] = String(pair[1])
        }
        let scope = (fields["Credential"] ?? "").split(separator: "/").map(String.init)
        guard scope.count == 5, scope[4] == "aws4_request", let headers = fields["SignedHeaders"],
            let signature = fields["Signature"]
        else { throw wrong }
        return Parts(
            accessKeyID: scope[0],
            date: scope[1],
            region: scope[2],
            service: scope[3],
            signedHeaders: headers.split(separator: ";").map(String.init),
            signature: signature
        )
    }

    static func canonicalRequest(_ request: Incoming, body: Data, signedHeaders: [String]) -> String {
        var pairs: [(name: String, value: String)] = request.query.map { pair in
            (name: PercentCoding.encode(pair.name), value: PercentCoding.encode(pair.value))
        }
        pairs.sort { left, right in left.name == right.name ? left.value < right.value : left.name < right.name }
        let query = pairs.map { pair in pair.name + "=" + pair.value }.joined(separator: "&")
        let headers = signedHeaders.map { name in
            let value = (request.headers[name] ?? "").split(separator: " ", omittingEmptySubsequences: true)
            return "\(name):\(value.joined(separator: " "))\n"
        }
        return [
            request.method,
            // Every service but S3 encodes the path once more.
            PercentCoding.encode(request.path.isEmpty ? "/" : request.path, slash: false),
            query,
            headers.joined(),
            signedHeaders.joined(separator: ";"),
            SandboxDigest.hex(SHA256.hash(data: body)),
        ].joined(separator: "\n")
    }

    private static func signature(_ text: String, secret: String, parts: Parts) -> String {
        var key = SymmetricKey(data: Data("AWS4\(secret)".utf8))
        for part in [parts.date, parts.region, parts.service, "aws4_request"] {
            key = SymmetricKey(data: Data(HMAC<SHA256>.authenticationCode(for: Data(part.utf8), using: key)))
        }
        return SandboxDigest.hex(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key))
    }

    /// `yyyyMMdd'T'HHmmss'Z'`.
    static func date(_ stamp: String) -> Date? {
        let digits = stamp.utf8.filter { (48...57).contains($0) }.map { Int($0) - 48 }
        guard digits.count == 14, stamp.utf8.count == 16 else { return nil }
        func number(_ range: Range<Int>) -> Int { digits[range].reduce(0) { $0 * 10 + $1 } }
        var parts = DateComponents()
        parts.calendar = Calendar(identifier: .gregorian)
        parts.timeZone = .gmt
        (parts.year, parts.month, parts.day) = (number(0..<4), number(4..<6), number(6..<8))
        (parts.hour, parts.minute, parts.second) = (number(8..<10), number(10..<12), number(12..<14))
        return parts.date
    }

    /// `yyyyMMdd'T'HHmmss'Z'` of a moment.
    static func stamp(_ date: Date) -> String {
        date.formatted(
            Date.ISO8601FormatStyle(dateSeparator: .omitted, dateTimeSeparator: .standard, timeSeparator: .omitted)
        )
    }
}
