"""What hostile answers cost in memory: hostile_peers.py PRECLONE [CASE…]

Runs the built program against registries, AWS services and definitions that send as much as they can, each in a memory
cgroup of its own, whose peak may be 64 MiB above that of the same command with a harmless answer. Where no cgroup can be
made, the peak of the resident set counts. Prints a line for each case; ends with 1 if one takes more.
"""
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
import zlib

PROGRAM, WANTED = sys.argv[1], sys.argv[2:]
ALLOWED = 64 << 20
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def filled(head, item, tail, size):
    """As many items between head and tail as fit into so many bytes."""
    count = (size - len(head) - len(tail) + 1) // (len(item) + 1)
    return head + b",".join([item] * count) + tail


class Peer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def __init__(self, answer):
        self.answer = answer
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def host(self):
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        found = self.server.answer(self.command, self.path, self.headers, body)
        status, headers, content = found if found else (404, {}, b'{"errors":[{"code":"NOT_HERE"}]}')
        self.send_response(status)
        endless = callable(content)
        for name, value in headers.items():
            self.send_header(name, value)
        if endless:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if not endless:
            self.wfile.write(content)
            return
        for piece in content():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do


class Registry:
    """A registry of one repository, `a/tool`, that takes whatever is pushed."""

    def __init__(self):
        self.manifests, self.blobs, self.extra = {}, {}, lambda *_: None
        self.peer = Peer(self.answer)

    def put(self, content, kind, *tags):
        for name in (digest(content), *tags):
            self.manifests[name] = (kind, content)
        return digest(content)

    def blob(self, content, kind=CONFIG):
        self.blobs[digest(content)] = content
        return {"mediaType": kind, "digest": digest(content), "size": len(content)}

    def image(self, config=b'{"os":"linux","architecture":"amd64"}', **more):
        layers = [self.blob(b"layer", "application/vnd.oci.image.layer.v1.tar+gzip")]
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.blob(config), "layers": layers, **more}
        return json.dumps(document).encode()

    def answer(self, method, path, headers, body):
        found = self.extra(method, path, headers)
        if found:
            return found
        path, _, query = path.partition("?")
        name = path.rsplit("/", 1)[-1]
        if "/manifests/" in path:
            if method == "PUT":
                self.put(body, headers.get("content-type", ""), name)
                return 201, {"docker-content-digest": digest(body)}, b""
            if name in self.manifests:
                kind, content = self.manifests[name]
                return 200, {"content-type": kind, "docker-content-digest": digest(content)}, content
        elif "/blobs/uploads" in path:
            if method == "POST":
                return 202, {"location": "/v2/a/tool/blobs/uploads/1"}, b""
            self.blobs[digest(body)] = body
            return 201, {}, b""
        elif "/blobs/" in path and name in self.blobs:
            return 200, {}, self.blobs[name]


def endless(piece=b"x" * 65536, times=1 << 14):
    """A gibibyte, piece by piece."""
    return lambda: (piece for _ in range(times))


def compressed(mebibytes):
    packer = zlib.compressobj(wbits=31)
    return b"".join([packer.compress(b"x" * (1 << 20)) for _ in range(mebibytes)] + [packer.flush()])


# Registries: `preclone copy`.

def harmless(source):
    source.put(source.image(), MANIFEST, "1")


def manifest(content):
    return lambda source: source.put(content, MANIFEST, "1")


def padded_index(source):
    """Children of almost 4 MiB each, which are what they say."""
    entries = []
    for number in range(4):
        child = source.image(annotations={"a": "x" * ((4 << 20) - 2000), "n": str(number)})
        entries.append({"mediaType": MANIFEST, "digest": source.put(child, MANIFEST), "size": len(child),
                        "platform": {"os": "linux", "architecture": f"a{number}"}})
    source.put(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode(), INDEX, "1")


def lying_index(source):
    """Children that claim a thousand bytes and are 4 MiB."""
    entries = []
    for number in range(50):
        child = filled(b'{"schemaVersion":2,"n":%d,"layers":[' % number, b"{}", b"]}", 4 << 20)
        entries.append({"mediaType": MANIFEST, "digest": source.put(child, MANIFEST), "size": 1000,
                        "platform": {"os": "linux", "architecture": f"a{number}"}})
    source.put(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode(), INDEX, "1")


