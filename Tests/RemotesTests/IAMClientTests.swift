import Remotes
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
}
