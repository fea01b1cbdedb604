"""How long a long history takes: each figure with its limit.

python benchmarks/history.py [REVIEWS [CARDS]]
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from regdemo.quiz.exchange import lines
from regdemo.quiz.history import History, Review, read_rows
from regdemo.quiz.schedule import DEFAULT_SETTINGS, queue
from regdemo.quiz.states import card_states

ROUNDS = 7
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def reviews(count: int, cards: int) -> list[Review]:
    """As many answers as that, over two years."""
    rng = Random(0)
    first = Review(
        "", 0, "numeric", 3, 1.0, "10/9 and some words more", '{"values": {"p": 0.1}}', "0f" * 8, 0, 9000, ""
    )
    step = 2 * 365 * 86_400_000_000 // count
    start = 1_772_355_600_000_000 - step * count
    return [
        first._replace(
            card=f"Q{rng.randrange(cards)}",
            at=start + n * step,
            rating=rng.choices((1, 2, 3, 4), (15, 15, 60, 10))[0],
            session=f"{n // 20:032x}",
            id=f"{rng.getrandbits(128):032x}",
        )
        for n in range(count)
    ]


def timed(work: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Seconds of each round, sorted."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return sorted(taken)


def show(what: str, taken: list[float], limit: float | None = None) -> None:
    allowed = f", at most {limit * 1000:,.0f} ms" if limit else ""
    least, most = taken[0] * 1000, taken[-1] * 1000
    print(f"{what:44} {statistics.median(taken) * 1000:8.1f} ms [{least:,.1f}, {most:,.1f}]{allowed}", flush=True)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    cards = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    ids = [f"Q{n}" for n in range(cards)]
    with tempfile.TemporaryDirectory() as folder:
        home, cache = Path(folder), Path(folder) / "cache"
        with History(home) as history:
            history.add_all(reviews(count, cards))

        def first_due() -> None:
            with History(home) as history:
                queue(ids, card_states(history, DEFAULT_SETTINGS, cache), NOW)

        def export() -> None:
            (home / "out").write_text("".join(f"{line}\n" for line in lines(*read_rows(home))), "utf-8")

        def sync() -> None:
            os.pwrite(plain, b"x" * 4096, 0)
            os.fsync(plain)

        size = (home / "history.db").stat().st_size / 1e6
        print(f"{count:,} reviews of {cards:,} cards, {size:.0f} MB; median of {ROUNDS} [least, most].")
        show("the same, every review replayed", timed(first_due, 1))
        show("opened, and the next due card found", timed(first_due), 0.05)
        with History(home) as history:
            known = card_states(history, DEFAULT_SETTINGS, cache)
            show("  of that: the cards in order", timed(lambda: queue(ids, known, NOW)))
            show("  of that: the states of the cards", timed(lambda: card_states(history, DEFAULT_SETTINGS, cache)))
            answer = Review("Q1", 1_772_355_600_000_000, "numeric", 3, 1.0, "1.11", "{}", "0f" * 8, 0, 9000, "s")
            saved, synced = [], []
            plain = os.open(home / "plain", os.O_RDWR | os.O_CREAT)
            for n in range(30):  # in turn, so that both meet the same disk
                saved += timed(lambda n=n: history.add(answer._replace(card=f"Q{n}", id=f"{n}")), 1)
                synced += timed(sync, 1)
            show("an answer saved", sorted(saved), 0.02)
            show("  beside it: one fsync of this disk", sorted(synced))
            os.close(plain)
        show("exported", timed(export, 3), 5.0)


if __name__ == "__main__":
    main()
