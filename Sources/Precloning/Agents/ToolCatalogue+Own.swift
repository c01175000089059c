extension ToolCatalogue {
    /// Our own tools: the verbs of the command line.
    static let own: [AgentTool] = [
        AgentTool(
            "GetPrecloneStatus",
            title: "Status of preclone",
            """
            What preclone is doing: its health, which runs and workflows wait for which images, what is copied, what is \
            blocked and how to mend it. At most one of run_id, workflow_id and image.
            """,
            place: .record,
            parameters: [
                .init("run_id", ToolSchema.text().orNull("Only the images of a HealthOmics run.")),
                .init("workflow_id", ToolSchema.text().orNull("Only those of a workflow: ID or ID/VERSION.")),
                .init("image", ToolSchema.text().orNull("Only one image, as the workflow names it or as its ECR URI.")),
            ],
            output: .any("As `preclone status --format json`.")
        ),
        AgentTool(
            "InspectWorkflowImages",
            title: "Find the images of a workflow definition",
            """
            Reads a WDL, Nextflow or CWL definition on disk and lists the container images that it needs, how sure each is \
            and where it is named; what cannot be resolved is listed too. Needs no network and no account.
            """,
            place: .here,
            parameters: [
                .init("definition", .text("Path of a zip archive, a folder, or the main file."), isRequired: true),
                .init(
                    "engine",
                    ToolSchema.word(["WDL", "WDL_LENIENT", "NEXTFLOW", "CWL"]).orNull("null: as the definition shows.")
                ),
                .init("main", ToolSchema.text().orNull("Main file, relative to the root.")),
                .init("parameters", ToolSchema.any().orNull("The run's parameters.")),
                .init("profiles", ToolSchema.list(.text()).orNull("Nextflow profiles.")),
            ],
            output: .record(
                [
                    ("images", .list(.any())), ("unresolved", .list(.any())), ("notes", .list(.any())),
                    ("relevantParameters", .list(.text())), ("schemaVersion", .count()),
                ],
                required: ["images", "unresolved", "notes", "schemaVersion"]
            )
        ),
        AgentTool(
            "PlanImageClones",
            title: "Plan clones",
            """
            What preclone would do for the images of a HealthOmics run or workflow, or for all that is wanted now: route, \
            destination, bytes to move, and the rule that decided. Changes nothing. At most one of run_id and workflow_id.
            """,
            place: .reading,
            openWorld: true,
            parameters: [
                .init("run_id", ToolSchema.text().orNull("A HealthOmics run.")),
                .init("workflow_id", ToolSchema.text().orNull("A HealthOmics workflow.")),
            ],
            output: .record([("schemaVersion", .count()), ("images", .list(.any()))])
        ),
        AgentTool(
            "PrepareWorkflowImages",
            title: "Prepare a workflow's images",
            """
            One call for a workflow's images: finds them in its definition, writes the containerRegistryMap, clones every \
            image into ECR, waits, and tells which are ready, which go on, and what no clone can mend. Name the workflow by \
            one argument; call again to see how it goes on.
            """,
            place: .requesting,
            readOnly: false,
            openWorld: true,
            parameters: [
                .init("definition", ToolSchema.text().orNull("Path of a zip archive, a folder, or the main file.")),
                .init(
                    "engine",
                    ToolSchema.word(["WDL", "WDL_LENIENT", "NEXTFLOW", "CWL"]).orNull(
                        "Of definition; null: as it shows."
                    )
                ),
                .init("main", ToolSchema.text().orNull("Main file of definition.")),
                .init("workflow_id", ToolSchema.text().orNull("A HealthOmics workflow: ID or ID/VERSION.")),
                .init("images", ToolSchema.list(.text()).orNull("Images as a definition names them.")),
                .init("parameters", ToolSchema.any().orNull("The run's parameters.")),
                .init("profiles", ToolSchema.list(.text()).orNull("Nextflow profiles.")),
                wait,
            ],
            output: .record(
                [
                    ("schemaVersion", .count()), ("is_ready", .flag("Every image that is known is ready.")),
                    ("ready", .count()), ("wanted", .count()),
                    (
                        "images",
                        .list(
                            .record(
                                [
                                    ("image", .text()), ("state", .text()), ("ecr_uri", nullable(.text())),
                                    ("message", .text()),
                                ]
                            )
                        )
                    ),
                    ("unresolved", .list(.any(), "Mentions whose image cannot be known.")),
                    ("container_registry_map", .any()),
                    (
                        "proposed_rules",
                        .list(.text(), "Upstreams for CreatePullThroughCacheForHealthOmics, if caches are wanted.")
                    ),
                    ("notes", .list(.text())),
                    ("retry_after_seconds", .count("When to call again, where something goes on.")),
                ],
                required: [
                    "schemaVersion", "is_ready", "ready", "wanted", "images", "unresolved", "container_registry_map",
                    "notes",
                ]
            )
        ),
        AgentTool(
            "GetRunImageReadiness",
            title: "Would a run find its images?",
            """
            Looks in ECR whether a HealthOmics run, or a workflow with the parameters that its run will have, would find \
            every image now, and says for each what is missing and the mend. Changes nothing. Give one of run_id, workflow_id \
            and images.
            """,
            place: .reading,
            openWorld: true,
            parameters: [
                .init("run_id", ToolSchema.text().orNull("A HealthOmics run.")),
                .init("workflow_id", ToolSchema.text().orNull("A HealthOmics workflow: ID or ID/VERSION.")),
                .init("parameters", ToolSchema.any().orNull("The run's parameters.")),
                .init("profiles", ToolSchema.list(.text()).orNull("Nextflow profiles.")),
                .init("images", ToolSchema.list(.text()).orNull("Images as a definition names them.")),
                .init(
                    "wait_seconds",
                    .count("How long to look again for what others are bringing.", default: 0, in: 0...3600)
                ),
            ],
            output: .record(
                [("schemaVersion", .count()), ("isReady", .flag()), ("ready", .count()), ("wanted", .count())]
            )
        ),
        AgentTool(
            "ExplainImage",
            title: "Explain an image",
            """
            Everything about one image: how its name is read, what policy says, rule by rule, where it goes and how, what is \
            in ECR and upstream now, and what happens next.
            """,
            place: .reading,
            openWorld: true,
            parameters: [
                .init("image", .text("Image, as the workflow names it or as its ECR URI."), isRequired: true),
                .init("run_id", ToolSchema.text().orNull("As this run's workflow places it.")),
                .init("workflow_id", ToolSchema.text().orNull("As this workflow places it.")),
            ],
            output: .any("As `preclone explain --format json`.")
        ),
        AgentTool(
            "GetImageHistory",
            title: "Digests of an image over time",
            "The digests that an image reference has had upstream and in ECR, newest first.",
            place: .record,
            parameters: [
                .init("image", .text("Image, as the workflow names it or as its ECR URI."), isRequired: true)
            ],
            output: .record([("schemaVersion", .count()), ("histories", .list(.any()))])
        ),
        AgentTool(
            "RetryImages",
            title: "Try images again",
            "Makes images that are blocked or wait due now. Name images, or set all.",
            place: .changing,
            readOnly: false,
            openWorld: true,
            parameters: [
                .init("images", ToolSchema.list(.text()).orNull("Images as the workflow names them, or ECR URIs.")),
                .init("all", .flag("Every image that is blocked or waits.", default: false)),
            ],
            output: .record([("schemaVersion", .count()), ("retried", .list(.any()))])
        ),
        AgentTool(
            "ListPrecloneAudit",
            title: "What preclone decided and changed",
            "Policy decisions and every change made to AWS, each with who asked, oldest first.",
            place: .record,
            parameters: [
                .init("since", .text("A duration such as 24h or 7d, or an ISO 8601 time.", default: "24h")),
                .init("max_results", .count("Entries.", default: 100, in: 1...1000)),
                .init("next_token", ToolSchema.text().orNull("next_token of the page before.")),
            ],
            output: .record([
                ("schemaVersion", .count()), ("entries", .list(.any())), ("next_token", nullable(.text())),
            ])
        ),
    ]
}
