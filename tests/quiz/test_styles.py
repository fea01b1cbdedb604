"""Other people's files: each style in the shapes that it has, and what must not be taken for a question."""

from pathlib import Path

import pytest

from regdemo.quiz.cards import Reason
from regdemo.quiz.parser import parse


def read(text, name="questions"):
    """The cards of a text as (question, answer)."""
    deck = parse(text, Path("d.md"), (name,))
    assert deck.faults == ()
    return [(card.question, card.answer) for card in deck.cards]


TWO = [("What is a mask?", "Zeros and ones."), ("Why scale?", "To keep the mean.")]

# Each shape as it is written for one question: n its number, q its words, a its answer.
HEADINGS = [
    "## {q}\n\n{a}\n",
    "### {n}. {q}\n{a}\n\n---\n",
    "### {n}) {q}\n{a}\n",
    "#### Q{n}. {q}\n\n{a}\n",
    "## Q. {q}\n\n{a}\n",
    "## Q.\n{q}\n\n{a}\n",
    "### {n}、{q}\n\n{a}\n",
    "### {q} [[src]](https://example.org/{n})\n\n{a}\n",
    "### {n}. {q}\n\n<!-- Edit this: answers/{n}.md -->\n\n{a}\n\n<!-- end -->\n",
    "## Question {n}: {q}\n\n{a}\n",
    "## Question {n}\n\n{q}\n\n**Answer:** {a}\n",
    "## Question {n}\n\n{q}\n\n{a}\n",
    "## Q: {q}\n\nA: {a}\n",
    "## **{q}**\n\n{a}\n",
    "### [{q}](#anchor)\n\n{a}\n",
    "### <a name='anchor'></a>{q}\n\n{a}\n",
    "### ❓ {q}\n\n{a}\n",
    "### {n}. 🔥 {q}\n\n{a}\n",
    "{q}\n---\n\n{a}\n",
    "## {q}\n### Answer\n{a}\n",
    "## {q}\n## Answer:\n{a}\n",
    "## {q}\n\n**Answer:** {a}\n",
    "## Part {n}\n\n### {q}\n{a}\n\n**[⬆ Back to top](#top)**\n",
    "### {q}\n<details><summary>Show answer</summary>\n\n{a}\n\n</details>\n",
    "### {q}\n<details>\n<summary><b>Answer</b></summary>\n<p>\n\n{a}\n</p>\n</details>\n",
    "{n}. ### {q}\n\n   {a}\n",
    "{n}. ### {q}\n\n{a}\n",
]
BOLD = [
    "**{q}**\n\n{a}\n",
    "**{q}**\n{a}\n",
    "**{q}** {a}\n",
    "**{n}. {q}**\n\n{a}\n",
    "**Q{n}: {q}**\n\n{a}\n",
    "__{q}__\n\n{a}\n",
    "{n}. **{q}**\n\n   {a}\n",
    "{n}. **{q}**\n   {a}\n",
    "{n}. **{q}**\n\n{a}\n",
    "- **{q}** {a}\n",
    "## Part {n}\n\nRead this first.\n\n### More\n\n**{q}**\n\n{a}\n",
]
DETAILS = [
    "<details>\n<summary>{q}</summary>\n\n{a}\n\n</details>\n",
    "<details><summary>{q}</summary>{a}</details>\n",
    "<details>\n<summary><b>{n}. {q}</b></summary><br><b>\n\n{a}\n</b></details>\n",
    "<DETAILS open>\n<SUMMARY>{q}</SUMMARY>\n<p>\n\n{a}\n\n</p>\n</DETAILS>\n",
    "- <details><summary>{q}</summary>\n\n  {a}\n\n  </details>\n",
    "<details><summary>Part {n}</summary>\n\n<details><summary>{q}</summary>{a}</details>\n\n</details>\n",
    "{q}\n\n<details><summary>Click to reveal the answer</summary>\n\n{a}\n</details>\n",
    "{n}. {q}\n\n   <details><summary>Solution</summary>\n\n   {a}\n   </details>\n",
]
PAIRS = [
    "Q: {q}\nA: {a}\n",
    "Q: {q}\n\nA: {a}\n",
    "**Q:** {q}\n\n**A:** {a}\n",
    "**Q**: {q}\n**A**: {a}\n",
    "Q{n}: {q}\nA{n}: {a}\n",
    "Q{n}. {q}\nAns: {a}\n",
    "Question: {q}\nAnswer: {a}\n",
    "Question {n}: {q}\n\nAnswer: {a}\n",
    "- Q: {q}\n  A: {a}\n",
    "- Q: {q}\n- A: {a}\n",
    "Q: {q} A: {a}\n",
    "Q: {q}\nA: {a}\n---\n",
    "Q: {q}\n{a}\n",
]
DOUBLE_COLONS = [
    "{q} :: {a}",
    "- {q} :: {a}",
    "{n}. {q} :: {a}",
    "## Part {n}\n\n{q} :: {a}\n",
]
STYLES = {"headings": HEADINGS, "bold": BOLD, "details": DETAILS, "Q and A": PAIRS, "::": DOUBLE_COLONS}
SHAPES = [
    pytest.param(
        "\n".join(shape.format(n=number, q=question, a=answer) for number, (question, answer) in enumerate(TWO, 1)),
        id=f"{style} {shape!r}",
    )
    for style, shapes in STYLES.items()
    for shape in shapes
]


