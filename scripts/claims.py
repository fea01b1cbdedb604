"""Run every demo for many seeds: the right implementation must hold, each wrong one must fail a claim.

    python scripts/claims.py                     every demo: 1,000 seeds right, 20 for each wrong implementation
    python scripts/claims.py sam swa --right 50  some demos, fewer seeds

A demo that takes long runs its share of the seconds given by --seconds; the number of seeds that it got is printed.
Exits with 1 if a right one fails a claim, or if a wrong one fails none.
"""

from __future__ import annotations

import argparse
import sys
import time

from regdemo import catalog
from regdemo.measure import Wrong


def survives(demo: catalog.Demo, wrong: Wrong, seed: int) -> bool:
    """Whether no claim notices the wrong implementation. It must run: an error says nothing of the claims."""
    with wrong.in_place():
        try:
            return demo.function(seed=seed).holds
        except Exception as error:
            if seed == 0:
                print(f"{demo.stem}: {wrong.name!r} raises {error!r}")
            return True


def main() -> int:
    """Run the demos that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demos", nargs="*")
    parser.add_argument("--right", type=int, default=1_000, help="seeds for the right implementation")
    parser.add_argument("--wrong", type=int, default=20, help="seeds for each wrong one")
    parser.add_argument("--seconds", type=float, default=60, help="time for the right implementation of one demo")
    options = parser.parse_args()
    bad = 0
    for demo in map(catalog.demo, options.demos) if options.demos else catalog.demos():
        survivors = {
            wrong.name: seeds
            for wrong in demo.wrong
            if (seeds := [seed for seed in range(options.wrong) if survives(demo, wrong, seed)])
        }
        start, failed, ran = time.perf_counter(), {}, 0
        for seed in range(options.right):
            if time.perf_counter() - start > options.seconds:
                break
            if broken := [claim.statement for claim in demo.function(seed=seed).claims if not claim.holds]:
                failed[seed] = broken
            ran += 1
        bad += len(survivors) + len(failed)
        print(
            f"{demo.stem}: right {ran - len(failed)}/{ran}, {len(demo.wrong)} wrong x {options.wrong}"
            f"{f', NOT NOTICED {survivors}' if survivors else ''}{f', FAILED {failed}' if failed else ''}",
            flush=True,
        )
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
