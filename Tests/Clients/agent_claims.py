"""Ways to claim to be somebody else at preclone's control socket and through `preclone mcp`, by real connections and processes.

agent_claims.py PRECLONE CONFIG: run as the user who claims. Writes a JSON list of [way, who that came to]: the caller's name, or
what refused it. Who called is in the record too, for whoever may look there.
"""
import array
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile

preclone, config = sys.argv[1], sys.argv[2]
place = json.load(open(config))["record"]["path"] + ".sock"
answers = []


def open_at(path, prepare=None):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    if prepare:
        prepare(connection)
    connection.connect(path)
    return connection


def exchange(connection, *lines):
    """The last line's answer."""
    stream = connection.makefile("rwb")
    answer = {}
    for line in lines:
        stream.write((line if isinstance(line, str) else json.dumps(line)).encode() + b"\n")
        stream.flush()
        answer = json.loads(stream.readline())
    return answer


def told(answer):
    if isinstance(answer, list):
        return "; ".join(told(one) for one in answer)
    if "error" in answer:
        return "refused: " + str(answer["error"].get("what") or answer["error"].get("message"))
    result = answer["result"]
    content = result.get("structuredContent") or {}
    if "error" in content:
        return f"refused: {content['error']}"
    return str(result.get("caller") or content or result)


def claim(way, work):
    try:
        answers.append([way, work()])
    except (OSError, ValueError, subprocess.SubprocessError) as trouble:
        answers.append([way, f"refused: {trouble!r}"])


def hello(**members):
    return {"version": 1, "verb": "hello", **members}


def control(way, *lines, path=place, prepare=None):
    claim(way, lambda: told(exchange(open_at(path, prepare), *lines)))


NAMES = [
    "user", "uid", "userID", "userName", "caller", "identity", "as", "sudo", "euid", "gid", "pid", "credentials", "from",
    "on_behalf_of", "impersonate", "token", "root",
]
CLAIMS = ["root", "user root", "daemon", "agent nightly of user root", "nightly"]

# What a request says of its asker.
for name in NAMES:
    control(f"request.{name}", hello(**{name: "root"}))
    control(f"arguments.{name}", {"version": 1, "verb": "retry", "arguments": {"all": True, name: "root"}})
for agent in CLAIMS + [
    "NIGHTLY", "nightly\u0000", "\uff4eightly", "nightly ", "../nightly", "nightly of user root", "*", "n?ghtly", "", 0, True,
    ["nightly"], {"name": "nightly"},
]:
    control(f"agent {agent!r}", hello(agent=agent))
for program in CLAIMS + ["x\n" + json.dumps(hello(agent="nightly"))]:
    control(f"program {program!r}", hello(program=program))
control("agent named twice", '{"version": 1, "verb": "hello", "agent": "other", "agent": "nightly"}')
control("a second line", hello(agent="nightly"), hello())

# What a client of the Model Context Protocol says of itself.
META = "io.modelcontextprotocol/"


def session(client="t", params=None, meta=None, arguments=None, revision="2025-11-25"):
    begin = {"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": client, "version": client}}
    call = {"name": "RetryImages", "arguments": {"all": True, **(arguments or {})}, **(params or {})}
    if meta:
        call["_meta"] = meta
    return (
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": begin},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call},
    )


def stateless(**meta):
    members = {META + "protocolVersion": "2026-07-28", META + "clientCapabilities": {}, **meta}
    return {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "RetryImages", "arguments": {"all": True}, "_meta": members},
    }


for name in CLAIMS:
    control(f"clientInfo {name!r}", *session(name))
    control(f"clientInfo {name!r}, without a handshake", stateless(**{META + "clientInfo": {"name": name, "version": "1"}}))
for name in ["user", "caller", "agent", "preclone/agent", META + "caller", META + "user", "sub", "principal"]:
    control(f"_meta {name}", *session(meta={name: "nightly"}))
    control(f"params {name}", *session(params={name: "nightly"}))
    control(f"tool's argument {name}", *session(arguments={name: "nightly"}))
control("a batch", *session(revision="2025-03-26")[:1], json.dumps([session()[1], hello(agent="nightly")]))


# What the environment and the arguments of a program say.
def program(way, *arguments, **environment):
    def work():
        said = subprocess.run(
            list(arguments), env={**os.environ, **environment}, capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL,
        )
        return f"refused: {said.returncode} {said.stderr.strip()[:200]}" if said.returncode else said.stdout
    claim(way, work)


