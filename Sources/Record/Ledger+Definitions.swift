package import Foundation
import GRDB
package import Model

/// Stored definitions, and what was found in them.
extension Ledger {
    /// The file of a stored definition, below the record's folder, or why this version of preclone cannot read it.
    package func definition(_ key: String, program: String) throws -> (file: String?, trouble: String?)? {
        try database.read {
            try Row.fetchOne(
                $0,
                cached: "SELECT file, trouble, program FROM definition WHERE key = ?",
                arguments: [key]
            )
            .map { ($0["file"], ($0["program"] as String?) == program ? $0["trouble"] : nil) }
        }
    }

    package func storeDefinition(
        _ key: String,
        file: String?,
        bytes: Int?,
        trouble: String?,
        program: String,
        now: Date
    ) throws {
        try database.write {
            try $0.execute(
                cached: """
                    INSERT INTO definition (key, file, bytes, trouble, program, readAt) VALUES (?, ?, ?, ?, ?, ?)
                    ON CONFLICT (key) DO UPDATE SET file = excluded.file, bytes = excluded.bytes,
                        trouble = excluded.trouble, program = excluded.program, readAt = excluded.readAt
                    """,
                arguments: [key, file, bytes, trouble, program, now.milliseconds]
            )
        }
    }

    /// The files of stored definitions to drop so that at most `keep` bytes stay; least recently read first.
    package func definitionsToDrop(keepingBytes keep: Int64) throws -> [(key: String, file: String)] {
        try database.write { database in
            let rows = try Row.fetchAll(
                database,
                cached: "SELECT key, file, bytes FROM definition WHERE file IS NOT NULL ORDER BY readAt DESC"
            )
            var total: Int64 = 0
            var drop: [(String, String)] = []
            for row in rows {
                total += row["bytes"] as Int64? ?? 0
                if total > keep { drop.append((row["key"], row["file"])) }
            }
            for (key, _) in drop {
                try database.execute(cached: "UPDATE definition SET file = NULL WHERE key = ?", arguments: [key])
            }
            return drop
        }
    }

    /// Which parameters the stored inspections of a definition hang on, and their values; newest first.
    package func inspections(definition: String, engine: String, main: String, profiles: String) throws
        -> [(id: Int64, relevant: String, parameters: String)]
    {
        try database.read {
            try Row.fetchAll(
                $0,
                cached: """
                    SELECT id, relevant, parameters FROM inspection
                    WHERE definition = ? AND engine = ? AND main = ? AND profiles = ? ORDER BY id DESC LIMIT ?
                    """,
                arguments: [definition, engine, main, profiles, Self.keptInspections]
            ).map { ($0["id"], $0["relevant"], $0["parameters"]) }
        }
    }

    package func inspection(_ id: Int64) throws -> InspectionRow? {
        try database.read {
            try InspectionRow.fetchOne($0, cached: "SELECT * FROM inspection WHERE id = ?", arguments: [id])
        }
    }

    /// Sets of parameters of one definition that are remembered, the newest. Where a condition hangs on a file of each
    /// sample, every run is a set of its own.
    package static let keptInspections = 200

    package func storeInspection(
        definition: String,
        engine: String,
        main: String,
        profiles: String,
        parameters: String,
        relevant: String,
        result: String,
        now: Date
    ) throws -> Int64 {
        try database.write { database in
            try database.execute(
                cached: """
                    INSERT INTO inspection (definition, engine, main, profiles, parameters, relevant, result, createdAt)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [definition, engine, main, profiles, parameters, relevant, result, now.milliseconds]
            )
            let id = database.lastInsertedRowID
            try database.execute(
                cached: """
                    DELETE FROM inspection WHERE definition = :key AND id < (SELECT MIN(id) FROM
                        (SELECT id FROM inspection WHERE definition = :key ORDER BY id DESC LIMIT :kept))
                    """,
                arguments: ["key": definition, "kept": Self.keptInspections]
            )
            return id
        }
    }
}
