import Precloning
import Remotes
import Sandbox

extension Sandbox {
    /// A client of one of the sandbox's services, signing with the key that the sandbox knows.
    func awsClient(_ service: String, transport: any HTTPTransport, timeline: Timeline) -> AWSClient {
        let addresses = addresses
        return AWSClient(
            endpoint: .init(service: service, signingName: service, url: addresses.aws),
            region: addresses.region,
            transport: transport,
            credentials: { _ in
                AWSCredentials(
                    accessKeyID: addresses.accessKeyID,
                    secretAccessKey: addresses.secretAccessKey,
                    provider: "sandbox"
                )
            },
            timeline: timeline
        )
    }

    /// `dkr.ecr.REGION.amazonaws.com`.
    var registrySuffix: String { "dkr.ecr.\(addresses.region).amazonaws.com" }
}
