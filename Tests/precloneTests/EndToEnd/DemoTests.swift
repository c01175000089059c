import Foundation
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `preclone demo` and `preclone-sandbox`, as a newcomer runs them.
@Suite("The demo and the sandbox, as processes")
struct DemoTests {
    @Test("the demo reaches the expected end, and nothing of the user's settings leads it away from loopback")
    func demo() async throws {
        let trap = try Trap()
        let answer = try await RunningProgram(
            ["demo"],
            environment: [
                "AWS_PROFILE": "production", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS_REGION": "eu-west-1",
                "AWS_ENDPOINT_URL": trap.address, "AWS_ENDPOINT_URL_ECR": trap.address, "HTTP_PROXY": trap.address,
                "HTTPS_PROXY": trap.address, "https_proxy": trap.address, "ALL_PROXY": trap.address,
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": trap.address,
            ]
        ).end()
        #expect(answer.code == 0, "\(answer.standardError)")
        #expect(answer.standardOutput.contains("The end is the expected one"))
        for word in ["ready", "pullThrough", "blocked", "quay.io/biocontainers/nosuchtool:1.0"] {
            #expect(answer.standardOutput.contains(word), "\(word)")
        }
        #expect(!answer.standardOutput.contains("wJalrXUtnFEMI"))
        #expect(!trap.wasTouched)
    }

    @Test("the sandbox says where it listens, answers there, and ends when it is told to")
    func sandbox() async throws {
        let program = BuiltProgram.built("preclone-sandbox")
        let sandbox = try RunningProgram(["--demo"], program: program)
        let clock = ContinuousClock()
        let end = clock.now + .seconds(60)
        while !sandbox.standardOutput.contains("\n"), sandbox.isRunning, clock.now < end {
            try await clock.sleep(for: .milliseconds(20))
        }
        struct Line: Decodable {
            struct Addresses: Decodable { var aws: String }
            var addresses: Addresses
            var runs: [String]
        }
        let line = try JSONDecoder().decode(Line.self, from: Data(sandbox.standardOutput.utf8))
        #expect(line.runs.count == 3)
        #expect(line.addresses.aws.hasPrefix("http://127.0.0.1:"))
        sandbox.signal(SIGTERM)
        #expect(await sandbox.end().code == -SIGTERM)
        let bad = try await RunningProgram(["--port", "70000"], program: program).end()
        #expect(bad.code != 0)
        #expect(bad.standardError.contains("--port 70000"))
    }
}

/// A port of loopback that only somebody who was led astray connects to.
private final class Trap {
    private let descriptor: Int32
    let address: String

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && listen(descriptor, 8) == 0
                    && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard isListening else { throw NeverCame("a port for the trap") }
        address = "http://127.0.0.1:\(UInt16(bigEndian: name.sin_port))"
    }

    deinit { close(descriptor) }

    /// Whether anybody connected.
    var wasTouched: Bool {
        var asked = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&asked, 1, 0) != 0
    }
}
