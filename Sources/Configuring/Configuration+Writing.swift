extension Configuration {
    /// The configuration as a file would say it, every key spelled out, in the order of the documentation.
    ///
    /// It holds no secret, since a configuration only names where secrets are. Reading it back gives an equal value.
    ///
    /// - Parameter resolvingRegistries: also write out each known or configured host with what holds for it in the end.
    package func json(resolvingRegistries: Bool = false) -> String {
        var configuration = self
        configuration.registries = registries.spelledOut(resolving: resolvingRegistries)
        return Self.keys.write(configuration).text()
    }

    /// The JSON Schema (draft 2020-12) of the file, with every key explained: `config/preclone.schema.json`.
    package static var schema: String {
        let head: JSONText = [
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "preclone configuration",
            "description": """
            Strict JSON. Every key but version may be left out; the defaults are those shown. Unknown keys, duplicate \
            keys and bad values are errors. Read again on SIGHUP, but for what takes a restart.
            """,
        ]
        let registry = (["description": "How one registry host is treated."] as JSONText)
            .adding(Registries.Entry.keys.schema)
        return head.adding(keys.schema)
            .adding(["$defs": JSONText.definitions.adding(["registry": registry])]).text()
    }

    /// What a process takes from its configuration once, at its start. Everything else holds from a reload on.
    ///
    /// - Parameter new: the configuration to compare with this one, which the process was started with.
    /// - Returns: the paths of keys that differ and take a restart, in the order of the file.
    package func keysThatTakeARestart(in new: Configuration) -> [String] {
        Self.keys.restarts("", self, new)
    }
}
