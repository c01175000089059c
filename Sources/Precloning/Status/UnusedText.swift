package import Model

/// What could go from ECR, as people read it.
package struct UnusedText: Sendable {
    let answer: UnusedImages
    let style: TextStyle

    package init(_ answer: UnusedImages, style: TextStyle) {
        self.answer = answer
        self.style = style
    }

    package var lines: [String] {
        let since = Phrase.stamp(answer.since, zone: style.zone)
        guard !answer.images.isEmpty else {
            return style.wrapped("nothing: every ready image is wanted, or was used since \(since)", indent: 0) + notes
        }
        var headline =
            "\(Phrase.count(answer.images.count, "ready image")) not used since \(since) and not wanted now: at most "
        headline += Phrase.bytes(answer.storage.bytes)
        if let dollars = answer.storage.dollarsPerMonth, let price = answer.storage.price {
            headline += ", \(Phrase.dollars(dollars)) a month (price of \(price.asOf))"
        }
        var lines = style.wrapped(headline, indent: 0)
        for image in answer.images {
            lines += ["", "  " + style.named(image.destination, indent: 2)]
            let used = image.lastRunAt.map { "last run ended \(Phrase.age($0, now: answer.generatedAt))" }
            let known = used ?? "no run that the record knows wanted it"
            lines += style.wrapped("\(image.source), \(Phrase.bytes(image.bytes)), \(known)", indent: 4)
            if let reason = image.keptBecause { lines += style.wrapped("no rule for it: \(reason)", indent: 4) }
        }
        for policy in answer.policies {
            let title = "A lifecycle policy for \(Phrase.count(policy.tags.count, "tag")) of \(policy.repository)"
            lines += ["", style.tinted(style.fitted(title), .bold)]
            lines += style.wrapped("what the repository has now, what this would do, and doing it:", indent: 2)
            // Commands stay whole, to be copied.
            lines += policy.commands.map { "    " + Phrase.plain($0) }
        }
        return lines + notes
    }

    private var notes: [String] { answer.notes.flatMap { [""] + style.wrapped("note: \($0)", indent: 0) } }
}
