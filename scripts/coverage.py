"""Add up the tables of docs/pages/coverage.md: what fraction of what interviewers ask the bank answers well.

python scripts/coverage.py           # the summary
python scripts/coverage.py --write   # the summary and the order of new cards, written into the page
"""

import re
import sys
from pathlib import Path

from regdemo.quiz import decks, selection

PAGE = Path(__file__).parent.parent / "docs" / "pages" / "coverage.md"
ASKED = 526  # askings counted in the 31 collections
FIRST = 40  # cards that a new learner meets in two evenings


def rows(part):
    """The rows of the tables below a heading of the second level."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {part}\n")[1].split("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if "|" in line]
    return [row for row in cells if row[-1] in ("well", "partly", "not")]


def cards(row):
    """The ids that a row names."""
    return re.findall(r"Q18(?:\.\d+)?", row[-2])


def met(row, ids):
    """What part of a row's askings these cards have met: all with one of its cards.

    Of a row that sums up several questions, the fraction of its cards, since those are its main questions.
    """
    found = [id in ids for id in cards(row)]
    return sum(found) / len(found) if "answered before" in row[1] else float(any(found))


def new_cards():
    """The bank's cards in the order in which a new learner meets them, katas left out."""
    bank = decks.load(decks.bundled())
    return list(selection.new_order(card for card in bank.cards if card.kind != "code"))


def summary():
    """The figures of the page, one line each."""
    asked, further = rows("The 135 questions"), rows("Ten further collections")
    well = sum(int(row[0]) for row in asked if row[-1] == "well")
    ids = {card.id for card in new_cards()[:FIRST]}
    named = [row for row in asked if "answered before" not in row[1]]
    seen = sum(int(row[0]) * met(row, ids) for row in named)
    total = sum(int(row[0]) for row in named)
    everywhere = sum(int(row[0]) * met(row, ids) for row in asked)
    there = sum(met(row, ids) for row in further)
    share = {answer: sum(row[-1] == answer for row in further) for answer in ("well", "partly", "not")}
    return [
        f"31 collections: {well} of {ASKED} askings answered well, {well / ASKED:.0%}",
        f"ten further:    {share['well']} of {len(further)} questions well, {share['well'] / len(further):.0%}; "
        f"{share['partly']} partly, {share['not']} not",
        f"first {FIRST} cards: {everywhere:.0f} of all {ASKED} askings, {everywhere / ASKED:.1%}; "
        f"of the {total} listed one by one {seen:.0f}, {seen / total:.0%};",
        f"                of the {len(further)} further questions {there:.0f}, {there / len(further):.0%}",
    ]


def evenings():
    """The first 60 new cards as a table: the evening, the card, its question."""
    lines = ["| evening | card | question |", "| ---: | --- | --- |"]
    for i, card in enumerate(new_cards()[:60]):
        question = card.question.split("\n")[0].replace("|", r"\|")
        lines.append(f"| {i // 20 + 1} | {card.id} | {question} |")
    return "\n".join(lines)


def main():
    """Print the summary; write it too, where asked."""
    print("\n".join(summary()))
    if "--write" in sys.argv[1:]:
        text = PAGE.read_text(encoding="utf-8")
        text = re.sub(r"```text\n.*?```", lambda _: "```text\n" + "\n".join(summary()) + "\n```", text, flags=re.DOTALL)
        head = text.split("is due comes first and is not listed):\n")[0]
        PAGE.write_text(f"{head}is due comes first and is not listed):\n\n{evenings()}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
