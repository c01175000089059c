import Foundation
import NIOHTTP1
import Names
import Remotes
import Testing

@Suite struct RetryAfterTests {
    private static let now = Date(timeIntervalSince1970: 784_111_777 - 60)

    @Test(arguments: [
        ("120", Duration.seconds(120)), (" 5 ", .seconds(5)), ("0", .zero),
        ("Sun, 06 Nov 1994 08:49:37 GMT", .seconds(60)), ("Sunday, 06-Nov-94 08:49:37 GMT", .seconds(60)),
        ("Sun Nov  6 08:49:37 1994", .seconds(60)), ("Sat, 05 Nov 1994 08:49:37 GMT", .zero),
        ("99999999999999999999", .seconds(366 * 86_400)),
    ])
    func reads(_ text: String, _ expected: Duration) { #expect(RetryAfter.parse(text, now: Self.now) == expected) }

    @Test(arguments: ["", "-5", "1.5", "soon", "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT"])
    func refuses(_ text: String) { #expect(RetryAfter.parse(text, now: Self.now) == nil) }
}

@Suite struct WebAddressTests {
    @Test(arguments: [
        ("https://Quay.io/v2/?a=b", "https://quay.io/v2/?a=b"), ("http://h:80", "http://h/"),
        ("https://h:443/x#frag", "https://h/x"), ("https://[fd00::1]:8443/", "https://[fd00::1]:8443/"),
        ("HTTPS://h./p", "https://h/p"), ("https://h?x=%2F", "https://h/?x=%2F"),
    ])
    func takesApart(_ text: String, _ expected: String) { #expect(WebAddress(text)?.description == expected) }

    @Test(arguments: [
        "ftp://h/", "https://", "https://u:p@h/", "https://h:0/", "https://h:99999/", "https://h /", "//h/", "h/p",
        "https://h\\@evil/", "https://h\n/", "https://[::1/", "https://[x]/", "https://h:8a/",
    ])
    func refuses(_ text: String) { #expect(WebAddress(text) == nil) }

    @Test(arguments: [
        ("/x/y", "https://h/x/y"), ("z?q", "https://h/a/b/z?q"), ("?q=1", "https://h/a/b/c?q=1"),
        ("//other/p", "https://other/p"), ("http://other:1/p", "http://other:1/p"),
    ])
    func resolves(_ location: String, _ expected: String) throws {
        #expect(try #require(WebAddress("https://h/a/b/c?d")).resolving(location)?.description == expected)
    }

    @Test(arguments: ["", "javascript:x", "ftp://h/x", "a b"])
    func resolvesNothingElse(_ location: String) throws {
        #expect(try #require(WebAddress("https://h/a")).resolving(location) == nil)
    }
}

@Suite struct ProxySettingsTests {
    private static let environment = [
        "HTTPS_PROXY": "http://user:p%40ss@proxy.example:3128/", "http_proxy": "plain.example:8080",
        "NO_PROXY": "localhost, .internal.example,exact.example,10.0.0.0/8,quay.io:444",
    ]

    @Test(
        arguments: [
            ("https://quay.io/", "proxy.example:3128"), ("http://quay.io/", "plain.example:8080"),
            ("https://a.internal.example/", nil), ("https://internal.example/", "proxy.example:3128"),
            ("https://exact.example/", nil), ("https://sub.exact.example/", nil),
            ("https://inexact.example/", "proxy.example:3128"),
            ("https://10.2.3.4/", nil), ("https://11.2.3.4/", "proxy.example:3128"), ("https://quay.io:444/", nil),
            ("http://127.0.0.1:5000/", nil),
        ] as [(String, String?)]
    )
    func chooses(_ url: String, _ expected: String?) throws {
        let settings = try ProxySettings(configured: nil, environment: Self.environment)
        #expect(settings.proxy(for: try #require(WebAddress(url)).origin)?.description == expected)
    }

    @Test func theConfiguredOneComesFirstAndHidesItsPassword() throws {
        let settings = try ProxySettings(configured: "http://u:geheim@own:1", environment: Self.environment)
        let proxy = try #require(settings.proxy(for: .init(scheme: .https, host: "quay.io", port: 443)))
        #expect("\(proxy)" == "own:1")
        #expect(proxy.authorization == "Basic " + Data("u:geheim".utf8).base64EncodedString())
        #expect(ProxySettings.Proxy("socks5://x") == nil)
    }

    @Test(
        arguments: [
            "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "network.proxy",
        ],
        ["socks5://127.0.0.1:1080", "https://proxy.example:443", "rub bish", "http://", "ftp://x", "http://x:99999/"]
    )
    func noOtherKindOfProxyIsTakenForNone(_ place: String, _ text: String) {
        #expect {
            try ProxySettings(
                configured: place == "network.proxy" ? text : nil,
                environment: [place: text, "REQUEST_METHOD": place == "http_proxy" ? "GET" : nil].compactMapValues {
                    $0
                }
            )
        } throws: { error in
            (error as? TransportError)?.host == place && "\(error)".contains("http://HOST:PORT")
        }
    }

    @Test func anEmptyVariableIsNoProxy() throws {
        let settings = try ProxySettings(configured: nil, environment: ["HTTPS_PROXY": " ", "ALL_PROXY": ""])
        #expect(settings.proxy(for: .init(scheme: .https, host: "quay.io", port: 443)) == nil)
    }
}

@Suite struct RequestRetryTests {
    @Test func doublesUpToTheCeiling() {
        let retry = RequestRetry()
        #expect(retry.delay(after: 1, random: 1) == .milliseconds(500))
        #expect(retry.delay(after: 3, random: 1) == .seconds(2))
        #expect(retry.delay(after: 3, random: 0) == .seconds(1))
        #expect(retry.delay(after: 60, random: 1) == .seconds(20))
    }
}
