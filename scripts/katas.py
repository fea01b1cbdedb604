"""Judge every kata of the bank, and write what its judges can tell apart into the katas' README.

    python scripts/katas.py            write the table anew
    python scripts/katas.py --check    fail if a mutant lives, or if the table would change

What other judges let pass was measured by hand, with the four wrong dropouts that are named below the table.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from regdemo.bank.katas import JudgedFile, faults, judge, tests
from regdemo.quiz import decks

README = decks.bundled() / "15_regularization" / "katas" / "README.md"
BLOCK = re.compile(r"(?<=<!-- katas -->\n).*?(?=<!-- end of katas -->)", re.DOTALL)
KNOWN_WRONG = (  # by the names of the mutants of the kata `dropout`
    "keeps one mask for all calls",
    "draws one mask for all rows",
    "drops the first p N elements",
    "a gradient that ignores the mask",
)


def table(judged: Sequence[JudgedFile]) -> str:
    """The table as markdown: for each kata its tests, its mutants and how many of them the judge kills."""
    lines = ["| kata | level | tests | solutions that pass | mutants killed |", "| --- | --- | --- | --- | --- |"]
    katas = {one.run.kata.name: one.run.kata for one in judged}
    totals = [0, 0, 0, 0, 0]
    for name, kata in katas.items():
        mine = [one for one in judged if one.run.kata is kata]
        right = [one for one in mine if one.run.what == "solution"]
        wrong = [one for one in mine if one.run.what == "mutant"]
        counts = [
            len(tests(kata)),
            *(sum(not one.fault for one in right), len(right)),
            *(sum(not one.fault for one in wrong), len(wrong)),
        ]
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        lines.append(f"| `{name}` | {kata.level} | {_row(counts)} |")
    lines.append(f"| {len(katas)} in all | | {_row(totals)} |")
    killed = [one for one in judged if one.run.kata.name == "dropout" and one.run.name in KNOWN_WRONG and not one.fault]
    return "\n".join(
        [
            *lines,
            "",
            "Four wrong dropouts, and how many of them a judge lets pass:",
            "",
            *(f"- {name}" for name in KNOWN_WRONG),
            "",
            "| judge | of 4 |",
            "| --- | --- |",
            f"| `regdemo kata check dropout` | {4 - len(killed)} |",
            "| [TorchCode](https://github.com/duoan/TorchCode), `dropout`, at 8a49ba1 (March 2026) | 4 |",
            "",
        ]
    )


def _row(counts: Sequence[int]) -> str:
    tested, passed, solutions, killed, mutants = counts
    return f"{tested} | {passed} of {solutions} | {killed} of {mutants}"


def main() -> int:
    """Judge, then write or compare."""
    judged = judge(decks.load(decks.bundled()).cards, jobs=os.cpu_count() or 1, time_limit=20)
    found = faults(judged)
    for fault in found:
        print(fault, file=sys.stderr)
    old = README.read_text(encoding="utf-8")
    new = BLOCK.sub(lambda _: table(judged), old)
    if "--check" in sys.argv[1:]:
        if new != old:
            print(f"{README} has another table: run python scripts/katas.py", file=sys.stderr)
        return int(bool(found) or new != old)
    README.write_text(new, encoding="utf-8")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
