"""How long a large bank takes to be read: the first time, and again unchanged; and that the time grows linearly.

python benchmarks/bank.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILES, CARDS = 500, 20
CARD = """\
## C{n}: {question}

{body}

### Follow-ups
- C{next}

### Sources
- Someone {n}, https://example.org/{n}
"""
BODIES = [
    "### Answer\nIt is number {n}: a sentence that is as long as an answer is, with `code` in it, and *emphasis*.\n\n"
    "### Key points\n- the first of them\n- the second of them\n- the third of them\n\n### Hints\n- Look at {n}.",
    "- [ ] the first option, which is wrong\n  - since it is the first\n- [x] the second option\n  - it is\n"
    "- [ ] the third option\n  - it is not\n- [ ] the last option\n  - neither",
    "```toml vary\np = [0.1, 0.2, 0.5]\n```\n\n### Answer\n= {n}/(1-p) ± 0.5%\n\nBecause of {p}.\n\n"
    "### Wrong answers\n- = {n}*p: it is not multiplied\n\n```python check\nassert answer == {n} / (1 - p)\n```",
    "The answer is prose below the heading, as in a study guide. It has a list:\n\n- one\n- two\n\nand some code:\n\n"
    "```python\nprint({n})\n```",
]
OTHERS = "### {n}. What does the function number {n} return?\n\nIt returns {n}, and it has an explanation, too.\n"


def write(folder: Path, files: int) -> None:
    """A bank of decks, a tenth of them in the style of other people's files."""
    for file in range(files):
        numbers = range(file * CARDS, (file + 1) * CARDS)
        place = folder / f"topic_{file % 25}" / f"deck_{file}.md"
        place.parent.mkdir(parents=True, exist_ok=True)
        if file % 10 == 9:
            place.write_text("# Questions\n\n" + "\n".join(OTHERS.format(n=n) for n in numbers), encoding="utf-8")
            continue
        cards = (
            CARD.replace("{question}", "What is {n}?").replace("{body}", BODIES[n % len(BODIES)]).replace("{n}", str(n))
            for n in numbers
        )
        text = "\n".join(card.replace("{next}", str(n)) for n, card in zip(numbers, cards, strict=True))
        place.write_text(f"# Deck {file}\n\n{text}", encoding="utf-8")


def seconds(folder: Path, home: Path, *command: str) -> float:
    """Wall seconds of one command on the bank."""
    arguments = [sys.executable, "-m", "regdemo", *command, "--bank", str(folder), "--home", str(home)]
    start = time.perf_counter()
    done = subprocess.run(arguments, capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"{arguments} ended with exit code {done.returncode}: {done.stderr.decode()[:1000]}")
    return time.perf_counter() - start


def shown(name: str, found: list[float], limit: float) -> None:
    """One row: the median, the least and the most, and the limit."""
    found = sorted(found)
    print(f"{name:42} {statistics.median(found):5.2f} s [{found[0]:.2f}, {found[-1]:.2f}], at most {limit:g} s")


def main() -> None:
    """Print one row a figure."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        write(root / "bank", FILES)
        print(f"{FILES * CARDS:,} cards in {FILES} files. Median of {rounds} runs [least, most], and the limit.")
        for name, command in [("quiz", ["quiz"]), ("bank list", ["bank", "list"])]:
            first, again = [], []
            for number in range(rounds):
                home = root / f"{name}-{number}"
                home.mkdir()
                first.append(seconds(root / "bank", home, *command))
                again.append(seconds(root / "bank", home, *command))
            shown(f"{name}, the first time", first, 3)
            shown(f"{name}, when nothing has changed", again, 0.5)
        times = []
        for files in (FILES // 4, FILES // 2, FILES):
            write(root / f"part-{files}", files)
            home = root / f"home-{files}"
            home.mkdir()
            times.append(min(seconds(root / f"part-{files}", home, "quiz") for home in [home]))
        print("the first time at a quarter, half and all of it: " + ", ".join(f"{one:.2f} s" for one in times))


if __name__ == "__main__":
    main()
