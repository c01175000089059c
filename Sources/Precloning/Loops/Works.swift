import Configuring
package import Logging
import Model
import Names
package import Record
package import Remotes

/// The working parts around one record, and the daemon made of them.
package struct Works: Sendable {
    package let ledger: Ledger
    package let settings: Settings
    package let timeline: Timeline
    package let healthOmics: HealthOmicsClient
    package let account: AccountFacts
    package let registries: RegistryClients
    package let cloner: Cloner
    package let surveyor: Surveyor
    /// The queue of events that the configuration in force names.
    package let events: @Sendable () -> SQSClient?
    /// What keeps the daemon from what it depends on.
    package let troubles: Troubles
    /// The record's files; nil where it has none, or nobody looks after them.
    package let files: RecordFiles?
    /// How often loops look at a record in which others may have written.
    package let pace: RecordPace
    /// Sends notices.
    package let sendNotice: NoticeSender

    package init(
        ledger: Ledger,
        settings: Settings,
        timeline: Timeline,
        healthOmics: HealthOmicsClient,
        account: AccountFacts,
        registries: RegistryClients,
        cloner: Cloner,
        surveyor: Surveyor,
        events: @escaping @Sendable () -> SQSClient? = { nil },
        troubles: Troubles = Troubles(),
        files: RecordFiles? = nil,
        pace: RecordPace = RecordPace(),
        sendNotice: @escaping NoticeSender = { _, _ in throw NobodySends() }
    ) {
        self.ledger = ledger
        self.settings = settings
        self.timeline = timeline
        self.healthOmics = healthOmics
        self.account = account
        self.registries = registries
        self.cloner = cloner
        self.surveyor = surveyor
        self.events = events
        self.troubles = troubles
        self.files = files
        self.pace = pace
        self.sendNotice = sendNotice
    }

    /// The desk that `preclone clone` uses when it works alone.
    package func desk(demanded: @escaping @Sendable () -> Void) -> RequestDesk {
        RequestDesk(
            ledger: ledger,
            account: account,
            settings: settings,
            timeline: timeline,
            demanded: demanded
        )
    }

    // MARK: Loops that `plan` uses too

    func workflowWatcher(changed: @escaping @Sendable () -> Void) -> WorkflowWatcher {
        WorkflowWatcher(
            ledger: ledger,
            healthOmics: healthOmics,
            timeline: timeline,
            interval: { [settings] in settings.current.watch.workflowInterval },
            selection: { [settings] in settings.current.watch.workflows },
            changed: changed
        )
    }

    func versionSweeper(changed: @escaping @Sendable () -> Void) -> VersionSweeper {
        VersionSweeper(
            ledger: ledger,
            healthOmics: healthOmics,
            timeline: timeline,
            callsPerMinute: { [settings] in settings.current.watch.versionCallsPerMinute },
            changed: changed
        )
    }

    func definitionSurveys(demanded: @escaping @Sendable () -> Void) -> VersionSurveyLoop {
        VersionSurveyLoop(
            ledger: ledger,
            surveyor: surveyor,
            timeline: timeline,
            selection: { [settings] in settings.current.watch.workflows },
            choices: { [settings] in settings.choices },
            longestWait: pace.others,
            demanded: demanded
        )
    }

    // MARK: The whole

    /// The daemon of these parts.
    ///
    /// - Parameters:
    ///   - pulse: where the loops give signs of life; it feeds the watchdog and the heartbeat.
    ///   - record: told what is wrong with the record, in a place that needs none; nil: nothing.
    package func daemon(
        pulse: LoopPulse,
        logger: Logger,
        record: @escaping @Sendable (String?) -> Void = { _ in }
    ) -> Daemon {
        let settings = settings
        let ledger = ledger
        let timeline = timeline
        let choices: @Sendable () async -> Surveyor.Choices = { settings.choices }
        let loss = RecordLoss()
        let recorder = OutcomeRecorder(ledger: ledger, timeline: timeline, settings: settings)
        let dispatcher = Dispatcher(
            ledger: ledger,
            cloner: cloner,
            timeline: timeline,
            settings: {
                DispatchSettings(
                    concurrency: settings.current.clone.concurrency,
                    drain: settings.current.clone.drain
                )
            },
            pausedRegistries: { [registries] in await registries.paused() },
            stride: min(pace.idle, pulse.stride),
            beat: { pulse.beat("dispatcher") },
            mark: { settings.mark },
            ended: { image, outcome, mark in
                await recorder.keep(image, outcome, mark: mark, isLost: { loss.error != nil })
            }
        )
        let demanded: @Sendable () -> Void = { dispatcher.bell.ring() }
        let verifier = Verifier(
            ledger: ledger,
            cloner: cloner,
            timeline: timeline,
            callsPerMinute: { settings.current.watch.verifyCallsPerMinute },
            longestWait: pace.others,
            reopened: demanded
        )
        let surveys = RunSurveyLoop(
            ledger: ledger,
            surveyor: surveyor,
            timeline: timeline,
            choices: choices,
            longestWait: pace.others,
            demanded: {
                demanded()
                // What was ready before the run came is looked at again at once.
                verifier.bell.ring()
            }
        )
        let definitions = definitionSurveys(demanded: demanded)
        let eventHealth = EventHealth(ledger: ledger, now: timeline.now)
        let runs = RunWatcher(
            ledger: ledger,
            healthOmics: healthOmics,
            timeline: timeline,
            interval: { eventHealth.interval(settings.current.watch.pollInterval) },
            sweepInterval: { settings.current.watch.runSweepInterval },
            foundNew: { _ in surveys.bell.ring() },
            polled: { trouble in try? ledger.polled(trouble: trouble, now: timeline.now()) }
        )
        let workflows = workflowWatcher { definitions.bell.ring() }
        let versions = versionSweeper { definitions.bell.ring() }
        let learner = Learner(
            ledger: ledger,
            healthOmics: healthOmics,
            account: account,
            timeline: timeline,
            tasksPerRun: { settings.current.watch.tasksPerRun },
            choices: choices,
            learned: demanded
        )
        let requests = RequestDesk(
            ledger: ledger,
            account: account,
            settings: settings,
            timeline: timeline,
            interval: pace.requests,
            demanded: demanded
        )
        let retention = RetentionLoop(
            ledger: ledger,
            timeline: timeline,
            keep: { RetentionPeriods(settings.current.record) }
        )
        let refresh = RefreshLoop(
            ledger: ledger,
            registries: registries,
            settings: settings,
            timeline: timeline,
            isBelowRule: { [cloner] in try await cloner.destination(of: $0).rule != nil },
            holds: { [cloner] in await cloner.holds($1, $0, $2) },
            reopened: demanded
        )
        let events = EventWatcher(
            ledger: ledger,
            queue: events,
            actions: EventActions(
                ledger: ledger,
                healthOmics: healthOmics,
                account: account,
                timeline: timeline,
                selection: { settings.current.watch.workflows },
                foundRuns: { surveys.bell.ring() },
                foundVersions: { definitions.bell.ring() }
            ),
            health: eventHealth,
            timeline: timeline,
            longestPoll: Int(pulse.stride.seconds),
            beat: { pulse.beat("events") },
            fellBack: { runs.bell.ring() }
        )
        let notices = NoticeLoop(
            ledger: ledger,
            settings: settings,
            timeline: timeline,
            troubles: troubles,
            send: sendNotice
        )
        let chooseNotices: @Sendable () -> Void = {
            do { try ledger.notify(as: settings.current) } catch {
                logger.error("Whom to notify cannot be written down", metadata: ["error": "\(error)"])
            }
        }
        chooseNotices()
        settings.onReplace {
            chooseNotices()
            // What could not be read may be read under the new configuration, and what was read may mean something else.
            do { try ledger.retrySurveys(now: timeline.now()) } catch {
                logger.error("What could not be read is not retried", metadata: ["error": "\(error)"])
            }
            for bell in [surveys.bell, definitions.bell, runs.bell, workflows.bell, notices.bell] { bell.ring() }
        }
        let health = HealthLoop(
            ledger: ledger,
            files: files,
            troubles: troubles,
            timeline: timeline,
            overdue: { pulse.overdue },
            record: record,
            lost: { error in
                loss.set(error)
                dispatcher.bell.ring()
            }
        )
        return Daemon(
            ledger: ledger,
            dispatcher: dispatcher,
            loops: [
                health, runs, events, surveys, workflows, versions, definitions, verifier, learner, requests, refresh,
                retention, notices,
            ],
            // Without events: a round lists everything anyway.
            roundLoops: [
                requests, runs, surveys, workflows, versions, definitions, learner, refresh, verifier, retention,
                notices,
            ],
            requests: requests.bell,
            pulse: pulse,
            idle: pace.idle,
            timeline: timeline,
            logger: logger,
            troubles: troubles,
            loss: loss,
            files: files
        )
    }
}

/// How often loops look at a record in which other processes may have written: whoever asks for an image or a retry rings
/// no bell here.
package struct RecordPace: Sendable, Hashable {
    /// Between two looks for new requests.
    package var requests: Duration
    /// The longest wait of any other loop.
    package var idle: Duration
    /// Between two looks of surveys and verifier for what others made due.
    package var others: Duration

    package init(
        requests: Duration = .seconds(1),
        idle: Duration = .seconds(10),
        others: Duration = .seconds(15)
    ) {
        self.requests = requests
        self.idle = idle
        self.others = others
    }
}
