/// How soon the image is wanted that pulls are made for now.
package enum PullUrgency {
    /// An `Urgency`'s number: 0 a live run, 1 a person, 2 a new version, 3 a refresh. Bound around one image's work; the last
    /// pulls of a quota are for live runs.
    @TaskLocal package static var current = 1
}
