"""How long a learner waits for a verdict, and how long all katas take to verify.

    python benchmarks/katas.py [KATA]

Cold: a new process loads torch and judges. Warm: the same process judges again, as under `--watch`; the time to notice
a save, half of the 0.05 s between two looks on average, comes on top. Medians, with the smallest and the largest.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

from regdemo.bank.katas import faults, judge
from regdemo.cli.kata import POLL
from regdemo.kata.judge import Judge
from regdemo.kata.katas import find, katas
from regdemo.quiz import decks


def timed(name: str, run: Callable[[], object], times: int) -> None:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(f"{name:8} {median(seconds):6.2f} s   ({min(seconds):.2f} to {max(seconds):.2f}, {times} times)")


def main() -> None:
    cards = decks.load(decks.bundled()).cards
    kata = find(katas(cards), sys.argv[1] if len(sys.argv) > 1 else "dropout")
    print(f"{kata.name}, its reference judged; saves are looked for every {POLL} s")

    def cold() -> None:
        with Judge() as one:
            assert one.check(kata, kata.solution).passed

    timed("cold", cold, 5)
    with Judge() as one:
        one.check(kata, kata.solution)
        one.check(kata, kata.solution)
        timed("warm", lambda: one.check(kata, kata.solution), 20)
    start = time.perf_counter()
    judged = judge(cards, jobs=2, time_limit=20)
    seconds, wrong = time.perf_counter() - start, len(faults(judged))
    print(f"all      {seconds:6.1f} s   ({len(judged)} files on two cores, {wrong} faults)")


if __name__ == "__main__":
    main()
