import Configuring
import Foundation

/// Where a daemon takes requests.
package enum ControlSocket {
    /// The service's, in its runtime directory.
    package static let servicePath = "/run/preclone/control.sock"

    /// The longest line that either side takes, in bytes.
    package static let longestLine = 256 << 10

    /// The longest path that SwiftNIO takes for a socket, on any system; Linux itself would take 107 bytes (unix(7)).
    static let longestPath = 103

    /// The socket of whoever works on a record: the service's for its own record, else beside the record, so that several
    /// daemons of one machine do not meet.
    package static func path(record: String) -> String {
        record == Configuration.defaults.record.path ? servicePath : record + ".sock"
    }
}
