/// What ECR asks for keeping images, from a table with a date: prices change, and this program does not ask for them.
package struct StoragePrice: Codable, Sendable, Equatable {
    /// US dollars for a GiB (2^30 bytes, as AWS bills a "GB") kept for a month.
    package var dollarsPerGiBMonth: Double
    /// The month in which the price was read: `2026-11`.
    package var asOf: String

    /// Source: the price list of Amazon ECR, private repositories, standard storage: one price in all Regions of the
    /// partition `aws`. Others are not in the table: what is not known is not guessed.
    ///
    /// - Parameter region: such as `eu-central-1`; nil where it is not known.
    package init?(region: String?) {
        guard let region, !["cn-", "us-gov-", "us-iso", "eu-isoe-", "eusc-"].contains(where: region.hasPrefix) else {
            return nil
        }
        dollarsPerGiBMonth = 0.10
        asOf = "2026-11"
    }

    /// - Parameter bytes: compressed, as ECR counts them.
    /// - Returns: US dollars, to the cent.
    package func monthly(_ bytes: Int64) -> Double {
        let cents = Double(bytes) / 1_073_741_824 * dollarsPerGiBMonth * 100
        return cents.rounded() / 100
    }
}

extension Phrase {
    /// `$12.30`; `under $0.01` for what is less than a cent.
    package static func dollars(_ amount: Double) -> String {
        let cents = Int(min(max(0, (amount * 100).rounded()), 1e15))
        guard cents > 0 else { return "under $0.01" }
        let rest = cents % 100
        return "$\(grouped(cents / 100)).\(rest < 10 ? "0" : "")\(rest)"
    }
}
