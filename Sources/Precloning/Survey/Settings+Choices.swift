import Configuring
import Definitions

extension Settings {
    /// What of the configuration in force decides about a survey.
    var choices: Surveyor.Choices {
        let clone = current.clone
        return Surveyor.Choices(
            template: clone.destination,
            clonesUnmapped: clone.unmapped == .clone,
            certainties: Set(clone.certainty.map(\.rawValue))
        )
    }
}
