package import Configuring
import Definitions
import Foundation
import Model
import Synchronization

/// The configuration in force: read by every loop at each pass, replaced as a whole by a reload that was validated.
package final class Settings: Sendable {
    private let state: Mutex<(configuration: Configuration, told: [@Sendable () -> Void])>

    package init(_ configuration: Configuration) { state = Mutex((configuration, [])) }

    package var current: Configuration { state.withLock { $0.configuration } }

    package func replace(with configuration: Configuration) {
        let told = state.withLock { state in
            state.configuration = configuration
            return state.told
        }
        for tell in told { tell() }
    }

    /// Has `tell` called after each reload.
    package func onReplace(_ tell: @escaping @Sendable () -> Void) { state.withLock { $0.told.append(tell) } }

    var choices: Surveyor.Choices {
        let clone = current.clone
        return Surveyor.Choices(
            template: clone.destination,
            clonesUnmapped: clone.unmapped == .clone,
            certainties: Set(clone.certainty.map(\.rawValue))
        )
    }

    var retrySchedule: ImageRetrySchedule {
        let image = current.retry.image
        return ImageRetrySchedule(
            base: image.base,
            ceiling: image.ceiling,
            attempts: image.attempts,
            total: image.total
        )
    }
}
