"""What of a text asks and what answers: options in letters, folds, lines that say `Answer:`."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regdemo.quiz.parser import parse
from regdemo.quiz.styles.answers import SplitAnswer, split
from regdemo.quiz.styles.folds import find_folds
from regdemo.quiz.styles.markup import MaskedText, title_text
from regdemo.quiz.styles.titles import names_answer


def read(text):
    """The cards of a text as (question, answer)."""
    return [(card.question, card.answer) for card in parse(text, Path("d.md"), ("quiz",)).cards]


OPTIONS = {
    "paragraph": "What is kept?\nA) the sum\nB) the mean\nC) nothing\nAnswer: B\n",
    "heading": "### 1. What is kept?\n\nA. the sum\nB. the mean\nC. nothing\n\n**Answer: B**\n",
    "list": "### What is kept?\n\n- A: the sum\n- B: the mean\n- C: nothing\n\nCorrect answer: B\n",
    "small letters": "## Q1. What is kept?\n\na) the sum\n\nb) the mean\n\nc) nothing\n\nAns. b)\n",
    "brackets": "**1. What is kept?**\n\n(A) the sum\n(B) the mean\n(C) nothing\n\nThe correct option is (B).\n",
    "bold letters": "Q: What is kept?\n**A.** the sum\n**B.** the mean\n**C.** nothing\n**Answer:** B. the mean\n",
    "one line": "### What is kept?\n\nA) the sum  B) the mean  C) nothing\n\nAnswer: B\n",
    "nested": "1. What is kept?\n   A) the sum\n   B) the mean\n   C) nothing\n\n   Answer: B\n",
    "lazy": "1. What is kept?\nA) the sum\nB) the mean\nC) nothing\nAnswer: B\n",
    "folded": (
        "###### 1. What is kept?\n\n- A: the sum\n- B: the mean\n- C: nothing\n\n"
        "<details><summary><b>Answer</b></summary>\n<p>\n\n#### Answer: B\n</p>\n</details>\n"
    ),
    "bare letter folded": (
        "### What is kept?\n\nA) the sum\nB) the mean\nC) nothing\n\n<details><summary>Answer</summary>B</details>\n"
    ),
    "text of the option": "### What is kept?\n\nA) the sum\nB) the mean\nC) nothing\n\n**Answer:** The mean.\n",
    "sign behind": "### What is kept?\n\nA) the sum\nB) the mean ✅\nC) nothing\n",
    "boxes": "#### Q1. What is kept?\n\n- [ ] the sum\n- [x] the mean\n- [ ] nothing\n",
    "boxes and letters": "### What is kept?\n\n- [ ] A. the sum\n- [x] B. the mean\n- [ ] C. nothing\n",
}


@pytest.mark.parametrize("text", OPTIONS.values(), ids=OPTIONS)
def test_options_with_their_answer_are_a_choice_in_the_order_of_the_file(text):
    (card,) = parse(text, Path("d.md"), ("quiz",)).cards
    assert (card.kind, card.question, card.answer) == ("choice", "What is kept?", "- the mean")
    assert [(option.text, option.correct) for option in card.options] == [
        *(("the sum", False), ("the mean", True), ("nothing", False)),
    ]
    assert card.fixed_order


@pytest.mark.parametrize("answer", ["A, C", "A and C", "A & C", "AC", "A,C because so"])
def test_several_letters_are_multi(answer):
    (card,) = parse(f"### Which?\n\nA) x\nB) y\nC) z\n\nAnswer: {answer}\n", Path("d.md")).cards
    assert (card.kind, [option.correct for option in card.options]) == ("multi", [True, False, True])


def test_questions_in_a_row_each_keep_their_answer():
    text = "".join(f"Which is {n}?\nA) {n}\nB) no\nAnswer: A\n\nSince it is {n}.\n\n" for n in range(5))
    assert read(text) == [(f"Which is {n}?", f"- {n}\n\nSince it is {n}.") for n in range(5)]


def test_what_is_said_behind_the_letter_is_the_explanation():
    assert read("### Which?\nA) x\nB) y\n\nAnswer: B) y\n\nSince z.\n") == [("Which?", "- y\n\nSince z.")]
    assert read("### Which?\nA) x\nB) y\n\n**Answer:** B because z.\n") == [("Which?", "- y\n\nbecause z.")]


def test_a_word_that_looks_like_a_letter_picks_nothing():
    ((question, answer),) = read("### Which?\nA) x\nB) y\n\nAnswer: A network of both.\n")
    assert (question, answer) == ("Which?\n\nA) x\nB) y", "A network of both.")


def test_code_between_question_and_options_stays_with_the_question():
    text = "### What does it print?\n\n```python\n# A) x\nprint(1)\n```\n\nA) 1\nB) 2\n\nAnswer: A\n"
    assert read(text) == [("What does it print?\n\n```python\n# A) x\nprint(1)\n```", "- 1")]


# Texts

WORDS = [
    "Answer:",
    "A)",
    "B)",
    "A:",
    "- [x] ",
    "- [ ] ",
    "\n",
    "\n\n",
    "<details>",
    "</details>",
    "<summary>",
    "</summary>",
]
WORDS += ["Answer", "A", "B, C", "AC", "**", "#### ", " ", "word", "✅", "<p>", "---", "[a](#b)", "> "]


def test_without_any_mark_all_of_the_text_answers():
    assert split("Why?", MaskedText("So.", "So."))[:2] == ("Why?", "So.")


@pytest.mark.parametrize("body", ["", " \n", "---\n", "<p>\n</p>\n", "A) x\nB) y\n", "- [ ] x\n- [ ] y\n[source](s)\n"])
def test_a_text_that_says_nothing_answers_nothing(body):
    assert split("Why?", MaskedText(body, body)) is None


def test_a_mark_far_below_is_no_answer_to_the_question():
    body = "word " * 500 + "\n\nAnswer: no.\n"
    assert split("Why?", MaskedText(body, body)).question == "Why?"


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=30).map("".join), st.sampled_from(["", "Why?"]))
def test_what_is_split_has_a_question_an_answer_and_as_many_right_options_as_its_kind_says(body, title):
    found = split(title, MaskedText(body, body))
    found = found if isinstance(found, SplitAnswer) else None
    right = sum(option.correct for option in found.options) if found else 0
    assert found is None or (found.question and found.answer)
    assert found is None or found.kind == ("recall", "choice", "multi")[min(right, 2)]


def test_folds_in_folds_are_not_counted():
    text = "<details><summary>a</summary><details>b</details></details> <details>c</details> <details>"
    assert [fold.summary for fold in find_folds(MaskedText(text, text))] == ["a", ""]


@pytest.mark.parametrize(
    "summary", ["Answer", "<b>Show answer</b>", "Click to reveal!", "See the deep-dive answer", ""]
)
def test_a_summary_that_names_an_answer_reveals_it(summary):
    text = f"<details><summary>{summary}</summary>a</details>"
    assert find_folds(MaskedText(text, text))[0].reveals


@pytest.mark.parametrize("summary", ["What is the answer?", "Hint", "Term 1"])
def test_other_summaries_do_not(summary):
    text = f"<details><summary>{summary}</summary>a</details>"
    assert not find_folds(MaskedText(text, text))[0].reveals


def test_hints_folded_away_are_told_from_answers():
    text = "<details><summary>Show hint</summary>a</details>"
    assert find_folds(MaskedText(text, text))[0].hints


@pytest.mark.parametrize("heading", ["Answer", "Answer: D", "**Solution**:", "Explanation", "Correct answer: B"])
def test_a_heading_may_name_an_answer(heading):
    assert names_answer(heading)


@pytest.mark.parametrize("heading", ["Answering machines", "Correct usage", "A network", "Answer a question"])
def test_other_headings_do_not(heading):
    assert not names_answer(heading)


@pytest.mark.parametrize(
    "title", ["**a b**", "[a b](#c)", "<a name='c'></a>a b", "✨ a b", "_a b_", "![x](y) a b", "a b"]
)
def test_a_title_is_read_as_words(title):
    assert title_text(title).removeprefix("x ") == "a b"
