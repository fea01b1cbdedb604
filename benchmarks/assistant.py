"""How fast `regdemo mcp` answers, as ratios and in the server's own time.

    python benchmarks/assistant.py [ROUNDS]

`initialize` is timed against the imports that the server needs, the two in turn; the tools that need no torch
are timed on a warm server over a history of 10,000 answers.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import anyio
import mcp
from mcp.client.stdio import stdio_client

from regdemo.quiz.history import History, Review

IMPORTS = "import mcp.server, sqlite3, fsrs, markdown_it"
ANSWERS = 10_000
REVIEW = Review("Q18.1", 1_700_000_000_000_000, "choice", 3, 1.0, "b", "{}", "0123456789abcdef", 0, 2500, "s")
CALLS = [
    ("next_question", {}),
    ("next_question", {"topic": "dropout"}),
    ("search", {"words": "label smoothing"}),
    ("plan", {}),
    ("stats", {}),
    ("list_demos", {}),
]


def server(home: str) -> mcp.StdioServerParameters:
    """The command that a client starts."""
    return mcp.StdioServerParameters(command=sys.executable, args=["-m", "regdemo", "mcp", "--home", home])


async def initialize(home: str) -> float:
    """Seconds from the start of the process to its answer."""
    begun = time.perf_counter()
    async with stdio_client(server(home)) as (reader, writer), mcp.ClientSession(reader, writer) as client:
        await client.initialize()
        return time.perf_counter() - begun


async def calls(home: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each call, the first of each left out."""
    found: dict[str, list[float]] = {}
    async with stdio_client(server(home)) as (reader, writer), mcp.ClientSession(reader, writer) as client:
        await client.initialize()
        for _ in range(rounds + 1):
            for name, arguments in CALLS:
                begun = time.perf_counter()
                result = await client.call_tool(name, arguments)
                assert not result.is_error, result.content
                found.setdefault(f"{name} {arguments or ''}".strip(), []).append(1000 * (time.perf_counter() - begun))
    return {name: times[1:] for name, times in found.items()}


def main() -> None:
    """Print a row for each figure."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as home:
        with History(Path(home)) as history:
            history.add_all(
                replace(REVIEW, id=f"r{n}", at=REVIEW.at + n, card=f"Q18.{1 + n % 200}") for n in range(ANSWERS)
            )
        ratios = []
        for _ in range(rounds + 1):
            ours = anyio.run(initialize, home)
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", IMPORTS], check=True)
            ratios.append(ours / (time.perf_counter() - begun))
        ratios = sorted(ratios[1:])
        print(f"initialize  {statistics.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}] x imports, at most 1.3")
        for name, times in anyio.run(calls, home, rounds).items():
            print(f"{name:40}  {statistics.median(times):6.1f} [{min(times):.1f}, {max(times):.1f}] ms, at most 50")


if __name__ == "__main__":
    main()
