import Model

extension Configuration {
    static let notifyKeys = Key("notify", \Self.notify, Notify()) {
        Key(
            "sns",
            \.sns,
            .nullable(
                .text(
                    "the ARN of an SNS topic",
                    "^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\\.fifo)?$"
                )
            )
        )
        .saying("The ARN of an SNS topic; null: none. The role needs sns:Publish.")
        Key(
            "eventBus",
            \.eventBus,
            .nullable(.text("the name or ARN of an EventBridge bus such as \"default\"", "^[/A-Za-z0-9._:-]{1,1600}$"))
        )
        .saying(
            "The name or ARN of an EventBridge bus, which gets events of source preclone; null: none. The role needs",
            "events:PutEvents."
        )
        Key(
            "webhook",
            \.webhook,
            .nullable(
                .text("an https URL, or an http one on loopback", "^https?://", where: AddressText.isWebhook)
            )
        )
        .saying(
            "An address that takes each message as JSON by POST; null: none. Its host may be a private one. It is shown",
            "without its path, which may be a secret."
        )
        Key("on", \.on, .list(of: .choice, ["uniqueItems": true]))
            .saying(
                "What is told: blocked (an image that a live run needs), ready (all images of a run are there), refused (a",
                "registry refuses our credentials), moved (a tag in use has moved upstream), degraded (the daemon)."
            )
        Key("perHour", \.perHour, .integer(1...1000))
            .saying("Messages that each of them gets in an hour; what is more is gathered in the last of these.")
    }
    .saying(
        "Who is told of what needs a person, and of runs whose images are there. Each message has an id, which is the same",
        "when it is sent again."
    )
}
