/// A path of the distribution specification, taken apart.
enum RegistryPath: Sendable, Hashable {
    case ping
    case manifest(repository: String, reference: String)
    case blob(repository: String, digest: String)
    /// `POST …/blobs/uploads/` when the session is nil.
    case upload(repository: String, session: String?)
    case tags(repository: String)
    case referrers(repository: String, digest: String)

    /// nil when the path is none of them.
    init?(_ segments: [String]) {
        guard segments.first == "v2" else { return nil }
        let rest = Array(segments.dropFirst())
        guard !rest.isEmpty else {
            self = .ping
            return
        }
        func name(_ suffix: Int) -> String { rest.dropLast(suffix).joined(separator: "/") }
        let count = rest.count
        if count >= 3, rest[count - 2] == "manifests" {
            self = .manifest(repository: name(2), reference: rest[count - 1])
        } else if count >= 3, rest[count - 2] == "blobs", rest[count - 1] == "uploads" {
            self = .upload(repository: name(2), session: nil)
        } else if count >= 4, rest[count - 3] == "blobs", rest[count - 2] == "uploads" {
            self = .upload(repository: name(3), session: rest[count - 1])
        } else if count >= 3, rest[count - 2] == "blobs" {
            self = .blob(repository: name(2), digest: rest[count - 1])
        } else if count >= 3, rest[count - 2] == "tags", rest[count - 1] == "list" {
            self = .tags(repository: name(2))
        } else if count >= 3, rest[count - 2] == "referrers" {
            self = .referrers(repository: name(2), digest: rest[count - 1])
        } else {
            return nil
        }
    }

    var repository: String? {
        switch self {
        case .ping: nil
        case .manifest(let repository, _), .blob(let repository, _), .upload(let repository, _),
            .tags(let repository), .referrers(let repository, _):
            repository
        }
    }

    func call(method: String, registry: String) -> Call {
        let (operation, reference): (String, String?) =
            switch self {
            case .ping: ("Ping", nil)
            case .manifest(_, let reference):
                (method == "HEAD" ? "HeadManifest" : method == "PUT" ? "PutManifest" : "GetManifest", reference)
            case .blob(_, let digest): (method == "HEAD" ? "HeadBlob" : "GetBlob", digest)
            case .upload(_, let session):
                switch method {
                case "POST": ("StartUpload", session)
                case "PATCH": ("UploadChunk", session)
                case "PUT": ("FinishUpload", session)
                case "DELETE": ("CancelUpload", session)
                default: ("UploadStatus", session)
                }
            case .tags: ("ListTags", nil)
            case .referrers(_, let digest): ("ListReferrers", digest)
            }
        return Call(
            service: "registry",
            operation: operation,
            registry: registry,
            repository: repository,
            reference: reference
        )
    }
}