retry = [preclone, "retry", "--all", "--config", config]
for name in [
    "USER", "LOGNAME", "USERNAME", "SUDO_USER", "SUDO_UID", "UID", "EUID", "HOME", "PRECLONE_USER", "PRECLONE_AGENT",
    "PRECLONE_CALLER", "INVOCATION_ID", "REMOTE_USER", "XDG_SESSION_ID", "DBUS_STARTER_ADDRESS", "LISTEN_PID",
]:
    program(f"environment {name}", *retry, **{name: "0" if name.endswith("ID") else "root"})
for options in (["--agent", "nightly"], ["--user", "root"], ["--as", "root"], ["--agent", "user root"], ["--uid=0"]):
    program(f"options {options}", *retry, *options)
    program(f"options of clone {options}", preclone, "clone", "quay.io/org/tool:1.0", "--config", config, *options)
program("argument zero", "/bin/sh", "-c", f"exec -a root {' '.join(retry)} 2>/dev/null || exec {' '.join(retry)}")


def through_mcp(*options, **environment):
    lines = "\n".join(json.dumps(one) for one in session("user root")) + "\n"
    said = subprocess.run(
        [preclone, "mcp", "--config", config, *options], input=lines, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=60,
    )
    return told(json.loads(said.stdout.splitlines()[-1]))


for agent in ("nightly", "root", "daemon", "other"):
    claim(f"mcp --agent {agent}", lambda: through_mcp("--agent", agent))
claim("mcp in root's environment", lambda: through_mcp(USER="root", LOGNAME="root", HOME="/root", SUDO_USER="root"))

# How the connection comes to be.
folder = tempfile.mkdtemp()
link = os.path.join(folder, "root.sock")
os.symlink(place, link)
control("through a symbolic link", hello(), path=link)
claim("through a hard link", lambda: (os.link(place, link + "2"), told(exchange(open_at(link + "2"), hello())))[1])
control("by way of /proc", hello(), path="/proc/self/root" + place)
control("by a relative path", hello(), path=os.path.relpath(place))
control("bound to the name root", hello(), prepare=lambda one: one.bind(os.path.join(folder, "root")))
control("bound to the abstract name root", hello(), prepare=lambda one: one.bind(f"\0root{os.getpid()}"))
control("with SO_PASSCRED", hello(), prepare=lambda one: one.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1))


def credentials(pid, uid, gid):
    connection = open_at(place)
    data = array.array("i", [pid, uid, gid]).tobytes()
    # SCM_CREDENTIALS is 2 (unix(7)); Python does not name it.
    connection.sendmsg([json.dumps(hello()).encode() + b"\n"], [(socket.SOL_SOCKET, 2, data)])
    return told(json.loads(connection.makefile("rb").readline()))


claim("SCM_CREDENTIALS of root", lambda: credentials(os.getpid(), 0, 0))
claim("SCM_CREDENTIALS of the daemon's process", lambda: credentials(1, 0, 0))
claim("SCM_CREDENTIALS of its own", lambda: credentials(os.getpid(), os.getuid(), os.getgid()))


def passed(send_first):
    """A connection that another process opened and handed over."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    child = os.fork()
    if child == 0:
        connection = open_at(place)
        if send_first:
            connection.sendall(json.dumps(hello(agent="nightly")).encode() + b"\n")
        socket.send_fds(theirs, [b"x"], [connection.fileno()])
        os._exit(0)
    _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    os.waitpid(child, 0)
    connection = socket.socket(fileno=descriptors[0])
    if send_first:
        return told(json.loads(connection.makefile("rb").readline()))
    return told(exchange(connection, hello()))


claim("a connection passed on", lambda: passed(False))
claim("a connection passed on after it asked", lambda: passed(True))

script = (
    "import json,socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
    's.sendall(b\'{"version": 1, "verb": "hello"}\\n\'); print(json.loads(s.makefile().readline())["result"]["caller"])'
)
program("root of a user namespace", "unshare", "--user", "--map-root-user", sys.executable, "-c", script, place)
program("root of user and process namespaces", "unshare", "-Urpf", sys.executable, "-c", script, place)
program("another session", "setsid", "--wait", sys.executable, "-c", script, place)
for command in ("sudo", "su", "runuser", "pkexec", "doas"):
    if shutil.which(command):
        rest = ["-n"] if command == "sudo" else ["root", "-c"] if command in ("su",) else []
        if command == "su":
            program(command, "su", "root", "-c", " ".join(retry))
        else:
            program(command, command, *rest, *retry)
claim("setuid(0)", lambda: (os.setuid(0), told(exchange(open_at(place), hello())))[1])
claim("setresuid", lambda: (os.setresuid(-1, 0, -1), told(exchange(open_at(place), hello())))[1])
claim("setgroups", lambda: (os.setgroups([0]), told(exchange(open_at(place), hello())))[1])

json.dump(answers, sys.stdout)
