package import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// The transport that really opens connections.
package final class LiveTransport: HTTPTransport {
    private let client: HTTPClient

    /// - Parameter certificateAuthorityFiles: PEM files whose authorities are trusted beside the system's.
    package init(certificateAuthorityFiles: [String] = []) throws {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.additionalTrustRoots = certificateAuthorityFiles.map { .file($0) }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls,
            redirectConfiguration: .disallow,
            decompression: .disabled
        )
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    package func send(_ request: HTTPClientRequest, patience: Patience) async throws -> HTTPClientResponse {
        do {
            return try await client.execute(request, timeout: patience.head.map { TimeAmount($0) } ?? .hours(24))
        } catch let error as HTTPClientError {
            throw TransportError(kind: Self.kind(of: error), host: "\(request.url.prefix(200))", detail: "\(error)")
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw TransportError(kind: .connect, host: "\(request.url.prefix(200))", detail: "\(error)")
        }
    }

    /// Closes what is open; call once, last.
    package func shutdown() async throws { try await client.shutdown() }

    private static func kind(of error: HTTPClientError) -> TransportError.Kind {
        switch error {
        case .invalidURL, .emptyHost, .emptyScheme: .invalidRequest
        case .readTimeout, .writeTimeout, .deadlineExceeded: .stalled
        case .connectTimeout: .connect
        case .tlsHandshakeTimeout: .tls
        default: .cut
        }
    }
}
