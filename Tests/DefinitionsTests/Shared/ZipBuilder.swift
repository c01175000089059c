/// Archives for tests, with every field open to damage.
struct ZipBuilder {
    /// What an entry may differ in from a plain stored file.
    struct Options {
        var method: UInt16 = 0
        var flags: UInt16 = 0x800
        var unixMode: UInt16 = 0o100644
        var crc: UInt32?
        var declaredSize: UInt32?
        var usesZip64 = false
        /// Sizes and checksum follow the data, and the local header has none.
        var hasDescriptor = false
    }

    private(set) var bytes: [UInt8] = []
    private var directory: [UInt8] = []
    private var count = 0

    init(prefix: [UInt8] = []) { bytes = prefix }

    /// Adds a file; with method 8 its contents go into stored blocks of a deflate stream.
    mutating func add(_ name: String, _ text: String, _ options: Options = Options()) {
        let contents = Array(text.utf8)
        var packed = contents
        if options.method == 8 {
            let length = UInt16(contents.count)
            packed = [1] + little(length) + little(~length) + contents
        }
        let crc = options.crc ?? Self.crc32(contents)
        let size = options.declaredSize ?? UInt32(contents.count)
        let offset = UInt32(bytes.count)
        let name = Array(name.utf8)
        let flags = options.hasDescriptor ? options.flags | 8 : options.flags
        let sums = little(crc) + little(UInt32(packed.count)) + little(size)
        bytes += little(UInt32(0x0403_4B50)) + little(UInt16(20)) + little(flags) + little(options.method)
        bytes += little(UInt32(0)) + (options.hasDescriptor ? Array(repeating: 0, count: 12) : sums)
        bytes += little(UInt16(name.count)) + little(UInt16(0)) + name + packed
        if options.hasDescriptor { bytes += little(UInt32(0x0807_4B50)) + sums }

        var extra: [UInt8] = []
        var sizes = little(UInt32(packed.count)) + little(size)
        var place = little(offset)
        if options.usesZip64 {
            // An unknown field first, which a reader has to skip.
            extra = little(UInt16(0x5455)) + little(UInt16(1)) + [0] + little(UInt16(1)) + little(UInt16(24))
            extra += little(UInt64(size)) + little(UInt64(packed.count)) + little(UInt64(offset))
            sizes = Array(repeating: 0xFF, count: 8)
            place = Array(repeating: 0xFF, count: 4)
        }
        directory += little(UInt32(0x0201_4B50)) + little(UInt16(3 << 8 | 20)) + little(UInt16(20)) + little(flags)
        directory += little(options.method) + little(UInt32(0)) + little(crc) + sizes + little(UInt16(name.count))
        directory += little(UInt16(extra.count)) + little(UInt16(0)) + little(UInt16(0)) + little(UInt16(0))
        directory += little(UInt32(options.unixMode) << 16) + place + name + extra
        count += 1
    }

    /// The archive with its directory and end records.
    func finished(comment: String = "", zip64: Bool = false, prefix: Int = 0) -> [UInt8] {
        var all = bytes + directory
        let offset = UInt32(bytes.count - prefix)
        var end = little(UInt16(count)) + little(UInt16(count)) + little(UInt32(directory.count)) + little(offset)
        if zip64 {
            let record = UInt64(all.count - prefix)
            all += little(UInt32(0x0606_4B50)) + little(UInt64(44)) + little(UInt16(45)) + little(UInt16(45))
            all += little(UInt32(0)) + little(UInt32(0)) + little(UInt64(count)) + little(UInt64(count))
            all += little(UInt64(directory.count)) + little(UInt64(offset))
            all += little(UInt32(0x0706_4B50)) + little(UInt32(0)) + little(record) + little(UInt32(1))
            end = Array(repeating: 0xFF, count: 12)
        }
        all += little(UInt32(0x0605_4B50)) + little(UInt32(0)) + end
        return all + little(UInt16(comment.utf8.count)) + Array(comment.utf8)
    }

    private func little(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    /// The bitwise definition, so that the reader's is not compared with itself.
    static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var crc = ~UInt32(0)
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }
}
