package import Configuring
import Foundation
package import Model
import Names
import Synchronization

/// The configuration in force: read by every loop at each pass, replaced as a whole by a reload that was validated.
package final class Settings: Sendable {
    private struct State {
        var configuration: Configuration
        var mark: String
        var told: [@Sendable () -> Void] = []

        init(_ configuration: Configuration) {
            self.configuration = configuration
            mark = Settings.mark(of: configuration)
        }
    }

    private let state: Mutex<State>

    package init(_ configuration: Configuration) { state = Mutex(State(configuration)) }

    package var current: Configuration { state.withLock { $0.configuration } }

    /// What decides about images besides themselves: this program and its configuration. Where it is another than the one an
    /// image was decided under, the image is decided again.
    package var mark: String { state.withLock { $0.mark } }

    private static func mark(of configuration: Configuration) -> String {
        Digest.of(Array((Version.current + configuration.json()).utf8)).short
    }

    package func replace(with configuration: Configuration) {
        let mark = Self.mark(of: configuration)
        let told = state.withLock { state in
            state.configuration = configuration
            state.mark = mark
            return state.told
        }
        for tell in told { tell() }
    }

    /// Has `tell` called after each reload.
    package func onReplace(_ tell: @escaping @Sendable () -> Void) { state.withLock { $0.told.append(tell) } }

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
