import Foundation
package import Model
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Who is at the other end of a Unix socket, by the kernel's word (unix(7), SO_PEERCRED): as it was when it connected, and
/// nothing that it can choose.
package enum PeerIdentity {
    /// `struct ucred`, which the C library shows to GNU sources alone.
    private struct Credentials: Sendable {
        var processID: Int32 = 0
        var userID: UInt32 = 0
        var groupID: UInt32 = 0
    }

    /// `SO_PEERCRED` of Linux on the processors that preclone is built for.
    private static let peerCredentials = NIOBSDSocket.Option(rawValue: 17)

    struct Unknown: Error, CustomStringConvertible {
        var description = "the kernel does not say who is at the other end"
    }

    /// - Throws: `Unknown` for a channel that is no Unix socket.
    static func caller(of channel: any Channel) async throws -> Caller {
        guard let options = channel as? any SocketOptionProvider else { throw Unknown() }
        let found: Credentials = try await options.unsafeGetSocketOption(level: .socket, name: peerCredentials).get()
        // No process is -1, which is what the kernel says where nobody is connected.
        guard found.userID != .max else { throw Unknown() }
        return Caller(userID: found.userID, userName: name(of: found.userID))
    }

    /// The user whose process this is.
    package static var thisProcess: Caller { Caller(userID: getuid(), userName: name(of: getuid())) }

    /// The user's name, or its number where it has none.
    static func name(of userID: UInt32) -> String {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16 << 10)
        let code = getpwuid_r(userID, &entry, &buffer, buffer.count, &found)
        guard code == 0, found != nil, let name = entry.pw_name else { return "\(userID)" }
        let text = String(cString: name)
        // A name that could be taken for something else is not shown: the number says who it is.
        return text.isEmpty || text.contains(where: { $0.isWhitespace || $0.isNewline }) ? "\(userID)" : text
    }
}
