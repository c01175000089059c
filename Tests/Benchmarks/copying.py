#!/usr/bin/env python3
"""Measures `preclone copy` beside skopeo, and beside crane and regctl where they are on PATH.

Two of Debian's docker-registry on loopback, one to copy from and one to copy to; the tools take turns, and what counts
is the median. Prints wall time, CPU and peak memory of the client, the requests that the destination and the
counted ones that the source got in one run more, and ratios to the best peer. Cases that begin with `far-` go through a
link of 20 ms round trip and 1 Gbit/s each way, made by a relay in front of both registries; those that begin with
`slow-` through one of 80 ms and 2 Gbit/s, whose source gives each connection 30 MB/s.

    Tests/Benchmarks/copying.py [--preclone .build/release/preclone] [--runs 5] [--cases small,mid,…]
"""

import argparse
import asyncio
import hashlib
import http.server
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

MIB = 1 << 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Registry:
    """Debian's docker-registry with its storage in a folder that can be emptied."""

    def __init__(self, root, name):
        self.root = os.path.join(root, name)
        os.makedirs(self.root)
        self.port, self.counter_port = free_port(), free_port()
        config = os.path.join(root, name + ".yml")
        with open(config, "w") as f:
            f.write(
                "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
                f"storage: {{filesystem: {{rootdirectory: {self.root}}}}}\n"
                f'http: {{addr: "127.0.0.1:{self.port}", debug: {{addr: "127.0.0.1:{self.counter_port}", '
                "prometheus: {enabled: true, path: /metrics}}}\n"
            )
        self.process = subprocess.Popen(
            ["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.host = f"127.0.0.1:{self.port}"
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://{self.host}/v2/").read()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit("docker-registry does not start; apt install docker-registry")

    def requests(self):
        """Requests so far, by handler and method."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.counter_port}/metrics").read().decode()
        counts = {}
        for line in text.splitlines():
            match = re.match(r'registry_http_requests_total\{(.*)\} (\S+)', line)
            if match:
                labels = dict(re.findall(r'(\w+)="([^"]*)"', match[1]))
                key = labels["handler"], labels["method"].upper()
                counts[key] = counts.get(key, 0) + int(float(match[2]))
        return counts

    def empty(self):
        shutil.rmtree(os.path.join(self.root, "docker"), ignore_errors=True)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def push_blob(host, repository, data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    start = urllib.request.Request(f"http://{host}/v2/{repository}/blobs/uploads/", method="POST", data=b"")
    location = urllib.request.urlopen(start).headers["Location"]
    url = location + ("&" if "?" in location else "?") + "digest=" + digest
    put = urllib.request.Request(url, method="PUT", data=data)
    put.add_header("Content-Type", "application/octet-stream")
    urllib.request.urlopen(put).read()
    return {"digest": digest, "size": len(data)}


def push_manifest(host, repository, reference, document):
    data = json.dumps(document).encode()
    put = urllib.request.Request(f"http://{host}/v2/{repository}/manifests/{reference}", method="PUT", data=data)
    put.add_header("Content-Type", document["mediaType"])
    urllib.request.urlopen(put).read()
    return {"mediaType": document["mediaType"], "digest": "sha256:" + hashlib.sha256(data).hexdigest(),
            "size": len(data)}


LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def push_image(host, repository, tag, layers, architecture="amd64"):
    """Pushes an image of layers given as bytes; returns its descriptor."""
    entries = [dict(push_blob(host, repository, layer), mediaType=LAYER) for layer in layers]
    config = json.dumps({"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": [
        e["digest"] for e in entries]}, "config": {}, "history": []}).encode()
    document = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": dict(push_blob(host, repository, config), mediaType="application/vnd.oci.image.config.v1+json"),
        "layers": entries}
    reference = tag or "sha256:" + hashlib.sha256(json.dumps(document).encode()).hexdigest()
    return push_manifest(host, repository, reference, document)


def noise(mib):
    # Begins like gzip, so that no tool thinks of compressing it.
    return b"\x1f\x8b\x08\x00" + os.urandom(int(mib * MIB) - 4)


def fill(host):
    push_image(host, "bench/small", "1", [noise(0.2) for _ in range(5)])
    push_image(host, "bench/mid", "1", [noise(m) for m in (100, 50, 30, 30, 20, 20, 10, 10, 10, 10, 5, 5)])
    push_image(host, "bench/one", "1", [noise(600)])
    push_image(host, "bench/big", "1", [noise(800)] + [noise(m) for m in [66] * 18 + [60]])
    children = []
    for architecture in ("amd64", "arm64"):
        child = push_image(host, "bench/index", None, [noise(4) for _ in range(4)], architecture)
        children.append(dict(child, platform={"os": "linux", "architecture": architecture}))
    push_manifest(host, "bench/index", "1", {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children})
    base = [noise(m) for m in (16, 10, 6, 4, 2, 1, 1, 0.5)]
    for number in range(30):
        push_image(host, f"bench/shared{number}", "1", base + [noise(9.9)])


class Sink(http.server.BaseHTTPRequestHandler):
    """A registry that throws away what it is given: what is left is the client's own limit."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def drain(self):
        buffer = bytearray(MIB)
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                left = size + 2
                while left:
                    left -= self.rfile.readinto(memoryview(buffer)[:min(left, MIB)])
                if size == 0:
                    return
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            left -= self.rfile.readinto(memoryview(buffer)[:min(left, MIB)])

    def do_HEAD(self):
        self.reply(404)

    def do_GET(self):
        self.reply(200 if self.path == "/v2/" else 404)

    def do_POST(self):
        self.drain()
        self.reply(202, [("Location", self.path.split("?")[0] + "u"), ("Range", "0-0")])

    def do_PATCH(self):
        self.drain()
        self.reply(202, [("Location", self.path), ("Range", "0-0")])

    def do_PUT(self):
        self.drain()
        self.reply(201, [("Location", self.path)])


def sink_process(port):
    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    Server(("127.0.0.1", port), Sink).serve_forever()


async def relay(routes, delay=0.010, rate=125e6, capped=(), cap=30e6):
    """Serves `routes` (port to port); one link for all of them, each way. Each connection to a port of `capped` has `cap`
    bytes a second of it."""
    free = {"up": 0.0, "down": 0.0}

    async def carry(way, reader, writer, start, own):
        queue = asyncio.Queue()
        own_free = 0.0

        async def deliver():
            while (item := await queue.get()) is not None:
                at, data = item
                wait = at - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

        task = asyncio.create_task(deliver())
        try:
            while data := await reader.read(1 << 18):
                now = max(time.monotonic(), start)
                free[way] = max(now, free[way]) + len(data) / rate
                own_free = max(now, own_free) + len(data) / own
                queue.put_nowait((max(free[way], own_free) + delay, data))
                # No more is under way than a window of 4 MiB.
                while queue.qsize() > 16:
                    await asyncio.sleep(0.001)
        except OSError:
            pass
        queue.put_nowait(None)
        try:
            await task
        except OSError:
            pass

    def accept(target):
        async def serve(reader, writer):
            # The handshake of TCP takes a round trip as well.
            start = time.monotonic() + 2 * delay
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", target, limit=1 << 19)
            own = cap if target in capped else rate
            await asyncio.gather(
                carry("up", reader, up_writer, start, own), carry("down", up_reader, writer, start, own))
            for end in (writer, up_writer):
                end.close()
        return serve

    servers = [await asyncio.start_server(accept(to), "127.0.0.1", port, limit=1 << 19) for port, to in routes.items()]
    await asyncio.gather(*(server.serve_forever() for server in servers))


def forked(function, *arguments):
    child = os.fork()
    if child == 0:
        try:
            function(*arguments)
            os._exit(0)
        finally:
            os._exit(1)
    return child


def measure(commands, environment):
    """Runs commands one after another; wall, CPU and peak memory (KiB)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    peak = 0
    for command in commands:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
        error = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        peak = max(peak, usage.ru_maxrss)
        if status != 0:
            sys.exit(f"{' '.join(command)} failed: {error.decode()[-600:]}")
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, peak


def tools(preclone):
    def ours(pairs, folder):
        if len(pairs) == 1:
            return [[preclone, "copy", "--plain-http", *pairs[0]]]
        path = os.path.join(folder, "list")
        with open(path, "w") as f:
            f.writelines(f"{a} {b}\n" for a, b in pairs)
        return [[preclone, "copy", "--plain-http", "--list", path]]

    found = {"preclone": ours}
    if shutil.which("skopeo"):
        found["skopeo"] = lambda pairs, _: [
            ["skopeo", "copy", "--insecure-policy", "--all", "--preserve-digests", "--src-tls-verify=false",
             "--dest-tls-verify=false", "docker://" + a, "docker://" + b] for a, b in pairs]
    if shutil.which("crane"):
        found["crane"] = lambda pairs, _: [["crane", "copy", "--insecure", a, b] for a, b in pairs]
    if shutil.which("regctl"):
        hosts = lambda pairs: sorted({x.split("/")[0] for pair in pairs for x in pair})
        found["regctl"] = lambda pairs, _: [
            ["regctl", *[f"--host=reg={h},tls=disabled" for h in hosts(pairs)], "image", "copy", a, b]
            for a, b in pairs]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preclone", default=".build/release/preclone")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cases", default="small,mid,big,index,sink,shared,far-shared,far-small,far-index,warm")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="preclone-bench-")
    environment = {**os.environ, "HOME": folder, "XDG_RUNTIME_DIR": folder}
    source = Registry(folder, "source")
    destination = Registry(folder, "destination")
    sink_port, far_source, far_destination, slow_source, slow_destination = [free_port() for _ in range(5)]
    children = [
        forked(sink_process, sink_port),
        forked(lambda: asyncio.run(relay({far_source: source.port, far_destination: destination.port}))),
        forked(lambda: asyncio.run(relay({slow_source: source.port, slow_destination: destination.port}, 0.040, 250e6,
                                         capped={source.port}))),
    ]
    try:
        # In another process: what this one ever held would count as the peak of every program it starts.
        if os.waitpid(forked(fill, source.host), 0)[1] != 0:
            sys.exit("the images can't be pushed")

        def pairs_of(names, source_host, destination_host):
            return [(f"{source_host}/bench/{n}:1", f"{destination_host}/x/{n}:1") for n in names]

        near, far = (source.host, destination.host), (f"127.0.0.1:{far_source}", f"127.0.0.1:{far_destination}")
        slow = f"127.0.0.1:{slow_source}", f"127.0.0.1:{slow_destination}"
        thirty = [f"shared{n}" for n in range(30)]
        # What is copied, and whether the destination is emptied before each run.
        cases = {
            "small": (pairs_of(["small"], *near), True), "mid": (pairs_of(["mid"], *near), True),
            "big": (pairs_of(["big"], *near), True), "index": (pairs_of(["index"], *near), True),
            "sink": (pairs_of(["big"], source.host, f"127.0.0.1:{sink_port}"), False),
            "shared": (pairs_of(thirty, *near), True), "far-shared": (pairs_of(thirty, *far), True),
            "far-small": (pairs_of(["small"], *far), True), "far-index": (pairs_of(["index"], *far), True),
            "slow-small": (pairs_of(["small"], *slow), True), "slow-mid": (pairs_of(["mid"], *slow), True),
            "slow-one": (pairs_of(["one"], *slow), True), "warm": (pairs_of(thirty, *near), False)}
        for name in options.cases.split(","):
            pairs, is_cold = cases[name]
            found = tools(options.preclone)
            results = {tool: [] for tool in found}
            if name == "warm":
                measure(found["preclone"](pairs, folder), environment)
            for _ in range(options.runs):
                for tool, command in found.items():
                    if is_cold:
                        destination.empty()
                    results[tool].append(measure(command(pairs, folder), environment))
            counted = {}
            for tool, command in found.items():
                if is_cold:
                    destination.empty()
                before = source.requests(), destination.requests()
                measure(command(pairs, folder), environment)
                after = source.requests(), destination.requests()
                counted[tool] = (
                    sum(after[1].values()) - sum(before[1].values()),
                    after[0].get(("manifest", "GET"), 0) - before[0].get(("manifest", "GET"), 0))
            medians = {tool: [statistics.median(x) for x in zip(*runs)] for tool, runs in results.items()}
            peers = [m for tool, m in medians.items() if tool != "preclone"]
            print(f"{name}:")
            for tool, (wall, cpu, peak) in medians.items():
                print(f"  {tool:9} wall {wall:7.3f} s   cpu {cpu:6.2f} s   peak {peak / 1024:6.1f} MiB   "
                      f"requests at the destination {counted[tool][0]}, manifests read {counted[tool][1]}")
            if peers:
                ours = medians["preclone"]
                print(f"  ratio     wall {ours[0] / min(p[0] for p in peers):7.2f}     "
                      f"cpu {ours[1] / min(p[1] for p in peers):6.2f}", flush=True)
    finally:
        source.stop()
        destination.stop()
        for child in children:
            os.kill(child, 15)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
