package import NIOCore
package import Names

/// The part upload of one account's ECR.
///
/// Source: the Amazon ECR API reference, InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload and
/// BatchCheckLayerAvailability.
package struct ECRLayerParts: LayerPartStore {
    private let ecr: ECRClient
    private let registryID: String?
    /// The registry's name, for errors.
    private let host: String

    /// - Parameter registryID: the account whose registry it is; nil: the caller's.
    package init(ecr: ECRClient, registryID: String?, host: String) {
        self.ecr = ecr
        self.registryID = registryID
        self.host = host
    }

    package func initiate(repository: String) async throws -> (uploadID: String, partSize: Int) {
        try await translating {
            let (id, size) = try await ecr.initiateLayerUpload(repositoryName: repository, registryId: registryID)
            return (id, size)
        }
    }

    package func upload(
        part: ByteBuffer,
        first: Int64,
        uploadID: String,
        repository: String
    ) async throws -> Int64 {
        try await translating {
            try await ecr.uploadLayerPart(
                repositoryName: repository,
                registryId: registryID,
                uploadId: uploadID,
                firstByte: first,
                part: part
            ) + 1
        }
    }

    package func complete(uploadID: String, digest: Digest, repository: String) async throws {
        try await translating {
            try await ecr.completeLayerUpload(
                repositoryName: repository,
                registryId: registryID,
                uploadId: uploadID,
                layerDigest: digest.description
            )
        }
    }

    package func available(_ digests: [Digest], repository: String) async throws -> Set<Digest> {
        try await translating {
            let states = try await ecr.batchCheckLayerAvailability(
                repositoryName: repository,
                registryId: registryID,
                layerDigests: digests.map(\.description)
            )
            return Set(
                states.lazy.filter { $0.layerAvailability == .available }
                    .compactMap { $0.layerDigest.flatMap { try? Digest($0) } }
            )
        }
    }

    private func translating<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as AWSError {
            switch error.code {
            case "UploadNotFoundException": throw PartUploadError.uploadNotFound
            case "LayerAlreadyExistsException": throw PartUploadError.layerExists
            case "InvalidLayerPartException":
                if let last = error.numbers["lastValidByteReceived"] { throw PartUploadError.resumeAt(last + 1) }
                throw PartUploadError.uploadNotFound
            // A part that is too small, or none at all: what ECR has cannot be continued.
            case "LayerPartTooSmallException", "EmptyUploadException": throw PartUploadError.uploadNotFound
            default: throw RegistryError(error, host: host)
            }
        }
    }
}

extension RegistryError {
    /// A failed call of the ECR API, in a registry's terms.
    fileprivate init(_ error: AWSError, host: String) {
        let kind: Kind =
            switch error.kind {
            case .throttled: .throttled
            case .transient: .serverFault
            case .unreachable: .unreachable
            case .accessDenied: .denied
            case .expiredCredentials, .noCredentials, .clockSkew: .noCredentials
            case .brokenAnswer: .brokenAnswer
            case .notFound: error.code == "RepositoryNotFoundException" ? .repositoryNotFound : .notFound
            case .permanent: error.code == "InvalidLayerException" ? .digestMismatch : .refused
            }
        self.init(
            kind,
            host: host,
            status: error.status,
            retryAfter: error.retryAfter,
            codes: error.code.isEmpty ? [] : [error.code],
            detail: error.message.isEmpty ? error.operation : "\(error.operation): \(error.message)"
        )
    }
}
