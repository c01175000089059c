import Crypto
import Foundation

/// The objects behind presigned addresses: definitions of workflows and layers of images, as S3 serves them.
struct PresignedStorage: Sendable {
    let world: World

    /// Serves `GET /KEY?X-Amz-…`; a request with an Authorization header, a wrong signature or a late one is refused.
    func respond(to request: Incoming) async throws -> Reply {
        let key = request.segments.joined(separator: "/")
        let call = Call(service: "storage", operation: "GetObject", repository: key, reference: nil)
        return try await world.serve(call, wire: .storage) {
            guard request.headers["authorization"] == nil else {
                throw AWSFailure(
                    "InvalidArgument",
                    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                        + "parameter or the Authorization header should be specified"
                )
            }
            let content = try world.with { state in
                try state.checkPresigned(request, key: key)
                guard let content = state.objects[key] else {
                    throw AWSFailure("NoSuchKey", "The specified key does not exist.", status: 404)
                }
                return content
            }
            guard request.method == "GET" || request.method == "HEAD" else {
                throw AWSFailure("MethodNotAllowed", "Only GET is presigned.", status: 405)
            }
            let reply = try BlobReply.make(content, range: request.headers["range"])
            return request.method == "HEAD" ? reply.withoutBytes : reply
        }
    }
}

extension WorldState {
    /// An address that anyone may GET until it expires.
    mutating func presigned(key: String, content: BlobContent) -> String {
        objects[key] = content
        let stamp = SignatureCheck.stamp(now)
        let lifetime = Int(configuration.presignedLifetime)
        let scope = "\(configuration.accessKeyID)/\(stamp.prefix(8))/\(configuration.region)/s3/aws4_request"
        let signature = presignature(key: key, stamp: stamp, lifetime: lifetime)
        return "\(addresses.storage)/\(PercentCoding.encode(key, slash: false))"
            + "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\(PercentCoding.encode(scope))&X-Amz-Date=\(stamp)"
            + "&X-Amz-Expires=\(lifetime)&X-Amz-SignedHeaders=host&X-Amz-Signature=\(signature)"
    }

    fileprivate func checkPresigned(_ request: Incoming, key: String) throws {
        guard let stamp = request.value("X-Amz-Date"), let date = SignatureCheck.date(stamp),
            let lifetime = request.value("X-Amz-Expires").flatMap({ Int($0) }),
            let signature = request.value("X-Amz-Signature")
        else { throw AWSFailure("AccessDenied", "Access Denied", status: 403) }
        guard signature == presignature(key: key, stamp: stamp, lifetime: lifetime) else {
            throw AWSFailure("SignatureDoesNotMatch", "The request signature does not match.", status: 403)
        }
        guard now < date.addingTimeInterval(TimeInterval(lifetime)) else {
            throw AWSFailure("AccessDenied", "Request has expired", status: 403)
        }
    }

    private func presignature(key: String, stamp: String, lifetime: Int) -> String {
        let secret = SymmetricKey(data: Data(configuration.secretAccessKey.utf8))
        let text = Data("\(key)\n\(stamp)\n\(lifetime)".utf8)
        return SandboxDigest.hex(HMAC<SHA256>.authenticationCode(for: text, using: secret))
    }
}

/// The answer to a GET of bytes, whole or a range (RFC 9110, 14).
enum BlobReply {
    static func make(_ content: BlobContent, range: String?, headers: [(name: String, value: String)] = []) throws
        -> Reply
    {
        if case .discarded = content {
            throw AWSFailure("UNKNOWN", "The sandbox kept only the digest of these bytes.", status: 500)
        }
        let size = content.size
        var headers = headers + [("Content-Type", "application/octet-stream"), ("Accept-Ranges", "bytes")]
        guard let range, range.hasPrefix("bytes="), !range.contains(",") else {
            return Reply(200, headers: headers, body: .content(content, offset: 0, length: size))
        }
        let ends = range.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false).map { Int64($0) }
        var (first, last) = (Int64(0), size - 1)
        if ends.count == 2, let start = ends[0] {
            (first, last) = (start, min(ends[1] ?? last, last))
        } else if ends.count == 2, let suffix = ends[1] {
            first = max(0, size - suffix)
        } else {
            return Reply(200, headers: headers, body: .content(content, offset: 0, length: size))
        }
        guard first <= last else {
            return Reply(416, headers: [("Content-Range", "bytes */\(size)")])
        }
        headers.append(("Content-Range", "bytes \(first)-\(last)/\(size)"))
        return Reply(206, headers: headers, body: .content(content, offset: first, length: last - first + 1))
    }
}
