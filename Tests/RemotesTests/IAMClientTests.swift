import Remotes
import TestSupport
import Testing

@Suite("IAMClient")
struct IAMClientTests {
    @Test(
        "a session's ARN names its role",
        arguments: [
            ("arn:aws:sts::111122223333:assumed-role/preclone/i-0abc", "arn:aws:iam::111122223333:role/preclone"),
            ("arn:aws-cn:sts::111122223333:assumed-role/a/b", "arn:aws-cn:iam::111122223333:role/a"),
            ("arn:aws:iam::111122223333:user/anna", "arn:aws:iam::111122223333:user/anna"),
            ("nonsense", "nonsense"),
        ]
    )
    func principal(session: String, principal: String) {
        #expect(IAMClient.principal(ofSession: session) == principal)
    }

    @Test("a verdict in several pages is read to its end, and an action denied on one resource is denied")
    func pages() async throws {
        func page(_ verdicts: [(String, String)], marker: String?) -> ScriptedTransport.Step {
            let members = verdicts.map {
                "<member><EvalActionName>\($0)</EvalActionName><EvalDecision>\($1)</EvalDecision></member>"
            }
            let more = marker.map { "<IsTruncated>true</IsTruncated><Marker>\($0)</Marker>" }
            return .answer(
                200,
                [("Content-Type", "text/xml")],
                "<R>\(members.joined())\(more ?? "<IsTruncated>false</IsTruncated>")</R>"
            )
        }
        let transport = ScriptedTransport([
            page([("ecr:PutImage", "allowed"), ("ecr:TagResource", "allowed")], marker: "more"),
            page([("ecr:TagResource", "explicitDeny"), ("ecr:CreateRepository", "implicitDeny")], marker: nil),
        ])
        let iam = IAMClient(
            client: AWSClient(
                endpoint: AWSClient.Endpoint(service: "iam", signingName: "iam", url: "http://127.0.0.1:1"),
                region: "us-east-1",
                transport: transport,
                credentials: { _ in AWSClientTests.keys },
                timeline: AWSClientTests.timeline(ManualClock())
            )
        )
        let verdicts = try await iam.simulatePrincipalPolicy(
            principal: "arn:aws:iam::111122223333:role/preclone",
            actions: ["ecr:PutImage", "ecr:TagResource", "ecr:CreateRepository"],
            resources: ["arn:aws:ecr:us-east-1:111122223333:repository/*"]
        )
        #expect(verdicts == ["ecr:PutImage": true, "ecr:TagResource": false, "ecr:CreateRepository": false])
        #expect(transport.sent.count == 2)
    }
}
