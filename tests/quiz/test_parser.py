"""Which headings of a file are cards."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regdemo.quiz.cards import Reason
from regdemo.quiz.parser import parse

FILE = Path("d.md")


def read(text):
    return parse(text, FILE, ("folder", "d"))


def ids(text):
    return [card.id for card in read(text).cards]


def test_a_card_ends_at_the_next_heading_of_its_level_or_higher():
    deck = read("# Title\n\n## Q1: a?\nx\n### More\ny\n## Notes\nz\n## Q2: b?\nw\n# End\nv\n")
    assert [(card.id, card.line, card.answer) for card in deck.cards] == [
        ("Q1", 3, "x\n\n### More\n\ny"),
        ("Q2", 9, "w"),
    ]
    assert deck.skipped == ()


def test_a_rule_between_cards_belongs_to_neither():
    deck = read("## Q1: a?\n### Answer\nx\n\n---\n\ny\n\n---\n\n## Q2: b?\nz\n\n***\n")
    assert [card.answer for card in deck.cards] == ["x\n\n---\n\ny", "z"]


def test_an_answer_of_the_cards_own_level_is_still_its_answer():
    deck = read("## Q1: a?\n## Answer\nx\n## Sources\ny\n")
    assert [(card.question, card.answer) for card in deck.cards] == [("a?", "x")]


def test_a_card_inside_another_is_cut_out_of_it():
    deck = read("## Q1: a?\nx\n### Q1.1: b?\ny\n#### Sources\n- s\n### Rest\nz\n")
    assert [(card.id, card.answer, card.sources) for card in deck.cards] == [
        ("Q1", "x\n\n### Rest\n\nz", ()),
        ("Q1.1", "y", ("s",)),
    ]


def test_the_file_and_the_tags_are_told_to_each_card():
    (card,) = read("## Q1: a?\nx\n").cards
    assert (card.file, card.tags, card.topic) == (FILE, ("folder", "d"), "d")


@pytest.mark.parametrize(
    "heading",
    [
        *("## Q18: a?", "## Q18.2: a?", "# K1: a?", "###### drop-path_2: a?", "## card.1b: a?", "## **Q1:** a?"),
        *("## **Q1**: a?", "## **Q1: a?**", "## `Q1`: a?", "##   Q1 :  a? ##", "Q1: a?\n======", "Q1: a?\n---"),
    ],
)
def test_an_id_is_a_word_with_a_digit_and_a_colon(heading):
    (card,) = read(f"{heading}\n\nx\n").cards
    assert card.question == "a?"
    assert card.id in heading


@pytest.mark.parametrize(
    "heading", ["## Q: a", "## Note: a", "## 18: a", "## Q1 a", "## a::b1", "## Q1:a", "## C++11: a"]
)
def test_other_headings_have_no_id(heading):
    assert "Q18" not in ids(f"## Q18: a?\nx\n{heading}\ny\n")[1:]
    assert ids(f"## Q18: a?\nx\n{heading}\ny\n") == ["Q18"]


def test_a_series_of_ids_counts_if_one_of_it_is_a_question():
    text = "## Q1: a?\nx\n\n## L1: absolute values\ny\n\n## L2: squares\nz\n"
    assert ids(text) == ["Q1"]
    assert ids(text.replace("squares", "what is squared?")) == ["Q1", "L1", "L2"]
    assert ids(text + "### Key points\n- k\n") == ["Q1", "L1", "L2"]


def test_headings_with_ids_are_cards_where_nothing_else_is():
    assert ids("## A1: absolute values\ny\n\n## A2: squares\nz\n") == ["A1", "A2"]


def test_examples_in_code_blocks_are_no_cards():
    deck = read("# The format\n\n````markdown\n## Q1: a?\n\n```python check\nx\n```\n````\n\nAs `## Q2: b?` shows.\n")
    assert deck.cards == ()
    assert deck.headings == ("The format",)


def test_a_heading_with_nothing_below_it_is_a_question_without_an_answer():
    deck = read("## Q1: a?\n\n## Q2: b?\nx\n")
    assert [card.id for card in deck.cards] == ["Q2"]
    assert [(one.line, one.reason, one.text) for one in deck.skipped] == [(1, Reason.NO_ANSWER, "Q1: a?")]


def test_a_broken_card_is_not_among_the_cards():
    deck = read("## Q1: a?\n- [ ] x\n- [ ] y\n\n## Q2: b?\nx\n")
    assert ([card.id for card in deck.cards], [str(fault).split(" ")[0] for fault in deck.faults]) == (
        ["Q2"],
        ["d.md:2:"],
    )


def test_a_fault_is_one_line_whatever_the_files_name():
    deck = parse("## Q1:\nx\n", Path("a\nb\x1b[31m.md"))
    assert str(deck.faults[0]) == "a\ufffdb\ufffd[31m.md:1: Q1 has no question: write it after the colon"


def test_what_a_terminal_would_obey_is_shown():
    (card,) = read("## Q1: \x1b[31ma?\n\x1b]0;x\x07\n").cards
    assert (card.question, card.answer) == ("\ufffd[31ma?", "\ufffd]0;x\ufffd")


def test_questions_numbered_from_1_are_only_numbers():
    assert read("## Q1: a?\nx\n## Q2: b?\nx\n## Q4: c?\nx\n").numbered
    assert not read("## Q18: a?\nx\n## Q19: b?\nx\n## Q20: c?\nx\n").numbered
    assert not read("## Q1: a?\nx\n").numbered
    assert not read("## Q1: a?\nx\n## Q2: b?\nx\n## Q3: c?\nx\n### Sources\n- s\n").numbered


def test_a_stray_id_among_questions_of_another_style_does_not_hide_them():
    assert len(ids("## Q1. a?\nx\n## Q2. b?\nx\n## Q3: c?\nx\n")) == 3


WORDS = [
    "## Q1: ",
    "## ",
    "### Answer\n",
    "### Key points\n",
    "### Wrong answers\n",
    "- [x] ",
    "- [ ] ",
    "- ",
    "1. ",
    "= ",
]
WORDS += [" ± 1%", "1/(1-p)", "{{", "}}", "|", "{p}", "```toml vary\n", "```python show\n", "```text output\n", "```\n"]
WORDS += ["```python judge\n", "p = [0.1]\n", "\n", "\n\n", "a?", "**", "Q: ", "A: ", " :: ", "A) ", "B) ", "Answer: B"]
WORDS += [
    "<details>",
    "<summary>",
    "</summary>",
    "</details>",
    "> ",
    "    ",
    "`",
    "---\n",
    "# Questions\n",
    "What?",
    "3. ",
]
DECKS = st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=60).map("".join)


@given(DECKS | st.text())
def test_any_text_is_read_as_cards_faults_and_what_is_skipped(text):
    deck = read(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for card in deck.cards:
        assert card.question
        assert card.answer
        assert deck.made_ids or card.id in lines[card.line - 1]
        assert sum(option.correct for option in card.options) == {"choice": 1}.get(card.kind, len(right(card)))
    assert all(1 <= found.line <= len(lines) for found in (*deck.faults, *deck.skipped))


def right(card):
    return [option for option in card.options if option.correct]


BODIES = {
    "recall": "{t}",
    "choice": "- [x] {t}\n- [ ] no",
    "multi": "- [x] {t}\n- [ ] no\n- [x] yes",
    "numeric": "### Answer\n= 1/2 ± 1%\n\n{t}",
    "cloze": "The {{{{{t}}}}} is kept.",
    "predict": "```python show\nprint(1)\n```\n```text output\n1\n```\n{t}",
    "code": "```python starter\na\n```\n```python judge\nb\n```\n```python solution\nc\n```\n{t}",
}
TEXTS = st.text("abc xyz", min_size=1).map(str.strip).filter(bool)


@given(st.lists(st.tuples(st.sampled_from(sorted(BODIES)), TEXTS, TEXTS, st.sampled_from(["#", "##"]))))
def test_cards_are_read_back_as_they_were_written(cards):
    texts = [f"{level} Q{n}: {q}?\n\n{BODIES[kind].format(t=t)}\n" for n, (kind, q, t, level) in enumerate(cards)]
    deck = read("\n".join(texts))
    assert deck.faults == ()
    assert [(card.id, card.kind) for card in deck.cards] == [(f"Q{n}", kind) for n, (kind, *_) in enumerate(cards)]
    assert all(card.question.startswith(f"{q}?") for card, (_, q, _, _) in zip(deck.cards, cards, strict=True))
    assert all(t in card.question + card.answer for card, (_, _, t, _) in zip(deck.cards, cards, strict=True))


@given(DECKS)
def test_reading_is_a_function_of_the_text(text):
    assert read(text) == read(text)
