import Foundation
package import NIOCore

/// Uploads of layers in parts, by the API.
extension ECRClient {
    private struct Ignored: Decodable {}

    /// Begins an upload.
    ///
    /// - Returns: its id, and the size that all parts but the last must have, in bytes.
    /// - Throws: `AWSError`.
    package func initiateLayerUpload(
        repositoryName: String,
        registryId: String? = nil
    ) async throws -> (uploadId: String, partSize: Int) {
        struct Input: Encodable {
            var repositoryName: String
            var registryId: String?
        }
        struct Output: Decodable {
            var uploadId: String
            var partSize: Int
        }
        let output: Output = try await client.json(
            "InitiateLayerUpload",
            target: Self.target,
            Input(repositoryName: repositoryName, registryId: registryId)
        )
        return (output.uploadId, output.partSize)
    }

    /// Sends one part, which begins at byte `firstByte` of the layer. Its base64 is made while it is sent.
    ///
    /// - Returns: the last byte that ECR has received of the whole layer.
    /// - Throws: `AWSError`; `InvalidLayerPartException` carries the number `lastValidByteReceived`.
    package func uploadLayerPart(
        repositoryName: String,
        registryId: String? = nil,
        uploadId: String,
        firstByte: Int64,
        part: ByteBuffer
    ) async throws -> Int64 {
        struct Input: Encodable {
            var partFirstByte: Int64
            var partLastByte: Int64
            var registryId: String?
            var repositoryName: String
            var uploadId: String
        }
        struct Output: Decodable { var lastByteReceived: Int64? }
        let last = firstByte + Int64(part.readableBytes) - 1
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let others = try encoder.encode(
            Input(
                partFirstByte: firstByte,
                partLastByte: last,
                registryId: registryId,
                repositoryName: repositoryName,
                uploadId: uploadId
            )
        )
        let output: Output = try await client.jsonWithID(
            "UploadLayerPart",
            target: Self.target,
            body: CallBody(
                head: #"{"layerPartBlob":""#,
                base64: part,
                tail: "\"," + String(decoding: others.dropFirst(), as: UTF8.self)
            ),
            patience: Patience(idle: .seconds(60))
        ).value
        return output.lastByteReceived ?? last
    }

    /// Ends an upload; ECR compares the layer's digest.
    ///
    /// - Throws: `AWSError`; `InvalidLayerException` when the bytes have another digest.
    package func completeLayerUpload(
        repositoryName: String,
        registryId: String? = nil,
        uploadId: String,
        layerDigest: String
    ) async throws {
        struct Input: Encodable {
            var layerDigests: [String]
            var registryId: String?
            var repositoryName: String
            var uploadId: String
        }
        let _: (Ignored, String?) = try await client.jsonWithID(
            "CompleteLayerUpload",
            target: Self.target,
            Input(
                layerDigests: [layerDigest],
                registryId: registryId,
                repositoryName: repositoryName,
                uploadId: uploadId
            )
        )
    }
}
