import Foundation
package import Remotes

/// Which permissions we have: reading ones found by one call each, the others by IAM's policy simulation where that is
/// permitted.
package struct PermissionCheck: Sendable {
    /// What came out for one action.
    package enum Verdict: Sendable, Hashable {
        case permitted
        case denied
        /// Why it could not be found out.
        case notChecked(String)
    }

    package struct Finding: Sendable, Hashable {
        /// `ecr:PutImage`.
        package var action: String
        package var verdict: Verdict
        /// Without it nothing can be done at all.
        package var isNeeded: Bool
        /// What does not work without it.
        package var without: String
    }

    private struct Probe: Sendable {
        var service: Service
        var action: String
        var path = "/"
        var query: [(name: String, value: String)] = []
        var body = "{}"
        var isNeeded = false
        var without: String

        enum Service: String, Sendable { case omics, ecr }
    }

    private let omics: AWSClient
    private let ecr: AWSClient
    private let iam: IAMClient

    package init(omics: AWSClient, ecr: AWSClient, iam: IAMClient) {
        self.omics = omics
        self.ecr = ecr
        self.iam = iam
    }

    /// Looks at everything; never throws but for cancellation.
    ///
    /// - Parameters:
    ///   - arn: who we are, from GetCallerIdentity.
    ///   - queueArn: of the events' queue, where one is configured.
    package func findings(arn: String, repositories: String, queueArn: String?) async throws -> [Finding] {
        var findings: [Finding] = []
        async let ofOmics = ask(Self.probes.filter { $0.service == .omics })
        async let ofECR = ask(Self.probes.filter { $0.service == .ecr })
        findings += try await ofOmics + ofECR
        findings += try await simulated(arn: arn, actions: Self.writes, resource: repositories)
        if let queueArn {
            findings += try await simulated(arn: arn, actions: Self.events, resource: queueArn)
        }
        return findings
    }

    /// No run, workflow or repository has this name: the answer is "not found" where the call is permitted.
    private static let noID = "999999999999999999"
    private static let noRepository = "preclone-check/does-not-exist"

    private static let probes: [Probe] = {
        let one = [(name: "maxResults", value: "1")]
        let known = "definitions and registry maps are not read; only what tasks showed is known"
        let learning = "no comparison with what tasks really used"
        let repository = #"{"repositoryName":"\#(noRepository)"}"#
        let image = #"{"repositoryName":"\#(noRepository)","imageIds":[{"imageTag":"none"}]}"#
        let layer =
            #"{"repositoryName":"\#(noRepository)","layerDigests":["sha256:\#(String(repeating: "0", count: 64))"]}"#
        let unseen = "what is in ECR cannot be seen: nothing is ever ready"
        return [
            Probe(
                service: .omics,
                action: "ListRuns",
                path: "/run",
                query: one,
                isNeeded: true,
                without: "no run is noticed"
            ),
            Probe(
                service: .omics,
                action: "GetRun",
                path: "/run/\(noID)",
                isNeeded: true,
                without: "no run is noticed"
            ),
            Probe(service: .omics, action: "ListWorkflows", path: "/workflow", query: one, without: known),
            Probe(service: .omics, action: "GetWorkflow", path: "/workflow/\(noID)", without: known),
            Probe(
                service: .omics,
                action: "ListWorkflowVersions",
                path: "/workflow/\(noID)/version",
                query: one,
                without: known
            ),
            Probe(
                service: .omics,
                action: "GetWorkflowVersion",
                path: "/workflow/\(noID)/version/none",
                without: known
            ),
            Probe(
                service: .omics,
                action: "GetBatch",
                path: "/runBatch/\(noID)",
                without: "each run of a batch is read"
            ),
            Probe(service: .omics, action: "ListRunTasks", path: "/run/\(noID)/task", query: one, without: learning),
            Probe(service: .omics, action: "GetRunTask", path: "/run/\(noID)/task/\(noID)", without: learning),
            Probe(service: .ecr, action: "GetAuthorizationToken", isNeeded: true, without: unseen),
            Probe(
                service: .ecr,
                action: "DescribeRepositories",
                body: #"{"maxResults":1}"#,
                isNeeded: true,
                without: unseen
            ),
            Probe(service: .ecr, action: "DescribeImages", body: repository, isNeeded: true, without: unseen),
            Probe(service: .ecr, action: "BatchGetImage", body: image, isNeeded: true, without: unseen),
            Probe(service: .ecr, action: "BatchCheckLayerAvailability", body: layer, isNeeded: true, without: unseen),
            Probe(
                service: .ecr,
                action: "DescribePullThroughCacheRules",
                body: #"{"maxResults":1}"#,
                without: "the pull-through route: images are copied"
            ),
            Probe(
                service: .ecr,
                action: "GetRepositoryPolicy",
                body: repository,
                without: "whether HealthOmics may read is unknown"
            ),
            Probe(
                service: .ecr,
                action: "ValidatePullThroughCacheRule",
                body: #"{"ecrRepositoryPrefix":"preclone-check"}"#,
                without: "no advice on a rule's credential"
            ),
            Probe(service: .ecr, action: "GetRegistryPolicy", without: "no advice on pull-through"),
            Probe(service: .ecr, action: "DescribeRepositoryCreationTemplates", without: "no advice on pull-through"),
        ]
    }()

    private static let writes: [(action: String, without: String)] = [
        ("ecr:BatchImportUpstreamImage", "the pull-through route: images are copied"),
        ("ecr:CreateRepository", "you make the repositories"),
        ("ecr:TagResource", "repositories are made without tags"),
        ("ecr:InitiateLayerUpload", "the copy route"),
        ("ecr:UploadLayerPart", "the copy route"),
        ("ecr:CompleteLayerUpload", "the copy route"),
        ("ecr:PutImage", "the copy route"),
        ("ecr:GetDownloadUrlForLayer", "verifying layers, mounting"),
        ("ecr:SetRepositoryPolicy", "you let HealthOmics read the repositories"),
        ("ecr:DeleteRepository", "an empty repository stays after a failure"),
    ]

    private static let events: [(action: String, without: String)] = [
        ("sqs:ReceiveMessage", "events"), ("sqs:DeleteMessage", "events"), ("sqs:ChangeMessageVisibility", "events"),
    ]

    /// Whether an action changes something, and so can only be found out by simulation.
    package static func changes(_ action: String) -> Bool { writes.contains { $0.action == action } }

    /// Every action that is looked at.
    package static var actions: [String] {
        probes.map { "\($0.service.rawValue):\($0.action)" } + (writes + events).map(\.action)
    }

    /// One after the other; where the service does not answer at all, the rest is not asked.
    private func ask(_ probes: [Probe]) async throws -> [Finding] {
        var findings: [Finding] = []
        var silence: String?
        for probe in probes {
            if let silence {
                findings.append(finding(probe, .notChecked(silence)))
                continue
            }
            let (found, answers) = try await ask(probe)
            if !answers, case .notChecked(let reason) = found.verdict { silence = reason }
            findings.append(found)
        }
        return findings
    }

    private func finding(_ probe: Probe, _ verdict: Verdict) -> Finding {
        Finding(
            action: "\(probe.service.rawValue):\(probe.action)",
            verdict: verdict,
            isNeeded: probe.isNeeded,
            without: probe.without
        )
    }

    /// - Returns: `answers` is false where there was no answer of the service.
    private func ask(_ probe: Probe) async throws -> (Finding, answers: Bool) {
        var finding = finding(probe, .permitted)
        var answers = true
        do {
            switch probe.service {
            case .omics:
                _ = try await omics.call(probe.action, method: "GET", path: probe.path, query: probe.query)
            case .ecr:
                _ = try await ecr.call(
                    probe.action,
                    method: "POST",
                    path: "/",
                    headers: [
                        (name: "Content-Type", value: "application/x-amz-json-1.1"),
                        (name: "X-Amz-Target", value: "AmazonEC2ContainerRegistry_V20150921.\(probe.action)"),
                    ],
                    body: CallBody(Data(probe.body.utf8))
                )
            }
        } catch let error as CancellationError {
            throw error
        } catch let error as AWSError {
            if error.isAccessDenied {
                finding.verdict = .denied
            } else if ![.notFound, .permanent].contains(error.kind) || error.status == nil {
                // Throttled, broken, or refused before anybody looked at permissions.
                finding.verdict = .notChecked(error.description)
                answers = error.status != nil
            }
            // Every other answer (nothing of that name, no policy set) is one that only a permitted caller gets.
        } catch {
            finding.verdict = .notChecked("\(error)")
            answers = false
        }
        return (finding, answers)
    }

    private func simulated(
        arn: String,
        actions: [(action: String, without: String)],
        resource: String
    ) async throws -> [Finding] {
        let verdicts: [String: Bool]
        var reason = "the simulation did not say"
        do {
            verdicts = try await iam.simulatePrincipalPolicy(
                principal: IAMClient.principal(ofSession: arn),
                actions: actions.map(\.action),
                resources: [resource]
            )
        } catch let error as CancellationError {
            throw error
        } catch {
            verdicts = [:]
            let isDenied = (error as? AWSError)?.isAccessDenied ?? false
            reason = isDenied ? "iam:SimulatePrincipalPolicy is not permitted" : "\(error)"
        }
        return actions.map { action, without in
            Finding(
                action: action,
                verdict: verdicts[action].map { $0 ? .permitted : .denied } ?? .notChecked(reason),
                isNeeded: false,
                without: without
            )
        }
    }
}
