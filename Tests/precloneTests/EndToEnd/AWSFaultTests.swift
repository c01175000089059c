import Foundation
import Precloning
import Sandbox
import TestSupport
import Testing

/// AWS misbehaves while a run waits.
@Suite("Faults of AWS, end to end")
struct AWSFaultTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var faults: [Fault]

        var testDescription: String { name }
    }

    private static let services = ["omics", "ecr", "sts"]

    private static let cases = [
        Case(name: "a throttling storm", faults: services.map { Fault(.throttle, service: $0, times: 8) }),
        Case(
            name: "every third call a 500",
            faults: (1...6).flatMap { number in
                services.map { Fault(.error, service: $0, times: 1, after: number * 2, status: 500) }
            }
        ),
        Case(
            name: "connections cut in mid-answer",
            faults: services.map { Fault(.cut, service: $0, times: 3, bytes: 5) }
        ),
        Case(
            name: "answers that come late",
            faults: services.map { Fault(.delay, service: $0, times: 5, seconds: 0.3) }
        ),
        Case(name: "an expired token", faults: services.map { Fault(.expiredToken, service: $0, times: 1) }),
        Case(
            name: "gateways' errors without a code",
            faults: [502, 503, 504, 429].flatMap { status in
                services.map { Fault(.error, service: $0, times: 1, after: status % 5, status: status, code: "") }
            }
        ),
    ]

    @Test("it goes on where it was, and nothing is done twice", arguments: cases)
    func storm(_ test: Case) async throws {
        try await RunningSandbox.with { world in
            let images = (0..<3).map { "quay.io/org/tool\($0):1" }
            for image in images { try world.put(image) }
            let run = try world.startRun("one", of: images)
            for fault in test.faults { world.sandbox.add(fault) }
            try await world.withDaemon { _ in
                try await world.until(
                    Dictionary(uniqueKeysWithValues: images.map { ($0, "ready") }),
                    within: .seconds(150)
                )
                try await world.until("the run") { try await world.status("--run", run).code == 0 }
            }
            try world.expectOnce(images)
        }
    }

    @Test("a clock ten minutes off is learnt from AWS's answers", arguments: [600.0, -600])
    func skewedClock(shift: TimeInterval) async throws {
        try await SteppedDaemon.with { running in
            running.clock.shiftWallClock(by: shift)
            let image = "quay.io/org/tool:1"
            try running.world.put(image)
            try running.world.startRun("one", of: [image])
            try await running.pass("the image", within: .seconds(600)) { try running.states([image: "ready"]) }
            // Learnt once for a service, not anew with each call.
            let refused = running.world.sandbox.requests.entries.filter {
                $0.status == 403 && $0.call.service == "omics"
            }
            #expect(refused.count <= 6, "\(refused)")
        }
    }

    @Test("keys that AWS no longer takes are told as such, and new ones are taken up without a restart")
    func expiredKeys() async throws {
        try await RunningSandbox.with { world in
            let image = "quay.io/org/tool:1"
            try world.put(image)
            try world.startRun("one", of: [image])
            let addresses = world.sandbox.addresses
            let keys = world.folder.appending(path: "keys")
            func profile(_ secret: String) throws {
                let script = """
                    #!/bin/sh
                    printf '{"Version":1,"AccessKeyId":"\(addresses.accessKeyID)","SecretAccessKey":"\(secret)"}'
                    """
                try Data(script.utf8).write(to: keys)
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: keys.path)
            }
            try FileManager.default.createDirectory(
                at: world.folder.appending(path: ".aws"),
                withIntermediateDirectories: true
            )
            try Data("[default]\ncredential_process = \(keys.path)\n".utf8)
                .write(to: world.folder.appending(path: ".aws/config"))
            try profile("an-old-secret")
            let daemon = try world.start("run", environment: ["AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""])
            try await world.until("the failed poll") {
                try !world.rows("SELECT 1 FROM daemon WHERE lastPollTrouble IS NOT NULL").isEmpty
            }
            let bad = try await world.status()
            #expect(bad.code != 0)
            #expect(!daemon.standardError.contains("an-old-secret"))
            try profile(addresses.secretAccessKey)
            world.sandbox.add(Fault(.expiredToken, service: "omics", times: 1))
            try await world.until([image: "ready"], within: .seconds(120))
            daemon.signal(SIGTERM)
            #expect(await daemon.end().code == 0)
        }
    }
}
