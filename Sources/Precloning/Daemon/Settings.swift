package import Configuring
import Definitions
import Foundation
package import Model
import Names
import Synchronization

/// The configuration in force: read by every loop at each pass, replaced as a whole by a reload that was validated.
package final class Settings: Sendable {
    private struct State {
        var configuration: Configuration
        var mark: String

        init(_ configuration: Configuration) {
            self.configuration = configuration
            mark = Digest.of(Array((Version.current + configuration.json()).utf8)).short
        }
    }

    private let state: Mutex<State>

    package init(_ configuration: Configuration) { state = Mutex(State(configuration)) }

    package var current: Configuration { state.withLock { $0.configuration } }

    /// What decides about images besides themselves: this program and its configuration. Where it is another than the one an
    /// image was decided under, the image is decided again.
    package var mark: String { state.withLock { $0.mark } }

    package func replace(with configuration: Configuration) {
        let next = State(configuration)
        state.withLock { $0 = next }
    }

    var choices: Surveyor.Choices {
        let clone = current.clone
        return Surveyor.Choices(
            template: clone.destination,
            clonesUnmapped: clone.unmapped == .clone,
            certainties: Set(clone.certainty.map(\.rawValue))
        )
    }

    package var retrySchedule: ImageRetrySchedule {
        let image = current.retry.image
        return ImageRetrySchedule(
            base: image.base,
            ceiling: image.ceiling,
            attempts: image.attempts,
            total: image.total
        )
    }
}
