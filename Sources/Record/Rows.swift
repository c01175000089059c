import GRDB
import Model

// How the values that travel between the stages are read from their tables: a column for each property, by its name.

extension ImageRecord: FetchableRecord, TableRecord {
    package static let databaseTableName = "image"
}

extension RunRow: FetchableRecord, TableRecord {
    package static let databaseTableName = "run"
}

extension UnreadSubject: FetchableRecord {}
extension VersionRow: FetchableRecord, TableRecord {
    package static let databaseTableName = "version"
}

extension InspectionRow: FetchableRecord, TableRecord {
    package static let databaseTableName = "inspection"
}

extension CloneRequestRow: FetchableRecord, TableRecord {
    package static let databaseTableName = "request"
}

extension HostRow: FetchableRecord {}

extension DaemonRow: FetchableRecord {}
