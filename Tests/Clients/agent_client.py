"""An agent's host: starts an MCP server and calls its tools, by a client library that other people wrote.

agent_client.py KIND COMMAND...: KIND is mcp-1.9, mcp-1, mcp-2:legacy, mcp-2:auto, mcp-2:2026-07-28 or fastmcp, of the virtual
environment that this runs in. Reads [{"tool": NAME, "arguments": {...}}] from CALLS; writes one JSON document: the tools, and of
each call whether it is an error, its text, its structured content, and what was told of its progress. With LOOK also what there
is of resources and prompts, the text of each resource, and that of each prompt for the argument "42".
"""
import asyncio
import json
import os
import sys

kind, command = sys.argv[1], sys.argv[2:]
calls = json.loads(os.environ.pop("CALLS"))
environment = dict(os.environ)


def plain(result, progress):
    structured = getattr(result, "structured_content", None)
    if structured is None:
        structured = getattr(result, "structuredContent", None)
    error = getattr(result, "is_error", None)
    if error is None:
        error = getattr(result, "isError", None)
    return {
        "isError": bool(error),
        "text": result.content[0].text if result.content else None,
        "structured": structured,
        "progress": progress,
    }


async def each(call):
    results = []
    for one in calls:
        progress = []

        async def told(done, total=None, message=None, progress=progress):
            progress.append([done, total, message])

        results.append(plain(await call(one["tool"], one.get("arguments", {}), told), progress))
    return results


def listing(tools):
    return [tool.name for tool in tools]


def elements(answer, name):
    return answer if isinstance(answer, list) else getattr(answer, name)


def templates_of(answer):
    return getattr(answer, "resourceTemplates", None) or getattr(answer, "resource_templates", None) or answer


async def look(client, uri=str):
    if not os.environ.get("LOOK"):
        return {}
    read, said = {}, {}
    for resource in elements(await client.list_resources(), "resources"):
        contents = elements(await client.read_resource(uri(str(resource.uri))), "contents")
        read[str(resource.uri)] = contents[0].text
    templates = templates_of(await client.list_resource_templates())
    for prompt in elements(await client.list_prompts(), "prompts"):
        answer = await client.get_prompt(prompt.name, {prompt.arguments[0].name: "42"})
        said[prompt.name] = answer.messages[0].content.text
    return {
        "read": read, "prompts": said,
        "templates": [getattr(one, "uriTemplate", None) or one.uri_template for one in templates],
    }


async def mcp_1():
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client
    from pydantic import AnyUrl

    server = StdioServerParameters(command=command[0], args=command[1:], env=environment)
    async with stdio_client(server) as (reading, writing):
        async with ClientSession(reading, writing) as session:
            begun = await session.initialize()
            await session.send_ping()
            tools = (await session.list_tools()).tools
            results = await each(lambda name, arguments, told: session.call_tool(name, arguments, progress_callback=told))
            return begun.protocolVersion, listing(tools), results, await look(session, AnyUrl)


async def mcp_2(mode):
    from mcp import Client, StdioServerParameters

    server = StdioServerParameters(command=command[0], args=command[1:], env=environment)
    async with Client(server, mode=mode) as client:
        tools = (await client.list_tools()).tools
        results = await each(lambda name, arguments, told: client.call_tool(name, arguments, progress_callback=told))
        return str(getattr(client, "protocol_version", mode)), listing(tools), results, await look(client)


async def fast():
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    transport = StdioTransport(command=command[0], args=command[1:], env=environment)
    async with Client(transport) as client:
        tools = await client.list_tools()
        results = await each(
            lambda name, arguments, told: client.call_tool(
                name, arguments, progress_handler=told, raise_on_error=False
            )
        )
        return "", listing(tools), results, await look(client)


async def main():
    if kind in ("mcp-1.9", "mcp-1"):
        return await mcp_1()
    if kind.startswith("mcp-2:"):
        return await mcp_2(kind.removeprefix("mcp-2:"))
    return await fast()


version, tools, results, seen = asyncio.run(main())
json.dump({"version": version, "tools": tools, "results": results, **seen}, sys.stdout)
