#!/usr/bin/env python3
"""Measures what the daemon costs while it has nothing to do, and how fast it starts.

Idle: the daemon with its default intervals against the sandbox with the demo's images cloned and its runs ended.
Start: from the call of the program to READY=1 on $NOTIFY_SOCKET, with a record of many images and ten times as many
digests, which `StatusBenchmark` fills. Wanted: below 40 MiB resident and 0.2 % of a core; READY below 1 s with 100,000.

    Tests/Benchmarks/footprint.py [--preclone .build/release/preclone] [--sandbox .build/debug/preclone-sandbox]
        [--minutes 5] [--images 100000]
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

TICK = os.sysconf("SC_CLK_TCK")


def usage(pid):
    """CPU seconds so far, and resident KiB now and at most."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
    kib = lambda key: int(status[key].split()[0])
    return (int(fields[11]) + int(fields[12])) / TICK, kib("VmRSS"), kib("VmHWM")


class World:
    """The sandbox with the demo in it, and a daemon's environment for it."""

    def __init__(self, folder, sandbox):
        ready = os.path.join(folder, "ready.json")
        self.process = subprocess.Popen([sandbox, "--demo", "--ready-file", ready], stdout=subprocess.DEVNULL)
        while not os.path.exists(ready):
            if self.process.poll() is not None:
                sys.exit("the sandbox does not start")
            time.sleep(0.05)
        self.demo = json.load(open(ready))
        self.addresses = self.demo["addresses"]
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "AWS_REGION": self.addresses["region"],
            "AWS_ENDPOINT_URL": self.addresses["aws"],
            "AWS_ACCESS_KEY_ID": self.addresses["accessKeyID"],
            "AWS_SECRET_ACCESS_KEY": self.addresses["secretAccessKey"],
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def config(self, path, record):
        registries = {host: {"endpoint": url} for host, url in self.addresses["registries"].items()}
        network = {"trustedHosts": ["127.0.0.1"], "trustedNetworks": ["127.0.0.0/8"]}
        json.dump({"version": 1, "record": {"path": record}, "registries": registries, "network": network}, open(path, "w"))

    def status(self, preclone, config):
        command = [preclone, "status", "--format", "json", "--config", config]
        return json.loads(subprocess.run(command, env=self.environment, capture_output=True).stdout or "{}")

    def end_runs(self):
        for run in self.demo["runs"]:
            body = json.dumps({"status": "COMPLETED"}).encode()
            urllib.request.urlopen(urllib.request.Request(f"{self.addresses['aws']}/_sandbox/runs/{run}", body))


def idle(preclone, world, folder, minutes):
    config, record = os.path.join(folder, "idle.json"), os.path.join(folder, "idle", "record.sqlite")
    world.config(config, record)
    wanted = sum(entry["state"] == "ready" for entry in world.demo["expectations"])
    with open(os.path.join(folder, "idle.log"), "w") as log:
        daemon = subprocess.Popen([preclone, "run", "--config", config], env=world.environment, stderr=log)
    try:
        while world.status(preclone, config).get("images", {}).get("ready", 0) < wanted:
            if daemon.poll() is not None:
                sys.exit(open(os.path.join(folder, "idle.log")).read())
            time.sleep(0.5)
        world.end_runs()
        time.sleep(60)
        cpu, _, _ = usage(daemon.pid)
        begun, resident = time.monotonic(), []
        while time.monotonic() - begun < minutes * 60:
            time.sleep(5)
            resident.append(usage(daemon.pid)[1])
        spent = time.monotonic() - begun
        after, _, most = usage(daemon.pid)
        print(f"idle for {spent / 60:.1f} min: {statistics.median(resident) / 1024:.1f} MiB resident"
              f" (with the demo's images cloned before: {most / 1024:.1f} MiB at most),"
              f" {100 * (after - cpu) / spent:.3f} % of a core")
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()


def fill(record, images):
    environment = dict(os.environ, PRECLONE_BENCHMARK_RECORD=record, PRECLONE_BENCHMARK_IMAGES=str(images))
    command = ["swift", "test", "--skip-build", "--disable-xctest", "--filter", "StatusBenchmark"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout)


def start(preclone, world, folder, images):
    config, record = os.path.join(folder, "start.json"), os.path.join(folder, "start", "record.sqlite")
    os.makedirs(os.path.dirname(record))
    fill(record, images)
    world.config(config, record)
    path = os.path.join(folder, "notify")
    times = []
    for _ in range(5):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(60)
            with open(os.path.join(folder, "start.log"), "w") as log:
                begun = time.monotonic()
                daemon = subprocess.Popen(
                    [preclone, "run", "--config", config], env=dict(world.environment, NOTIFY_SOCKET=path), stderr=log)
            while b"READY=1" not in manager.recv(65536).split(b"\n"):
                pass
            times.append(time.monotonic() - begun)
            _, resident, _ = usage(daemon.pid)
            daemon.send_signal(signal.SIGTERM)
            daemon.wait()
        os.unlink(path)
    print(f"start to READY with {images} images, {images * 10} digests:"
          f" {1000 * statistics.median(times):.0f} ms (best {1000 * min(times):.0f}, worst {1000 * max(times):.0f}),"
          f" then {resident / 1024:.1f} MiB resident")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preclone", default=".build/release/preclone")
    parser.add_argument("--sandbox", default=".build/debug/preclone-sandbox")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--images", type=int, default=100_000)
    arguments = parser.parse_args()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder, os.path.abspath(arguments.sandbox))
        try:
            start(os.path.abspath(arguments.preclone), world, folder, arguments.images)
            idle(os.path.abspath(arguments.preclone), world, folder, arguments.minutes)
        finally:
            world.process.terminate()


if __name__ == "__main__":
    main()
