package import Foundation
import GRDB
package import Model

extension Ledger {
    /// Ready images to look at again: those never looked at since a run came, then those of live runs, then by age of the
    /// last look. Costs by what is due and by live runs, not by how many images there are.
    package func toVerify(limit: Int, liveOlderThan: Date, othersOlderThan: Date) throws -> [ImageRecord] {
        try database.read { database in
            var due: [ImageRecord] = []
            var known: Set<Int64> = []
            for (sql, before) in [
                (Self.neverVerified, nil), (Self.verifiedForRuns, liveOlderThan),
                (Self.verifiedLongAgo, othersOlderThan),
            ] where due.count < limit {
                var arguments: StatementArguments = ["limit": limit]
                if let before { arguments += ["before": before.milliseconds] }
                for image in try ImageRecord.fetchAll(database, cached: sql, arguments: arguments)
                where due.count < limit && known.insert(image.id).inserted {
                    due.append(image)
                }
            }
            return due
        }
    }

    private static let isOfLiveRun = """
        EXISTS (SELECT 1 FROM demand WHERE demand.imageID = image.id AND kind = 'run' AND endedAt IS NULL)
        """

    package static let neverVerified = """
        SELECT * FROM image WHERE state = 'ready' AND verifiedAt IS NULL ORDER BY \(isOfLiveRun) DESC, id LIMIT :limit
        """

    /// By the images' ids; the signs keep SQLite from walking through all that are ready.
    package static let verifiedForRuns = """
        SELECT * FROM image WHERE id IN (SELECT imageID FROM demand WHERE kind = 'run' AND endedAt IS NULL)
        AND +state = 'ready' AND +verifiedAt < :before ORDER BY verifiedAt, id LIMIT :limit
        """

    /// By the index `imageByVerified`.
    package static let verifiedLongAgo = """
        SELECT * FROM image INDEXED BY imageByVerified WHERE state = 'ready' AND verifiedAt < :before
        ORDER BY verifiedAt LIMIT :limit
        """
}
