import Foundation

extension WorldState {
    /// STS (Query, 2011-06-15).
    mutating func sts(_ action: String, _ form: [String: String], caller: Caller?) throws -> String {
        let result: String
        switch action {
        case "GetCallerIdentity":
            guard let caller else {
                throw AWSFailure("MissingAuthenticationToken", "Request is missing Authentication Token", status: 403)
            }
            result =
                "<Arn>\(XML.escape(caller.principal))</Arn><UserId>\(caller.userID)</UserId><Account>\(accountID)</Account>"
        case "AssumeRole", "AssumeRoleWithWebIdentity":
            guard let role = form["RoleArn"], role.contains(":role/") else {
                throw AWSFailure("ValidationError", "RoleArn is required and must name a role.")
            }
            guard let session = form["RoleSessionName"], session.wholeMatch(of: /[\w+=,.@-]{2,64}/) != nil else {
                throw AWSFailure("ValidationError", "RoleSessionName must be 2 to 64 of [\\w+=,.@-].")
            }
            if action == "AssumeRoleWithWebIdentity", form["WebIdentityToken"]?.isEmpty ?? true {
                throw AWSFailure("InvalidIdentityToken", "The web identity token is missing.")
            }
            let seconds = form["DurationSeconds"].flatMap { Int($0) } ?? 3600
            guard (900...43200).contains(seconds) else {
                throw AWSFailure("ValidationError", "DurationSeconds must be from 900 to 43200.")
            }
            let name = role.split(separator: "/").last.map(String.init) ?? "role"
            let id = "ASIA" + token(16).uppercased()
            let userID = "AROASANDBOX0000000001:\(session)"
            let key = AccessKey(
                secret: token(40),
                principal: "arn:aws:sts::\(accountID):assumed-role/\(name)/\(session)",
                userID: userID,
                sessionToken: token(120),
                expires: now.addingTimeInterval(TimeInterval(seconds))
            )
            keys[id] = key
            result = """
                <Credentials><AccessKeyId>\(id)</AccessKeyId><SecretAccessKey>\(key.secret)</SecretAccessKey>\
                <SessionToken>\(key.sessionToken ?? "")</SessionToken>\
                <Expiration>\((key.expires ?? now).formatted(.iso8601))</Expiration></Credentials>\
                <AssumedRoleUser><Arn>\(XML.escape(key.principal))</Arn>\
                <AssumedRoleId>\(userID)</AssumedRoleId></AssumedRoleUser>
                """
        default:
            throw AWSFailure("InvalidAction", "Could not find operation \(action) for version 2011-06-15")
        }
        return document(action, result, namespace: "https://sts.amazonaws.com/doc/2011-06-15/")
    }

    /// IAM (Query, 2010-05-08): SimulatePrincipalPolicy allows everything but what `deniedActions` names.
    mutating func iam(_ action: String, _ form: [String: String]) throws -> String {
        guard action == "SimulatePrincipalPolicy" else {
            throw AWSFailure("InvalidAction", "Could not find operation \(action) for version 2010-05-08")
        }
        guard form["PolicySourceArn"] != nil else {
            throw AWSFailure("ValidationError", "PolicySourceArn is required.")
        }
        let names = form.filter { $0.key.hasPrefix("ActionNames.member.") }
            .sorted { $0.key.count == $1.key.count ? $0.key < $1.key : $0.key.count < $1.key.count }.map(\.value)
        let members = names.map { name in
            let decision = deniedActions.contains(name) ? "implicitDeny" : "allowed"
            return """
                <member><EvalActionName>\(XML.escape(name))</EvalActionName><EvalResourceName>*</EvalResourceName>\
                <EvalDecision>\(decision)</EvalDecision><MatchedStatements/><MissingContextValues/></member>
                """
        }
        let result = "<EvaluationResults>\(members.joined())</EvaluationResults><IsTruncated>false</IsTruncated>"
        return document(action, result, namespace: "https://iam.amazonaws.com/doc/2010-05-08/")
    }

    private mutating func document(_ action: String, _ result: String, namespace: String) -> String {
        """
        <\(action)Response xmlns="\(namespace)"><\(action)Result>\(result)</\(action)Result>\
        <ResponseMetadata><RequestId>\(uuid())</RequestId></ResponseMetadata></\(action)Response>
        """
    }
}
