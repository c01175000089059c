"""Generated sessions against the protocol's own schemas, on demand: every line that an MCP server says is valid.

agent_schema.py FOLDER SESSIONS COMMAND...: FOLDER holds the JSON schema of each revision (2024-11-05.json ...), as published with
the specification. Sessions are of good and of bad messages; SEED names the first (0). Needs jsonschema.
"""
import json
import os
import random
import subprocess
import sys

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


def line(chance, revision, identity, tools):
    """A message, the schema's name of a good answer to it, and whether a good answer is due."""
    params, method, good = {}, chance.choice(["tools/list", "tools/call", "tools/call", "tools/call", "ping", "x/y"]), None
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
    for identity in range(chance.randint(1, 12)):
        text, good = line(chance, revision, identity, tools)
        lines.append(text)
        try:
            key = json.dumps(json.loads(text).get("id"))
            # Of an id that is used twice nobody knows which answer is which.
            goods[key] = None if key in goods else good
        except (ValueError, AttributeError):
            pass
    ended = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60)
    try:
        assert ended.returncode == 0, f"it ended with {ended.returncode}: {ended.stderr}"
        for answer in ended.stdout.splitlines():
            message = json.loads(answer)
            for one in message if isinstance(message, list) else [message]:
                check(one, revision, goods)
    except Exception as trouble:
        print(f"session {number} ({revision}):\n" + "\n".join(lines) + f"\nanswered:\n{ended.stdout}\n{trouble}")
        raise SystemExit(1)
    return len(ended.stdout.splitlines())


def listed():
    params = {"_meta": {META + "protocolVersion": "2026-07-28", META + "clientCapabilities": {}}}
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params})
    ended = subprocess.run(command, input=request + "\n", capture_output=True, text=True, timeout=60)
    tools = json.loads(ended.stdout)["result"]["tools"]
    for tool in tools:
        jsonschema.Draft202012Validator.check_schema(tool["inputSchema"])
        jsonschema.Draft202012Validator.check_schema(tool["outputSchema"])
    return tools


tools = listed()
first = int(os.environ.get("SEED", "0"))
count = sum(session(number, tools) for number in range(first, first + sessions))
print(f"{sessions} sessions, {count} lines: all valid")
