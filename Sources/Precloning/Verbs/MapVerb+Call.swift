extension MapVerb {
    /// The commands that make a new version of a workflow with a map; they are shown, and a person runs them.
    ///
    /// Source: `aws omics create-workflow-version` of the AWS CLI.
    ///
    /// - Parameters:
    ///   - workflow: whose version it will be; nil where only a definition on disk is known.
    ///   - path: the definition on disk; nil where the service has it.
    ///   - map: the file that the map is in.
    package static func newVersion(
        of workflow: WorkflowName?,
        engine: String,
        main: String?,
        path: String?,
        map: String = "map.json"
    ) -> [String] {
        var lines: [String] = []
        var archive = "definition.zip"
        if let path {
            if path.lowercased().hasSuffix(".zip") {
                archive = path
            } else {
                lines.append("(cd \(ShellText.quoted(path)) && zip -qr - .) > \(archive)")
            }
        } else if let workflow {
            let named =
                workflow.version.isEmpty
                ? "get-workflow --id \(workflow.id)"
                : "get-workflow-version --workflow-id \(workflow.id) --version-name "
                    + ShellText.quoted(workflow.version)
            lines.append(
                "curl -so \(archive) \"$(aws omics \(named) --export DEFINITION --query definition --output text)\""
            )
        }
        var call =
            "aws omics create-workflow-version --workflow-id \(workflow?.id ?? "WORKFLOW") --version-name VERSION"
        call += " --engine \(engine)"
        if let main { call += " --main \(ShellText.quoted(main))" }
        call += " --definition-zip \(ShellText.quoted("fileb://\(archive)"))"
        call += " --container-registry-map \(ShellText.quoted("file://\(map)"))"
        return lines + [call]
    }
}

/// Text in commands that a person is shown.
package enum ShellText {
    /// One word of a POSIX shell.
    package static func quoted(_ text: String) -> String {
        let plain = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || "/._:-=@%+,".utf8.contains(byte)
        }
        return plain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
