-- A record as the first schema left it: its tables, views and rows.
PRAGMA user_version = 1;
BEGIN TRANSACTION;
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
INSERT INTO "attempt" VALUES(1,1,1789000000000,1789000100000,'copy','ready',NULL,NULL,NULL,NULL,NULL,4096,'sha256:aa','sha256:bb');
INSERT INTO "attempt" VALUES(2,2,1789000000000,1789000001000,'copy','failed','notFound','404: it is not there','quay.io',404,NULL,0,NULL,NULL);
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
INSERT INTO "auditEntry" VALUES(1,4102444800000,'daemon','imagePushed','quay.io/org/ready:1','123456789012.dkr.ecr.eu-west-1.amazonaws.com/quay/org/ready:1',NULL,NULL,NULL,NULL,'4096 bytes');
CREATE TABLE bytesMoved (
    day TEXT PRIMARY KEY,                 -- UTC, YYYY-MM-DD
    bytes INTEGER NOT NULL
) STRICT;
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
INSERT INTO "daemon" VALUES(1,4711,'0.1.0','run',1789000000000,1789000010000,1789000010000,'123456789012','eu-west-1',1789000009000,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE definition (
    key TEXT PRIMARY KEY,                 -- the service's digest, or workflow/version where it gives none
    file TEXT,                            -- below the record's folder; NULL once pruned
    bytes INTEGER,
    trouble TEXT,
    readAt INTEGER NOT NULL
) STRICT;
INSERT INTO "definition" VALUES('d1','d1.zip',1000,NULL,1789000000000);
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
INSERT INTO "demand" VALUES(1,1,'run','1234567@1789000000000','certain',NULL,'quay.io/org/ready:1','["main.wdl:3"]','["t"]',1789000001000,NULL);
INSERT INTO "demand" VALUES(2,2,'run','1234567@1789000000000','certain',NULL,'quay.io/org/gone:1','["main.wdl:9"]','["u"]',1789000001000,NULL);
INSERT INTO "demand" VALUES(3,3,'version','7654321','alternative','a parameter decides','later:1','["main.wdl:12"]','["v"]',1789000001000,NULL);
INSERT INTO "demand" VALUES(4,4,'clone','1','certain',NULL,'ghcr.io/org/new:1','[]','[]',1789000003000,NULL);
INSERT INTO "demand" VALUES(5,5,'run','1234567@1789000000000','certain',NULL,'ghcr.io/org/moving:1','["main.wdl:15"]','["x"]',1789000001000,NULL);
CREATE TABLE digest (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,                 -- canonical reference with its tag
    location TEXT NOT NULL,               -- 'upstream', or the ECR URI
    digest TEXT NOT NULL,
    firstSeenAt INTEGER NOT NULL,
    lastSeenAt INTEGER NOT NULL,
    note TEXT                             -- 'cloned', 'moved', 'gone', 'kept as TAG'
) STRICT;
INSERT INTO "digest" VALUES(1,'quay.io/org/ready:1','upstream','sha256:a0',1788000000000,1788000000000,'cloned');
INSERT INTO "digest" VALUES(2,'quay.io/org/ready:1','upstream','sha256:aa',1789000000000,1789000100000,'cloned');
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,                   -- the event's detail-type, or 'poison'
    subject TEXT,                         -- its run, workflow or batch
    status TEXT,
    outcome TEXT NOT NULL,                -- what was done with it, or why it was dropped
    messageID TEXT
) STRICT;
INSERT INTO "event" VALUES(1,1789000000000,'Run Status Change','1234567','PENDING','looked at','m1');
CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
INSERT INTO "grdb_migrations" VALUES('1: first tables');
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
INSERT INTO "host" VALUES('docker.io','',100,0,21600,1789000002000,NULL,NULL,1789003600000,'429 Too Many Requests','closed',NULL,0);
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
INSERT INTO "image" VALUES(1,'quay.io/org/ready:1','123456789012.dkr.ecr.eu-west-1.amazonaws.com/quay/org/ready:1','quay.io','ready','copy',NULL,NULL,NULL,NULL,NULL,'sha256:aa','sha256:bb','sha256:cc',4096,'accessible','sha256:dd',3,0,1789000000000,NULL,1789000100000,1789000200000,1789000200000,1789000000000,1789000200000);
INSERT INTO "image" VALUES(2,'quay.io/org/gone:1','123456789012.dkr.ecr.eu-west-1.amazonaws.com/quay/org/gone:1','quay.io','blocked','refused',NULL,'404: it is not there','check the name and the tag','notFound',NULL,NULL,NULL,NULL,NULL,'unknown',NULL,0,1,1789000000000,1789086400000,NULL,NULL,NULL,1789000000000,1789000001000);
INSERT INTO "image" VALUES(3,'docker.io/library/later:1','123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/later:1','docker.io','retrying','copy',NULL,'429',NULL,'quota',NULL,NULL,NULL,NULL,NULL,'unknown',NULL,1,3,1789000000000,1789003600000,NULL,NULL,NULL,1789000000000,1789000002000);
INSERT INTO "image" VALUES(4,'ghcr.io/org/new:1','123456789012.dkr.ecr.eu-west-1.amazonaws.com/ghcr/org/new:1','ghcr.io','pending',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'unknown',NULL,2,0,NULL,1789000003000,NULL,NULL,NULL,1789000003000,1789000003000);
INSERT INTO "image" VALUES(5,'ghcr.io/org/moving:1','123456789012.dkr.ecr.eu-west-1.amazonaws.com/ghcr/org/moving:1','ghcr.io','cloning','copy',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'unknown',NULL,0,0,1789000004000,NULL,NULL,NULL,NULL,1789000004000,1789000004000);
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
CREATE TABLE progress (
    imageID INTEGER PRIMARY KEY REFERENCES image (id) ON DELETE CASCADE,
    startedAt INTEGER NOT NULL,
    updatedAt INTEGER NOT NULL,
    bytesDone INTEGER NOT NULL,
    bytesTotal INTEGER,
    bytesPerSecond INTEGER
) STRICT;
CREATE TABLE pull (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    credential TEXT NOT NULL DEFAULT '',
    at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'committed'))
) STRICT;
INSERT INTO "pull" VALUES(1,'docker.io','',1789000002000,'committed');
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
INSERT INTO "request" VALUES(1,'ghcr.io/org/new:1','{}',1000,'ada',1789000003000,'taken',4,NULL,NULL);
CREATE TABLE ruleUse (
    id INTEGER PRIMARY KEY,
    rule TEXT NOT NULL,
    caller TEXT NOT NULL,
    at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'committed'))
) STRICT;
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
INSERT INTO "run" VALUES('1234567@1789000000000','1234567','5a0d','a live run','RUNNING','7654321','PRIVATE','','',NULL,NULL,1789000001000,0,NULL,NULL,1789000000000,1789000010000,NULL,NULL);
INSERT INTO "run" VALUES('1234568@1788000000000','1234568','5a0e','an ended run','COMPLETED','7654321','PRIVATE','','',NULL,NULL,1788000001000,0,NULL,NULL,1788000000000,1788000010000,1788000020000,NULL);
CREATE TABLE setting (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
INSERT INTO "setting" VALUES('keepAuditMilliseconds','34560000000');
INSERT INTO "setting" VALUES('firstStart','1787000000000');
CREATE TABLE sweep (
    name TEXT PRIMARY KEY,                -- 'runs', 'workflows', 'versions', 'verify', 'refresh', 'allRuns'
    position TEXT,
    startedAt INTEGER,
    finishedAt INTEGER,
    trouble TEXT
) STRICT;
INSERT INTO "sweep" VALUES('runs',NULL,1789000000000,1789000001000,NULL);
CREATE TABLE tally (
    registry TEXT NOT NULL,
    state TEXT NOT NULL,
    images INTEGER NOT NULL,
    PRIMARY KEY (registry, state)
) STRICT;
INSERT INTO "tally" VALUES('quay.io','ready',1);
INSERT INTO "tally" VALUES('quay.io','blocked',1);
INSERT INTO "tally" VALUES('docker.io','retrying',1);
INSERT INTO "tally" VALUES('ghcr.io','pending',1);
INSERT INTO "tally" VALUES('ghcr.io','cloning',1);
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
INSERT INTO "unresolved" VALUES(1,'version','7654321','main.wdl:20','~{docker}','input docker has no default','["w"]',1789000001000,NULL);
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
INSERT INTO "upload" VALUES('123456789012.dkr.ecr.eu-west-1.amazonaws.com','ghcr/org/moving','sha256:ee','u1',1048576,2097152,1789000004000);
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
INSERT INTO "version" VALUES('7654321','','','ACTIVE','d1','WDL','main.wdl',NULL,'d1','d1',NULL,1789000000000,1787000000000);
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
INSERT INTO "workflow" VALUES('7654321','a workflow','PRIVATE','ACTIVE','d1',1787000000000,1789000000000,1787000000000,1789000000000,1789000000000);
CREATE INDEX imageByDue ON image (state, dueAt, urgency);
CREATE INDEX imageByVerified ON image (state, verifiedAt);
CREATE INDEX imageByDestination ON image (destination);
CREATE INDEX imageByChange ON image (state, updatedAt);
CREATE INDEX imageMoved ON image (updatedAt) WHERE movedDigest IS NOT NULL;
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
CREATE INDEX demandByImage ON demand (imageID, endedAt);
CREATE INDEX demandByEnd ON demand (endedAt) WHERE endedAt IS NOT NULL;
CREATE INDEX demandLive ON demand (kind, subject, imageID) WHERE endedAt IS NULL;
CREATE INDEX unresolvedLive ON unresolved (kind, subject) WHERE endedAt IS NULL;
CREATE INDEX attemptByImage ON attempt (imageID, id);
CREATE INDEX attemptByEnd ON attempt (endedAt);
CREATE INDEX digestBySource ON digest (source, location, id);
CREATE INDEX digestBySeen ON digest (lastSeenAt);
CREATE INDEX workflowBySweep ON workflow (sweptAt);
CREATE INDEX inspectionByDefinition ON inspection (definition, engine, main, profiles);
CREATE INDEX runByID ON run (id);
CREATE INDEX runByState ON run (endedAt, surveyedAt);
CREATE INDEX runByWorkflow ON run (workflowID, createdAt);
CREATE INDEX runLive ON run (createdAt) WHERE endedAt IS NULL;
CREATE INDEX coverageByWorkflow ON coverage (workflowID, versionName);
CREATE INDEX pullByHost ON pull (host, credential, at);
CREATE INDEX ruleUseByRule ON ruleUse (rule, caller, at);
CREATE INDEX auditByTime ON auditEntry (at);
CREATE INDEX auditByDecision ON auditEntry (source, destination, action, id);
CREATE TRIGGER auditIsNotChanged BEFORE UPDATE ON auditEntry BEGIN
    SELECT RAISE(ABORT, 'an audit row is never changed');
END;
CREATE TRIGGER auditIsKept BEFORE DELETE ON auditEntry
WHEN OLD.at > CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    - (SELECT CAST(value AS INTEGER) FROM setting WHERE key = 'keepAuditMilliseconds')
BEGIN
    SELECT RAISE(ABORT, 'an audit row is kept for record.keepAudit');
END;
CREATE INDEX eventByTime ON event (at);
CREATE INDEX requestByState ON request (state);
CREATE VIEW images AS SELECT
    image.id, source, destination, state, route, reason, mend, failureClass AS failure_class, rule,
    sourceDigest AS source_digest, ecrDigest AS ecr_digest, platformDigest AS platform_digest, bytes, access,
    movedDigest AS moved_digest, attempts,
    strftime('%Y-%m-%dT%H:%M:%fZ', dueAt / 1000.0, 'unixepoch') AS due_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', readyAt / 1000.0, 'unixepoch') AS ready_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', verifiedAt / 1000.0, 'unixepoch') AS verified_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', createdAt / 1000.0, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', updatedAt / 1000.0, 'unixepoch') AS updated_at
    FROM image;
