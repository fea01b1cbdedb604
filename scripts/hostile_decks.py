"""Decks that repeat one piece without end: does the time to load one grow with its size, or with the square of it?

python scripts/hostile_decks.py [CHARACTERS] [PIECE]

For each piece, with and without lines of a card before it: the seconds for so many characters of it and for four times
as many. What is linear takes four times as long; a fault is what takes over eight times, and a quarter of a second.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from regdemo.quiz.parser import parse

PIECES = [
    "a", " ", "\t", "\n", "#", "# ", "## Q1: a\n", "## Q{n}: a\n\nb\n", "* ", "- ", "- a\n", "1. ", "1. a\n", "> ",
    ">", "`", "``` ", "```\n", "```a b\n", "~~~\n", "**", "**a**", "**a** ", "__", "*a ", "_a", "[", "]", "[](",
    "[a](b)", "[[a]](b)", "[a", "![", "(", ")", "((", "{", "}", "{{", "}}", "{{a|", "{{a}}", "{a}", "{a", "|", "| a ",
    "|-", "=", "= ", "= 1\n", "= [1, 2]\n", "±", "-", "---\n", "===\n", "a\n---\n", "<", ">", "<a", "<a ", "</",
    "<b>", "<!--", "-->", "<!-- -->", "<details>", "</details>", "<details><summary>",
    "<details><summary>a</summary>b</details>\n", "<summary>", "</summary>", "Q: a\n", "Q: a?\nA: b\n", "A: ", "Q:",
    "Q1. ", "A) ", "A) a\n", "a) b ", "(a) ", "B. a\n", "Answer: ", "Answer: A\n", "Answer\n", "**Answer:** ",
    "a :: b\n", " :: ", "a::b", "?", "? ", "a? ", "Why? a\n", "### Why?\n\na\n\n", "### Why?\n", "**Why?** a\n\n",
    "1) Why?\n", "1.1 ", "1.", "Q", "question ", "- [ ] a\n", "- [x] a\n", "- [ ]", "[ ] ", "[x] ", "  ", "  - ",
    "    a\n", "&", "&amp;", "&#x", "\\", "\\[", "$", "$$", "$a$", "é", "你", "什么", "?\n", "*_`[", "**a", "a**",
    "\x1b[31m", "\x00", "\u202e", "- a\n  - b\n", "> a\n", ">- ", "1. - ", "+++\n", "### Answer\na\n", "### Hints\n",
    "### Wrong answers\n", "- = 1: a\n", "```toml vary\na = [1]\n```\n", "```python check\n1\n```\n", "p = [1]\n",
    "::: {.tip title='a?'}\n", '??? q "a?"\n', "```{note} a?\n", "==a==", "a?::b\n", "a?\n?\nb\n\n", "C: [a]\n", "C: [",
    "| Question | Answer |\n| - | - |\n", "| a | b |\n", "## Answers\n1. B\n", "1-B ", "Ответ: b\n",
    "答案：", "#flashcards ",
    "Q) a?\nA) b\n", "Q) a\n", "#card\n", "#card\n==a==\n", "#card\na::b\n", "</details>\na\n",
    "(correct)", " ✅", "why ", "vs ", "[src]", "[src](", "[[src", "a.b", "a-b_",
]  # fmt: skip
BEFORE = [
    "",
    "## Q1: What?\n\n",
    "## Q1: What?\n\n### Answer\n",
    "# Questions\n\n### 1. What?\n\n",
    "# Questions\n\nQ: What?\nA: ",
    "# Questions\n\n**What?** ",
    "<details><summary>",
    "## Q1: ",
    "## Q1: a\n- [x] ",
]


def seconds(text: str) -> float:
    """Processor time to load a text."""
    start = time.process_time()
    parse(text, Path("d.md"), ("questions",))
    return time.process_time() - start


def main() -> None:
    """Try every piece; print what is suspicious, and the worst of the rest."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 25_000
    pieces = [sys.argv[2].encode().decode("unicode_escape")] if len(sys.argv) > 2 else PIECES
    worst = (0.0, "")
    faults = 0
    for piece in pieces:
        for before in BEFORE:
            small, large = (before + piece * (length // len(piece)) for length in (size, 4 * size))
            one = seconds(small)
            four = seconds(large)
            row = f"{four / max(one, 1e-9):5.1f} times: {one:.3f} s, then {four:.3f} s for {before!r} + {piece!r} ..."
            worst = max(worst, (four, row))
            if four > 0.25 and four > 8 * one:
                faults += 1
                print(row, flush=True)
    print(f"{len(pieces) * len(BEFORE):,} hostile decks of {4 * size:,} characters: {faults} faults; the slowest:")
    print(worst[1])
    sys.exit(min(faults, 1))


if __name__ == "__main__":
    main()
