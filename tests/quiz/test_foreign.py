"""Kinds of files that people have: what each says explicitly is what is asked, however it is laid out."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from regdemo.quiz.blocks import read as read_page
from regdemo.quiz.cards import Reason
from regdemo.quiz.parser import parse
from regdemo.quiz.styles import bold, details, filename, finder, headings, lists, pairs, paragraphs, separators, tables
from regdemo.quiz.styles.base import ForeignPage


def read(text, name="questions"):
    deck = parse(text, Path("d.md"), (name,))
    assert deck.faults == ()
    return deck


def shown(card):
    """A card as a tuple: its question, and what is right, or the answer."""
    right = [option.text for option in card.options if option.correct]
    return card.question, right or [blank[0] for blank in card.blanks] or card.answer


# name: (text, cards). A question is one that nothing else of the file may change.
CASES = {
    "ticks beat a letter below": (
        "#### Q1. What is p?\n\n- [x] The drop rate\n- [ ] The keep rate\n\n[B-side](https://example.org)\n\n"
        "#### Q2. What is q?\n\n- [ ] The drop rate\n- [x] The keep rate\n\nA is what the old paper calls it.\n",
        [("What is p?", ["The drop rate"]), ("What is q?", ["The keep rate"])],
    ),
    "boxes are the options, letters the question": (
        "### 3. Which draw masks?\n\nA. Dropout\nB. Adam\n\n- [x] A\n- [ ] B\n- [ ] both\n",
        [("Which draw masks?\n\nA. Dropout\nB. Adam", ["A"])],
    ),
    "code and formulas in titles": (
        "## 1. What is `**kwargs` in `f(*a, **kwargs)`?\n\nNames.\n\n## 2. Is $a_1*b_1*c$ `map<int>`?\n\nNo.\n\n"
        "**3. What is `2**3`?**\n\n8\n",
        [
            ("What is `**kwargs` in `f(*a, **kwargs)`?", "Names."),
            ("Is $a_1*b_1*c$ `map<int>`?", "No."),
            ("What is `2**3`?", "8"),
        ],
    ),
    "Obsidian's separators": (
        "#flashcards/nn\n\nMask::Zeros and ones\nRate:::p\n\nWhat is q?\n?\n- the keep rate\n- 1-p\n\n"
        "Skips a branch\n??\nDropPath\n\nDivide by ==1-p== in ==training==.\n",
        [
            ("Mask", "Zeros and ones"),
            ("Rate", "p"),
            ("What is q?", "- the keep rate\n- 1-p"),
            ("Skips a branch", "DropPath"),
            ("Divide by (1)▁▁▁▁ in (2)▁▁▁▁.", ["1-p", "training"]),
        ],
    ),
    "a numbered question ends at the next number": (
        "1. Look:\n\n   ```python\n   f(x)\n   ```\n\n   Which is it?\n   - [ ] 1\n   - [x] 2\n\n"
        "2. Which is right?\n   - [x] this\n   - [ ] that\n",
        [("Look:\n\n```python\nf(x)\n```\n\nWhich is it?", ["2"]), ("Which is right?", ["this"])],
    ),
    "ids beat sub-headings": (
        "## Q1: Masks\n\n### What is it?\n\nZeros.\n\n### 1. How?\n\nBy chance.\n\n**Answer**: drawn.\n\n"
        "## Q2: Rates\n\np\n",
        [("Masks", "### What is it?\n\nZeros.\n\n### 1. How?\n\nBy chance.\n\n**Answer**: drawn."), ("Rates", "p")],
    ),
    "code below an option is the option": (
        "### 1. Which keeps?\n\n- [ ] A\n\n```py\ndrop()\n\ndrop()\n```\n\n"
        "- [x] B\n\n```py\nkeep()\n```\n\nSince it keeps.\n",
        [("Which keeps?", ["```py\nkeep()\n```"])],
    ),
    "a key as a list": (
        "## 1. What is dropped?\n\n- A. Weights\n- B. Units\n\n## 2. What is kept?\n\n"
        "A) p\nB) q\n\n## Answers\n\n1. B\n2. A\n",
        [("What is dropped?", ["Units"]), ("What is kept?", ["p"])],
    ),
    "a key in one line": (
        "**1. What is dropped?**\n\na) Weights\nb) Units\n\n**2. What is kept?**\n\n"
        "a) p\nb) q\n\n### Answer key\n\n1-B 2-A\n",
        [("What is dropped?", ["Units"]), ("What is kept?", ["p"])],
    ),
    "a key as a table": (
        "1. What is dropped?\n   - A. Weights\n   - B. Units\n2. What is kept?\n   - A. p\n   - B. q\n\n"
        "## Answers\n\n| No. | Answer |\n|---|---|\n| 1 | B |\n| 2 | A |\n",
        [("What is dropped?", ["Units"]), ("What is kept?", ["p"])],
    ),
    "a placeholder answers nothing": (
        "## 1. What is p?\n\nA rate.\n\n## 2. What is q?\n\n_To be completed._\n\n"
        "## 3. What is r?\n\n**Answer:** TODO\n\n"
        "## 4. What is s?\n\n...\n\n## 5. What is t?\n\nSee the answer [here](x.md)\n",
        [("What is p?", "A rate.")],
    ),
    "bold over two lines": (
        "**Q1. Half of the units\nare dropped. True or false?**\n\nA1. True\n\n**Q2. Which?**\n\na) x\nb) y\n\n"
        "The correct answer is **B**. So.\n",
        [("Half of the units are dropped. True or false?", "True"), ("Which?", ["y"])],
    ),
    "the one option in bold": (
        "### Question 1:\n\n**What is p?**\n\n- **A) The rate**\n- B) The mask\n\n### Question 2:\n\nWhat is q?\n\n"
        "A. no\nB. **yes**\n\n---\n\nMade with care.\n",
        [("**What is p?**", ["The rate"]), ("What is q?", ["yes"])],
    ),
    "rules between list questions": (
        "- **怎么画？**\n-----\n- **是什么？**\n-----\n- **谁画的？**\n    * 他\n",
        [("谁画的？", "* 他")],
    ),
    "a nested pair ends with its list": (
        "- **1. Notes**\n\t- Q: What is p?\n\t\t- A: The rate\n"
        "- **2. To buy**\n\t- milk\n\n- Q: What is q?\n  A: 1 - p\n",
        [("What is p?", "The rate"), ("What is q?", "1 - p")],
    ),
    "a table": (
        "| # | Question | Answer |\n|---|:--|--|\n| 1 | What is `a|b`? | A union |\n"
        "| 2 | What is \\|x\\|? | one<br>two |\n"
        "| 3 | What is r? | |\n\n| Name | Solution |\n|--|--|\n| a | b |\n",
        [("What is `a|b`?", "A union"), ("What is |x|?", "one\ntwo")],
    ),
    "folds of MkDocs, Quarto and MyST": (
        '??? question "What is p?"\n    The `drop` rate.\n\n    ```py\n    p\n    ```\n\n'
        '???+ note "What is q?"\n\n    1 - p\n\n'
        '::: {.callout-note collapse="true"}\n## What is r?\nA rest.\n:::\n\n'
        ":::{dropdown} What is s?\n:open:\n\nA sum.\n:::\n\n"
        "```{admonition} What is t?\n:class: dropdown\nA time.\n```\n",
        [
            ("What is p?", "The `drop` rate.\n\n```py\np\n```"),
            ("What is q?", "1 - p"),
            ("What is r?", "A rest."),
            ("What is s?", "A sum."),
            ("What is t?", "A time."),
        ],
    ),
    "braces in a blank": (
        "## Q1: Fill in.\n\nThe factor is {{$\\frac{1}{\\sqrt{x}}$|x^-0.5}}, and {{|x|}}.\n".replace(
            "{{|x|}}", "{{$|x|$}}"
        ),
        [
            (
                "Fill in.\n\nThe factor is (1)▁▁▁▁, and (2)▁▁▁▁.",
                ["$\\frac{1}{\\sqrt{x}}$", "$|x|$"],
            )
        ],
    ),
    "hashcards": (
        "Q: What is p?\nA: A rate.\n\nC: The [mask] is\ndrawn by [chance].\n\n"
        "Q: What is q?\nA: 1 - p\n---\nC: Not [a link](x).\n",
        [
            ("What is p?", "A rate."),
            ("The (1)▁▁▁▁ is\ndrawn by (2)▁▁▁▁.", ["mask", "chance"]),
            ("What is q?", "1 - p"),
        ],
    ),
    "neighbours under a tag": (
        "#flashcards\nWhat is p?::A rate\nA ==mask== is drawn.\nMask::Zeros and ones\nWhat is q?\n?\n1 - p\n\n"
        "#flashcards/nn #more\nRead of `std::cout`\nand std::cin\nfirst, then\nthis:\nWhat is r?::A rest\n\n"
        "- What is s?::A sum\n- The ==time== is t.\n",
        [
            ("What is p?", "A rate"),
            ("A ▁▁▁▁ is drawn.", ["mask"]),
            ("Mask", "Zeros and ones"),
            ("What is q?", "1 - p"),
            ("What is r?", "A rest"),
            ("What is s?", "A sum"),
            ("The ▁▁▁▁ is t.", ["time"]),
        ],
    ),
    "letters with other signs": (
        "Question: What is p?\nAnswer: A rate.\nQ) What is q?\nA) 1 - p\n\n**Q.** What is r?\n\nSay it in short.\n\n"
        "**A.** A rest.\n\n- Q - What is s?\n- A - A sum.\n\nQ) Which is t?\nA) p\nB) q\n\nAnswer: B\n",
        [
            ("What is p?", "A rate."),
            ("What is q?", "1 - p"),
            ("What is r?\n\nSay it in short.", "A rest."),
            ("What is s?", "A sum."),
            ("Q) Which is t?", ["q"]),
        ],
    ),
    "numbers with a dash": (
        "Q1 - What is p?\nA1 - A rate.\nQ3 – What is q?\nA3 – 1 - p\n\n**Q4 — What is r?**\n\nA4 — A rest.\n",
        [("What is p?", "A rate."), ("What is q?", "1 - p"), ("What is r?", "A rest.")],
    ),
    "text right below a fold": (
        "<details><summary>What is p?</summary>\nA rate.\n</details>\nQ: What is q?\nA: 1 - p\n\n"
        "<details><summary>What is r?</summary>A rest.</details>\n## What is s?\n\nA sum.\n",
        [("What is p?", "A rate."), ("What is q?", "1 - p"), ("What is r?", "A rest."), ("What is s?", "A sum.")],
    ),
}


def crlf(text):
    return text.replace("\n", "\r\n")


def trailing_spaces(text):
    return "\n".join(
        f"{line} " if line and not line.startswith(("```", ":::", "???")) else line for line in text.split("\n")
    )


def framed(text):
    return f"# Interview questions\n\nRead this first.\n\n{text}"


def as_it_is(text):
    return text


@pytest.mark.parametrize("change", [as_it_is, crlf, framed])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_kind_of_file_is_read_as_it_says(case, change):
    text, cards = case
    assert [shown(card) for card in read(change(text)).cards] == cards


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_spaces_at_the_ends_of_lines_change_no_answer(case):
    text, cards = case
    found = [shown(card) for card in read(trailing_spaces(text)).cards]
    flat = lambda value: " ".join(str(value).replace("\\n", " ").split())  # noqa: E731
    assert list(map(flat, found)) == list(map(flat, cards))


STYLES_TOGETHER = ["Obsidian's separators", "bold over two lines", "a table", "folds of MkDocs, Quarto and MyST"]


def test_several_kinds_in_one_file_are_all_read():
    text = "\n\n".join(f"# Part {number}\n\n{CASES[name][0]}" for number, name in enumerate(STYLES_TOGETHER))
    assert [shown(card) for card in read(text).cards] == [card for name in STYLES_TOGETHER for card in CASES[name][1]]


# What disagrees is left out


@pytest.mark.parametrize(
    "text",
    [
        "## Q1. Which?\n\n- [x] a\n- [ ] b\n\nAnswer: B\n",
        "## Q1. Which?\n\nA) a ✅\nB) b\n\n**Correct answer:** B\n",
        "## 1. Which?\n\nA) a\nB) b\n\nAnswer: A\n\n## Answers\n\n1. B\n2. C\n",
        "## Q1. Which?\n\nA) a\nB) b\n\nAnswer: A\n\nThe correct answer is B\n",
        "## Q1. Which?\n\n- [x] a\n- [ ] b\n\nAnd which?\n\n- [ ] c\n- [x] d\n",
        "## Q1. Which?\n\n- [x] a\n- [ ] b\n\n- [ ] c\n- [x] d\n",
        "## Q1. Which?\n\nA) a\nB) b\n\nAnd which?\n\nA) c\nB) d\n\nAnswer: B\n",
        "## Q1. Which?\n\n```css\na\n```md\n- [x] b\n- [ ] c\n\n```py\nd\n```\n\n- [x] e\n- [ ] f\n",
        "## Q1: Which?\n\n- A) a\n- B) b\n\nAnswer: A\n\nThe correct answer is **B**\n",
    ],
)
def test_a_question_whose_marks_disagree_is_left_out_and_said(text):
    deck = read(text)
    assert [card.question for card in deck.cards if card.options] == []
    assert Reason.UNDECIDED in [one.reason for one in deck.skipped]


def test_letters_that_are_called_wrong_are_not_right():
    assert (
        read("## Q1. Which?\n\nA) a\nB) b\nC) c\n\nAnswer: B and C are wrong, since they grow.\n").cards[0].options
        == ()
    )


def test_a_task_list_deep_in_an_answer_is_no_choice():
    (card,) = read("## 1. What is it?\n\nThis.\n\n### To do\n\n- [x] read\n- [ ] write\n").cards
    assert (card.kind, card.question) == ("recall", "What is it?")


# What is left out is said


def test_questions_without_an_answer_are_counted_wherever_they_are():
    text = "## 1. What is p?\n\nAnswer:\n\n## 2. What is q?\n\nq\n\n## More\n\n- What is r?\n- What is s?\n- See this\n"
    deck = read(text)
    assert [(one.line, one.text) for one in deck.skipped if one.reason is Reason.NO_ANSWER] == [
        *((1, "What is p?"), (11, "What is r?"), (12, "What is s?")),
    ]


def test_an_unanswered_question_among_lettered_ones_is_counted():
    deck = read("Q: What is p?\nA: A rate.\n\nQ) What is q?\n\nQ) What is r?\nA) A rest.\n")
    assert [card.question for card in deck.cards] == ["What is p?", "What is r?"]
    assert [(one.line, one.reason, one.text) for one in deck.skipped] == [(4, Reason.NO_ANSWER, "What is q?")]


def test_a_number_behind_the_letter_makes_no_second_question():
    deck = read("Q. 3) What is p?\nA rate.\n\nQ - 4: What is q?\nA: 1 - p\n")
    assert [card.question for card in deck.cards] == ["What is p?", "What is q?"]
    assert deck.skipped == ()


def test_text_right_below_a_fold_keeps_its_line():
    deck = read("---\na: b\n---\n<details><summary>What is p?</summary>\np\n</details>\nQ: What is q?\nA: 1 - p\n")
    assert [card.line for card in deck.cards] == [4, 7]


def test_a_question_about_code_is_not_answered_by_the_code():
    deck = read(
        "## 1. What is the output of the code below?\n\n```js\n1 + '1'\n```\n\n"
        "## 2. How do you add?\n\n```js\n1 + 1\n```\n"
    )
    assert [card.question for card in deck.cards] == ["How do you add?"]


def test_a_fold_of_mkdocs_may_hold_another():
    text = '??? question "What is p?"\n    It is\n\n    ??? note "Aside"\n        drawn.\n\n    A rate.\n\nThe end.\n'
    (card,) = read(text).cards
    assert card.question == "What is p?"
    assert card.answer.split()[:2] + card.answer.split()[-3:] == ["It", "is", "drawn.", "A", "rate."]


FOLD = "<details><summary>{}</summary>{}</details>"
CODE = "\n\n  ```python\n\n\n  mask()\n  ```\n\n"
ASIDES = {
    "more in a fold": (
        FOLD.format("What is p?", f"\n\nA rate. {FOLD.format('More', 'Of units.')}\n"),
        ("What is p?", "A rate.\n\n**More**\n\nOf units."),
    ),
    "code in a fold": (
        "- " + FOLD.format("What is p?", f"\n\n  A rate.\n  {FOLD.format('Show <b>code</b>', CODE)}\n\n  So.\n"),
        ("What is p?", "A rate.\n\n**Show code**\n\n```python\n\n\nmask()\n```\n\nSo."),
    ),
    "a fold that only unfolds": (
        FOLD.format("What is p?", f"\n\nA rate.\n\n{FOLD.format('Click to expand', 'Of units.')}\n\n"),
        ("What is p?", "A rate.\n\n**Click to expand**\n\nOf units."),
    ),
    "more below a heading": (
        f"## What is p?\n\nA rate.\n\n{FOLD.format('More details', 'Of units.')}\n",
        ("What is p?", "A rate.\n\n**More details**\n\nOf units."),
    ),
    "an explanation behind the answer": (
        f"## What is p?\n\n{FOLD.format('Answer', 'A rate.')}\n\n{FOLD.format('Explanation', 'Of units.')}\n",
        ("What is p?", "A rate.\n\n**Explanation**\n\nOf units."),
    ),
    "the answer in a fold": (
        FOLD.format("What is p?", f"\n\nThink of masks.\n\n{FOLD.format('Answer', 'A rate.')}\n"),
        ("What is p?\n\nThink of masks.", "A rate."),
    ),
    "a question in a fold": (
        FOLD.format("Question 1", f"\n\nWhat is p?\n\n{FOLD.format('Show', 'A rate.')}\n"),
        ("What is p?", "A rate."),
    ),
    "a question that goes on below its heading": (
        f"## What is p?\n\nIn this layer:\n\n{FOLD.format('Details', 'A rate.')}\n",
        ("What is p?\n\nIn this layer:", "A rate."),
    ),
}


@pytest.mark.parametrize(("text", "card"), ASIDES.values(), ids=ASIDES)
def test_a_fold_below_an_answer_belongs_to_it_unless_it_names_the_answer(text, card):
    assert [(one.question, one.answer) for one in read(text).cards] == [card]


# Languages

ANSWERED = {
    "Spanish": ("## ¿Qué es p?\n\na) Nada\nb) La tasa\n\n**Respuesta correcta:** b)\n", ["La tasa"]),
    "Portuguese": ("## Questão 1\n\nO que é p?\n\na) Nada\nb) A taxa\n\nGabarito: B\n", ["A taxa"]),
    "French": ("## Question 3 : Qu'est-ce que p ?\n\nRéponse : Le taux\n", "Le taux"),
    "German": ("Frage: Was ist p?\n\nAntwort: Die Rate\n", "Die Rate"),
    "Italian": ("**Domanda 1: Che cosa è p?**\n\nA) Niente\nB) Il tasso\n\nRisposta corretta: B\n", ["Il tasso"]),
    "Russian": ("Вопрос: Что такое p?\n\nОтвет: Доля\n", "Доля"),
    "Chinese": ("### 1. 下列哪个是p？\n\nA. 无\nB. 率\n\n正确答案：B\n", ["率"]),
    "Japanese": ("## 問1：pとは何ですか？\n\n答え：率\n", "率"),
    "Korean": ("### 질문 1. p란 무엇인가요?\n\n<details><summary>정답 보기</summary>\n\n비율\n\n</details>\n", "비율"),
    "Arabic": ("سؤال: ما هو p؟\n\nالجواب: المعدل\n", "المعدل"),
}


@pytest.mark.parametrize("case", ANSWERED.values(), ids=ANSWERED)
def test_marks_of_answers_are_known_in_ten_languages(case):
    text, right = case
    (card,) = read(text).cards
    assert shown(card)[1] == right


# Each style alone

ALONE = [
    (filename.STYLE, "# Masks\n\nZeros and ones.\n", [("what is a mask", "Zeros and ones.")]),
    *(
        (style, style.example, [("What is a mask?", "Zeros and ones.")])
        for style in (headings.STYLE, bold.STYLE, details.STYLE, pairs.STYLE)
    ),
    (separators.STYLE, separators.STYLE.example, [("What is a mask?", "Zeros and ones")]),
    (tables.STYLE, tables.STYLE.example, [("What is a mask?", "Zeros and ones")]),
    (lists.STYLE, lists.STYLE.example, [("What is a mask?", "- Zeros and ones.")]),
    (paragraphs.STYLE, paragraphs.STYLE.example, [("What is kept?", "- the mean")]),
]


@pytest.mark.parametrize(("style", "text", "cards"), ALONE, ids=[style.name for style, *_ in ALONE])
def test_a_style_reads_its_own_example_without_the_others(style, text, cards):
    document = ForeignPage(read_page(text), "notes", "what-is-a-mask" if style is filename.STYLE else "notes")
    assert 0 < style.certainty(document) <= 1
    entries, left_out = finder.find(document, [style])
    assert ([(entry.split.question, entry.split.answer) for entry in entries], left_out) == (cards, [])


@pytest.mark.parametrize(
    "style", [style for style, *_ in ALONE if style is not paragraphs.STYLE], ids=lambda style: style.name
)
def test_a_style_is_not_sure_of_plain_prose(style):
    assert style.certainty(ForeignPage(read_page("Masks are drawn.\n\nThen they scale.\n"), "notes", "notes")) == 0


def test_the_surest_style_has_a_question_that_two_see():
    first, second = (
        SimpleNamespace(
            name=name, certainty=lambda _, sure=sure: sure, starts=lambda d, i, c, name=name: [made(d, i, name)]
        )
        for name, sure in (("a", 0.4), ("b", 0.6))
    )
    entries, _ = finder.find(ForeignPage(read_page("What?\n\nThis.\n")), [first, second])
    assert {entry.split.question for entry in entries} == {"b"}


def made(document, index, title):
    start, end = document.span(document.blocks[index])
    return finder.Start(start, title, start, end)


# Bad input


@pytest.mark.parametrize(
    "piece",
    [
        "## Answers\n1. B\n",
        "::: {.tip title='a?'}\n",
        "## 1. a?\nb\n",
        "**a",
        "- [x] a\n",
        "| a ",
        "==a",
        "::: {.tip}\n",
        '??? q "a"\n',
        "`",
        "$a",
        "[x](",
        "Q: a\n",
        "<details>",
        "<details><summary>a?</summary>b<details><summary>More</summary>",
        "> ",
        "- ",
        "A) ",
    ],
)
def test_a_hundred_thousand_marks_are_read_or_refused(piece):
    deck = parse(piece * (100_000 // len(piece)), Path("d.md"), ("questions",))
    assert isinstance(deck.cards, tuple)
