/// The central directory of a zip archive (PKWARE APPNOTE 6.3, with zip64), as far as reading files needs it.
struct ZipDirectory: Sendable {
    /// One file of the archive.
    struct Entry: Sendable {
        var path: String
        var method: UInt16
        var isEncrypted: Bool
        var isLink: Bool
        var crc: UInt32
        var compressedSize: Int
        var size: Int
        var headerOffset: Int
    }

    /// Files by path, as `DefinitionFiles` spells it.
    var entries: [String: Entry] = [:]
    /// Entries that were left out, with the reason.
    var notes: [DefinitionNote] = []

    /// - Throws: `DefinitionError` that names the fault and where in the archive it is.
    init(_ source: ZipSource, limits: ZipLimits) throws(DefinitionError) {
        let end = try Self.end(of: source)
        guard end.count <= limits.entries else {
            throw DefinitionError(
                "the zip holds \(end.count) entries; at most \(limits.entries) are read: leave data out of the definition"
            )
        }
        guard end.size <= 64 << 20 else { throw DefinitionError("the zip's directory is larger than 64 MiB") }
        let bytes = ZipBytes(try source.read(at: end.offset, count: end.size, what: "its directory"))
        var position = 0
        for number in 1...max(1, end.count) where number <= end.count {
            guard bytes.uint32(position) == 0x0201_4B50, bytes.count - position >= 46 else {
                throw DefinitionError(
                    "the zip is damaged: entry \(number) of \(end.count) is not in its directory; make the zip again"
                )
            }
            let nameLength = Int(bytes.uint16(position + 28))
            let extraLength = Int(bytes.uint16(position + 30))
            let next = position + 46 + nameLength + extraLength + Int(bytes.uint16(position + 32))
            guard next <= bytes.count else {
                throw DefinitionError("the zip is damaged: entry \(number) is cut off; make the zip again")
            }
            try add(bytes, at: position, base: end.base, number: number)
            position = next
        }
    }

    private mutating func add(
        _ bytes: ZipBytes,
        at position: Int,
        base: Int,
        number: Int
    ) throws(DefinitionError) {
        let name = bytes.slice(position + 46, Int(bytes.uint16(position + 28)))
        let written = String(decoding: name, as: UTF8.self)
        let mode = bytes.uint32(position + 38) >> 16
        // The upper half is a Unix mode only where a Unix wrote it (3; 19 is macOS).
        let host = bytes.uint16(position + 4) >> 8
        let kind = host == 3 || host == 19 ? mode & 0xF000 : 0
        if name.last == UInt8(ascii: "/") || kind == 0x4000 { return }
        guard !name.contains(UInt8(ascii: "\\")) else {
            return refuse(written, "its name holds a backslash; make the zip with `/` between folders")
        }
        guard let path = DefinitionPath.normalized(written) else {
            return refuse(written, "its name is empty, absolute or leads out of the definition")
        }
        let flags = bytes.uint16(position + 8)
        var entry = Entry(
            path: path,
            method: bytes.uint16(position + 10),
            isEncrypted: flags & 0x2041 != 0,
            isLink: kind == 0xA000,
            crc: bytes.uint32(position + 16),
            compressedSize: Int(bytes.uint32(position + 20)),
            size: Int(bytes.uint32(position + 24)),
            headerOffset: Int(bytes.uint32(position + 42))
        )
        let extra = bytes.slice(position + 46 + name.count, Int(bytes.uint16(position + 30)))
        guard entry.takeZip64(ZipBytes(Array(extra))), entry.headerOffset <= Int.max - base else {
            throw DefinitionError("the zip is damaged: sizes of entry \(number), \(path); make the zip again")
        }
        entry.headerOffset += base
        if entries.updateValue(entry, forKey: path) != nil {
            notes.append(
                DefinitionNote(place: nil, message: "\(path): more than once in the zip, the last one is read")
            )
        }
    }

    private mutating func refuse(_ name: String, _ reason: String) {
        // A hostile archive may hold many; the first ones say enough.
        guard notes.count < 100 else { return }
        notes.append(DefinitionNote(place: nil, message: "\(name.prefix(200)): left out of the zip: \(reason)"))
    }

