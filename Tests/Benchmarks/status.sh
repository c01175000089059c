#!/bin/sh
# Times `status`, `history` and `audit` over records of growing size, in steps of ten.
#
#   Tests/Benchmarks/status.sh [debug|release] [IMAGES …]
#
# Wanted: `preclone status` below 200 ms with 100,000 images and 1,000,000 digests, and no growth from there.
set -eu
mode=${1:-release}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- 10000 100000 1000000
cd "$(dirname "$0")/../.."
swift build -c "$mode" --product preclone
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for images in "$@"; do
    record="$folder/record-$images.sqlite"
    printf '{"version": 1, "record": {"path": "%s"}}\n' "$record" >"$folder/config.json"
    echo "== $images images"
    # Filling and the calls alone are timed in debug: what they cost is SQLite's, which is optimised either way.
    PRECLONE_BENCHMARK_RECORD=$record PRECLONE_BENCHMARK_IMAGES=$images \
        swift test --disable-xctest --filter StatusBenchmark 2>/dev/null | grep -E '^(filled|status|history|audit)'
    for run in 1 2 3; do
        start=$(date +%s%N)
        ".build/$mode/preclone" status --config "$folder/config.json" >/dev/null || true
        end=$(date +%s%N)
        echo "preclone status ($mode), the whole process: $(((end - start) / 1000000)) ms"
    done
done
