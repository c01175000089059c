import Foundation
import Testing

@testable import Precloning

/// What `status` says of registries of which several credentials were used.
@Suite struct StatusRegistryTests {
    @Test func aRegistryIsToldOncePerCredentialThatAsksIt() throws {
        let fixture = try RecordFixture()
        try fixture.image("docker.io/a/b:1", state: "retrying", failureClass: "quota", due: 60)
        func saw(_ credential: String, _ remaining: Int, _ at: TimeInterval) throws {
            let now = fixture.now.addingTimeInterval(at)
            try fixture.ledger.sawQuota(
                host: "docker.io",
                credential: credential,
                limit: credential.isEmpty ? 100 : 200,
                remaining: remaining,
                window: .seconds(21_600),
                now: now
            )
        }
        try fixture.ledger.pause(
            host: "docker.io",
            until: fixture.now.addingTimeInterval(30),
            reason: "it asked for less"
        )
        try saw("file old", 200, -90)
        try saw("", 99, -120)
        try saw("file hub", 37, -60)
        let told = try fixture.report().registries
        // What was used up last comes first, with what holds for the host; a credential with all its pulls is not told.
        #expect(told.map(\.credential) == ["file hub", nil])
        #expect(told.map(\.left) == [37, 99])
        #expect(told.map(\.waiting) == [1, 0])
        #expect(told.map { $0.pausedUntil == nil } == [false, true])
    }
}
