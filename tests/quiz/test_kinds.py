"""What a card holds decides its kind; what is wrong in it is named, with its line."""

from pathlib import Path
from random import Random

import pytest

from regdemo.quiz import kinds
from regdemo.quiz.cards import CodeBlock, Numeric, Option, WrongAnswer
from regdemo.quiz.parser import parse
from regdemo.quiz.text import GAP


def read(text):
    """The one card of a text without faults."""
    deck = parse(text, Path("d.md"), ("d",))
    assert [str(fault) for fault in deck.faults] == []
    (card,) = deck.cards
    return card


def faults(text):
    """The faults of a text, as (line, message)."""
    deck = parse(text, Path("d.md"))
    return [(fault.line, fault.message) for fault in deck.faults]


FULL = """\
## Q18: What is the role of dropout?

Say it in two sentences.

### Answer
It is noise.

#### In detail
It is scaled.

### Key points
- training only
- scaled by
  1/(1-p)

### Hints
- Think of the mean.

### Follow-ups
- Q18.7
- Q18.8: and in eval?

### See it
`regdemo dropout --p 0.1`, or

```sh
regdemo list
```

### Sources
- Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html

### After all
More of the answer.
"""


def test_prose_is_a_recall_card_with_its_parts():
    card = read(FULL)
    assert (card.id, card.kind, card.line, card.topic) == ("Q18", "recall", 1, "d")
    assert card.question == "What is the role of dropout?\n\nSay it in two sentences."
    assert card.answer == "It is noise.\n\n#### In detail\n\nIt is scaled.\n\n### After all\n\nMore of the answer."
    assert card.key_points == ("training only", "scaled by\n1/(1-p)")
    assert card.hints == ("Think of the mean.",)
    assert card.follow_ups == ("Q18.7", "Q18.8")
    assert card.see_it == ("regdemo dropout --p 0.1", "regdemo list")
    assert card.sources == ("Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html",)


def test_without_a_part_answer_the_whole_body_is_the_answer():
    card = read("## Q1: What?\n\nThis.\n\n### How it works\nSo.\n\n### Hints\n- h\n")
    assert (card.question, card.answer, card.hints) == ("What?", "This.\n\n### How it works\n\nSo.", ("h",))


def test_key_points_alone_are_the_answer():
    assert read("## Q1: What?\n\n### Key points\n- this\n- that\n").answer == "- this\n- that"


@pytest.mark.parametrize("heading", ["### ANSWER", "#### answer:", "### **Answer**"])
def test_a_part_is_named_in_any_spelling_of_its_heading(heading):
    assert read(f"## Q1: What?\n\nSay.\n\n{heading}\nThis.\n").question == "What?\n\nSay."


@pytest.mark.parametrize("written", ["Screen, `deep  dive`,", "- screen\n- deep dive\n- d"])
def test_a_card_may_have_tags_of_its_own_after_those_of_its_place(written):
    card = read(f"## Q1: What?\n\nThis.\n\n### Tags\n{written}\n\n### Hints\n- h\n")
    assert (card.topic, card.tags, card.answer, card.hints) == ("d", ("d", "screen", "deep dive"), "This.", ("h",))


# Choice and multi

CHOICE = """\
## C1: Which factor?

- [ ] p

  It is the rate.
- [x] 1/(1-p)
  - It keeps the mean.
- [ ] 1-p
  That is the paper's.
- [ ] an option so long that its line has no room for another word, and so it
  goes on

It follows from the mean.
"""


def test_a_task_list_with_one_tick_is_a_choice():
    card = read(CHOICE)
    assert (card.kind, card.question) == ("choice", "Which factor?")
    assert card.options == (
        Option("p", False, "It is the rate."),
        Option("1/(1-p)", True, "It keeps the mean."),
        Option("1-p", False, "That is the paper's."),
        Option("an option so long that its line has no room for another word, and so it goes on", False),
    )
    assert (card.answer, card.explanation) == ("- 1/(1-p)\n\nIt follows from the mean.", "It follows from the mean.")


def test_a_task_list_with_several_ticks_is_multi():
    card = read("## C1: Which?\n\nTwo are.\n\n* [X] a\n* [ ] b\n* [x] c\n\n### Answer\nSo.\n")
    assert (card.kind, card.question, card.answer) == ("multi", "Which?\n\nTwo are.", "- a\n- c\n\nSo.")


def test_a_quotation_under_an_option_is_its_feedback():
    assert read("## C1: Which?\n- [x] a\n  > yes,\n  > it is\n- [ ] b\n").options[0].feedback == "yes,\nit is"


