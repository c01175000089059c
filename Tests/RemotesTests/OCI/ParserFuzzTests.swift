import Foundation
import Names
import Testing

@testable import Remotes

private let hex = String(repeating: "0123456789abcdef", count: 4)

/// Parsers of what comes from outside, fed with nonsense that is nearly right: they answer or refuse, and never trap.
@Suite struct ParserFuzzTests {
    private static var rounds: Int {
        ProcessInfo.processInfo.environment["PRECLONE_FUZZ_ROUNDS"].flatMap(Int.init) ?? 20_000
    }

    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }

    private static func mutate(_ seeds: [String], _ generator: inout Generator) -> [UInt8] {
        var bytes = Array((seeds.randomElement(using: &generator) ?? "").utf8)
        for _ in 0..<Int.random(in: 0...6, using: &generator) {
            let index = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
            case 1 where !bytes.isEmpty: bytes.remove(at: index)
            case 2 where !bytes.isEmpty:
                bytes[index] = Array("{}[]\",:/@\\-0e.%$ ".utf8).randomElement(using: &generator) ?? 0
            case 3 where !bytes.isEmpty: bytes.insert(contentsOf: bytes.prefix(index), at: index)
            case 4: bytes += Array((seeds.randomElement(using: &generator) ?? "").utf8)
            default: bytes = Array(bytes.prefix(index))
            }
        }
        return Array(bytes.prefix(4_096))
    }

    @Test func references() {
        var generator = Generator(state: 1)
        let seeds = [
            "quay.io/a/b:1@sha256:\(hex)", "docker://[::1]:5000/a", "ubuntu", "a__b/c--d:x.y", "Quay.io:443/x",
        ]
        for _ in 0..<Self.rounds {
            let text = String(decoding: Self.mutate(seeds, &generator), as: UTF8.self)
            if let platform = Platform(text) { #expect(Platform(platform.description) == platform) }
            if let digest = try? Digest(text) { #expect(digest.description == text) }
            guard let reference = try? ImageReference(text) else { continue }
            #expect((try? ImageReference(reference.description)) == reference)
        }
    }

    @Test func manifests() {
        var generator = Generator(state: 2)
        let blob =
            #"{"mediaType":"a/b","digest":"sha256:\#(hex)","size":12,"platform":{"os":"linux","architecture":"amd64"}}"#
        let seeds = [
            #"{"schemaVersion":2,"config":\#(blob),"layers":[\#(blob),\#(blob)]}"#,
            #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociIndex)","manifests":[\#(blob)],"annotations":{"a":"b"}}"#,
            #"{"schemaVersion":1,"x":[[[[[[[[["#,
            #"{"os":"linux","architecture":"arm64","variant":"v8","created":"2024-05-06T07:08:09.123456789Z"}"#,
        ]
        for _ in 0..<Self.rounds {
            let bytes = Self.mutate(seeds, &generator)
            _ = ImageConfiguration(bytes: bytes)
            guard let document = try? ManifestDocument(bytes: bytes, contentType: nil) else { continue }
            #expect(document.digest == Digest.of(bytes))
        }
    }

    @Test func challengesAndAddresses() {
        var generator = Generator(state: 3)
        let seeds = [
            #"Bearer realm="https://a/t",service="s",scope="x:y:pull""#, "Basic realm=x, Digest a=b", "/a/b?c=d",
        ]
        let base = WebAddress(origin: .init(scheme: .https, host: "h", port: 443), target: "/v2/")
        for _ in 0..<Self.rounds {
            let text = String(decoding: Self.mutate(seeds + ["https://[fd00::1]:5/x"], &generator), as: UTF8.self)
            #expect(AuthenticationChallenge.parse(text).count <= 16)
            if let address = base.resolving(text) { #expect(WebAddress(address.description) == address) }
            _ = RetryAfter.parse(text, now: Date(timeIntervalSince1970: 0))
        }
    }

    @Test func answersOfAWSAndLists() {
        var generator = Generator(state: 4)
        let seeds = [
            #"{"__type":"com.amazonaws#ThrottlingException:http://x","message":"m","Error":{"Code":"c"}}"#,
            "<ErrorResponse><Error><Code>Expired</Code><Message>&lt;no&#x41;</Message></Error><RequestId>1</RequestId>",
            "<!doctype html><html><title>Gateway\n</title>", #"{"errors":[{"code":"A","message":"b"}],"details":"c"}"#,
            #"</v2/a/b?n=1>; rel="next", <https://h/c>; rel=prev"#,
        ]
        let page = WebAddress(origin: .init(scheme: .https, host: "h", port: 443), target: "/v2/")
        for _ in 0..<Self.rounds {
            let bytes = Self.mutate(seeds, &generator)
            let body = ErrorBody(bytes: bytes, contentType: nil)
            #expect(body.codes.count <= 4 && body.message.count <= 400)
            let answer = AWSClient.Answer(status: 400, headers: [], body: Data(bytes), requestID: nil)
            #expect(!AWSClient.error("ecr:X", service: "ecr", answer).code.isEmpty)
            if let next = RegistryClient.next(String(decoding: bytes, as: UTF8.self), from: page) {
                #expect(next.origin == page.origin)
            }
            _ = Inflation.inflated(bytes, atMost: 65_536)
        }
    }
}
