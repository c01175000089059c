/// What an image runs on (OCI image index, "platform" of a descriptor).
package struct Platform: Hashable, Sendable, CustomStringConvertible {
    package var operatingSystem: String
    package var architecture: String
    /// Such as `v8` for arm64; nil when not said.
    package var variant: String?
    /// Such as a Windows build.
    package var version: String?

    package init(operatingSystem: String, architecture: String, variant: String? = nil, version: String? = nil) {
        self.operatingSystem = operatingSystem
        self.architecture = architecture
        self.variant = variant
        self.version = version
    }

    /// The only one HealthOmics runs.
    package static let linuxAMD64 = Platform(operatingSystem: "linux", architecture: "amd64")

    /// Parses `os/architecture` or `os/architecture/variant`; nil when it is neither.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { $0.lowercased() }
        guard (2...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(Self.isWord) }) else {
            return nil
        }
        self.init(
            operatingSystem: parts[0],
            architecture: parts[1] == "x86_64" ? "amd64" : parts[1] == "aarch64" ? "arm64" : parts[1],
            variant: parts.count == 3 ? parts[2] : nil
        )
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x5f || byte == 0x2d || byte == 0x2e
    }

    /// Whether something offered for `offered` satisfies this demand: a variant counts only when it is asked for,
    /// and `v8` is what arm64 is without one.
    package func accepts(_ offered: Platform) -> Bool {
        guard operatingSystem == offered.operatingSystem, architecture == offered.architecture else { return false }
        guard let variant else { return true }
        return variant == (offered.variant ?? (architecture == "arm64" ? "v8" : nil))
    }

    /// Whether every machine of the architecture runs it: amd64/v3, for one, needs a newer processor.
    package var isBaseline: Bool {
        switch (architecture, variant) {
        case (_, nil), ("amd64", "v1"), ("arm64", "v8"): true
        default: false
        }
    }

    package var description: String {
        "\(operatingSystem)/\(architecture)" + (variant.map { "/\($0)" } ?? "")
    }
}
