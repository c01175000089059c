/// Samples of one name, as Prometheus groups them.
package struct MetricFamily: Sendable, Hashable {
    package enum Kind: String, Sendable { case counter, gauge, histogram }

    package struct Sample: Sendable, Hashable {
        /// In the order in which they are written.
        package var labels: [Label]
        package var value: Double
        /// What follows the family's name: `_bucket`, `_sum`, `_count` of a histogram.
        package var suffix: String

        package init(labels: [Label], value: Double, suffix: String = "") {
            self.labels = labels
            self.value = value
            self.suffix = suffix
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

    /// Adds a histogram's samples.
    ///
    /// - Parameters:
    ///   - bounds: of the buckets, growing; one without a bound is added.
    ///   - counts: values in each bucket alone, one more than there are bounds.
    package mutating func add(
        bounds: [Double],
        counts: [Int],
        sum: Double,
        _ labels: KeyValuePairs<String, String> = [:]
    ) {
        let own = labels.map { Label(name: $0.key, value: $0.value) }
        var total = 0
        for (bound, count) in zip(bounds.map(Self.number) + ["+Inf"], counts) {
            total += count
            samples.append(
                Sample(labels: own + [Label(name: "le", value: bound)], value: Double(total), suffix: "_bucket")
            )
        }
        samples.append(Sample(labels: own, value: sum, suffix: "_sum"))
        samples.append(Sample(labels: own, value: Double(total), suffix: "_count"))
    }

    /// The exposition format, version 0.0.4; families without samples are left out.
    package static func text(_ families: [MetricFamily]) -> String {
        families.filter { !$0.samples.isEmpty }.map(\.text).joined()
    }

    private var text: String {
        var text = "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples {
            let labels = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
            text += name + sample.suffix + (labels.isEmpty ? "" : "{\(labels)}") + " \(Self.number(sample.value))\n"
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
