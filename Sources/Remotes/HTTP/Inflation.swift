import CZlib

/// Bodies that a server compressed although nobody asked it to (RFC 9110 section 8.4).
enum Inflation {
    /// What an answer says, by its `Content-Encoding`; the bytes as they are where they are not what that calls them.
    static func plain(_ bytes: [UInt8], coding: String?, atMost limit: Int) -> [UInt8] {
        let coding = coding?.lowercased() ?? ""
        guard coding.contains("gzip") || coding.contains("deflate") else { return bytes }
        return inflated(bytes, atMost: limit) ?? bytes
    }

    /// The bytes of a gzip or zlib stream; nil when it is neither, is cut, or holds more than `limit`.
    static func inflated(_ bytes: [UInt8], atMost limit: Int) -> [UInt8]? {
        guard let available = UInt32(exactly: bytes.count) else { return nil }
        var stream = z_stream()
        // The window's bits, and 32: the header says which of the two it is.
        guard
            inflateInit2_(&stream, MAX_WBITS + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { inflateEnd(&stream) }
        var input = bytes
        var output: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        return input.withUnsafeMutableBufferPointer { source -> [UInt8]? in
            stream.next_in = source.baseAddress
            stream.avail_in = available
            while true {
                let (result, count) = piece.withUnsafeMutableBufferPointer { target -> (Int32, Int) in
                    stream.next_out = target.baseAddress
                    stream.avail_out = UInt32(target.count)
                    let result = inflate(&stream, Z_NO_FLUSH)
                    return (result, target.count - Int(stream.avail_out))
                }
                output.append(contentsOf: piece[..<count])
                guard output.count <= limit else { return nil }
                if result == Z_STREAM_END { return output }
                guard result == Z_OK else { return nil }
            }
        }
    }
}
