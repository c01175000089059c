package import Model
import Remotes

/// Looks at what ECR holds, wherever it is.
package protocol ECRLook: Sendable {
    /// What is held at each place, in their order.
    ///
    /// - Throws: `CancellationError` alone.
    func holdings(at wanted: [ECRView.Wanted]) async throws -> [ECRLookResult]
}

/// What was found at a place.
package enum ECRLookResult: Sendable {
    case holding(ECRHolding)
    /// It could not be found out; says nothing of the image.
    case unknown(String)
}

extension ECRView: ECRLook {
    /// Repositories that are looked at one beside the other.
    private static let repositoriesAtOnce = 8
    /// Images in one look: as many as one DescribeImages takes.
    private static let imagesAtOnce = ECRClient.batchSize

    package func holdings(at wanted: [Wanted]) async throws -> [ECRLookResult] {
        var results = [ECRLookResult](repeating: .unknown("it was not looked at"), count: wanted.count)
        let byRepository = Dictionary(grouping: wanted.indices) { index in
            "\(wanted[index].location.registry)/\(wanted[index].location.repository)"
        }
        var looks = byRepository.sorted { $0.key < $1.key }.flatMap { $0.value.chunks(of: Self.imagesAtOnce) }
        try await withThrowingTaskGroup(of: [(Int, ECRLookResult)].self) { group in
            func start() {
                guard !looks.isEmpty else { return }
                let indices = looks.removeFirst()
                group.addTask { try await self.look(at: wanted, indices) }
            }
            for _ in 0..<Self.repositoriesAtOnce { start() }
            while let found = try await group.next() {
                for (index, result) in found { results[index] = result }
                start()
            }
        }
        return results
    }

    private func look(at wanted: [Wanted], _ indices: [Int]) async throws -> [(Int, ECRLookResult)] {
        do {
            let holdings = try await look(at: indices.map { wanted[$0] })
            return zip(indices, holdings).map { ($0, .holding($1)) }
        } catch let error as CancellationError {
            throw error
        } catch is ManifestError where indices.count > 1 {
            // One that cannot be read says nothing of the others.
            var results: [(Int, ECRLookResult)] = []
            for index in indices { results += try await look(at: wanted, [index]) }
            return results
        } catch {
            try Task.checkCancellation()
            return indices.map { ($0, .unknown("\(error)")) }
        }
    }
}
