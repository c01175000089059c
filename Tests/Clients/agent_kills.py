"""Kills the client, `preclone mcp` and the daemon with SIGKILL, in turn, while an image is asked for; what was asked for once
is done, and once.

agent_kills.py COUNT PRECLONE CONFIG: asks for quay.io/org/tool0:1, tool1:1 and so on. SEED names the moments (0). The world is
the environment's. Writes one JSON document: how often each was killed, and how often what was asked was asked again.
"""
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

INITIALIZE = {
    "jsonrpc": "2.0", "id": 0, "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "kills", "version": "1"}},
}


def call(image, wait):
    arguments = {"source_image": image, "wait_seconds": wait}
    return {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "CloneContainerToECR", "arguments": arguments},
    }


def client(image, wait, command):
    """An agent's host: starts the server, asks, and prints the server's process and then its answers."""
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    print(server.pid, flush=True)
    for message in (INITIALIZE, call(image, wait)):
        server.stdin.write(json.dumps(message) + "\n")
        server.stdin.flush()
    for line in server.stdout:
        print(line, end="", flush=True)
        if '"id":1' in line.replace(" ", ""):
            break
    server.stdin.close()


def start_daemon(preclone, config):
    daemon = subprocess.Popen([preclone, "run", "--config", config], stderr=subprocess.DEVNULL)
    place = json.load(open(config))["record"]["path"] + ".sock"
    for _ in range(3000):
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(place)
                connection.sendall(b'{"version": 1, "verb": "hello"}\n')
                if connection.recv(1000):
                    return daemon
        except OSError:
            time.sleep(0.01)
    raise SystemExit("the daemon does not listen")


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def main(count, preclone, config):
    chance = random.Random(int(os.environ.get("SEED", "0")))
    command = [preclone, "mcp", "--config", config]
    host = [sys.executable, "-S", "-E", os.path.abspath(__file__), "client"]
    daemon = start_daemon(preclone, config)
    killed = {"client": 0, "mcp": 0, "daemon": 0}
    again = 0
    for number in range(count):
        image = f"quay.io/org/tool{number}:1"
        victim = ("client", "mcp", "daemon")[number % 3]
        agent = subprocess.Popen(host + [image, "20"] + command, stdout=subprocess.PIPE, text=True)
        server = int(agent.stdout.readline())
        time.sleep(chance.uniform(0, 0.25))
        kill({"client": agent.pid, "mcp": server, "daemon": daemon.pid}[victim])
        killed[victim] += 1
        if victim == "daemon":
            daemon.wait()
            daemon = start_daemon(preclone, config)
        # Half are asked again, as an agent would; of the others the record alone knows.
        if number % 2:
            again += 1
            for attempt in range(5):
                asked = subprocess.run(host + [image, "60"] + command, capture_output=True, text=True)
                answers = [json.loads(line) for line in asked.stdout.splitlines()[1:]]
                result = next((one["result"] for one in answers if one.get("id") == 1), None)
                if result and result["structuredContent"]["result"]["success"]:
                    break
            else:
                raise SystemExit(f"{image} was never there: {asked.stdout}")
        kill(agent.pid)
        agent.wait()
        agent.stdout.close()
        kill(server)
    print(json.dumps({"killed": killed, "again": again}), flush=True)
    daemon.terminate()
    daemon.wait()


if sys.argv[1] == "client":
    client(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
else:
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
