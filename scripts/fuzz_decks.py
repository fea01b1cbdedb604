"""Decks made at random, as nobody would write them: loading one ends with cards or with faults, and in no other way.

python scripts/fuzz_decks.py [DECKS] [SEED]
"""

from __future__ import annotations

import random
import sys
import time
from contextlib import suppress
from pathlib import Path

from regdemo.bank.skeletons import skeleton
from regdemo.errors import RegdemoError
from regdemo.quiz.cards import Deck
from regdemo.quiz.kinds import grade, kind_names
from regdemo.quiz.kinds.base import UnreadableAnswer
from regdemo.quiz.parser import parse

KINDS = kind_names()
PIECES = [
    "## Q1: What is a mask?", "## Q2:", "## ", "### Answer", "### Key points", "### Wrong answers", "### Hints",
    "### Follow-ups", "### See it", "### Sources", "### Tags", "- [ ] a", "- [x] b", "  - nested", "- [X]", "* item",
    "1. one", "= 1/(1-p) ± 0.5%", "= [0.1, 0.2]", "= [", "= 9**9**9 ± 1%", "= __import__('os')", "= (" * 60, "± 1%",
    "{{blank|other}}", "{{", "}}", "{{a}} {{b}}", "{p}", "{{ x }}", "```toml vary", "p = [1, 2]", 'p = ["a"]', "p = [",
    "p = [1e400]", "```", "```python show", "print(1)", "```text output", "1", "```python check", "assert answer == 1",
    "```python starter", "```python judge", "```python solution", "```python mutant: m", "~~~", "    indented", "\t",
    "Q) What?", "A) That.", "#card", "==a==", "a::b", "A1 - That.",
    "<details><summary>Why?</summary>", "</details>", "<details>", "<summary>", "**Why is it so?**", "**3. Bold**",
    "Q: What?", "A: That.", "A) one", "B) two", "Answer: B", "Answer:", "what :: that", "| a | b |", "| - | - |", "---",
    "===", "***", "> quote", ">" * 50, "- " * 30, "<!--", "-->", "[x]: y", "![a](../../etc/passwd)", "[a](b)",
    "&#x202e;", "\x1b[31m", "\x00", "\u202e", "\ufeff", "é", "你好？", "🎲", "\\", "`", "``", "$x_1$", "[red]",
    "[/]", "", "", "", " ", "### 1. Explain it", "# Interview questions", "Question 3", "### Question 4",
    "**Answer:** C",
    "+++", "title = 1",
]  # fmt: skip
ANSWERS = [
    "",
    "a",
    "b",
    "ab",
    "1",
    "1/0",
    "9**9**9",
    "(" * 200,
    "__import__('os')",
    "mean; b",
    "\x1b[31m",
    "x" * 1_000,
    "1e999",
]


def deck(rng: random.Random) -> str:
    """Sound cards with pieces between their lines, or pieces alone; some of the lines damaged."""
    sound = [skeleton(rng.choice(KINDS), f"Q{number}") for number in range(rng.choice([0, 1, 3]))]
    kept = [line for card in sound for line in card.split("\n") if rng.random() < 0.97]
    for _ in range(rng.randint(0, 5) if kept else rng.randint(1, 40)):
        kept.insert(rng.randint(0, len(kept)), rng.choice(PIECES))
    lines: list[str] = []
    damage = 0.02 if sound else 1
    for piece in kept:
        fate = rng.random() / damage
        if fate < 0.05:
            piece = "".join(rng.sample(piece, len(piece)))
        elif fate < 0.1:
            piece = piece[: rng.randint(0, len(piece))]
        elif fate < 0.15:
            piece += rng.choice(PIECES)
        elif fate < 0.2:
            piece = " " * rng.randint(1, 6) + piece
        elif fate < 0.21:
            piece *= rng.randint(2, 200)
        lines.append(piece)
    return rng.choice(["\n", "\n", "\n\n", "\r\n", "\r"]).join(lines)


def take(found: Deck, rng: random.Random) -> None:
    """Ask each card and answer it, rightly or not."""
    for card in found.cards:
        asked = card.ask(random.Random(rng.random()))
        if card.kind in ("recall", "code"):
            continue
        for answer in (rng.choice(ANSWERS), asked.output, "; ".join(blank[0] for blank in asked.blanks)):
            with suppress(UnreadableAnswer, RegdemoError):
                grade(asked, answer)


def main() -> None:
    """Make and load so many decks; name the first whose loading ends in any other way, or takes a second."""
    decks = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    start = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    cards = faults = 0
    slowest = (0.0, 0)
    for seed in range(start, start + decks):
        rng = random.Random(seed)
        text = deck(rng)
        began = time.process_time()
        try:
            found = parse(text, Path("d.md"), ("questions",))
            take(found, rng)
        except Exception as error:
            sys.exit(f"seed {seed}: {type(error).__name__}: {error}\n{text}")
        slowest = max(slowest, (time.process_time() - began, seed))
        cards += len(found.cards)
        faults += len(found.faults)
    print(f"{decks:,} decks: {cards:,} cards, {faults:,} faults, no other exception; ", end="")
    print(f"the slowest took {slowest[0]:.3f} s (seed {slowest[1]}).")


if __name__ == "__main__":
    main()
