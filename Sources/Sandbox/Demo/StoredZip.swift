/// Writes zip archives whose entries are stored, not compressed (PKWARE APPNOTE 6.3, sections 4.3 and 4.4).
package enum StoredZip {
    /// An archive of UTF-8 files, sorted by path; the same files give the same bytes.
    package static func archive(_ files: [String: String]) -> [UInt8] {
        var out: [UInt8] = []
        var directory: [UInt8] = []
        for (path, text) in files.sorted(by: { $0.key < $1.key }) {
            let (name, bytes) = (Array(path.utf8), Array(text.utf8))
            let offset = out.count
            // Version needed, flags (bit 11: names are UTF-8), method 0, time 0, date 1980-01-01.
            var common: [UInt8] = []
            common.append(little: 20, 2)
            common.append(little: 1 << 11, 2)
            common.append(little: 0, 2)
            common.append(little: 0, 2)
            common.append(little: 0x21, 2)
            common.append(little: Int(crc32(bytes)), 4)
            common.append(little: bytes.count, 4)
            common.append(little: bytes.count, 4)
            common.append(little: name.count, 2)
            common.append(little: 0, 2)
            out.append(little: 0x0403_4B50, 4)
            out += common + name + bytes
            directory.append(little: 0x0201_4B50, 4)
            directory.append(little: 0x0314, 2)
            directory += common
            // No comment, first disk, no internal attributes; a regular file of mode 0644; where it begins.
            directory.append(little: 0, 2)
            directory.append(little: 0, 2)
            directory.append(little: 0, 2)
            directory.append(little: 0o100644 << 16, 4)
            directory.append(little: offset, 4)
            directory += name
        }
        let start = out.count
        out += directory
        out.append(little: 0x0605_4B50, 4)
        out.append(little: 0, 4)
        out.append(little: files.count, 2)
        out.append(little: files.count, 2)
        out.append(little: directory.count, 4)
        out.append(little: start, 4)
        out.append(little: 0, 2)
        return out
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var value: UInt32 = .max
        for byte in bytes {
            value ^= UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
        }
        return ~value
    }
}

extension [UInt8] {
    fileprivate mutating func append(little value: Int, _ count: Int) {
        for shift in 0..<count { append(UInt8(truncatingIfNeeded: value >> (8 * shift))) }
    }
}
