extension Configuration {
    /// What a process takes from its configuration once, at its start. Everything else holds from a reload on.
    ///
    /// - Parameter new: the configuration to compare with this one, which the process was started with.
    /// - Returns: the paths of keys that differ and take a restart, in the order of the file.
    package func keysThatTakeARestart(in new: Configuration) -> [String] {
        let changes: [(key: String, isChanged: Bool)] = [
            ("aws.region", aws.region != new.aws.region),
            ("aws.profile", aws.profile != new.aws.profile),
            ("network.proxy", network.proxy != new.network.proxy),
            ("network.caFile", network.caFile != new.network.caFile),
            ("record.path", record.path != new.record.path),
            ("log.format", log.format != new.log.format),
            ("metrics.listen", metrics.listen != new.metrics.listen),
            ("metrics.textFile", metrics.textFile != new.metrics.textFile),
        ]
        return changes.filter(\.isChanged).map(\.key)
    }
}
