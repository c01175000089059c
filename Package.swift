// swift-tools-version: 6.2
import PackageDescription

// A target is a quarantine, and arrows point down only: CZlib for C, Definitions for pure reading of workflow definitions
// (no network, clock or environment), Names for what the world calls things, Remotes for the network, Model for the values
// that travel between the stages, Configuring for the configuration file, Record for SQLite, Precloning for the stages and
// the daemon, preclone for the command line. Sandbox is the AWS on loopback of the demo and the tests; no product target
// imports it.

// What an older glibc cannot read is left out: systemd/build-release.
let packing =
    Context.environment["PRECLONE_PORTABLE"] == nil ? ["-Xlinker", "-z", "-Xlinker", "pack-relative-relocs"] : []

let package = Package(
    name: "preclone",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "preclone", targets: ["preclone"]),
        .executable(name: "preclone-sandbox", targets: ["preclone-sandbox"]),
        .executable(name: "preclone-simulate", targets: ["preclone-simulate"]),
    ],
    dependencies: [
        // The command line: parsing, help, completion scripts.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        // SHA-256 and HMAC, for digests and SigV4.
        .package(url: "https://github.com/apple/swift-crypto", from: "4.0.0"),
        // Structured logs with task-local metadata.
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        // Bytes, channels and addresses below the HTTP client; the metrics listener.
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        // Tunnels through a proxy (CONNECT).
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        // TLS for the blob path, with the operator's own certificate authorities.
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        // SQLite: migrations, WAL, read-only readers.
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        // The sandbox's HTTP server; linked into nothing else.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        // Signals, ordered start and graceful stop.
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "Definitions",
            dependencies: ["CZlib"]
        ),
        .target(
            name: "Names",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto")
            ]
        ),
        .target(
            name: "Remotes",
            dependencies: [
                "CZlib",
                "Names",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ]
        ),
        .target(name: "Model", dependencies: ["Names"]),
        .target(name: "Configuring", dependencies: ["Definitions", "Model", "Names"]),
        .target(
            name: "Record",
            dependencies: [
                "Model",
                "Names",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]
        ),
        .target(
            name: "Precloning",
            dependencies: [
                "Configuring",
                "Definitions",
                "Model",
                "Names",
                "Record",
                "Remotes",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]
        ),
        .executableTarget(
            name: "preclone",
            dependencies: [
                "Configuring",
                "Definitions",
                "Model",
                "Names",
                "Precloning",
                "Record",
                "Remotes",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            // Nothing loads this program as a library: without exported symbols and with packed relocations (glibc 2.36)
            // it is 8 MB smaller, on disk and resident.
            linkerSettings: [
                .unsafeFlags(
                    ["-use-ld=lld", "-Xlinker", "--no-export-dynamic"] + packing,
                    .when(platforms: [.linux], configuration: .release)
                )
            ]
        ),
        .target(
            name: "Sandbox",
            dependencies: [
                "Names",
                "Remotes",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]
        ),
        .executableTarget(
            name: "preclone-sandbox",
            dependencies: [
                "Sandbox",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        // Days of the whole daemon in a simulated world: one thread, one clock, one source of chance. No product target
        // imports it.
        .target(name: "CConcurrencyHooks"),
        .target(
            name: "Simulation",
            dependencies: [
                "CConcurrencyHooks",
                "Configuring",
                "Model",
                "Names",
                "Precloning",
                "Record",
                "Remotes",
                "Sandbox",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
            ]
        ),
        .executableTarget(
            name: "preclone-simulate",
            dependencies: [
                "Simulation",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .target(
            name: "TestSupport",
            dependencies: [
                "Names",
                "Remotes",
                "Sandbox",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Tests/TestSupport"
        ),
        .testTarget(name: "DefinitionsTests", dependencies: ["Definitions"]),
        .testTarget(
            name: "RemotesTests",
            dependencies: [
                "Names",
                "Remotes",
                "TestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]
        ),
        .testTarget(
            name: "PrecloningTests",
            dependencies: [
                "Configuring",
                "Definitions",
                "Model",
                "Names",
                "Precloning",
                "Record",
                "Remotes",
                "Sandbox",
                "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "SandboxTests",
            dependencies: [
                "Names",
                "Remotes",
                "Sandbox",
                "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]
        ),
        // Runs the built program: hashing without a seed of its own must be set before a process starts.
        .testTarget(name: "SimulationTests", dependencies: ["preclone-simulate", "Simulation"]),
        .testTarget(
            name: "precloneTests",
            dependencies: [
                "preclone",
                "Configuring",
                "Definitions",
                "Model",
                "Names",
                "Precloning",
                "Record",
                "Remotes",
                "Sandbox",
                "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
    target.swiftSettings = [
        // SE-0335: `any` in front of every existential.
        .enableUpcomingFeature("ExistentialAny"),
        // SE-0409: what a file imports is its own affair.
        .enableUpcomingFeature("InternalImportsByDefault"),
        // SE-0444: a member is visible only where its module is imported.
        .enableUpcomingFeature("MemberImportVisibility"),
        // SE-0461: a nonisolated async function runs on its caller's actor.
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        // SE-0470: a conformance follows the isolation of its type.
        .enableUpcomingFeature("InferIsolatedConformances"),
    ]
}
