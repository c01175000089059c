import GRDB

/// Statements that are run again and again, prepared once per connection: preparing one costs several times what running
/// it does. For texts of which there are few: each stays in the cache for good.
extension FetchableRecord {
    static func fetchAll(
        _ database: Database,
        cached sql: String,
        arguments: StatementArguments = StatementArguments()
    ) throws -> [Self] {
        try fetchAll(try database.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchOne(
        _ database: Database,
        cached sql: String,
        arguments: StatementArguments = StatementArguments()
    ) throws -> Self? {
        try fetchOne(try database.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchCursor(
        _ database: Database,
        cached sql: String,
        arguments: StatementArguments = StatementArguments()
    ) throws -> RecordCursor<Self> {
        try fetchCursor(try database.cachedStatement(sql: sql), arguments: arguments)
    }
}

extension Row {
    static func fetchAll(
        _ database: Database,
        cached sql: String,
        arguments: StatementArguments = StatementArguments()
    ) throws -> [Row] {
        try fetchAll(try database.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchOne(
        _ database: Database,
        cached sql: String,
        arguments: StatementArguments = StatementArguments()
    ) throws -> Row? {
        try fetchOne(try database.cachedStatement(sql: sql), arguments: arguments)
    }
}

extension DatabaseValueConvertible where Self: StatementColumnConvertible {
    static func fetchAll(
        _ database: Database,
        cached sql: String,
        arguments: StatementArguments = StatementArguments()
    ) throws -> [Self] {
        try fetchAll(try database.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchOne(
        _ database: Database,
        cached sql: String,
        arguments: StatementArguments = StatementArguments()
    ) throws -> Self? {
        try fetchOne(try database.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchCursor(
        _ database: Database,
        cached sql: String,
        arguments: StatementArguments = StatementArguments()
    ) throws -> FastDatabaseValueCursor<Self> {
        try fetchCursor(try database.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchSet(
        _ database: Database,
        cached sql: String,
        arguments: StatementArguments = StatementArguments()
    ) throws -> Set<Self> where Self: Hashable {
        try fetchSet(try database.cachedStatement(sql: sql), arguments: arguments)
    }
}

extension Database {
    func execute(cached sql: String, arguments: StatementArguments = StatementArguments()) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }
}
