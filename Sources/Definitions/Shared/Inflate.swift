import CZlib

/// Raw deflate data (RFC 1951) unpacked.
///
/// - Returns: nil where the data is damaged or is not exactly `size` bytes.
func inflated(_ packed: [UInt8], size: Int) -> [UInt8]? {
    guard let available = UInt32(exactly: packed.count), let room = UInt32(exactly: size + 1) else { return nil }
    var stream = z_stream()
    // Negative window bits: no zlib header, as in zip archives.
    guard inflateInit2_(&stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        return nil
    }
    defer { inflateEnd(&stream) }
    var input = packed
    var status = Z_STREAM_ERROR
    let bytes = input.withUnsafeMutableBufferPointer { input in
        // One byte more than is expected, so that more data than declared shows.
        [UInt8](unsafeUninitializedCapacity: size + 1) { output, count in
            stream.next_in = input.baseAddress
            stream.avail_in = available
            stream.next_out = output.baseAddress
            stream.avail_out = room
            status = inflate(&stream, Z_FINISH)
            count = Int(room - stream.avail_out)
        }
    }
    return status == Z_STREAM_END && bytes.count == size ? bytes : nil
}

/// The CRC-32 of zip archives.
func checksum(_ bytes: [UInt8]) -> UInt32 {
    // Files are bounded far below 4 GiB.
    UInt32(truncatingIfNeeded: crc32(0, bytes, UInt32(truncatingIfNeeded: bytes.count)))
}
