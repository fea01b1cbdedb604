"""How long the page takes: its start, an answer, a slider's step, and how heavy a page is. Ratios in one run.

python benchmarks/web.py [ROUNDS]

start     from `regdemo web` to the first page, over the imports that it cannot do without, in turn
answer    server time from an answer to the next card, with a history of 200,000 answers
slider    a warm step of each demo at its default sizes, over the demo's own computation
weight    bytes sent for a page with all that it loads
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from regdemo import catalog
from regdemo.quiz import decks
from regdemo.quiz.history import History, Review
from regdemo.quiz.schedule import microseconds
from regdemo.web.app import application
from regdemo.web.guard import Guard, ServerSecrets
from regdemo.web.site import Site

LIGHT = "import starlette.applications, uvicorn, jinja2, sqlite3, fsrs, markdown_it"
ANSWERS = 200_000
STEPS = 5  # of each slider


@contextmanager
def serving(home: Path) -> Iterator[httpx.Client]:
    """A client that has entered a server of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "regdemo", "web", "--no-browser", "--home", str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout
    address = process.stdout.readline().strip()
    base = address.partition("/enter")[0]
    try:
        with httpx.Client(base_url=base, headers={"Origin": base}, timeout=600) as client:
            client.get(address)
            yield client
    finally:
        process.kill()
        process.wait()


def start(rounds: int) -> list[float]:
    """Seconds to the first page over seconds of the light imports, pair by pair, sorted."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", LIGHT], check=True)
            light = time.perf_counter() - begin
            begin = time.perf_counter()
            with serving(Path(folder)) as client:
                client.get("/").raise_for_status()
                ours = time.perf_counter() - begin
            if number:  # the first pair fills caches
                found.append(ours / light)
    return sorted(found)


def answers(rounds: int) -> list[float]:
    """Milliseconds from an answer to the next card, redirects included, sorted."""
    cards = [card for card in decks.load(decks.bundled()).cards if card.kind == "numeric"]
    now = datetime.now(UTC) - timedelta(days=400)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        every = [card.id for card in decks.load(decks.bundled()).cards if card.kind != "code"]
        one = Review("", 0, "numeric", 3, 1.0, "1", "{}", "", 0, 1000, "bench")
        with History(home) as history:
            history.add_all(
                one._replace(card=every[n % len(every)], at=microseconds(now) + n * 100_000_000, id=f"{n:032x}")
                for n in range(ANSWERS)
            )
        found = asyncio.run(_answered(home, [card.id for card in cards], rounds))
    return sorted(found)


async def _answered(home: Path, ids: list[str], rounds: int) -> list[float]:
    """Milliseconds in the server, without sockets, for a wrong answer and the page of the next card."""
    site, keys = Site(home=home, folder=home), ServerSecrets(b"k" * 32)
    transport = httpx.ASGITransport(app=Guard(application(site), keys, 8000))
    base = "http://127.0.0.1:8000"
    async with httpx.AsyncClient(transport=transport, base_url=base, headers={"Origin": base}) as client:
        await client.get("/enter", params={"token": keys.token})
        page = await client.get("/quiz/start")
        code = re.search(r'name="csrf" value="(\w+)"', page.text)[1]  # type: ignore[index]
        await client.post("/quiz/start", data={"csrf": code, "ids": ",".join(ids)})
        page = await client.get("/quiz")
        found = []
        for _ in range(rounds):
            token = re.search(r'name="token" value="([^"]+)"', page.text)[1]  # type: ignore[index]
            begin = time.perf_counter()
            await client.post("/quiz/answer", data={"csrf": code, "token": token, "response": "1e9"})
            page = await client.get("/quiz")
            found.append(1000 * (time.perf_counter() - begin))
    await site.close()
    return found


def sliders() -> list[tuple[str, float, float]]:
    """Of each demo its name, the milliseconds of a step, and that over its own computation; medians."""
    found = []
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as client:
        client.get("/demos/dropout/report", params={"tab": "bench"})
        for demo in catalog.demos():
            steps = []
            for seed in range(STEPS + 1):
                begin = time.perf_counter()
                answer = client.get(f"/demos/{demo.name}/report", params={"seed": seed, "tab": "bench"})
                wall = 1000 * (time.perf_counter() - begin)
                if seed:
                    own = float(answer.headers["Server-Timing"].rpartition("=")[2])
                    steps.append((wall, wall / own))
            walls, ratios = zip(*steps, strict=True)
            found.append((demo.name, statistics.median(walls), statistics.median(ratios)))
    return found


def weights() -> list[tuple[str, int]]:
    """Bytes of each kind of page with its style sheet, scripts and pictures, heaviest first."""
    found = []
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as client:
        client.get("/demos/dropout/report")
        paths = ["/", "/quiz", "/mock", "/demos", "/pitfalls", "/compare", "/katas", "/guide", "/stats", "/plan"]
        paths += [f"/demos/{demo.name}" for demo in catalog.demos()]
        for path in paths:
            page = client.get(path, follow_redirects=True)
            loaded = set(re.findall(r'(?:src|href)="(/(?:static|guide/pictures)/[^"]+)"', page.text))
            found.append(
                (path, page.num_bytes_downloaded + sum(client.get(one).num_bytes_downloaded for one in loaded))
            )
    return sorted(found, key=lambda pair: -pair[1])


def main() -> None:
    """Print each figure with its spread and what it may not exceed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    found = start(rounds)
    print(f"start    {statistics.median(found):.2f} [{found[0]:.2f}, {found[-1]:.2f}] times the imports; at most 1.5")
    found = answers(rounds)
    print(f"answer   {statistics.median(found):.0f} ms [{found[0]:.0f}, {found[-1]:.0f}]; at most 50 ms")
    steps = sliders()
    fast, near = sum(wall < 300 for _, wall, _ in steps), sum(ratio <= 1.5 for _, _, ratio in steps)
    slow = ", ".join(f"{name} {wall:.0f} ms" for name, wall, _ in sorted(steps, key=lambda step: -step[1])[:5])
    print(f"slider   {fast} of {len(steps)} demos under 300 ms, at least 35 wanted; the slowest: {slow}")
    ratios = sorted(ratio for *_, ratio in steps)
    print(f"         {statistics.median(ratios):.2f} times the computation in the median; {near} at most 1.5 times")
    pages = weights()
    print(f"weight   {', '.join(f'{path} {size / 1000:.0f} kB' for path, size in pages[:3])}; at most 150 kB")


if __name__ == "__main__":
    main()
