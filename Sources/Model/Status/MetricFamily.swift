/// Samples of one name, as Prometheus groups them.
package struct MetricFamily: Sendable, Hashable {
    package enum Kind: String, Sendable { case counter, gauge }

    package struct Sample: Sendable, Hashable {
        /// In the order in which they are written.
        package var labels: [Label]
        package var value: Double

        package init(labels: [Label], value: Double) {
            self.labels = labels
            self.value = value
        }
    }

    package struct Label: Sendable, Hashable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Lower case with `_`; counters end in `_total`, amounts in their base unit.
    package var name: String
    /// One sentence.
    package var help: String
    package var kind: Kind
    package var samples: [Sample] = []

    package init(_ name: String, _ kind: Kind, help: String) {
        self.name = name
        self.kind = kind
        self.help = help
    }

    package mutating func add(_ value: Double, _ labels: KeyValuePairs<String, String> = [:]) {
        samples.append(Sample(labels: labels.map { Label(name: $0.key, value: $0.value) }, value: value))
    }

    /// The exposition format, version 0.0.4; families without samples are left out.
    package static func text(_ families: [MetricFamily]) -> String {
        families.filter { !$0.samples.isEmpty }.map(\.text).joined()
    }

    private var text: String {
        var text = "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples {
            let labels = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
            text += name + (labels.isEmpty ? "" : "{\(labels)}") + " \(Self.number(sample.value))\n"
        }
        return text
    }

    private static func escaped(_ value: String) -> String {
        PrintableText.stripped(value.replacing("\n", with: " ")).replacing("\\", with: "\\\\")
            .replacing("\"", with: "\\\"")
    }

    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map { String($0) } ?? String(value)
    }
}