CREATE VIEW digests AS SELECT
    source, location, digest, note,
    strftime('%Y-%m-%dT%H:%M:%fZ', firstSeenAt / 1000.0, 'unixepoch') AS first_seen_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', lastSeenAt / 1000.0, 'unixepoch') AS last_seen_at
    FROM digest;
CREATE VIEW attempts AS SELECT
    attempt.id, image.source, image.destination, attempt.route, result, attempt.failureClass AS failure_class,
    message, host, status, requestID AS request_id, attempt.bytes,
    attempt.sourceDigest AS source_digest, attempt.ecrDigest AS ecr_digest,
    strftime('%Y-%m-%dT%H:%M:%fZ', startedAt / 1000.0, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', endedAt / 1000.0, 'unixepoch') AS ended_at
    FROM attempt JOIN image ON image.id = attempt.imageID;
CREATE VIEW demands AS SELECT
    image.source, image.destination, kind, subject, certainty, demand.reason, mention, places, tasks,
    strftime('%Y-%m-%dT%H:%M:%fZ', demand.createdAt / 1000.0, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', endedAt / 1000.0, 'unixepoch') AS ended_at
    FROM demand JOIN image ON image.id = demand.imageID
    UNION ALL SELECT
    NULL, NULL, kind, subject, 'unresolved', missing, expression, json_array(place), tasks,
    strftime('%Y-%m-%dT%H:%M:%fZ', createdAt / 1000.0, 'unixepoch'),
    strftime('%Y-%m-%dT%H:%M:%fZ', endedAt / 1000.0, 'unixepoch')
    FROM unresolved;
CREATE VIEW runs AS SELECT
    id, uuid, name, status, workflowID AS workflow_id, versionName AS workflow_version, batchID AS batch_id,
    trouble,
    strftime('%Y-%m-%dT%H:%M:%fZ', createdAt / 1000.0, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', surveyedAt / 1000.0, 'unixepoch') AS surveyed_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', endedAt / 1000.0, 'unixepoch') AS ended_at
    FROM run;
CREATE VIEW events AS SELECT
    id, kind, subject, status, outcome, messageID AS message_id,
    strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at
    FROM event;
CREATE VIEW audit AS SELECT
    id, caller, action, source, destination, rule, before, after, requestID AS request_id, detail,
    strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at
    FROM auditEntry;
COMMIT;