@pytest.mark.parametrize("text", SHAPES)
def test_both_questions_are_found_with_their_answers(text):
    assert read(text) == TWO


@pytest.mark.parametrize("text", SHAPES)
def test_badges_contents_and_thanks_around_them_change_nothing(text):
    before = (
        "[![build](b.svg)](b)\n\n# Interview questions\n\nThanks to our [sponsor](s).\n\n## Table of contents\n\n"
        "- [What is a mask?](#what-is-a-mask)\n  - [Why scale?](#why-scale)\n\n## Questions\n\n"
    )
    after = "\n\n## How to contribute?\n\nOpen a pull request.\n\n## License\n\nMIT\n"
    assert read(before + text + after) == TWO


def test_styles_may_be_mixed_in_one_file():
    text = (
        "# Questions\n\n## What is a mask?\nZeros and ones.\n\n## Cards\n\nWhat is p? :: A rate.\n\n**Why scale?**\n\n"
        "To keep the mean.\n\nQ: Who did it?\nA: Srivastava.\n\n<details><summary>Where?</summary>Toronto</details>\n"
    )
    assert read(text) == [
        TWO[0],
        ("What is p?", "A rate."),
        TWO[1],
        ("Who did it?", "Srivastava."),
        ("Where?", "Toronto"),
    ]


# What is no question


@pytest.mark.parametrize(
    "text",
    [
        "# A tool\n\n## Why this project?\n\nBecause.\n\n## How to contribute?\n\nAsk.\n\n## Want to help?\n\nDo.\n",
        "# Notes\n\n## 1. Introduction\n\nText.\n\n## 2. Method\n\nText.\n\n## 3. Results\n\nText.\n",
        "# Book\n\n## 9.1 Fundamentals\n\nText.\n\n## 9.2 Dropout\n\nText.\n",
        "# Questions\n\n### What is a mask?\n\nAnswer:\n\n### Why scale?\n\n**Answer:**\n",
        "# Questions\n\n### What is a mask?\n\n<!-- nobody has answered it -->\n\n### Why scale?\n",
        "# Questions\n\n* What is a mask?\n  * Who draws it?\n  * When?\n* Why scale?\n  * By what?\n",
        "# The build\n\n- **Why**: it is simple\n- **Show comparisons**: of both\n- **When adding**: ask\n",
        "# Questions\n\n- [What is a mask?](#a)\n  - [Why scale?](#b)\n",
        "# Questions\n\n- [What is a mask?](a.md)\n  - [Why scale?](b.md)\n",
        "# Questions\n\n1. What is a mask?\n2. Why scale?\n3. What is p?\n",
        "# Questions\n\n### What is a mask?\n\n### Why scale?\n",
        "# Questions\n\n### What is kept?\n\n- [ ] the sum\n- [ ] the mean\n",
        "# Questions\n\n### What is kept?\n\nA) the sum\nB) the mean\n",
        "# To do\n\n- [x] write\n- [ ] test\n",
        "# Notes\n\n**Note:** read on.\n\n**Advantages**\n\n- fast\n\n**Answer** nothing.\n",
        "# Code\n\n```cpp\nQ: a\nstd :: cout\n```\n\nUse `a :: b` here, and Foo::bar there.\n",
        "# Tool\n\n<details><summary>Installation</summary>\n\nRun it.\n\n</details>\n",
        "# Tool\n\n<details><summary>Languages</summary>\n\n- [Français](fr.md)\n- [Deutsch](de.md)\n\n</details>\n",
        "---\ntitle: Why is it so?\n---\n\nText.\n",
        "<!--\n## What is a mask?\n\nZeros.\n-->\n",
        "    ## What is a mask?\n\n    Zeros.\n",
    ],
)
def test_what_is_no_question_gives_no_card(text):
    assert read(text, name="d") == []


