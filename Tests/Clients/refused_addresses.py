"""Leads `preclone copy` towards addresses where no registry may send it, and counts who arrives there.

Run in a network namespace of its own, as root: unshare --net --mount python3 refused_addresses.py PROGRAM
The places are addresses of the namespace's loopback, so no packet leaves it. Prints one JSON object.
"""

import http.server
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading

PLACES = {
    "instance metadata": "169.254.169.254",
    "instance metadata, IPv6": "fd00:ec2::254",
    "container credentials": "169.254.170.2",
    "private": "10.1.2.3",
    "link-local": "169.254.7.7",
    "another port of loopback": "127.0.0.1",
    "loopback, IPv6": "::1",
    "metadata mapped into IPv6": "::ffff:169.254.169.254",
    "metadata behind NAT64": "64:ff9b::a9fe:a9fe",
    "a name": "metadata.test",
    "a name with the root's dot": "metadata.test.",
    "decimal": "2852039166",
    "octal": "0251.0376.0251.0376",
    "hexadecimal": "0xa9.0xfe.0xa9fe",
    "loopback in short": "127.1",
}
arrivals = {}


def listen(address, place):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 8080))
    listener.listen()

    def accept():
        while True:
            connection, _ = listener.accept()
            arrivals[place] = arrivals.get(place, 0) + 1
            connection.close()

    threading.Thread(target=accept, daemon=True).start()


def written(address):
    return f"[{address}]" if ":" in address else address


class Registry(http.server.BaseHTTPRequestHandler):
    """A registry that leads away by a realm, a redirected blob, or an upload's Location."""

    protocol_version = "HTTP/1.1"
    target = ""
    kind = ""
    blob = b"{}"

    def log_message(self, *_):
        pass

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def any(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind, target = Registry.kind, Registry.target
        if kind == "realm":
            return self.answer(401, [("WWW-Authenticate", f'Bearer realm="http://{target}/token",service="s"')])
        if self.path.endswith("/uploads/") or "/uploads/?" in self.path:
            return self.answer(202, [("Location", f"http://{target}/upload" if kind == "upload" else "/v2/u")])
        if "/manifests/" in self.path and "/to/" not in self.path:
            kind_of = "application/vnd.oci.image.manifest.v1+json"
            digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
            document = json.dumps({
                "schemaVersion": 2, "mediaType": kind_of,
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2},
                "layers": []}).encode()
            return self.answer(200, [("Content-Type", kind_of)], document)
        if "/blobs/" in self.path and "/to/" not in self.path:
            if kind == "redirect" and self.command == "GET":
                return self.answer(307, [("Location", f"http://{target}/blob")])
            return self.answer(200, [], Registry.blob)
        if self.command == "PUT":
            return self.answer(201)
        self.answer(404)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = any


def copy(program, port, config, source=None, **environment):
    return subprocess.run(
        [program, "copy", "--plain-http", *config, f"{source or f'127.0.0.1:{port}'}/from/a:1",
         f"127.0.0.1:{port}/to/a:1"],
        capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment})


def main():
    program = sys.argv[1]
    run = lambda *command: subprocess.run(command, check=True)
    run("ip", "link", "set", "lo", "up")
    for address in PLACES.values():
        if address[0] in "1f" and not address.startswith("127."):
            run("ip", "addr", "add", address + ("/128" if ":" in address else "/32"), "dev", "lo")
    run("ip", "addr", "add", "64:ff9b::a9fe:a9fe/128", "dev", "lo")
    with tempfile.TemporaryDirectory() as folder:
        hosts = os.path.join(folder, "hosts")
        with open(hosts, "w") as f:
            f.write("127.0.0.1 localhost\n169.254.169.254 metadata.test\n")
        run("mount", "--make-rprivate", "/")
        run("mount", "--bind", hosts, "/etc/hosts")
        for place, address in PLACES.items():
            if not address.startswith("::ffff:") and address[0] not in "0m" and address not in ("2852039166", "127.1"):
                listen(address, address)
        # Each place is reachable: whoever does not arrive did not try.
        reachable = {}
        for place, address in PLACES.items():
            before = sum(arrivals.values())
            socket.create_connection((address.rstrip("."), 8080), timeout=5).close()
            while sum(arrivals.values()) == before:
                pass
            reachable[place] = True
        arrivals.clear()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
        # Whoever is told to go away may hang up first.
        server.handle_error = lambda *_: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        outcomes = []
        for place, address in PLACES.items():
            for kind in ("realm", "redirect", "upload"):
                Registry.kind, Registry.target = kind, f"{written(address)}:8080"
                ended = copy(program, server.server_port, [])
                outcomes.append({"place": place, "kind": kind, "code": ended.returncode, "said": ended.stderr[-400:]})
        refused = dict(arrivals)
        arrivals.clear()
        # A configuration may trust a private network, and never these.
        trusting = os.path.join(folder, "config.json")
        with open(trusting, "w") as f:
            json.dump({"version": 1, "network": {
                "trustedNetworks": ["10.0.0.0/8", "169.254.0.0/16", "fd00::/8"],
                "trustedHosts": ["169.254.169.254:8080"]}}, f)
        Registry.kind = "redirect"
        for address in ("10.1.2.3", "169.254.169.254", "fd00:ec2::254"):
            Registry.target = f"{written(address)}:8080"
            copy(program, server.server_port, ["--config", trusting])
        # An endpoint of AWS's at loopback, and a registry there that is named, open no other port of it.
        plain = os.path.join(folder, "plain.json")
        with open(plain, "w") as f:
            json.dump({"version": 1, "registries": {"upstream.test": {
                "endpoint": f"http://127.0.0.1:{server.server_port}"}}}, f)
        beside = dict(arrivals)
        arrivals.clear()
        Registry.target = "127.0.0.1:8080"
        for kind in ("realm", "redirect", "upload"):
            Registry.kind = kind
            ended = copy(program, server.server_port, ["--config", plain], source="upstream.test",
                         AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_REGION="us-east-1")
            outcomes.append({"place": "beside AWS", "kind": kind, "code": ended.returncode, "said": ended.stderr[-400:]})
        neighbours = dict(arrivals)
        Registry.kind, Registry.target = "none", ""
        control = copy(program, server.server_port, [])
    print(json.dumps({
        "reachable": len(reachable), "outcomes": outcomes, "arrivals": refused, "trusted": beside,
        "neighbours": neighbours,
        "control": {"code": control.returncode, "said": control.stderr[-400:]}}))


main()