def wide_index(source):
    """A thousand children with names as long as they may be."""
    entries = []
    for number in range(1000):
        child = source.image(annotations={"n": str(number), "a": "x" * 10_000})
        entries.append({"mediaType": MANIFEST, "digest": source.put(child, MANIFEST), "size": len(child),
                        "platform": {"os": "linux", "architecture": f"{number}" + "a" * 3000}})
    source.put(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode(), INDEX, "1")


def many_layers(source):
    config = source.blob(b'{"os":"linux","architecture":"amd64"}')
    layers = [source.blob(b"%d" % number, "a/" + "b" * 250) for number in range(1999)]
    layers = [dict(layer, annotations={"a": "x" * 1500}) for layer in layers]
    source.put(json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}).encode(),
               MANIFEST, "1")


def answers(content, status=200, kind="application/json", where="/manifests/", **headers):
    def prepare(source):
        harmless(source)
        source.extra = lambda method, path, _: (
            (status, {"content-type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}, content)
            if where in path else None)
    return prepare


def token(content):
    def prepare(source):
        harmless(source)
        realm = f'Bearer realm="http://{source.peer.host}/token",service="s"'
        source.extra = lambda method, path, headers: (
            (200, {}, content) if path.startswith("/token")
            else (401, {"www-authenticate": realm}, b"") if not headers.get("authorization") else None)
    return prepare


def config(content):
    return lambda source: source.put(source.image(config=content), MANIFEST, "1")


def referrers(size):
    """As many signatures as are brought, of so many bytes each."""
    def prepare(source):
        image = source.image()
        source.put(image, MANIFEST, "1")
        subject = {"mediaType": MANIFEST, "digest": digest(image), "size": len(image)}
        entries = []
        for number in range(300):
            content = source.image(subject=subject, annotations={"a": "x" * size, "n": str(number)})
            entries.append({"mediaType": MANIFEST, "digest": source.put(content, MANIFEST), "size": len(content)})
        listed = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        source.extra = lambda method, path, _: (200, {"content-type": INDEX}, listed) if "/referrers/" in path and digest(
            image) in path else None
    return prepare


REGISTRY = {
    "manifest of empty layers": manifest(filled(b'{"schemaVersion":2,"layers":[', b"{}", b"]}", 4 << 20)),
    "manifest of nothing but depth": manifest(b'{"schemaVersion":2,"a":' + b"[" * (4 << 20)),
    "manifest of one long text": manifest(b'{"schemaVersion":2,"a":"' + b"x" * ((4 << 20) - 40) + b'"}'),
    "manifest of escapes": manifest(b'{"schemaVersion":2,"a":"' + b"\\u0041" * 690_000 + b'"}'),
    "manifest of keys": manifest(b"{" + b",".join(b'"%d":0' % n for n in range(400_000)) + b"}"),
    "manifest of 99,000 values": manifest(filled(b'{"schemaVersion":2,"layers":[', b"{}", b"]}", 148_000)),
    "manifest of 1,999 layers": many_layers,
    "manifest without an end": answers(endless(), kind=MANIFEST),
    "manifest that unpacks to a gibibyte": answers(compressed(1024), kind=MANIFEST, content_encoding="gzip"),
    "index of padded children": padded_index,
    "index of lying children": lying_index,
    "index of a thousand children": wide_index,
    "error page without an end": answers(endless(), status=404, kind="text/html"),
    "error of codes": answers(filled(b'{"errors":[', b"{}", b"]}", 8 << 20), status=400),
    "header of a mebibyte": answers(b"{}", kind=MANIFEST, docker_content_digest="x" * (1 << 20)),
    "token answer of values": token(filled(b'{"token":[', b"{}", b"]}", 1 << 20)),
    "token answer without an end": token(endless()),
    "configuration of values": config(filled(b'{"os":[', b"{}", b"]}", 4 << 20)),
    "configuration of history": config(filled(b'{"os":"linux","architecture":"amd64","h":[', b"{}", b"]}", 190_000)),
    "tags without an end": answers(endless(), where="/tags/list"),
    "tags of values": answers(filled(b'{"tags":[', b'""', b"]}", 1 << 20), where="/tags/list"),
    "tags of values, just allowed": answers(filled(b'{"tags":[', b'"aaaaaaa"', b"]}", 900_000), where="/tags/list"),
    "referrers without an end": answers(endless(), kind=INDEX, where="/referrers/"),
    "referrers of values": answers(filled(b'{"manifests":[', b"{}", b"]}", 4 << 20), kind=INDEX, where="/referrers/"),
    "referrers of 99,000 values": answers(filled(b'{"manifests":[', b"{}", b"]}", 148_000), kind=INDEX,
                                          where="/referrers/"),
    "300 small referrers": referrers(1_000),
    "300 referrers of 4 MiB": referrers((4 << 20) - 2_000),
}


def copy(prepare, folder):
    source, destination = Registry(), Registry()
    prepare(source)
    return ([PROGRAM, "copy", "--plain-http", "--referrers", "--platform", "linux/amd64" if prepare not in (
        padded_index, lying_index, wide_index) else "linux/a0", f"{source.peer.host}/a/tool:1",
        f"{destination.peer.host}/b/tool:1"] if prepare not in (padded_index, wide_index) else
        [PROGRAM, "copy", "--plain-http", "--referrers", f"{source.peer.host}/a/tool:1",
         f"{destination.peer.host}/b/tool:1"]), {}


# AWS: `preclone clone` of an image, with one service's answers replaced.

IDENTITY = b"""<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/a</Arn>
<UserId>A</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


def aws(what, content, status=200):
    """The operation whose name ends so answers this."""
    def answer(method, path, headers, body):
        name = headers.get("x-amz-target", "").rsplit(".", 1)[-1] or ("Get" + path.split("/")[1].title())
        if b"Action=GetCallerIdentity" in body:
            name = "GetCallerIdentity"
        if name == what or what == "*":
            return status, {"content-type": "application/x-amz-json-1.1"}, content
        if name == "GetCallerIdentity":
            return 200, {"content-type": "text/xml"}, IDENTITY
        if name == "DescribePullThroughCacheRules":
            return 200, {}, b'{"pullThroughCacheRules":[]}'
        return 400, {}, b'{"__type":"RepositoryNotFoundException","message":"no"}'
    return answer


def values(key, item, size=16 << 20):
    return filled(b'{"%b":[' % key, item, b"]}", size)


AWS = {
    "identity of elements": aws("GetCallerIdentity", b"<a>" * (5 << 20)),
    "identity of one text": aws("GetCallerIdentity", IDENTITY.replace(b"user/a", b"user/" + b"a" * (15 << 20))),
    "rules of values": aws("DescribePullThroughCacheRules", values(b"pullThroughCacheRules", b"{}")),
    "rules of values, just allowed": aws("DescribePullThroughCacheRules",
                                         values(b"pullThroughCacheRules", b"{}", 598_000)),
    "rules of fields": aws("DescribePullThroughCacheRules", values(
        b"pullThroughCacheRules", b'{"ecrRepositoryPrefix":"a","upstreamRegistryUrl":"b"}', 2_000_000)),
    "rules of long texts": aws("DescribePullThroughCacheRules", values(
        b"pullThroughCacheRules", b'{"ecrRepositoryPrefix":"%b"}' % (b"a" * 10_000))),
    "images of values, just allowed": aws("DescribeImages", values(b"imageDetails", b"{}", 598_000)),
    "images of one text": aws("DescribeImages", b'{"imageDetails":[{"imageDigest":"' + b"a" * (15 << 20) + b'"}]}'),
    "answer without an end": aws("DescribeImages", endless()),
    "error of values": aws("DescribeImages", values(b"errors", b"{}"), 400),
    "error of one text": aws("DescribeImages", b'{"__type":"X","message":"' + b"a" * (15 << 20) + b'"}', 400),
    "error without an end": aws("DescribeImages", endless(), 400),
    "error of elements": aws("DescribeImages", b"<Error>" * (2 << 20), 500),
}


def clone(answer, folder):
    peer = Peer(answer)
    settings = folder / "config.json"
    settings.write_text(json.dumps({"version": 1, "aws": {"region": "us-east-1"},
                                    "retry": {"request": {"base": "1ms", "attempts": 2}}}))
    return [PROGRAM, "clone", "--config", str(settings), "--region", "us-east-1", "--record", str(folder / "record"),
            "quay.io/a/b:1"], {
        "AWS_ENDPOINT_URL": f"http://{peer.host}", "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "2"}


# Definitions: `preclone inspect`.

TASK = 'task t { command {} runtime { docker: "quay.io/a/b:1" } }\n'
LARGE = 15 << 20
FORMS = {
    "WDL of calls": ("WDL", "main.wdl", "version 1.0\nworkflow w {\n", "call t\n", "}\n" + TASK),
    "WDL of aliased calls": ("WDL", "main.wdl", "version 1.0\nworkflow w {\n", "call t as t%d\n", "}\n" + TASK),
    "WDL of tasks": ("WDL", "main.wdl", "version 1.0\nworkflow w { call t }\n" + TASK, "task x%d { command {} }\n", ""),
    "WDL of depth": ("WDL", "main.wdl", "version 1.0\nworkflow w { Int a = ", "(", ""),
    "WDL of an array": ("WDL", "main.wdl", "version 1.0\nworkflow w { Array[Int] a = [", "1,", "1] }"),
    "WDL of one literal": ("WDL", "main.wdl", 'version 1.0\nworkflow w { String a = "', "x", '" }'),
    "WDL of comments": ("WDL", "main.wdl", "version 1.0\nworkflow w {}\n", "# x\n", ""),
    "Nextflow of processes": ("NEXTFLOW", "main.nf", "workflow { a0() }\n",
                              "process a%d { container 'quay.io/a/b:1'\n script: '' }\n", ""),
    "Nextflow of depth": ("NEXTFLOW", "main.nf", "workflow { ", "[", ""),
    "Nextflow of statements": ("NEXTFLOW", "main.nf", "workflow {\n", "x = 1\n", "}"),
    "Nextflow of a list": ("NEXTFLOW", "main.nf", "workflow { x = [", "1,", "1] }"),
    "Nextflow of one literal": ("NEXTFLOW", "main.nf", "params.a = '", "x", "'"),
    "CWL of values": ("CWL", "main.cwl", '{"cwlVersion":"v1.2","class":"Workflow","x":[', "{},", "{}]}"),
    "CWL of lines": ("CWL", "main.cwl", "cwlVersion: v1.2\nclass: Workflow\nx:\n", "- a: b\n", ""),
    "CWL of tools": ("CWL", "main.cwl", '{"cwlVersion":"v1.2","$graph":[',
                     '{"class":"CommandLineTool","id":"t%d","inputs":[],"outputs":[]},',
                     '{"class":"Workflow","id":"main","steps":[],"inputs":[],"outputs":[]}]}'),
    "CWL of depth": ("CWL", "main.cwl", "cwlVersion: v1.2\nx: ", "[", ""),
}


def sized(form, size):
    engine, main, head, item, tail = form
    count = (size - len(head) - len(tail)) // len(item)
    body = "".join(item % n for n in range(count)) if "%d" in item else item * count
    return engine, main, head + body + tail


# Made when they are wanted: together they would be large.
DEFINITIONS = {f"{title}, {size / 1e6:.1f} MB": (lambda form=form, size=size: sized(form, size))
               for title, form in FORMS.items() for size in (LARGE, 1_900_000, 900_000)}
DEFINITIONS["CWL of aliases"] = ("CWL", "main.cwl", "cwlVersion: v1.2\nclass: Workflow\na0: &a0 [x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)))
DEFINITIONS["zip of 99,000 entries"] = ("WDL", "main.wdl", "version 1.0\nworkflow w { call t }\n" + TASK, 99_000)
DEFINITIONS["a script included 300 times"] = ("NEXTFLOW", "main.nf", "".join(
    f"include {{ p as p{n} }} from './i' addParams(n: {n})\n" for n in range(300)) + "workflow { p0() }", 0, {
        "i.nf": "process p { container params.c ?: \"quay.io/a/b:${params.n}\"\n script: '' }\ndef f() {\n" + "x = 1\n" * 20_000 + "}"})
DEFINITIONS["100 imports of 1.9 MB"] = lambda: ("WDL", "main.wdl", "version 1.0\n" + "".join(
    f'import "i{n}.wdl" as i{n}\n' for n in range(100)) + "workflow w {\n" + "".join(f"call i{n}.w{n}\n" for n in range(100)) + "}\n", 0, {
        f"i{n}.wdl": f"version 1.0\ntask x{n} {{ command {{}} }}\nworkflow w{n} {{ Array[Int] a = [" + "1," * 940_000 + "1] }"
        for n in range(100)})
DEFINITIONS["100 includes of 1.9 MB"] = lambda: ("NEXTFLOW", "main.nf", "".join(
    f"include {{ p{n} }} from './i{n}'\n" for n in range(100)) + "workflow { p0() }", 0, {
        f"i{n}.nf": f"process p{n} {{ container 'quay.io/a/b:1'\n script: '' }}\n" + f"def f{n}() {{ [" + "1," * 940_000 + "1] }"
        for n in range(100)})


def inspect(case, folder):
    case = case() if callable(case) else case
    engine, main, content, many, others = (*case, 0, {}) if len(case) == 3 else (*case, {}) if len(case) == 4 else case
    path = folder / "definition.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(main, content)
        for name, text in others.items():
            archive.writestr(name, text)
        for number in range(many):
            archive.writestr(f"{number:06}" + "n" * 120, b"")
    return [PROGRAM, "inspect", str(path), "--engine", engine], {}


# Measuring.

def cgroup():
    """A memory cgroup and the file with its peak, of version 1 or 2; None where none can be made."""
    for root, peak in (("/sys/fs/cgroup/memory", "memory.max_usage_in_bytes"), ("/sys/fs/cgroup", "memory.peak")):
        try:
            group = pathlib.Path(tempfile.mkdtemp(prefix="preclone-", dir=root))
        except OSError:
            continue
        if (group / peak).exists():
            return group, group / peak
        group.rmdir()
    return None, None


def run(arguments, variables):
    """The peak of memory, and the exit code."""
    group, file = cgroup()
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
    # A shell enters the group, so that nothing of this process counts.
    enter = ["/bin/sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$@"', "sh"] if group else []
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(enter + arguments, env=environment, stdout=subprocess.DEVNULL, stderr=told)
        timer = threading.Timer(240, process.kill)
        timer.start()
        peak = 0
        while process.poll() is None:
            if group is None:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                peak = max([peak] + [int(line.split()[1]) << 10 for line in status.splitlines() if "VmHWM" in line])
            time.sleep(0.01)
        timer.cancel()
        told.seek(0)
        said = told.read().decode(errors="replace")
    if group:
        peak = int(file.read_text())
        for _ in range(100):
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.01)
    return peak, process.returncode, said, group is not None


def measure(kind, cases, command, calm):
    folder = pathlib.Path(tempfile.mkdtemp())
    failed = []

    def once(case):
        place = folder / "case"
        place.mkdir()
        try:
            arguments, variables = command(case, place)
            return run(arguments, variables)
        finally:
            shutil.rmtree(place)

    base, ended, said, isolated = once(calm)
    print(f"{kind}: harmless {base >> 20} MiB, exit {ended}; {'cgroup' if isolated else 'resident set'}", flush=True)
    for name, case in cases.items():
        if WANTED and not any(word in f"{kind}: {name}" for word in WANTED):
            continue
        peak, ended, said, _ = once(case)
        above = (peak - base) / (1 << 20)
        good = ended >= 0 and peak <= base + ALLOWED
        print(f"  {'' if good else 'TOO MUCH: '}{name}: {above:.1f} MiB above, exit {ended}", flush=True)
        if os.environ.get("HOSTILE_VERBOSE"):
            print("    " + said.strip()[:300].replace("\n", "\n    "))
        if not good:
            failed.append(name)
    shutil.rmtree(folder)
    return failed


failed = []
for kind, cases, command, calm in (
        ("registry", REGISTRY, copy, harmless), ("AWS", AWS, clone, aws("", b"")),
        ("definition", DEFINITIONS, inspect, ("WDL", "main.wdl", "version 1.0\nworkflow w { call t }\n" + TASK))):
    if not WANTED or any(word in f"{kind}: {name}" for name in cases for word in WANTED):
        failed += measure(kind, cases, command, calm)
print(f"{len(failed)} take too much" + "".join(f"\n  {name}" for name in failed))
sys.exit(1 if failed else 0)
