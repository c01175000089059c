/// The stable views of the record.
extension LedgerSchema {
    /// The contract with operators: documented in README, columns kept.
    static let views = """
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
        """
}
