import Foundation
import Testing

@testable import Model
@testable import Names
@testable import Precloning

@Suite("A lock of images")
struct ImageLockTests {
    private static func digest(_ number: Int) -> Digest { Digest.of("\(number)".utf8) }

    /// A lock of so many images, half of them held as whole indexes, and what is found when nothing drifted.
    private static func fixture(_ count: Int) -> (lock: ImageLock, now: [LockedImageNow]) {
        let found = (0..<count).map { number in
            var now = LockedImageNow(
                image: "quay.io/org/tool\(number):1",
                reference: "quay.io/org/tool\(number):1",
                destination: "123456789012.dkr.ecr.us-east-1.amazonaws.com/quay/org/tool\(number):1"
            )
            now.upstream = digest(number * 3)
            now.upstreamPlatform = digest(number * 3 + 1)
            now.heldPlatform = now.upstreamPlatform
            now.held = number.isMultiple(of: 2) ? now.upstream : now.heldPlatform
            return now
        }
        let lock = ImageLock(
            account: "123456789012",
            region: "us-east-1",
            subject: "workflow 1",
            definition: .init(digest: "abc", engine: "WDL", main: "main.wdl"),
            images: found.compactMap(\.locked)
        )
        return (lock, found)
    }

    @Test("is the same bytes in every order, and is read again as it was")
    func stable() throws {
        let (lock, _) = Self.fixture(9)
        let text = try lock.text
        var shuffled = lock
        shuffled.images.reverse()
        #expect(try shuffled.text == text)
        #expect(try ImageLock(text: Data(text.utf8), path: "lock.json") == lock)
        #expect(text.hasSuffix("}\n"))
    }

    @Test("bad files are refused with what is wrong in them")
    func badFiles() throws {
        let (lock, _) = Self.fixture(2)
        let text = try lock.text
        func message(_ text: String) -> String {
            do {
                _ = try ImageLock(text: Data(text.utf8), path: "lock.json")
                return "read"
            } catch {
                return "\(error)"
            }
        }
        #expect(message("{}").contains("lock.json is no lock file"))
        #expect(message("[1]").contains("lock.json is no lock file"))
        #expect(message(text.replacing("\"schemaVersion\" : 1", with: "\"schemaVersion\" : 2")).contains("version 2"))
        #expect(message(text.replacing("\"account\"", with: "\"accounts\"")).contains("`account` is missing"))
        let digest = try #require(lock.images.first?.ecrDigest.description)
        #expect(message(text.replacing(digest, with: "sha256:12")) != "read")
        let other = Self.digest(999).description
        let wrong = text.replacing("\"ecrDigest\" : \"\(digest)\"", with: "\"ecrDigest\" : \"\(other)\"")
        #expect(message(wrong).contains("neither upstreamDigest nor platformDigest"))
    }

    @Test("what ECR holds is locked, also where the tag has moved on upstream")
    func moved() throws {
        var now = Self.fixture(1).now[0]
        let before = try #require(now.locked)
        #expect(before.upstreamDigest == now.upstream && before.ecrDigest == now.held)
        // Held as a whole index: what it was upstream is what ECR holds.
        now.upstream = Self.digest(500)
        now.upstreamPlatform = Self.digest(501)
        #expect(try #require(now.locked).upstreamDigest == before.ecrDigest)
        #expect(try #require(now.locked).platformDigest == before.platformDigest)
        // Held as the linux/amd64 image alone: nobody knows of which index any more.
        now.held = now.heldPlatform
        #expect(try #require(now.locked).upstreamDigest == nil)
        now.held = nil
        #expect(now.locked == nil)
    }

    @Test("nothing drifted is nothing said; each of a thousand random drifts is found, and no other")
    func drifts() throws {
        let (lock, now) = Self.fixture(20)
        #expect(lock.drifts(definition: lock.definition, images: now).isEmpty)
        #expect(lock.drifts(definition: nil, images: now.reversed()).isEmpty)
        var state: UInt64 = 11
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        var seen: Set<LockDrift.Kind> = []
        for round in 0..<1000 {
            var found = now
            var definition = lock.definition
            let index = random(found.count)
            let image = found[index].image
            let new = Self.digest(10_000 + round)
            let expected: LockDrift.Kind
            switch random(14) {
            case 0: (definition.digest, expected) = ("d\(round)", .definition)
            case 1: (definition.engine, expected) = ("CWL", .engine)
            case 2: (definition.main, expected) = (nil, .main)
            case 3:
                found.remove(at: index)
                expected = .removed
            case 4:
                found.append(
                    LockedImageNow(
                        image: "new\(round):1",
                        reference: "docker.io/library/new\(round):1",
                        destination: ""
                    )
                )
                expected = .added
            case 5: (found[index].reference, expected) = ("quay.io/other/tool:\(round)", .reference)
            case 6: (found[index].destination, expected) = (found[index].destination + "x\(round)", .destination)
            case 7: (found[index].upstream, expected) = (new, .upstreamMoved)
            case 8:
                found[index].upstream = nil
                found[index].upstreamProblem = "quay.io: not there"
                expected = .upstreamGone
            case 9: (found[index].held, expected) = (new, .ecrChanged)
            case 10: (found[index].heldPlatform, expected) = (new, .platformChanged)
            case 11: (found[index].held, expected) = (nil, .ecrGone)
            // What could not be asked is not called gone.
            case 12:
                found[index].upstream = nil
                found[index].isUpstreamUnknown = true
                expected = .upstreamUnknown
            default:
                found[index].held = nil
                found[index].isHeldUnknown = true
                expected = .ecrUnknown
            }
            let drifts = lock.drifts(definition: definition, images: found)
            #expect(drifts.map(\.kind) == [expected], "round \(round)")
            let isOfDefinition = [.definition, .engine, .main].contains(expected)
            #expect(drifts.first?.image == (isOfDefinition ? nil : expected == .added ? "new\(round):1" : image))
            seen.insert(expected)
        }
        #expect(seen.count == 14)
    }
}