def test_an_answer_keeps_the_questions_inside_it():
    text = (
        "## What is a mask?\n\nIt has zeros. **Why?** See below.\n\n### Why is that so?\n\nSo.\n\nQ: or is it?\nNo.\n"
    )
    assert len(read(text)) == 1


def test_the_numbered_parts_of_an_answer_are_not_questions():
    parts = "#### 1. Zeros\n\nHere.\n\n#### 2. Ones\n\nThere.\n"
    assert len(read(f"# Question 7\n\n## What is a mask?\n\nIt has\n\n{parts}")) == 1
    ((question, _),) = read(f"# In what cases is a mask drawn?\n\nIn these.\n\n{parts.replace('####', '##')}")
    assert question == "In what cases is a mask drawn?"


def test_the_name_of_a_file_may_be_its_question():
    text = "# Masks\n\nZeros and ones.\n\n## How it is drawn\n\nBy coins.\n"
    answer = "Zeros and ones.\n\n## How it is drawn\n\nBy coins."
    assert read(text, "what-is-a-mask") == [("what is a mask", answer)]
    assert read(text, "how-to-use-masks") != [("how to use masks", answer)]


@pytest.mark.parametrize(
    "questions",
    [
        ("什么是掩码", "为什么要缩放", "谁画的？"),
        ("Что такое маска", "Зачем масштабировать", "Кто?"),
        ("Qué es una máscara", "Por qué se escala?", "¿Quién?"),
    ],
)
def test_questions_in_other_languages_need_no_question_mark(questions):
    text = "".join(f"### {question}\n\nA.\n\n" for question in questions)
    assert [question for question, _ in read(text)] == list(questions)


def test_tasks_among_questions_are_told_by_their_full_stop():
    asked = ["What is p?", "Who?", "Why?", "Sort two lists.", "Merge them."]
    text = "".join(f"### {title}\n\nA.\n\n" for title in [*asked, "Source", "More"])
    assert [question for question, _ in read(text)] == asked


def test_headings_outside_the_questions_are_skipped_unless_they_group_or_name_the_page():
    text = "# Questions\n\n## Masks\n\n### What is a mask?\n\nZeros.\n\n#### More\n\nOnes.\n\n## Thanks\n\nTo all.\n"
    deck = parse(text, Path("d.md"))
    assert list(deck.skipped) == [(Path("d.md"), 13, Reason.HEADING, "Thanks")]


def test_terms_in_folds_of_a_quiz_are_questions():
    text = "# Flashcards\n\n" + "".join(f"<details><summary>Term {n}</summary>It is {n}.</details>\n" for n in range(3))
    assert read(text) == [(f"Term {n}", f"It is {n}.") for n in range(3)]


def test_bold_numbers_in_a_quiz_are_questions():
    text = "# SQL questions\n\n" + "".join(
        f"**{n})** All rows of {n}.\n\n```sql\nselect {n}\n```\n\n" for n in range(1, 4)
    )
    assert read(text)[1] == ("All rows of 2.", "```sql\nselect 2\n```")


def test_the_answer_stays_as_it_is_written():
    text = "### What is a mask?\n\n- zeros\n  - and\n\n```py\n</p>\n---\n```\n\n| a | b |\n| - | - |\n\n<br/>\n\n---\n"
    ((_, answer),) = read(text)
    assert answer == "- zeros\n  - and\n\n```py\n</p>\n---\n```\n\n| a | b |\n| - | - |"
