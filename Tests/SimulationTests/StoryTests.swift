import Testing

@testable import Simulation

@Suite struct StoryTests {
    @Test func aSeedTellsOneStory() {
        let story = StoryGenerator.story(seed: 5, days: 2, scale: .small)
        #expect(story == StoryGenerator.story(seed: 5, days: 2, scale: .small))
        #expect(story != StoryGenerator.story(seed: 6, days: 2, scale: .small))
    }

    @Test func eventsComeInTheirOrderAndWithinTheDays() {
        for seed in 1...20 as ClosedRange<UInt64> {
            let times = StoryGenerator.story(seed: seed, days: 1.5, scale: .tiny).steps.map(\.at)
            #expect(times == times.sorted())
            #expect(times.allSatisfy { (0...129_600).contains($0) })
        }
    }

    @Test func chanceIsTheSameEverywhere() {
        // The first numbers of SplitMix64 with seed 0, as its authors' program gives them.
        var chance = Chance(seed: 0)
        #expect(chance.next() == 0xE220_A839_7B1D_CDAF)
        #expect(chance.next() == 0x6E78_9E6A_A1B9_65F4)
    }

    @Test func momentsAreTimesOfDays() {
        #expect("\(Moment(.milliseconds(86_400_000 + 7 * 3_600_000 + 5_250)))" == "day 2 07:00:05.250")
    }
}
