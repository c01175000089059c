import Record

// The record is what stages remember by.

extension Ledger: CloneRecord {}

extension Ledger: HostRecord {}

extension Ledger: PolicyRecord {}

extension Ledger: SurveyMemory {}