@pytest.mark.parametrize("option", ["all of the above", "None of these.", "Both of the first", "as above"])
def test_options_that_speak_of_each_other_keep_their_order(option):
    assert read(f"## C1: Which?\n- [x] a\n- [ ] {option}\n").fixed_order


def test_other_options_may_be_shuffled():
    assert not read(CHOICE).fixed_order


def test_a_task_list_in_the_answer_is_no_option_list():
    assert read("## Q1: Which?\n\n### Answer\n- [ ] a\n- [x] b\n").kind == "recall"


@pytest.mark.parametrize(
    ("options", "line", "message"),
    [
        ("- [ ] a\n- [ ] b\n", 3, "C1 has an option list without a tick: mark each right option with [x]"),
        ("- [x] a\n", 3, "C1 has 1 options: a list of options has from 2 to 26"),
        ("- [x] a\n" * 27, 3, "C1 has 27 options: a list of options has from 2 to 26"),
        ("- [x] a\n- b\n", 4, "C1 has an option without a box: begin it with [ ] or [x]"),
        ("- [x] a\n- [ ] \n", 4, "C1 has an option without text: write it after the box"),
        ("- [x] a\n- [ ] b\n\n* [x] c\n* [ ] d\n\n### Answer\ne\n", 6, "C1 has a second option list: join the two"),
        ("- [x] a\n- [ ] b\n\n= 1\n", 3, "C1 has an option list and a numeric answer: leave one of them"),
    ],
)
def test_a_broken_option_list_is_named(options, line, message):
    assert faults(f"## C1: Which?\n\n{options}") == [(line, message)]


# Numeric

NUMERIC = """\
## N1: By what factor at p = {p}?

```toml vary
p = [0.1, 0.5]
```

### Answer
= 1/(1-p) ± 0.5%

Inverted.

### Wrong answers
- = 1-p: at test time.
- `1/p`: p is
  dropped.

```python check
assert answer > 1
```
"""


def test_an_answer_that_begins_with_an_equals_sign_is_numeric():
    card = read(NUMERIC)
    assert (card.kind, card.question) == ("numeric", "By what factor at p = {p}?")
    assert (card.answer, card.explanation) == ("= 1/(1-p) ± 0.5%\n\nInverted.", "Inverted.")
    assert card.numeric == Numeric("1/(1-p)", 0.005, relative=True)
    assert card.vary == {"p": (0.1, 0.5)}
    assert card.wrong_answers == (WrongAnswer("1-p", "at test time."), WrongAnswer("1/p", "p is\ndropped."))
    assert card.code == (CodeBlock("check", "", "assert answer > 1\n", 17),)


@pytest.mark.parametrize(
    ("answer", "numeric"),
    [
        ("= 2 ± 0.01", Numeric("2", 0.01, relative=False)),
        ("= 2 +- 1%", Numeric("2", 0.01, relative=True)),
        ("= 2 +/- 1e-3", Numeric("2", 0.001, relative=False)),
        ("= 2 ± 0", Numeric("2", 0.0, relative=False)),
        ("= `2^{p}` ± 1%", Numeric("2^p", 0.01, relative=True)),
        ("=2", Numeric("2")),
        ("= [0.89, 1/1.1]", Numeric(low="0.89", high="1/1.1")),
        ("  = 2 - -1 ± 50%\nbecause", Numeric("2 - -1", 0.5, relative=True)),
    ],
)
def test_a_tolerance_is_absolute_relative_or_a_range(answer, numeric):
    assert read(f"## N1: What?\n```toml vary\np = [1]\n```\n### Answer\n{answer}\n").numeric == numeric


def test_a_numeric_answer_needs_no_heading():
    assert read("## N1: What?\n\n= 2 ± 1%\n").kind == "numeric"
    card = read("## N1: What?\n\nSay.\n\n= 2 ± 1%\n\nSo.\n")
    assert (card.kind, card.question, card.explanation) == ("numeric", "What?\n\nSay.", "So.")


@pytest.mark.parametrize("answer", ["== is equality", "=> an arrow", "== 2"])
def test_other_signs_that_begin_alike_are_prose(answer):
    assert read(f"## Q1: What?\n\n### Answer\n{answer}\n").kind == "recall"


def test_prose_may_go_on_with_an_equals_sign():
    assert read("## Q1: What?\n\nThe chance is\n\n= 2 * the chance of one\n").kind == "recall"


