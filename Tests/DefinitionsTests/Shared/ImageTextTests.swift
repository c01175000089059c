import Definitions
import Testing

@Suite("ImageText")
struct ImageTextTests {
    @Test(
        "accepts image references",
        arguments: [
            "ubuntu", "ubuntu:22.04", "library/ubuntu", "quay.io/a/b-c_d.e:v1--x_0", "localhost/x",
            "localhost:5000/x:y",
            "registry.example.com:8443/a/b", "a__b/c---d", "123456789012.dkr.ecr.us-east-1.amazonaws.com/p/q:1",
            "x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "q.io/x:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "Host.IO/a",
        ]
    )
    func accepts(_ text: String) {
        #expect(ImageText.isReference(text))
    }

    @Test(
        "refuses placeholders, addresses and sentences",
        arguments: [
            "", "a b", "{{ repo }}/x:1", "x:{{ tag }}", "$(inputs.x)", "https://depot.example.org/x", "oras://a/b",
            "docker://a", "/a", "a/", "a//b", "Upper/case", "a:", "a:b c", "a:.x", "a@sha256:12", "a_-b", "-a", "a-",
            "x:" + String(repeating: "t", count: 129), String(repeating: "a", count: 513), "é/x", "a\nb", "a:b:c/d",
        ]
    )
    func refuses(_ text: String) {
        #expect(!ImageText.isReference(text))
    }
}
