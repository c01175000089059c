import GRDB

/// The tables of the record. Migrations are named and never edited once released; the views are made anew by each version.
///
/// Times are milliseconds since 1970 (UTC); the views show them as ISO 8601.
enum LedgerSchema {
    /// The version that this program writes, which rises with every migration; a record of a higher one is refused.
    static let version = migrator.migrations.count

    /// Brings a record to this program's version, its views too.
    static func migrate(_ writer: any DatabaseWriter) throws {
        let isCurrent = try writer.read { database in
            try migrator.hasCompletedMigrations(database) && viewsAreCurrent(database)
                && Int.fetchOne(database, sql: "PRAGMA user_version") == version
        }
        guard !isCurrent else { return }
        // Views stand in the way of changes to the tables below them.
        try writer.write(dropViews)
        try migrator.migrate(writer)
        try writer.write { database in
            try makeViews(database)
            try database.execute(sql: "PRAGMA user_version = \(version)")
        }
    }

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1: first tables") { database in
            try database.execute(sql: images)
            try database.execute(sql: workflows)
            try database.execute(sql: manners)
            try database.execute(sql: service)
        }
        migrator.registerMigration("2: what events told") { try $0.execute(sql: eventColumns) }
        migrator.registerMigration("3: back-off and growth") { try $0.execute(sql: growth) }
        migrator.registerMigration("4: how often is swept") {
            try $0.execute(sql: "ALTER TABLE sweep ADD COLUMN period INTEGER")
        }
        migrator.registerMigration("5: the life of an image") { try $0.execute(sql: life) }
        migrator.registerMigration("6: what surveys were decided by") { try $0.execute(sql: surveys) }
        migrator.registerMigration("7: manifests, and digests that were never compared") {
            try $0.execute(sql: manifests)
        }
        migrator.registerMigration("8: signs of life and troubles") { try $0.execute(sql: troubles) }
        migrator.registerMigration("9: who asks") { try $0.execute(sql: askers) }
        migrator.registerMigration("10: budgets, and a chain of hashes in the audit") { database in
            try database.execute(sql: chain)
            try AuditChain.begin(in: database)
        }
        migrator.registerMigration("11: the order of need") { try $0.execute(sql: order) }
        migrator.registerMigration("12: how often rules decided") { try $0.execute(sql: hits) }
        migrator.registerMigration("13: when a run's first task began") {
            try $0.execute(sql: "ALTER TABLE run ADD COLUMN firstTaskAt INTEGER")
        }
        migrator.registerMigration("16: notices") { try $0.execute(sql: notices) }
        migrator.registerMigration("17: images that HealthOmics copies itself") {
            try $0.execute(sql: "ALTER TABLE demand ADD COLUMN comesByItself INTEGER NOT NULL DEFAULT 0")
        }
        return migrator
    }

    private static let hits = """
        CREATE TABLE ruleHit (
            rule TEXT PRIMARY KEY,                -- of policy, by its name
            allowed INTEGER NOT NULL DEFAULT 0,
            denied INTEGER NOT NULL DEFAULT 0,
            warned INTEGER NOT NULL DEFAULT 0,    -- would have denied
            lastAt INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX ruleHitByTime ON ruleHit (lastAt);
        """

    private static let askers = """
        ALTER TABLE request ADD COLUMN agent TEXT; -- whom the user's program spoke for; NULL: for the user
        ALTER TABLE request ADD COLUMN key TEXT;   -- the asker's own name for the question
        CREATE INDEX requestByKey ON request (userID, key) WHERE key IS NOT NULL;
        """

    private static let chain = """
        ALTER TABLE ruleUse ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE auditEntry ADD COLUMN hash TEXT; -- over the hash of the row before, and this row
        """

    private static let manifests = """
        CREATE TABLE manifest (
            digest TEXT PRIMARY KEY,
            mediaType TEXT NOT NULL,
            size INTEGER NOT NULL,
            usedAt INTEGER NOT NULL,              -- to the day
            content BLOB NOT NULL
        ) STRICT;
        CREATE INDEX manifestByUse ON manifest (usedAt, size);

        -- What a refresh saw upstream was taken for the source of what was found in ECR. It is compared again.
        UPDATE image SET sourceDigest = NULL, upstreamSeenAt = NULL
            WHERE sourceDigest IS NOT NULL AND source <> destination AND instr(source, '@') = 0 AND NOT EXISTS
                (SELECT 1 FROM digest WHERE digest.source = image.source AND digest.location = image.destination
                    AND digest.digest = image.ecrDigest AND digest.note = 'cloned');
        """

    private static let troubles = """
        ALTER TABLE daemon ADD COLUMN aliveAt INTEGER; -- when the process said last that it lives, whatever its loops do
        CREATE TABLE trouble (
            part TEXT PRIMARY KEY,                -- a loop, or what it depends on: 'credentials', 'ECR' …
            what TEXT NOT NULL,
            since INTEGER NOT NULL
        ) STRICT;
        """

    private static let images = """
        CREATE TABLE image (
            id INTEGER PRIMARY KEY,
            source TEXT NOT NULL,                 -- canonical reference: docker.io/library/ubuntu:22.04
            destination TEXT NOT NULL,            -- ECR URI with tag or digest; '' where the image has none
            registry TEXT NOT NULL,               -- host of the source
            state TEXT NOT NULL CHECK (state IN ('pending', 'cloning', 'ready', 'retrying', 'blocked')),
            route TEXT,                           -- present | pullThrough | copy | later | refused
            routeDetail TEXT,                     -- the pull-through rule's prefix
            reason TEXT,                          -- why it is in this state, in words
            mend TEXT,                            -- what a person can do about it
            failureClass TEXT,                    -- of the last failed attempt
            rule TEXT,                            -- the policy rule that decided
            sourceDigest TEXT,                    -- what the tag pointed to upstream when it was cloned
            ecrDigest TEXT,                       -- what the destination holds
            platformDigest TEXT,                  -- the linux/amd64 manifest
            bytes INTEGER,                        -- config and layers of what is held
            access TEXT NOT NULL DEFAULT 'unknown' CHECK (access IN ('accessible', 'not_accessible', 'unknown')),
            movedDigest TEXT,                     -- upstream's newer digest of a moved tag that was left alone
            urgency INTEGER NOT NULL DEFAULT 3,   -- 0 a live run waits, 1 asked for by a person, 2 new version, 3 refresh
            attempts INTEGER NOT NULL DEFAULT 0,  -- that counted against the image
            firstAttemptAt INTEGER,
            dueAt INTEGER,                        -- when a worker may take it; NULL: not by itself
            readyAt INTEGER,
            verifiedAt INTEGER,
            upstreamSeenAt INTEGER,
            createdAt INTEGER NOT NULL,
            updatedAt INTEGER NOT NULL,
            UNIQUE (source, destination)
        ) STRICT;
        CREATE INDEX imageByDue ON image (state, dueAt, urgency);
        CREATE INDEX imageByVerified ON image (state, verifiedAt);
        CREATE INDEX imageByDestination ON image (destination);
        CREATE INDEX imageByChange ON image (state, updatedAt);
        CREATE INDEX imageMoved ON image (updatedAt) WHERE movedDigest IS NOT NULL;

        -- How many images are in each state, kept by triggers: counting them would grow with their number.
        CREATE TABLE tally (
            registry TEXT NOT NULL,
            state TEXT NOT NULL,
            images INTEGER NOT NULL,
            PRIMARY KEY (registry, state)
        ) STRICT;
        CREATE TRIGGER imageIsCounted AFTER INSERT ON image BEGIN
            INSERT INTO tally (registry, state, images) VALUES (NEW.registry, NEW.state, 1)
                ON CONFLICT (registry, state) DO UPDATE SET images = images + 1;
        END;
        CREATE TRIGGER imageIsCountedAgain AFTER UPDATE OF registry, state ON image
        WHEN OLD.registry <> NEW.registry OR OLD.state <> NEW.state BEGIN
            UPDATE tally SET images = images - 1 WHERE registry = OLD.registry AND state = OLD.state;
            INSERT INTO tally (registry, state, images) VALUES (NEW.registry, NEW.state, 1)
                ON CONFLICT (registry, state) DO UPDATE SET images = images + 1;
        END;
        CREATE TRIGGER imageIsNoLongerCounted AFTER DELETE ON image BEGIN
            UPDATE tally SET images = images - 1 WHERE registry = OLD.registry AND state = OLD.state;
        END;

        CREATE TABLE demand (
            id INTEGER PRIMARY KEY,
            imageID INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
            kind TEXT NOT NULL CHECK (kind IN ('run', 'version', 'clone', 'learned')),
            subject TEXT NOT NULL,                -- run.key | workflowID or workflowID/version | request id
            certainty TEXT NOT NULL CHECK (certainty IN ('certain', 'alternative', 'inactive')),
            reason TEXT,
            mention TEXT NOT NULL,                -- the text in the definition
            places TEXT NOT NULL,                 -- JSON array of strings
            tasks TEXT NOT NULL,                  -- JSON array of strings
            createdAt INTEGER NOT NULL,
            endedAt INTEGER,                      -- when the run ended or the version went
            UNIQUE (kind, subject, imageID)
        ) STRICT;
        CREATE INDEX demandByImage ON demand (imageID, endedAt);
        CREATE INDEX demandByEnd ON demand (endedAt) WHERE endedAt IS NOT NULL;
        CREATE INDEX demandLive ON demand (kind, subject, imageID) WHERE endedAt IS NULL;

        CREATE TABLE unresolved (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            subject TEXT NOT NULL,
            place TEXT NOT NULL,
            expression TEXT NOT NULL,
            missing TEXT NOT NULL,
            tasks TEXT NOT NULL,
            createdAt INTEGER NOT NULL,
            endedAt INTEGER,
            UNIQUE (kind, subject, place, expression)
        ) STRICT;
        CREATE INDEX unresolvedLive ON unresolved (kind, subject) WHERE endedAt IS NULL;

        CREATE TABLE attempt (
            id INTEGER PRIMARY KEY,
            imageID INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
            startedAt INTEGER NOT NULL,
            endedAt INTEGER NOT NULL,
            route TEXT NOT NULL,
            result TEXT NOT NULL CHECK (result IN ('ready', 'failed', 'stopped')),
            failureClass TEXT,
            message TEXT,
            host TEXT,
            status INTEGER,
            requestID TEXT,
            bytes INTEGER NOT NULL DEFAULT 0,     -- moved by this attempt
            sourceDigest TEXT,
            ecrDigest TEXT
        ) STRICT;
        CREATE INDEX attemptByImage ON attempt (imageID, id);
        CREATE INDEX attemptByEnd ON attempt (endedAt);

        CREATE TABLE digest (
            id INTEGER PRIMARY KEY,
            source TEXT NOT NULL,                 -- canonical reference with its tag
            location TEXT NOT NULL,               -- 'upstream', or the ECR URI
            digest TEXT NOT NULL,
            firstSeenAt INTEGER NOT NULL,
            lastSeenAt INTEGER NOT NULL,
            note TEXT                             -- 'cloned', 'moved', 'gone', 'kept as TAG'
        ) STRICT;
        CREATE INDEX digestBySource ON digest (source, location, id);
        CREATE INDEX digestBySeen ON digest (lastSeenAt);

        CREATE TABLE progress (
            imageID INTEGER PRIMARY KEY REFERENCES image (id) ON DELETE CASCADE,
            startedAt INTEGER NOT NULL,
            updatedAt INTEGER NOT NULL,
            bytesDone INTEGER NOT NULL,
            bytesTotal INTEGER,
            bytesPerSecond INTEGER
        ) STRICT;
        """

    private static let workflows = """
        CREATE TABLE workflow (
            id TEXT PRIMARY KEY,
            name TEXT,
            type TEXT NOT NULL,
            status TEXT NOT NULL,
            digest TEXT,
            createdAt INTEGER,
            seenAt INTEGER NOT NULL,
            firstSeenAt INTEGER NOT NULL,
            lastRunAt INTEGER,
            sweptAt INTEGER                       -- when its versions were last listed
        ) STRICT;
        CREATE INDEX workflowBySweep ON workflow (sweptAt);

        CREATE TABLE version (
            workflowID TEXT NOT NULL,
            name TEXT NOT NULL,                   -- '' for the workflow's own definition
            ownerID TEXT NOT NULL DEFAULT '',     -- of a shared workflow
            status TEXT NOT NULL,
            digest TEXT,
            engine TEXT,
            main TEXT,
            registryMap TEXT,                     -- the containerRegistryMap as JSON
            definition TEXT,                      -- definition.key
            surveyedDigest TEXT,                  -- the digest whose demands are recorded
            trouble TEXT,                         -- why its definition is not read
            seenAt INTEGER NOT NULL,
            createdAt INTEGER,
            PRIMARY KEY (workflowID, name)
        ) STRICT;

        CREATE TABLE definition (
            key TEXT PRIMARY KEY,                 -- the service's digest, or workflow/version where it gives none
            file TEXT,                            -- below the record's folder; NULL once pruned
            bytes INTEGER,
            trouble TEXT,
            readAt INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE inspection (
            id INTEGER PRIMARY KEY,
            definition TEXT NOT NULL,
            engine TEXT NOT NULL,
            main TEXT NOT NULL DEFAULT '',
            profiles TEXT NOT NULL,               -- JSON: profiles, engine version, preclone version
            parameters TEXT NOT NULL,             -- JSON: the relevant ones only
            relevant TEXT NOT NULL,               -- JSON array of their names
            result TEXT NOT NULL,                 -- JSON: images, unresolved, notes
            createdAt INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX inspectionByDefinition ON inspection (definition, engine, main, profiles);

        CREATE TABLE run (
            key TEXT PRIMARY KEY,                 -- id@creation time: ids are used again after deletion
            id TEXT NOT NULL,
            uuid TEXT,
            name TEXT,
            status TEXT NOT NULL,
            workflowID TEXT,
            workflowType TEXT,
            ownerID TEXT NOT NULL DEFAULT '',
            versionName TEXT NOT NULL DEFAULT '',
            batchID TEXT,
            inspection INTEGER,
            surveyedAt INTEGER,                   -- when its demands were recorded
            surveyAttempts INTEGER NOT NULL DEFAULT 0,
            surveyDueAt INTEGER,
            trouble TEXT,
            createdAt INTEGER,
            seenAt INTEGER NOT NULL,
            endedAt INTEGER,
            learnedAt INTEGER
        ) STRICT;
        CREATE INDEX runByID ON run (id);
        CREATE INDEX runByState ON run (endedAt, surveyedAt);
        CREATE INDEX runByWorkflow ON run (workflowID, createdAt);
        CREATE INDEX runLive ON run (createdAt) WHERE endedAt IS NULL;

        CREATE TABLE coverage (
            id INTEGER PRIMARY KEY,
            workflowID TEXT NOT NULL,
            versionName TEXT NOT NULL,
            inspection INTEGER,
            runKey TEXT NOT NULL,
            predicted INTEGER NOT NULL,
            used INTEGER NOT NULL,
            missed TEXT NOT NULL,                 -- JSON array of references
            at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX coverageByWorkflow ON coverage (workflowID, versionName);

        CREATE TABLE sweep (
            name TEXT PRIMARY KEY,                -- 'runs', 'workflows', 'versions', 'verify', 'refresh', 'allRuns'
            position TEXT,
            startedAt INTEGER,
            finishedAt INTEGER,
            trouble TEXT
        ) STRICT;
        """

    private static let manners = """
        CREATE TABLE host (
            host TEXT NOT NULL,
            credential TEXT NOT NULL DEFAULT '',  -- a name for who asks, never a secret; '' anonymous
            quotaLimit INTEGER,                   -- as the registry's own headers said last
            quotaRemaining INTEGER,
            quotaWindow INTEGER,                  -- seconds
            quotaSeenAt INTEGER,
            countedLimit INTEGER,                 -- as configured, where we count by ourselves
            countedWindow INTEGER,                -- seconds
            pausedUntil INTEGER,                  -- nothing is asked of it before
            pauseReason TEXT,
            breaker TEXT NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'halfOpen')),
            breakerUntil INTEGER,
            failures INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (host, credential)
        ) STRICT;

        CREATE TABLE pull (
            id INTEGER PRIMARY KEY,
            host TEXT NOT NULL,
            credential TEXT NOT NULL DEFAULT '',
            at INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('reserved', 'committed'))
        ) STRICT;
        CREATE INDEX pullByHost ON pull (host, credential, at);

        CREATE TABLE ruleUse (
            id INTEGER PRIMARY KEY,
            rule TEXT NOT NULL,
            caller TEXT NOT NULL,
            at INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('reserved', 'committed'))
        ) STRICT;
        CREATE INDEX ruleUseByRule ON ruleUse (rule, caller, at);

        CREATE TABLE upload (
            registry TEXT NOT NULL,
            repository TEXT NOT NULL,
            digest TEXT NOT NULL,
            uploadID TEXT NOT NULL,
            partSize INTEGER NOT NULL,
            offset INTEGER NOT NULL,
            updatedAt INTEGER NOT NULL,
            PRIMARY KEY (registry, repository, digest)
        ) STRICT;

        CREATE TABLE bytesMoved (
            day TEXT PRIMARY KEY,                 -- UTC, YYYY-MM-DD
            bytes INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE auditEntry (
            id INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            caller TEXT NOT NULL,                 -- 'daemon', or 'user NAME'
            action TEXT NOT NULL,                 -- decided | repositoryCreated | repositoryDeleted | policyChanged | imagePushed | tagMoved | retried | configReloaded
            source TEXT,
            destination TEXT,
            rule TEXT,
            before TEXT,
            after TEXT,
            requestID TEXT,
            detail TEXT
        ) STRICT;
        CREATE INDEX auditByTime ON auditEntry (at);
        CREATE INDEX auditByDecision ON auditEntry (source, destination, action, id);

        CREATE TABLE setting (
            key TEXT PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT;
        INSERT INTO setting (key, value) VALUES ('keepAuditMilliseconds', '34560000000');

        CREATE TRIGGER auditIsNotChanged BEFORE UPDATE ON auditEntry BEGIN
            SELECT RAISE(ABORT, 'an audit row is never changed');
        END;
        CREATE TRIGGER auditIsKept BEFORE DELETE ON auditEntry
        WHEN OLD.at > CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
            - (SELECT CAST(value AS INTEGER) FROM setting WHERE key = 'keepAuditMilliseconds')
        BEGIN
            SELECT RAISE(ABORT, 'an audit row is kept for record.keepAudit');
        END;
        """

    private static let service = """
        CREATE TABLE event (
            id INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            kind TEXT NOT NULL,                   -- the event's detail-type, or 'poison'
            subject TEXT,                         -- its run, workflow or batch
            status TEXT,
            outcome TEXT NOT NULL,                -- what was done with it, or why it was dropped
            messageID TEXT
        ) STRICT;
        CREATE INDEX eventByTime ON event (at);

        CREATE TABLE request (
            id INTEGER PRIMARY KEY,
            image TEXT NOT NULL,
            options TEXT NOT NULL,                -- JSON
            userID INTEGER NOT NULL,
            userName TEXT NOT NULL,
            createdAt INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('new', 'taken', 'done')),
            imageID INTEGER,
            result TEXT,                          -- JSON
            endedAt INTEGER
        ) STRICT;
        CREATE INDEX requestByState ON request (state);

        CREATE TABLE daemon (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            pid INTEGER NOT NULL,
            version TEXT NOT NULL,
            mode TEXT NOT NULL,                   -- run | once | clone
            startedAt INTEGER NOT NULL,
            beatAt INTEGER NOT NULL,
            stoppedAt INTEGER,
            account TEXT,
            region TEXT,
            lastPollAt INTEGER,
            lastPollTrouble TEXT,
            lastEventAt INTEGER,
            eventTrouble TEXT,
            configTrouble TEXT,
            configTroubleAt INTEGER,
            tokenExpiresAt INTEGER
        ) STRICT;
        """

    private static let eventColumns = """
        ALTER TABLE run ADD COLUMN polledAt INTEGER; -- when a poll showed it first, live; NULL where an event did
        CREATE INDEX runByPoll ON run (polledAt) WHERE polledAt IS NOT NULL;
        CREATE INDEX eventBySubject ON event (subject, at);
        CREATE INDEX eventByMessage ON event (messageID);
        """

    private static let growth = """
        ALTER TABLE image ADD COLUMN failures INTEGER NOT NULL DEFAULT 0; -- failed attempts in a row, the host's too
        UPDATE image SET failures = attempts;
        CREATE INDEX imageToTake ON image (urgency, dueAt) WHERE state IN ('pending', 'retrying', 'blocked');
        CREATE INDEX imageByRefresh ON image (COALESCE(upstreamSeenAt, readyAt, 0)) WHERE state = 'ready';

        -- Finding which digests a newer one has replaced would grow with those that are kept for good.
        ALTER TABLE digest ADD COLUMN isReplaced INTEGER NOT NULL DEFAULT 0;
        UPDATE digest SET isReplaced = 1 WHERE EXISTS (SELECT 1 FROM digest AS newer WHERE newer.source = digest.source
            AND newer.location = digest.location AND newer.id > digest.id);
        CREATE INDEX digestReplaced ON digest (lastSeenAt) WHERE isReplaced = 1;
        DROP INDEX digestBySeen;
        CREATE TRIGGER digestReplaces AFTER INSERT ON digest BEGIN
            UPDATE digest SET isReplaced = 1
            WHERE source = NEW.source AND location = NEW.location AND id < NEW.id AND isReplaced = 0;
        END;

        CREATE INDEX unresolvedByEnd ON unresolved (endedAt) WHERE endedAt IS NOT NULL;
        CREATE INDEX coverageByTime ON coverage (at);
        CREATE INDEX requestByEnd ON request (endedAt) WHERE endedAt IS NOT NULL;
        CREATE INDEX pullByTime ON pull (at);
        CREATE INDEX ruleUseByTime ON ruleUse (at);

        -- INSERT OR REPLACE deletes without asking the trigger on DELETE.
        CREATE TRIGGER auditIsNotReplaced BEFORE INSERT ON auditEntry
        WHEN EXISTS (SELECT 1 FROM auditEntry WHERE id = NEW.id) BEGIN
            SELECT RAISE(ABORT, 'an audit row is never changed');
        END;
        """

    private static let life = """
        ALTER TABLE image ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;      -- attempts begun
        ALTER TABLE image ADD COLUMN askedGeneration INTEGER NOT NULL DEFAULT 0; -- the lowest that answers who asked last
        ALTER TABLE image ADD COLUMN attemptedAt INTEGER;                        -- when the last attempt ended
        ALTER TABLE image ADD COLUMN mark TEXT;                                  -- what decided it
        ALTER TABLE request ADD COLUMN generation INTEGER;
        UPDATE image SET attemptedAt = (SELECT MAX(endedAt) FROM attempt WHERE imageID = image.id);
        UPDATE request SET generation = 1 WHERE state = 'taken';

        -- An image that nobody wants is not due and not counted.
        DROP TRIGGER imageIsCounted;
        DROP TRIGGER imageIsCountedAgain;
        DROP TRIGGER imageIsNoLongerCounted;
        UPDATE image SET urgency = CASE WHEN state = 'ready' THEN 3 ELSE COALESCE((SELECT MIN(CASE kind WHEN 'run' THEN 0
            WHEN 'clone' THEN 1 ELSE 2 END) FROM demand WHERE imageID = image.id AND endedAt IS NULL), 4) END;
        UPDATE image SET dueAt = NULL WHERE urgency = 4 AND state <> 'cloning';
        DELETE FROM tally;
        INSERT INTO tally (registry, state, images)
            SELECT registry, state, COUNT(*) FROM image WHERE urgency < 4 GROUP BY registry, state;
        CREATE TRIGGER imageIsCounted AFTER INSERT ON image WHEN NEW.urgency < 4 BEGIN
            INSERT INTO tally (registry, state, images) VALUES (NEW.registry, NEW.state, 1)
                ON CONFLICT (registry, state) DO UPDATE SET images = images + 1;
        END;
        CREATE TRIGGER imageCountsAnew AFTER UPDATE OF registry, state, urgency ON image
        WHEN NEW.urgency < 4 AND (OLD.urgency >= 4 OR OLD.registry <> NEW.registry OR OLD.state <> NEW.state) BEGIN
            INSERT INTO tally (registry, state, images) VALUES (NEW.registry, NEW.state, 1)
                ON CONFLICT (registry, state) DO UPDATE SET images = images + 1;
        END;
        CREATE TRIGGER imageCountsNoMore AFTER UPDATE OF registry, state, urgency ON image
        WHEN OLD.urgency < 4 AND (NEW.urgency >= 4 OR OLD.registry <> NEW.registry OR OLD.state <> NEW.state) BEGIN
            UPDATE tally SET images = images - 1 WHERE registry = OLD.registry AND state = OLD.state;
        END;
        CREATE TRIGGER imageIsGone AFTER DELETE ON image WHEN OLD.urgency < 4 BEGIN
            UPDATE tally SET images = images - 1 WHERE registry = OLD.registry AND state = OLD.state;
        END;

        DROP INDEX imageToTake;
        CREATE INDEX imageToTake ON image (urgency, dueAt) WHERE state <> 'cloning' AND dueAt IS NOT NULL;
        """

    private static let order = """
        ALTER TABLE demand ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;    -- tasks that end before the first that uses it
        ALTER TABLE image ADD COLUMN needOrder INTEGER NOT NULL DEFAULT 0; -- among equally urgent ones
        """

    private static let notices = """
        CREATE TABLE notice (
            id INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            kind TEXT NOT NULL,
            subject TEXT NOT NULL,
            key TEXT,                             -- of what is told of once
            text TEXT NOT NULL
        ) STRICT;
        CREATE INDEX noticeByTime ON notice (at);
        CREATE INDEX noticeByKey ON notice (kind, key) WHERE key IS NOT NULL;
        CREATE TABLE delivery (
            target TEXT NOT NULL,
            noticeID INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
            message TEXT,                         -- what it is sent in, once that is begun
            attempts INTEGER NOT NULL DEFAULT 0,
            dueAt INTEGER NOT NULL,
            sentAt INTEGER,
            PRIMARY KEY (target, noticeID)
        ) STRICT;
        CREATE INDEX deliveryOpen ON delivery (target, noticeID) WHERE sentAt IS NULL;
        CREATE INDEX deliveryByMessage ON delivery (target, message) WHERE message IS NOT NULL;
        CREATE INDEX deliveryByNotice ON delivery (noticeID);
        CREATE INDEX deliveryBySending ON delivery (target, sentAt) WHERE sentAt IS NOT NULL;
        ALTER TABLE image ADD COLUMN noticedBlock TEXT;                  -- the cause that was told of
        ALTER TABLE run ADD COLUMN isNoticed INTEGER NOT NULL DEFAULT 0; -- that all its images are there
        """

    private static let surveys = """
        ALTER TABLE run ADD COLUMN surveyMark TEXT;         -- what decided its demands; NULL: not known, or not any more
        ALTER TABLE version ADD COLUMN surveyMark TEXT;
        ALTER TABLE version ADD COLUMN surveyDueAt INTEGER; -- when it is looked at again; NULL: when something changes
        ALTER TABLE version ADD COLUMN surveyAttempts INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE version ADD COLUMN readAt INTEGER;      -- when GetWorkflow or GetWorkflowVersion told of it
        ALTER TABLE workflow ADD COLUMN isExcluded INTEGER NOT NULL DEFAULT 0; -- by watch.workflows
        ALTER TABLE definition ADD COLUMN program TEXT;     -- the preclone that found its trouble

        CREATE INDEX runByBatch ON run (batchID) WHERE batchID IS NOT NULL;
        CREATE INDEX runToLearn ON run (endedAt, key)
            WHERE endedAt IS NOT NULL AND learnedAt IS NULL AND surveyedAt IS NOT NULL;
        DROP INDEX coverageByWorkflow;
        CREATE INDEX coverageBySet ON coverage (workflowID, versionName, inspection);
        DROP INDEX workflowBySweep;
        CREATE INDEX workflowBySweep ON workflow (sweptAt, id, lastRunAt)
            WHERE type = 'PRIVATE' AND status NOT IN ('DELETED', 'FAILED') AND isExcluded = 0;
        CREATE INDEX workflowByRun ON workflow (lastRunAt);
        """
}