ARITHMETIC = "allowed are numbers, + - * / ** ( ), names such as pi, functions such as sqrt"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("= the mean ± 1%", f"N1 has a numeric answer without a value: 'the mean' is not arithmetic: {ARITHMETIC}"),
        ("=", f"N1 has a numeric answer without a value: '' is not arithmetic: {ARITHMETIC}"),
        (
            "= 1/(1-q)",
            "N1 has a numeric answer without a value: '1/(1-q)' names q, which has no value: allowed are pi, e",
        ),
        ("= 9**9**9", "N1 has a numeric answer without a value: '9**9**9' is too large: it must have a finite value"),
        ("= 1 ± wide", "N1 has the tolerance 'wide': write ± 0.01 or ± 1%"),
        ("= 1 ± -1%", "N1 has the tolerance '-1%': write ± 0.01 or ± 1%"),
        ("= 1 ±", "N1 has the tolerance '': write ± 0.01 or ± 1%"),
        ("= [2, 1]", "N1 has the range 2 to 1: write the smaller end first"),
        ("= [2]", f"N1 has a numeric answer without a value: '' is not arithmetic: {ARITHMETIC}"),
    ],
)
def test_a_broken_number_is_named(answer, message):
    assert faults(f"## N1: What?\n\n### Answer\n{answer}\n") == [(4, message)]


def test_an_expression_is_tried_on_every_value():
    vary = "```toml vary\np = [0, 1]\nq = [1]\n```\n"
    text = f"## N1: What?\n{vary}### Answer\n= 1/(1-p)\n### Wrong answers\n- a: b\n- = q/p: c\n"
    without = "N1 has a {} without a value at p = {}, q = 1: {}"
    assert faults(text) == [
        (7, without.format("numeric answer", 1, "'1/(1-p)' divides by zero: it must have a finite value")),
        (9, without.format("wrong answer", 0, "'a' names a, which has no value: allowed are pi, e, p, q")),
        (10, without.format("wrong answer", 0, "'q/p' divides by zero: it must have a finite value")),
    ]


# Parameters


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("p = [1", "varies by a block that is not TOML"),
        ("p = " + "[" * 5000, "varies by a block that is not TOML"),
        ("p = 1", "varies p over 1: list numbers or texts, p = [0.1, 0.2]"),
        ("p = []", "varies p over []: list numbers or texts"),
        ("p = [true]", "varies p over [True]: list numbers or texts"),
        ("p = [nan]", "varies p over [nan]: list numbers or texts"),
        ("p = [[1]]", "varies p over [[1]]: list numbers or texts"),
        ("lambda = [1]", "varies 'lambda': name a parameter by a letter, then letters, digits and _"),
        ("'a b' = [1]", "varies 'a b': name a parameter by a letter"),
        ("p = [" + "1" * 400 + "]", "varies p over [1111"),
    ],
)
def test_broken_parameters_are_named(toml, said):
    ((line, message),) = faults(f"## Q1: What?\n\n```toml vary\n{toml}\n```\n\nThis.\n")
    assert line == 3
    assert message.startswith(f"Q1 {said}")
    assert len(message) < 200


def test_parameters_may_be_texts_and_their_control_characters_are_replaced():
    assert read('## Q1: {s}?\n```toml vary\ns = ["a", "\\u001b[31m"]\n```\nThis.\n').vary == {"s": ("a", "\ufffd[31m")}


def test_a_parameter_that_varies_twice_is_a_fault():
    block = "```toml vary\np = [1]\n```\n"
    assert faults(f"## Q1: What?\n{block}{block}This.\n") == [(5, "Q1 varies p twice: join the two lists")]


# Cloze, predict and code


def test_a_blank_in_the_question_is_a_cloze():
    card = read("## Z1: Dropout scales by `1/({{1-p|1 - p}})`.\n\nThe {{mean\\|average}} is kept.\n\n### Answer\nSo.\n")
    assert (card.kind, card.blanks) == ("cloze", (("1-p", "1 - p"), ("mean", "average")))
    assert card.question == "Dropout scales by `1/((1)▁▁▁▁)`.\n\nThe (2)▁▁▁▁ is kept."
    assert card.answer == "Dropout scales by `1/(1-p)`.\n\nThe mean is kept.\n\nSo."
    assert card.explanation == "So."


def test_a_cloze_needs_no_answer_and_no_body():
    assert read("## Z1: The {{mean}} is kept.\n").question == f"The {GAP} is kept."


@pytest.mark.parametrize("text", ["```vue\n{{a}}\n```", "`{{ value }}`"])
def test_braces_of_a_template_are_no_blanks(text):
    assert read(f"## Q1: What does it show?\n\n{text}\n").kind == "recall"


@pytest.mark.parametrize("blank", ["{{}}", "{{ }}", "{{a|}}"])
def test_an_empty_blank_is_a_fault(blank):
    said = "Z1 has an empty blank: write {{answer}}, or {{answer|alternative}}"
    assert faults(f"## Z1: The {blank} is kept.\n") == [(1, said)]


