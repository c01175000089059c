import Configuring
import Model
import Precloning
import Remotes

extension Composition {
    /// Sends a message to where the configuration in force says. A topic and a bus are in the Region that their ARN names.
    func send(_ message: NoticeMessage, to target: NoticeTarget) async throws {
        let notify = settings.current.notify
        let json = try message.json()
        switch target {
        case .sns:
            guard let topic = notify.sns else { return }
            let sns = SNSClient(client: client(.sns, at: aws.inRegion(Self.region(of: topic))))
            try await sns.publish(topicARN: topic, id: message.id, subject: message.text, message: json)
        case .eventBus:
            guard let bus = notify.eventBus else { return }
            let events = EventBridgeClient(
                client: client(.events, as: "events", at: aws.inRegion(Self.region(of: bus)))
            )
            try await events.putEvent(
                bus: bus,
                source: "preclone",
                detailType: message.total == 1 ? "preclone \(message.notices[0].kind.rawValue)" : "preclone summary",
                detail: json
            )
        case .webhook:
            guard let url = notify.webhook else { return }
            try await Webhook(url: url, transport: try transport(toWebhook: url)).post(json, id: message.id)
        }
    }

    private static func region(of arn: String) -> String? {
        let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count > 5 && parts[0] == "arn" ? String(parts[3]) : nil
    }
}
