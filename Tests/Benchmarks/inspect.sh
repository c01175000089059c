#!/usr/bin/env bash
# Time and peak memory of `preclone inspect` for every definition below a folder; run on demand, with a release build.
#
#   Tests/Benchmarks/inspect.sh PRECLONE FOLDER [LIST]
#
# LIST holds one definition a line, fields between tabs: root (relative to FOLDER), main, engine, parameters file or
# nothing. Without it, every main.nf, main.wdl and main.cwl below FOLDER is one. Each definition is read three times and
# the best time counts. The last lines sum up and name what the product promises: 250 ms for the largest definition, 50 ms
# for the median, 100 MiB. Ends with 1 where a promise is not kept.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '4,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
exec python3 - "$@" <<'PYTHON'
import os, statistics, subprocess, sys, time

program, folder = sys.argv[1:3]
if not os.access(program, os.X_OK):
    sys.exit(f"{program}: not a program; build it with `swift build -c release`")
engines = {"main.nf": "NEXTFLOW", "main.wdl": "WDL", "main.cwl": "CWL"}
definitions = []
if len(sys.argv) > 3:
    with open(sys.argv[3], encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            fields = line.rstrip("\n").split("\t")
            if line.strip() and len(fields) < 3:
                sys.exit(f"{sys.argv[3]}:{number}: needs root, main and engine, with tabs between")
            if line.strip():
                definitions.append((fields + [""])[:4])
else:
    for root, _, names in sorted(os.walk(folder)):
        definitions += [[os.path.relpath(root, folder), n, engines[n], ""] for n in sorted(names) if n in engines]
if not definitions:
    sys.exit(f"{folder}: no definitions")

def measure(command):
    """Seconds, peak KiB, exit code, lines of output."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    images = process.stdout.read().count(b"\n")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - start, usage.ru_maxrss, process.returncode, images

times, peaks, failed = [], [], 0
print(f"{'ms':>7} {'MiB':>6} {'images':>6}  definition")
for root, main, engine, parameters in definitions:
    command = [program, "inspect", os.path.join(folder, root), "--main", main, "--engine", engine]
    if parameters:
        command += ["--parameters", parameters]
    runs = [measure(command) for _ in range(3)]
    seconds, (peak, code, images) = min(r[0] for r in runs), runs[0][1:]
    times.append(seconds)
    peaks.append(peak)
    failed += code != 0
    print(f"{seconds * 1000:7.1f} {peak / 1024:6.1f} {images:6d}  {os.path.join(root, main)}" + (f"  exit {code}" if code else ""))
median, slowest, most = statistics.median(times) * 1000, max(times) * 1000, max(peaks) / 1024
print(f"{len(times)} definitions, {failed} not read; median {median:.1f} ms, slowest {slowest:.1f} ms, peak {most:.1f} MiB")
kept = median < 50 and slowest < 250 and most < 100
print("within" if kept else "NOT within", "50 ms median, 250 ms slowest, 100 MiB")
sys.exit(0 if kept else 1)
PYTHON
