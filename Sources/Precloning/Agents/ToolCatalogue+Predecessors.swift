extension ToolCatalogue {
    /// The eight container tools of `awslabs.aws-healthomics-mcp-server`, with its arguments and the fields of its answers.
    static let predecessors: [AgentTool] = [
        AgentTool(
            "CloneContainerToECR",
            title: "Clone a container image into ECR",
            """
            Brings a container image into private ECR where HealthOmics can pull it: through a pull-through cache rule, or \
            by copying it. success is true only once every layer is there and HealthOmics may read it. If it takes longer \
            than wait_seconds, state is "cloning" or "retrying" and the work goes on; call again with the same arguments.
            """,
            place: .requesting,
            readOnly: false,
            openWorld: true,
            predecessor: true,
            parameters: [
                .init(
                    "source_image",
                    .text("Image as the workflow names it: quay.io/org/tool:1.0, ubuntu:22.04, name@sha256:..."),
                    isRequired: true
                ),
                .init(
                    "target_repository_name",
                    ToolSchema.text().orNull("Another ECR repository than the one that mappings give.")
                ),
                .init("target_image_tag", ToolSchema.text().orNull("Another tag than the image's own.")),
            ] + place + [wait],
            output: cloneResult
        ),
        AgentTool(
            "CheckContainerAvailability",
            title: "Check an image in ECR",
            """
            Tells whether an image in the account's private ECR is whole, runs on linux/amd64, and may be pulled by \
            HealthOmics. Pulls nothing, unless initiate_pull_through asks for an image below a pull-through cache rule.
            """,
            place: .requesting,
            readOnly: false,
            openWorld: true,
            predecessor: true,
            parameters: [
                .init(
                    "repository_name",
                    .text("ECR repository, such as quay/biocontainers/samtools."),
                    isRequired: true
                ),
                .init("image_tag", .text("Tag; image_digest goes before it.", default: "latest")),
                .init("image_digest", ToolSchema.text().orNull("Digest: sha256:...")),
                .init(
                    "initiate_pull_through",
                    .flag("Have it cloned where it is not there and a rule covers the repository.", default: false)
                ),
            ] + place + [wait],
            output: .record([
                ("available", .flag("It is whole in ECR.")),
                (
                    "image",
                    nullable(
                        .record([
                            ("repository_name", .text()), ("image_tag", nullable(.text())), ("image_digest", .text()),
                            ("image_size_bytes", nullable(.count())), ("pushed_at", nullable(.text())),
                            ("exists", .flag()),
                        ])
                    )
                ),
                ("repository_exists", .flag()), ("is_pull_through_cache", .flag()),
                ("healthomics_accessible", access), ("missing_permissions", missing), ("message", .text()),
                ("ecr_uri", .text()),
                ("pull_through_initiated", .flag()), ("pull_through_initiation_message", nullable(.text())),
            ])
        ),
        AgentTool(
            "ListECRRepositories",
            title: "List ECR repositories",
            "Lists the account's private ECR repositories, each with whether HealthOmics may pull from it.",
            place: .reading,
            predecessor: true,
            parameters: paging + [
                .init(
                    "filter_healthomics_accessible",
                    .flag("Only those that HealthOmics may pull from.", default: false)
                )
            ] + place,
            output: .record([
                (
                    "repositories",
                    .list(
                        .record([
                            ("repository_name", .text()), ("repository_arn", .text()), ("repository_uri", .text()),
                            ("created_at", nullable(.text())), ("healthomics_accessible", access),
                            ("missing_permissions", missing),
                        ])
                    )
                ),
                ("next_token", nullable(.text())), ("total_count", .count("Repositories in this answer.")),
                ("pagination", pagination),
            ])
        ),
        AgentTool(
            "ListPullThroughCacheRules",
            title: "List pull-through cache rules",
            """
            Lists ECR's pull-through cache rules, each with whether HealthOmics can use it by itself: what the registry's \
            policy and the repository creation templates allow, and what is missing.
            """,
            place: .reading,
            predecessor: true,
            parameters: paging + place,
            output: .record([
                ("rules", .list(rule)), ("next_token", nullable(.text())), ("pagination", pagination),
            ])
        ),
        AgentTool(
            "CreatePullThroughCacheForHealthOmics",
            title: "Make a pull-through cache rule",
            """
            Makes an ECR pull-through cache rule that HealthOmics can use: the rule, the narrowest statement in the \
            registry's policy, and a repository creation template. What is there already is kept and added to.
            """,
            place: .changing,
            readOnly: false,
            predecessor: true,
            parameters: [
                .init("upstream_registry", .text("docker-hub, quay or ecr-public."), isRequired: true),
                .init("ecr_repository_prefix", ToolSchema.text().orNull("Prefix in ECR; null: the upstream's word.")),
                .init(
                    "credential_arn",
                    ToolSchema.text().orNull("Secrets Manager ARN of the upstream's login; docker-hub needs one.")
                ),
            ] + place,
            output: .record([
                ("success", .flag()), ("rule", nullable(rule)), ("registry_policy_updated", .flag()),
                ("repository_template_created", .flag()), ("message", .text()),
            ])
        ),
        AgentTool(
            "ValidateHealthOmicsECRConfig",
            title: "Validate ECR for HealthOmics",
            """
            Looks at every pull-through cache rule and every repository, and lists what keeps HealthOmics from pulling, \
            each with the remediation. Changes nothing.
            """,
            place: .reading,
            predecessor: true,
            parameters: place,
            output: .record([
                ("valid", .flag("There is no issue of severity error.")),
                (
                    "issues",
                    .list(
                        .record([
                            ("severity", .word(["error", "warning", "info"])), ("component", .text()),
                            ("message", .text()), ("remediation", .text()),
                        ])
                    )
                ),
                ("pull_through_caches_checked", .count()), ("repositories_checked", .count()),
            ])
        ),
        AgentTool(
            "GrantHealthOmicsRepositoryAccess",
            title: "Let HealthOmics read a repository",
            """
            Adds the statement to an ECR repository's policy that lets HealthOmics pull from it. Statements of others stay \
            as they are; what one of them denies is reported and not overruled.
            """,
            place: .changing,
            readOnly: false,
            predecessor: true,
            parameters: [.init("repository_name", .text("ECR repository of this account."), isRequired: true)] + place,
            output: .record([
                ("success", .flag()), ("repository_name", .text()), ("policy_updated", .flag()),
                ("policy_created", .flag()), ("previous_healthomics_accessible", access),
                ("current_healthomics_accessible", access), ("message", .text()),
            ])
        ),
        AgentTool(
            "CreateContainerRegistryMap",
            title: "Write a container registry map",
            """
            Writes the containerRegistryMap of a HealthOmics workflow: which upstream registries and images are found where \
            in ECR. Creates nothing in AWS.
            """,
            place: .reading,
            predecessor: true,
            parameters: [
                .init("ecr_account_id", ToolSchema.text().orNull("Account of the ECR registry; null: this one.")),
                .init("ecr_region", ToolSchema.text().orNull("Region of the ECR registry; null: this one.")),
                .init(
                    "include_pull_through_caches",
                    .flag("Map every pull-through cache rule that HealthOmics can use.", default: true)
                ),
                .init(
                    "additional_registry_mappings",
                    ToolSchema.list(.texts).orNull(
                        "Mappings with upstreamRegistryUrl and ecrRepositoryPrefix; one replaces that of the same upstream."
                    )
                ),
                .init(
                    "image_mappings",
                    ToolSchema.list(.texts).orNull("Single images, with sourceImage and destinationImage.")
                ),
                .init("output_format", .text("json", default: "json")),
            ] + place,
            output: .record([
                ("success", .flag()), ("account_id", .text()), ("region", .text()),
                ("discovered_healthomics_usable_caches", .count()), ("container_registry_map", .any()),
                ("json_output", .text()), ("usage_hint", .text()),
            ])
        ),
    ]

    static let rule = ToolSchema.record([
        ("ecr_repository_prefix", .text()), ("upstream_registry_url", .text()), ("credential_arn", nullable(.text())),
        ("created_at", nullable(.text())), ("updated_at", nullable(.text())),
        ("healthomics_usable", .flag("HealthOmics can pull through it by itself.")),
        ("registry_permission_granted", .flag()), ("repository_template_exists", .flag()),
        ("repository_template_permission_granted", .flag()),
        ("problems", .list(.text(), "What is missing, each with its mend.")),
    ])

    static let cloneResult = ToolSchema.record(
        [
            ("success", .flag("It is whole in ECR, and HealthOmics may pull it.")), ("source_image", .text()),
            ("source_registry", .text()), ("source_digest", nullable(.text())), ("ecr_uri", nullable(.text())),
            ("ecr_digest", nullable(.text())), ("repository_created", .flag()), ("used_pull_through_cache", .flag()),
            ("used_codebuild", .flag()), ("pull_through_cache_prefix", nullable(.text())),
            ("healthomics_accessible", access), ("message", .text()),
            ("state", .word(["pending", "cloning", "ready", "retrying", "blocked"])),
            ("route", nullable(.text())), ("bytes", nullable(.count())), ("attempts", .count()),
            ("elapsed_ms", .count()), ("due", nullable(.text("When it is tried again."))),
            ("retry_after_seconds", .count("When to ask again, where it goes on.")),
            ("request_id", .text("The request in preclone's record.")),
        ],
        required: [
            "success", "source_image", "source_registry", "source_digest", "ecr_uri", "ecr_digest",
            "repository_created",
            "used_pull_through_cache", "used_codebuild", "pull_through_cache_prefix", "healthomics_accessible",
            "message",
            "state",
        ]
    )
}
