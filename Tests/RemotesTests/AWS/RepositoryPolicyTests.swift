import Foundation
import Names
import Testing

@testable import Remotes

/// What a repository's policy says for HealthOmics, and what we make of it.
@Suite("Repository policies")
struct RepositoryPolicyTests {
    static func statement(_ body: String) -> String { #"{"Version":"2012-10-17","Statement":[{\#(body)}]}"# }
    static let omics = #""Principal":{"Service":"omics.amazonaws.com"}"#
    static let pull = #""Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]"#

    @Test(
        "what a repository's policy says for HealthOmics",
        arguments: [
            (
                RepositoryPolicyTests.statement(
                    "\"Effect\":\"Allow\",\(RepositoryPolicyTests.omics),\(RepositoryPolicyTests.pull)"
                ), true, true
            ),
            (
                RepositoryPolicyTests.statement(
                    "\"Effect\":\"Allow\",\(RepositoryPolicyTests.omics),\"Action\":[\"ecr:Batch*\",\"ECR:getdownload*\"]"
                ), true, true
            ),
            (
                RepositoryPolicyTests.statement(
                    "\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\""
                ),
                true, true
            ),
            (
                RepositoryPolicyTests.statement(
                    "\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":\"ecr:*\""
                ),
                true, true
            ),
            (
                RepositoryPolicyTests.statement(
                    "\"Effect\":\"Allow\",\(RepositoryPolicyTests.omics),\"NotAction\":\"ecr:PutImage\""
                ),
                true, true
            ),
            (
                RepositoryPolicyTests.statement(
                    "\"Effect\":\"Allow\",\(RepositoryPolicyTests.omics),\"Action\":\"ecr:BatchGetImage\""
                ),
                false, true
            ),
            (
                RepositoryPolicyTests.statement(
                    "\"Effect\":\"Deny\",\(RepositoryPolicyTests.omics),\(RepositoryPolicyTests.pull)"
                ), false, false
            ),
            (
                RepositoryPolicyTests.statement(
                    "\"Effect\":\"Allow\",\(RepositoryPolicyTests.omics),\(RepositoryPolicyTests.pull),\"Condition\":{\"StringEquals\":{\"a\":\"b\"}}"
                ),
                false, false
            ),
            (
                RepositoryPolicyTests.statement(
                    "\"Effect\":\"Allow\",\(RepositoryPolicyTests.omics),\(RepositoryPolicyTests.pull),\"Resource\":\"arn:aws:ecr:::x\""
                ), false, false
            ),
            (
                RepositoryPolicyTests.statement(
                    "\"Effect\":\"Allow\",\(RepositoryPolicyTests.omics),\(RepositoryPolicyTests.pull),\"NotResource\":\"arn:aws:ecr:::x\""
                ), false, false
            ),
        ] as [(String, Bool, Bool)]
    )
    func repositoryPolicy(json: String, isAccessible: Bool, canBeGranted: Bool) throws {
        let verdict = try RepositoryPolicy(json: json).healthOmicsVerdict
        #expect(verdict.isAccessible == isAccessible)
        #expect(verdict.canBeGranted == canBeGranted)
        #expect((verdict.reason == nil) == isAccessible)
    }

    @Test("granting adds our statement once and leaves the others as they are")
    func granting() throws {
        let other =
            #"{"Sid":"theirs","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::1:root"},"Action":"ecr:PutImage"}"#
        let policy = try RepositoryPolicy(json: #"{"Version":"2008-10-17","Statement":\#(other)}"#)
        let granted = policy.grantingHealthOmics().grantingHealthOmics()
        #expect(granted.healthOmicsVerdict.isAccessible)
        #expect(granted.json.components(separatedBy: "PrecloneHealthOmicsAccess").count == 2)
        #expect(granted.json.contains(#""Sid":"theirs""#) && granted.json.contains("2008-10-17"))
    }

    /// An Allow for HealthOmics under a condition, and what it comes to in account 111122223333, eu-west-1.
    @Test(
        "conditions that HealthOmics' requests are sure to meet are met; others are somebody's decision",
        arguments: [
            (#"{"StringEquals":{"aws:SourceAccount":"111122223333"}}"#, true),
            (#"{"StringEquals":{"AWS:SourceAccount":["444455556666","111122223333"]}}"#, true),
            (#"{"StringEqualsIfExists":{"aws:SourceAccount":111122223333}}"#, true),
            (#"{"ArnLike":{"aws:SourceArn":"arn:aws:omics:eu-west-1:111122223333:*"}}"#, true),
            (#"{"StringLike":{"aws:SourceArn":"arn:aws:omics:*:111122223333:*"}}"#, true),
            (
                #"{"StringEquals":{"aws:SourceAccount":"111122223333"},"ArnLike":{"aws:SourceArn":"arn:aws:omics:*:*:*"}}"#,
                true
            ),
            (#"{"Bool":{"aws:SecureTransport":"true"}}"#, true),
            (#"{"StringEquals":{"aws:PrincipalServiceName":"omics.amazonaws.com"}}"#, true),
            (#"{"StringEquals":{"aws:SourceAccount":"444455556666"}}"#, false),
            (#"{"StringNotEquals":{"aws:SourceAccount":"111122223333"}}"#, false),
            (#"{"ArnEquals":{"aws:SourceArn":"arn:aws:omics:eu-west-1:111122223333:workflow/1"}}"#, false),
            (#"{"ArnLike":{"aws:SourceArn":"arn:aws:omics:eu-west-1:111122223333:workflow/*"}}"#, false),
            (#"{"ArnLike":{"aws:SourceArn":"arn:aws:omics:us-east-1:111122223333:*"}}"#, false),
            (#"{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#, false),
            (#"{"StringEquals":{"aws:SourceAccount":"111122223333","aws:PrincipalOrgID":"o-1"}}"#, false),
            (#"{"Null":{"aws:SourceAccount":"true"}}"#, false), (#"{"Null":{"aws:SourceAccount":"false"}}"#, true),
            (#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, false), (#"[]"#, false),
        ]
    )
    func conditions(condition: String, isMet: Bool) throws {
        let policy = try RepositoryPolicy(
            json: Self.statement("\"Effect\":\"Allow\",\(Self.omics),\(Self.pull),\"Condition\":\(condition)")
        )
        let verdict = policy.healthOmicsVerdict(in: Self.here)
        #expect(verdict.isAccessible == isMet, "\(verdict)")
        #expect(verdict.canBeGranted == isMet, "what is limited is not widened")
        #expect(verdict.reason?.contains("under a condition") == true, "and told either way")
        if condition.contains("SourceA") {
            #expect(policy.healthOmicsVerdict.isAccessible == false, "where we are is not known")
        }
    }

    static let here = PolicyCircumstances(account: "111122223333", region: "eu-west-1", partition: .standard)

    @Test(
        "a Deny that HealthOmics' requests never meet is none",
        arguments: [
            (#""Principal":"*","Action":"ecr:*","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#, true),
            (#""Principal":"*","Action":"*","Condition":{"BoolIfExists":{"aws:PrincipalIsAWSService":false}}"#, true),
            (
                #""Principal":{"AWS":"*"},"Action":"ecr:*","Condition":{"StringNotEquals":{"aws:SourceAccount":"111122223333"}}"#,
                true
            ),
            (
                #""Principal":"*","Action":"ecr:*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"},"Bool":{"aws:PrincipalIsAWSService":"false"}}"#,
                true
            ),
            (#""Principal":"*","Action":"ecr:*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}}"#, false),
            (#""Principal":"*","Action":"ecr:Get*""#, false), (#""Principal":"*","NotAction":"ecr:PutImage""#, false),
            (#""Principal":"*","NotAction":["ecr:BatchGet*","ecr:GetD*"]"#, true),
            (#""NotPrincipal":{"AWS":"arn:aws:iam::1:root"},"Action":"ecr:BatchGetImage""#, false),
            (#""NotPrincipal":{"Service":["omics.amazonaws.com"]},"Action":"ecr:BatchGetImage""#, true),
            (#""Principal":{"AWS":"arn:aws:iam::1:role/x"},"Action":"*""#, true),
            (#""Principal":"*","Action":"*","Resource":"arn:aws:ecr:eu-west-1:111122223333:repository/other""#, true),
            (#""Principal":"*","Action":"*","Resource":"arn:aws:ecr:eu-west-1:111122223333:repository/org/*""#, false),
        ]
    )
    func denials(body: String, isAccessible: Bool) throws {
        let allow = #"{"Effect":"Allow","Principal":{"Service":["omics.amazonaws.com","x"]},"Action":"ecr:*"}"#
        let policy = try RepositoryPolicy(json: #"{"Statement":[\#(allow),{"Effect":"Deny",\#(body)}]}"#)
        let verdict = policy.healthOmicsVerdict(
            repository: "arn:aws:ecr:eu-west-1:111122223333:repository/org/tool",
            in: Self.here
        )
        #expect(verdict.isAccessible == isAccessible, "\(verdict)")
        #expect(verdict.canBeGranted == isAccessible)
    }

    @Test("a Resource that is the repository is as good as none; another is narrower than needed")
    func resources() throws {
        func isAccessible(_ resource: String) throws -> Bool {
            try RepositoryPolicy(
                json: Self.statement("\"Effect\":\"Allow\",\(Self.omics),\(Self.pull),\"Resource\":\(resource)")
            ).healthOmicsVerdict(repository: "arn:aws:ecr:eu-west-1:1:repository/org/tool").isAccessible
        }
        #expect(try isAccessible(#""arn:aws:ecr:eu-west-1:1:repository/org/tool""#))
        #expect(try isAccessible(#"["arn:aws:ecr:eu-west-1:1:repository/org/*"]"#))
        #expect(try !isAccessible(#""arn:aws:ecr:eu-west-1:1:repository/org/tools""#))
        #expect(try !isAccessible(#"[]"#))
    }

    @Test("all that others wrote stays, value by value")
    func othersStay() throws {
        let text = #"""
            {"Id":"mine","Statement":{"Action":["ecr:PutImage"],"Condition":{"Bool":{"aws:MultiFactorAuthPresent":true},
            "NumericLessThan":{"aws:MultiFactorAuthAge":3600,"x":0.5},"Null":{"y":null}},"Effect":"Allow","NotPrincipal":{"AWS":["a"]},
            "Resource":"*","Sid":"é/\u0041"},"Version":"2008-10-17","future":[{}]}
            """#
        let before = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        let granted = try RepositoryPolicy(json: text).grantingHealthOmics().json
        guard case .object(var members) = try JSONDecoder().decode(JSONValue.self, from: Data(granted.utf8)),
            case .array(let statements)? = members["Statement"], case .object(let original) = before
        else {
            Issue.record("\(granted)")
            return
        }
        #expect(statements.count == 2 && statements.first == original["Statement"])
        members["Statement"] = original["Statement"]
        #expect(members == original)
    }
}
