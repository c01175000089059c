import GRDB
package import Model
import Names

extension Ledger {
    /// What is known of an image's place and of a digest that is held there. By the indexes of `image.destination` and
    /// `digest.source`.
    package func claims(of image: ImageRecord, at location: ECRLocation, holding digest: String?) throws -> PlaceClaims
    {
        try database.read { database in
            var claims = PlaceClaims()
            let arguments: StatementArguments = [
                "id": image.id, "source": image.source, "place": location.place, "digest": digest,
            ]
            claims.isOwn =
                try Bool.fetchOne(
                    database,
                    sql: "SELECT EXISTS (SELECT 1 FROM image WHERE id = :id AND \(Self.isKnownToBeHeld))",
                    arguments: ["id": image.id, "digest": digest]
                ) ?? false
            let others = try Row.fetchAll(database, sql: Self.othersAtPlace, arguments: arguments)
            claims.rivals = others.filter { $0["isWanted"] }.map { $0["source"] }
            if let holder = others.first(where: { $0["isHolder"] && $0["isWanted"] })
                ?? others.first(where: { $0["isHolder"] })
            {
                claims.holder = holder["source"]
                claims.isHolderWanted = holder["isWanted"]
            }
            claims.isExplicit =
                try Bool.fetchOne(database, sql: Self.isExplicit, arguments: ["id": image.id]) ?? false
            return claims
        }
    }

    /// Whether the last word on an image's place is that the digest there is its source's.
    private static let isKnownToBeHeld = """
        EXISTS (SELECT 1 FROM digest WHERE digest.source = image.source AND digest.location = image.destination
            AND digest.isReplaced = 0 AND digest.digest = :digest
            AND digest.note IN ('\(DigestNote.cloned)', '\(DigestNote.compared)'))
        """

    /// A tag is one place, whether a digest is named beside it or not.
    private static let othersAtPlace = """
        SELECT source, \(isKnownToBeHeld) AS isHolder,
            EXISTS (SELECT 1 FROM demand WHERE demand.imageID = image.id AND demand.endedAt IS NULL) AS isWanted
        FROM image WHERE source <> :source AND id <> :id
            AND (destination = :place OR destination > :place || '@' AND destination < :place || 'A')
        ORDER BY source
        """

    /// A person named the place, and nothing but that leads there.
    private static let isExplicit = """
        SELECT EXISTS (SELECT 1 FROM demand JOIN request ON request.id = CAST(demand.subject AS INTEGER)
            WHERE demand.imageID = :id AND demand.kind = 'clone' AND (demand.endedAt IS NULL OR NOT EXISTS
                (SELECT 1 FROM demand AS other WHERE other.imageID = :id AND other.kind <> 'clone' AND other.endedAt IS NULL))
            AND COALESCE(json_extract(request.options, '$.targetRepository'),
                json_extract(request.options, '$.targetTag')) IS NOT NULL)
        """
}
