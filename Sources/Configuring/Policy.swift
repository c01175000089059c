package import Model

extension Configuration {
    /// `policy`: which images may be cloned.
    package struct Policy: Sendable, Hashable {
        /// What holds for an image that no rule speaks of.
        package var `default` = Action.allow
        /// In order; the first that applies decides.
        package var rules: [Rule] = []
        /// Which users may speak for which agents; nobody, where it is empty.
        package var agents: [Agent] = []

        /// Agents by the name that they are started with.
        package struct Agent: Sendable, Hashable {
            package var name: Glob
            /// Names of users whose programs may speak for it.
            package var users: [Glob]
            /// The tools that it may call; what it may not, it is told.
            package var tools: [Glob]

            package init(name: Glob, users: [Glob], tools: [Glob]) {
                self.name = name
                self.users = users
                self.tools = tools
            }
        }

        /// Who somebody is: the user, or an agent that the user may speak for.
        package func identity(of user: Caller, agent: String?) -> Caller {
            guard let agent, lets(user.userName, speakFor: agent) else { return user }
            var caller = user
            caller.agent = agent
            return caller
        }

        /// Whether a user's program may say that it speaks for an agent.
        package func lets(_ user: String, speakFor agent: String) -> Bool {
            agents.contains { $0.name.matches(agent) && $0.users.contains { $0.matches(user) } }
        }

        /// Whether a caller may call a tool: an agent those that one of its entries names, a user all.
        package func lets(_ caller: Caller, call tool: String) -> Bool {
            guard let agent = caller.agent else { return true }
            return agents.contains { entry in
                entry.name.matches(agent) && entry.users.contains { $0.matches(caller.userName) }
                    && entry.tools.contains { $0.matches(tool) }
            }
        }

        /// What holds where no rule applies.
        package enum Action: String, Sendable, CaseIterable { case allow, deny }

        /// What a rule does.
        package enum RuleAction: String, Sendable, CaseIterable {
            case allow, deny
            /// Nothing, but that it is kept in the audit what `deny` would have denied.
            case warn
        }

        /// One named rule.
        package struct Rule: Sendable, Hashable {
            package var name: String
            package var action: RuleAction
            package var reason: String?
            package var match = Match()
            package var facts = Facts()
            package var rate: PolicyRate?
            package var budget: PolicyBudget?

            package init(name: String, action: RuleAction) {
                self.name = name
                self.action = action
            }
        }

        /// What an image's canonical reference (`docker.io/library/ubuntu:latest`) must be; every part that is set
        /// must match, within a part any one glob.
        package struct Match: Sendable, Hashable {
            package var reference: [Glob] = []
            package var registry: [Glob] = []
            package var repository: [Glob] = []
            package var tag = Part.any
            package var digest = Part.any
            /// Over `daemon`, `user NAME` or `agent NAME of user USER`.
            package var caller: [Glob] = []
            /// Over the names of tools and verbs; such a rule decides when the daemon is asked, and about nothing else.
            package var tool: [Glob] = []
            /// Over the repository in ECR that it goes to.
            package var destination: [Glob] = []
            /// Of that repository.
            package var account: [Glob] = []
            package var region: [Glob] = []

            package init() {}
        }

        /// A condition on a part of a reference that may be absent.
        package enum Part: Sendable, Hashable {
            /// No condition.
            case any
            case present
            case absent
            /// Present, and one of these covers it.
            case matching([Glob])
        }

        /// Limits known only after manifest and config are read.
        ///
        /// An `allow` rule applies to images that keep all of them; a `deny` rule to images that break at least one.
        package struct Facts: Sendable, Hashable {
            package var maxSize: ByteCount?
            package var maxLayers: Int?
            package var minAgeDays: Int?
            package var platform: String?

            package init() {}

            /// No limit is set: the rule is decided by the reference alone.
            package var isEmpty: Bool { self == Facts() }
        }
    }
}
