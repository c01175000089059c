import NIOCore
import Names

/// A long blob that is read ahead over several connections: ranges in parallel, handed on in order, within bounded memory.
///
/// What it cannot bring it leaves out: whoever takes the bytes goes on over one connection from the first that is missing.
actor BlobRanges {
    /// How much is read ahead.
    struct Shape: Sendable {
        /// Bytes of one range.
        var size: Int64 = 1 << 20
        /// Ranges that are asked for at one time.
        var width = 8
        /// Bytes that may wait for those before them.
        var capacity = 2 << 20
        /// Bytes from which on a blob is worth several connections.
        var threshold: Int64 = 32 << 20
    }

    private let client: RegistryClient
    private let repository: String
    private let descriptor: Descriptor
    private nonisolated let shape: Shape

    /// The first range, which had to be opened to know whether there are any.
    private var opened: BlobStream?
    /// Where the registry led to.
    private var store: WebAddress
    /// The next range to be asked for, and the one that is handed on.
    private var next = 0
    private var head = 0
    /// What has arrived and is not handed on; of no piece that has more than its own memory.
    private var pieces: [Int: [ByteBuffer]] = [:]
    private var held = 0
    private var whole: Set<Int> = []
    /// Ranges that cannot be had, and everything when nobody wants more.
    private var broken: Int?
    private var isOver = false
    private var arrival = Signal()
    private var room = Signal()

    /// - Parameter first: the blob's first range, from a host that sets no limits to further requests.
    init(
        _ first: BlobStream,
        of descriptor: Descriptor,
        in repository: String,
        at client: RegistryClient,
        _ shape: Shape
    ) {
        opened = first
        store = first.address
        self.client = client
        self.repository = repository
        self.descriptor = descriptor
        self.shape = shape
    }

    /// Runs something that takes the blob's bytes, while they are read ahead.
    nonisolated func run(_ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<shape.width { group.addTask { await self.read() } }
            do {
                try await body()
            } catch {
                await end()
                group.cancelAll()
                throw error
            }
            await end()
            group.cancelAll()
        }
    }

    // MARK: Whoever takes the bytes

    /// The next bytes in order; nil where there are no more, or none that can be had so.
    func piece() async -> ByteBuffer? {
        while !isOver, !Task.isCancelled, start(of: head) < descriptor.size {
            if let piece = pieces[head]?.first {
                pieces[head]?.removeFirst()
                held -= piece.storageCapacity
                makeRoom()
                return piece
            }
            if whole.remove(head) != nil {
                pieces[head] = nil
                head += 1
                makeRoom()
            } else if head == broken {
                break
            } else {
                await arrival.wait()
            }
        }
        end()
        return nil
    }

    private func end() {
        isOver = true
        pieces = [:]
        opened = nil
        arrival.set()
        room.set()
    }

    private func makeRoom() {
        room.set()
        room = Signal()
    }

    // MARK: Those who read

    private func read() async {
        while let range = claim() {
            let end = min(start(of: range + 1), descriptor.size)
            var position = start(of: range)
            var failures = 0
            while position < end {
                // An address that has run out is renewed once.
                let got = await read(position..<end, of: range, isAgain: failures > 0)
                position += got ?? 0
                if got == 0 { failures += 1 }
                if got == nil || failures > 1 { return fail(range) }
            }
            whole.insert(range)
            announce(range)
        }
    }

    /// Reads a part of a range; returns how many bytes came, nil where nobody wants more.
    private func read(_ bytes: Range<Int64>, of range: Int, isAgain: Bool) async -> Int64? {
        guard let stream = try? await open(bytes, isAgain: isAgain) else { return Task.isCancelled ? nil : 0 }
        var got: Int64? = 0
        do {
            for try await piece in stream.body {
                let sum = (got ?? 0) + Int64(piece.readableBytes)
                guard sum <= Int64(bytes.count), await take(piece, of: range) else {
                    got = nil
                    break
                }
                got = sum
            }
        } catch {
            // What came before the cut counts.
        }
        await stream.permit.release()
        return got
    }

    private func claim() -> Int? {
        guard !isOver, broken == nil, start(of: next) < descriptor.size else { return nil }
        defer { next += 1 }
        return next
    }

    private func open(_ bytes: Range<Int64>, isAgain: Bool) async throws -> BlobStream {
        if let opened, bytes.lowerBound == 0 {
            self.opened = nil
            return opened
        }
        let stream = try await client.openBlob(
            repository,
            descriptor.digest,
            from: bytes.lowerBound,
            through: bytes.upperBound - 1,
            at: isAgain ? nil : store,
            isNamed: true,
            attempts: 1
        )
        guard stream.offset == bytes.lowerBound, stream.length == descriptor.size else {
            await stream.permit.release()
            throw RegistryError(.brokenAnswer, host: client.host, detail: "not the range that was asked for")
        }
        store = stream.address
        return stream
    }

    /// Takes bytes in, when there is room for them; false where nobody wants them.
    private func take(_ piece: ByteBuffer, of range: Int) async -> Bool {
        while !isOver, !Task.isCancelled, range != head, held + piece.storageCapacity > shape.capacity {
            await room.wait()
        }
        guard !isOver, !Task.isCancelled else { return false }
        held += piece.storageCapacity
        pieces[range, default: []].append(piece)
        announce(range)
        return true
    }

    private func fail(_ range: Int) {
        broken = min(broken ?? range, range)
        announce(range)
    }

    private func announce(_ range: Int) {
        guard range == head else { return }
        arrival.set()
        arrival = Signal()
    }

    private func start(of range: Int) -> Int64 { Int64(range) * shape.size }
}