@pytest.mark.parametrize("heading", ["", "### Answer\n"])
def test_a_program_shown_with_its_output_is_predict(heading):
    card = read(f"## P1: What does it print?\n```python show\nprint(1)\n```\n{heading}```text output\n1\n```\nSo.\n")
    assert (card.kind, card.output, card.explanation) == ("predict", "1", "So.")
    assert card.question == "What does it print?\n\n```python show\nprint(1)\n```"
    assert card.answer == "```text output\n1\n```\n\nSo."


@pytest.mark.parametrize("answer", ["", "### Answer\n1\n", "### Answer\n```text output\n\n```\n"])
def test_a_program_without_its_output_is_a_fault(answer):
    said = "P1 shows a program, but no output: add a block `text output` to its answer"
    assert faults(f"## P1: What?\n```python show\nprint(1)\n```\n{answer}") == [(2, said)]


CODE = "".join(f"```python {role}\n{role[0]}\n```\n" for role in ("starter", "judge", "solution", "mutant: forgets p"))


def test_starter_judge_and_solution_make_a_code_card():
    card = read(f"## K1: Write dropout\n\nIn place.\n\n{CODE}")
    assert (card.kind, card.question, card.answer) == ("code", "Write dropout\n\nIn place.", "```python\ns\n```")
    assert [(block.role, block.name, block.text, block.line) for block in card.code] == [
        *(("starter", "", "s\n", 5), ("judge", "", "j\n", 8), ("solution", "", "s\n", 11)),
        ("mutant", "forgets p", "m\n", 14),
    ]


@pytest.mark.parametrize(("role", "count"), [("starter", 0), ("judge", 0), ("solution", 0), ("judge", 2)])
def test_a_code_card_has_one_of_each(role, count):
    block = f"```python {role}\n{role[0]}\n```\n"
    text = CODE.replace(block, block * count)
    assert faults(f"## K1: Write?\n{text}") == [(1, f"K1 has {count} blocks `python {role}`: a code card has one")]


def test_code_that_works_is_given_with_its_question_and_functions_to_be_written_are_not():
    works = "def f(x):\n    return x\n"
    to_write = 'class C:\n    def f(self):\n        """Doubled."""\n        raise NotImplementedError\n'
    for starter, code in ((works, works), (to_write, ""), ("def f(x):\n    ...\n", "")):
        blocks = CODE.replace("```python starter\ns\n", f"```python starter\n{starter}")
        card = read(f"## K1: Fix it.\n\nWith this code it fails.\n\n{blocks}")
        asked = card.ask(Random(0))
        assert kinds.given(card) == code
        shown = f"\n\n```python\n{code}```" if code else ""
        assert kinds.question(asked) == f"Fix it.\n\nWith this code it fails.{shown}"


def test_a_code_card_may_have_solutions_in_several_styles_and_the_first_is_its_answer():
    card = read(f"## K1: Write?\n{CODE}\n```python solution: by einsum\ne\n```\n")
    assert card.answer == "```python\ns\n```"
    assert [(block.name, block.text) for block in card.code if block.role == "solution"] == [
        ("", "s\n"),
        ("by einsum", "e\n"),
    ]


# The rest of a card


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("## Q1:\n\nThis.\n", (1, "Q1 has no question: write it after the colon")),
        (
            "## Q1: What?\n\n### Hints\n- h\n",
            (1, "Q1 has no answer: write it below the heading, or under a heading Answer"),
        ),
        ("## Q1: What?\n\na\n\n### Hints\n\n### Hints\n", (7, "Q1 has a second part 'hints': join the two")),
        (
            "## Q1: What?\n\n```python\na\n\n## Q2: What?\n",
            (3, "Q1 opens a code block that is never closed: end it with a line of ```"),
        ),
    ],
)
def test_a_broken_card_is_named(text, fault):
    assert faults(text) == [fault]


def test_every_fault_of_a_card_is_named_at_once():
    text = "## N1:\n```toml vary\np = 1\n```\n### Answer\n= q ± x\n### Wrong answers\n- = r: no\n"
    assert [line for line, _ in faults(text)] == [1, 2, 6, 6, 8]


def test_a_card_with_options_in_letters_is_a_choice_too():
    card = read("## Q1: Which?\n\nA) one\nB) two\n\n**Answer: B.** Since.\n")
    assert (card.kind, card.question, card.answer) == ("choice", "Which?", "- two\n\nSince.")
    assert card.fixed_order


def test_an_answer_folded_away_is_the_answer():
    card = read("## Q1: What?\n\nSay.\n\n<details><summary>Answer</summary>\n\nThis.\n\n</details>\n")
    assert (card.question, card.answer) == ("What?\n\nSay.", "This.")
