/// An error of the record itself: a full or broken disk, a file that was damaged or taken away.
package protocol RecordFault: Error {
    /// What the record said.
    var recordFault: String { get }
}
