"""Generated sessions against the protocol's own schemas, on demand: every line that an MCP server says is valid.

agent_schema.py FOLDER SESSIONS COMMAND...: FOLDER holds the JSON schema of each revision (2024-11-05.json ...), as published with
the specification. Sessions are of good and of bad messages; SEED names the first (0). COMMAND unix:PATH is a control socket.
Needs jsonschema.
"""
import json
import os
import random
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import referencing

folder, sessions, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]
META = "io.modelcontextprotocol/"


def validators(revision):
    document = json.load(open(os.path.join(folder, f"{revision}.json")))
    names = document.get("$defs") or document["definitions"]
    root = "#/$defs/" if "$defs" in document else "#/definitions/"
    dialect = jsonschema.Draft202012Validator if "$defs" in document else jsonschema.Draft7Validator
    registry = referencing.Registry().with_resource(
        "mcp:schema", referencing.Resource.from_contents(document)
    )
    return {name: dialect({"$ref": "mcp:schema" + root + name}, registry=registry) for name in names}


SCHEMAS = {revision: validators(revision) for revision in REVISIONS}


def junk(chance):
    return chance.choice([
        None, True, 0, -1, 1.5, 10**30, "", "x", "\u0000\u001b[2J", "日本", [], {}, [[]], {"": None}, "a" * 5000,
        {"type": "object"}, ["x"] * 50,
    ])


def arguments(chance, tool):
    given = {}
    for name, schema in tool["inputSchema"]["properties"].items():
        if chance.random() < 0.3:
            given[name] = junk(chance)
        elif name in tool["inputSchema"].get("required", []) and chance.random() < 0.8:
            given[name] = chance.choice(["quay.io/org/tool:1.0", "quay/org/tool", "/nonexistent", "WDL", "../..", ""])
    if chance.random() < 0.1:
        given["stranger"] = junk(chance)
    # Nothing here is to wait.
    if "wait_seconds" in tool["inputSchema"]["properties"]:
        given["wait_seconds"] = chance.choice([0, 0, 0, "x", -1])
    return given


URIS = ["preclone://status", "preclone://runs/1", "preclone://workflows/1/v", "preclone://", "file:///etc/passwd", "\u202e"]
GOOD = {
    "resources/list": "ListResourcesResult", "resources/templates/list": "ListResourceTemplatesResult",
    "resources/read": "ReadResourceResult", "prompts/list": "ListPromptsResult", "prompts/get": "GetPromptResult",
}


def line(chance, revision, identity, tools):
    """A message, and the schema's name of a good answer to it."""
    params, good = {}, None
    method = chance.choice(["tools/list", "tools/call", "tools/call", "tools/call", "ping", "x/y", *GOOD])
    if method in GOOD:
        good = GOOD[method]
    if method == "resources/read":
        params = {"uri": chance.choice(URIS) if chance.random() < 0.8 else junk(chance)}
    if method == "prompts/get":
        name, argument = chance.choice([("prepare-workflow", "workflow"), ("why-run-waits", "run_id"), ("x", "y")])
        params = {"name": name, "arguments": {argument: chance.choice(["1", "a/b.wdl", junk(chance)])}}
    if method == "tools/list":
        good = "ListToolsResult"
    if method == "tools/call":
        tool = chance.choice(tools)
        params = {"name": tool["name"], "arguments": arguments(chance, tool)}
        good = "CallToolResult"
    if method == "ping":
        good = "EmptyResult"
    if revision == "2026-07-28":
        params["_meta"] = {META + "protocolVersion": revision, META + "clientCapabilities": {}}
        if chance.random() < 0.3:
            method, params, good = "server/discover", {"_meta": params["_meta"]}, "DiscoverResult"
        if chance.random() < 0.1:
            params["_meta"][chance.choice(list(params["_meta"]))] = junk(chance)
    elif chance.random() < 0.3:
        params["_meta"] = {"progressToken": chance.choice([1, "t", None, 1.5])}
    message = {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}
    if chance.random() < 0.15:
        message[chance.choice(["jsonrpc", "id", "method", "params", "result"])] = junk(chance)
    if chance.random() < 0.05:
        del message[chance.choice(list(message))]
    text = json.dumps(message)
    if chance.random() < 0.05:
        cut = chance.randrange(len(text))
        text = text[:cut] + chance.choice(["", "}", "\x00", "\\"]) + text[cut + 1:]
    return text.replace("\n", " "), good


def check(message, revision, goods):
    names = SCHEMAS[revision]
    jsonrpc = "JSONRPCMessage"
    names[jsonrpc].validate(message)
    if "error" in message:
        names["JSONRPCErrorResponse" if "JSONRPCErrorResponse" in names else "JSONRPCError"].validate(message)
    elif "method" in message:
        names["ServerNotification"].validate(message)
    else:
        good = goods.get(json.dumps(message["id"]))
        if good in names:
            names[good].validate(message["result"])


def session(number, tools):
    chance = random.Random(number)
    revision = chance.choice(REVISIONS)
    lines, goods = [], {}
    if revision != "2026-07-28":
        lines.append(json.dumps({
            "jsonrpc": "2.0", "id": "begin", "method": "initialize",
            "params": {"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
        }))
        goods['"begin"'] = "InitializeResult"
    elif command[0].startswith("unix:"):
        # Before the first line with its sign a control socket does not know which protocol it is.
        params = {"_meta": {META + "protocolVersion": revision, META + "clientCapabilities": {}}}
        lines.append(json.dumps({"jsonrpc": "2.0", "id": "begin", "method": "server/discover", "params": params}))
        goods['"begin"'] = "DiscoverResult"
    for identity in range(chance.randint(1, 12)):
        text, good = line(chance, revision, identity, tools)
        lines.append(text)
        try:
            key = json.dumps(json.loads(text).get("id"))
            # Of an id that is used twice nobody knows which answer is which.
            goods[key] = None if key in goods else good
        except (ValueError, AttributeError):
            pass
    said, trouble = spoken("\n".join(lines) + "\n")
    try:
        assert not trouble, trouble
        for answer in said.split("\n")[:-1]:
            message = json.loads(answer)
            for one in message if isinstance(message, list) else [message]:
                check(one, revision, goods)
    except Exception as trouble:
        print(f"session {number} ({revision}):\n" + "\n".join(lines) + f"\nanswered:\n{said}\n{trouble}")
        sys.stdout.flush()
        os._exit(1)
    return said.count("\n")


def spoken(text):
    """What is answered to a text, and what is wrong with that by itself."""
    if not command[0].startswith("unix:"):
        ended = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
        return ended.stdout, f"it ended with {ended.returncode}: {ended.stderr}" if ended.returncode else None
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(120)
        connection.connect(command[0].removeprefix("unix:"))
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        said = connection.makefile("rb").read().decode()
    return said, None


def listed():
    params = {"_meta": {META + "protocolVersion": "2026-07-28", META + "clientCapabilities": {}}}
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params})
    tools = json.loads(spoken(request + "\n")[0])["result"]["tools"]
    for tool in tools:
        jsonschema.Draft202012Validator.check_schema(tool["inputSchema"])
        jsonschema.Draft202012Validator.check_schema(tool["outputSchema"])
    return tools


tools = listed()
first = int(os.environ.get("SEED", "0"))
with ThreadPoolExecutor(4) as workers:
    count = sum(workers.map(lambda number: session(number, tools), range(first, first + sessions)))
print(f"{sessions} sessions, {count} lines: all valid")
