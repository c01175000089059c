extension BlobStream {
    /// Gives the blob up after its first bytes: asking for it was all that was wanted.
    package func discard() async {
        var iterator = body.makeAsyncIterator()
        _ = try? await iterator.next()
        await permit.release()
    }
}
