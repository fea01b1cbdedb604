"""`regdemo mcp --check`: start the server as a client would, use each part of it, and say what works.

It runs on an empty history in a temporary folder, so that nothing of the learner's is touched.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

TRIAL_TIMEOUT = 120.0  # seconds for all of it; loading torch is the longest part


def run(bank: Path | None) -> int:
    """Print a line for each part; 0 if all of them work, else 1."""
    with tempfile.TemporaryDirectory(prefix="regdemo-") as folder:
        arguments = ["-m", "regdemo", "mcp", "--home", folder, *(["--bank", str(bank)] if bank else [])]
        try:
            return anyio.run(_tries, StdioServerParameters(command=sys.executable, args=arguments))
        except Exception as error:
            print(f"✗ the server: {error or type(error).__name__}")
            return 1


async def _tries(parameters: StdioServerParameters) -> int:
    failed = 0
    with anyio.fail_after(TRIAL_TIMEOUT):
        async with stdio_client(parameters) as (read, write), ClientSession(read, write) as client:
            started = await client.initialize()
            print(f"✓ starts: {started.server_info.name} {started.server_info.version}")
            tools = (await client.list_tools()).tools
            print(f"✓ {len(tools)} tools: {', '.join(sorted(tool.name for tool in tools))}")
            question = await _call(client, "next_question", {})
            token = question["token"]
            tries: list[tuple[str, dict[str, Any]]] = [
                ("submit_answer", {"token": token, "response": _response(question)}),
                ("plan", {}),
                ("stats", {}),
                ("search", {"words": "dropout"}),
                ("run_demo", {"name": "dropout", "parameters": {"p": 0.2}}),
            ]
            print("✓ next_question")
            for name, arguments in tries:
                try:
                    await _call(client, name, arguments)
                    print(f"✓ {name}")
                except RuntimeError as error:
                    failed += 1
                    print(f"✗ {name}: {error}")
            resources = (await client.list_resources()).resources
            prompts = (await client.list_prompts()).prompts
            print(f"✓ {len(resources)} resources, {len(prompts)} prompts")
    print("All of it works." if not failed else f"{failed} of {len(tries)} tries failed.")
    return int(failed > 0)


def _response(question: dict[str, Any]) -> str:
    """Something that can be read as an answer."""
    return {"choice": "a", "multi": "a", "numeric": "1"}.get(question["kind"], "I don't know.")


async def _call(client: ClientSession, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A tool's structured answer. Raises RuntimeError with what the tool says when it fails."""
    result = await client.call_tool(name, arguments)
    if result.is_error:
        raise RuntimeError(" ".join(str(getattr(part, "text", part)) for part in result.content))
    found: dict[str, Any] = result.structured_content or {}
    return found
