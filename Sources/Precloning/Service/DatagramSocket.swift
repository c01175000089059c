import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// A Unix datagram socket connected to one address, for the journal and for the service manager.
final class DatagramSocket: Sendable {
    private let descriptor: Int32

    /// - Parameter path: a path, or a name in the abstract namespace beginning with `@`.
    /// - Returns: nil where nothing listens there, or the path is too long for a socket's address.
    init?(path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard let first = name.first, name.count < room else { return nil }
        if first == UInt8(ascii: "@") { name[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        // An abstract name ends where the address ends; a path ends with a zero byte.
        let prefix = MemoryLayout<sa_family_t>.size
        let length = socklen_t(prefix + name.count + (first == UInt8(ascii: "@") ? 0 : 1))
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = Glibc.socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { return nil }
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
        }
        guard connected == 0 else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Sends one datagram; false when it could not be handed over at once.
    func send(_ bytes: [UInt8]) -> Bool {
        while true {
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let sent = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, flags) }
            if sent >= 0 { return sent == bytes.count }
            if errno != EINTR { return false }
        }
    }
}
