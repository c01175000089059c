#!/bin/sh
# Prints what watching costs against the sandbox, by number of workflows with three versions each and 50 live runs: calls
# by operation, the time that pacing below the quotas makes of them, and the time of the work itself.
#
#   Tests/Benchmarks/watch.sh [WORKFLOWS …]
#
# Wanted: with nothing new only list pages, nothing per live run or known workflow; a batch of 2,000 runs costs one
# definition and one GetBatch, and its images are pending within 10 s of the first list.
set -eu
[ $# -gt 0 ] || set -- 100 1000 10000
cd "$(dirname "$0")/../.."
PRECLONE_BENCHMARK_WORKFLOWS="$*" swift test --disable-xctest --filter WatchBenchmark 2>/dev/null | grep '^watch:'
