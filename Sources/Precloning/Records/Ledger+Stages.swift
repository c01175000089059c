package import Record

extension Ledger: CloneRecord {}