    /// Where the directory lies. `base` is what precedes the archive in the file.
    private static func end(
        of source: ZipSource
    ) throws(DefinitionError) -> (offset: Int, size: Int, count: Int, base: Int) {
        // The end record is 22 bytes and a comment of at most 65,535.
        let length = min(source.count, 22 + 65_535)
        let start = source.count - length
        let bytes = ZipBytes(try source.read(at: start, count: length, what: "its end"))
        var position = length - 22
        while position >= 0 {
            if bytes.uint32(position) == 0x0605_4B50, position + 22 + Int(bytes.uint16(position + 20)) <= length {
                break
            }
            position -= 1
        }
        guard position >= 0 else {
            throw DefinitionError("not a zip, or cut off: it has no end record; make or fetch it again")
        }
        var count = Int(bytes.uint16(position + 10))
        var size = Int(bytes.uint32(position + 12))
        var offset = Int(bytes.uint32(position + 16))
        var directoryEnd = start + position
        var disks = (bytes.uint16(position + 4), bytes.uint16(position + 6))
        if directoryEnd >= 20, size == 0xFFFF_FFFF || offset == 0xFFFF_FFFF || count == 0xFFFF {
            let locator = ZipBytes(try source.read(at: directoryEnd - 20, count: 20, what: "its zip64 locator"))
            if locator.uint32(0) == 0x0706_4B50 {
                // With bytes in front of the archive the written offset is too small; the record lies before the locator.
                let locatorEnd = directoryEnd
                var record = ZipBytes([])
                for at in [locator.uint64(8), UInt64(max(0, locatorEnd - 76))]
                where record.uint32(0) != 0x0606_4B50 {
                    guard let at = Int(exactly: at), at <= locatorEnd - 76 else { continue }
                    record = ZipBytes(try source.read(at: at, count: 56, what: "its zip64 end"))
                    directoryEnd = at
                }
                guard record.uint32(0) == 0x0606_4B50, let longCount = Int(exactly: record.uint64(32)),
                    let longSize = Int(exactly: record.uint64(40)), let longOffset = Int(exactly: record.uint64(48))
                else { throw DefinitionError("the zip is damaged: its zip64 end record; make the zip again") }
                (count, size, offset, disks) = (longCount, longSize, longOffset, (0, 0))
            }
        }
        guard disks.0 == disks.1 else { throw DefinitionError("the zip is in several parts; make it in one") }
        guard size <= directoryEnd, offset <= directoryEnd - size, count <= size / 46 else {
            throw DefinitionError(
                "the zip is damaged: its directory is not where its end record says; make the zip again"
            )
        }
        return (directoryEnd - size, size, count, directoryEnd - size - offset)
    }
}

extension ZipDirectory.Entry {
    /// Takes the values that did not fit into 32 bits from the zip64 extra field.
    fileprivate mutating func takeZip64(_ extra: ZipBytes) -> Bool {
        let full = 0xFFFF_FFFF
        guard size == full || compressedSize == full || headerOffset == full else { return true }
        var position = 0
        while position + 4 <= extra.count {
            let length = Int(extra.uint16(position + 2))
            guard position + 4 + length <= extra.count else { return false }
            if extra.uint16(position) == 1 {
                var field = position + 4
                let end = field + length
                func next() -> Int? {
                    guard field + 8 <= end else { return nil }
                    defer { field += 8 }
                    return Int(exactly: extra.uint64(field))
                }
                if size == full { guard let value = next() else { return false }; size = value }
                if compressedSize == full { guard let value = next() else { return false }; compressedSize = value }
                if headerOffset == full { guard let value = next() else { return false }; headerOffset = value }
                return true
            }
            position += 4 + length
        }
        return false
    }
}

/// Little-endian numbers out of bytes; zero beyond the end.
struct ZipBytes {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: Int { bytes.count }

    func uint16(_ offset: Int) -> UInt16 { UInt16(truncatingIfNeeded: number(offset, 2)) }

    func uint32(_ offset: Int) -> UInt32 { UInt32(truncatingIfNeeded: number(offset, 4)) }

    func uint64(_ offset: Int) -> UInt64 { number(offset, 8) }

    func slice(_ offset: Int, _ count: Int) -> ArraySlice<UInt8> {
        bytes[min(offset, bytes.count)..<min(offset + count, bytes.count)]
    }

    private func number(_ offset: Int, _ length: Int) -> UInt64 {
        guard offset >= 0, offset <= bytes.count - length else { return 0 }
        var value: UInt64 = 0
        for index in (offset..<offset + length).reversed() { value = value << 8 | UInt64(bytes[index]) }
        return value
    }
}
