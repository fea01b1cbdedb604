"""Answers as learners type them."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regdemo.errors import ArgumentError
from regdemo.quiz.cards import Card, Numeric, Option, WrongAnswer
from regdemo.quiz.kinds import find_kind, grade
from regdemo.quiz.kinds.base import Grade, UnreadableAnswer
from regdemo.quiz.kinds.predict import difference, same_output
from regdemo.quiz.outcome import grade_recall
from regdemo.quiz.schedule import AGAIN, GOOD, HARD
from regdemo.quiz.text import GAP


def asked(kind, **parts):
    card = Card(id="Q1", kind=kind, question="?", answer="!", file=Path("d.md"), line=1, fixed_order=True, **parts)
    return card.ask(Random(0))


def example(asked):
    return find_kind(asked.card.kind).example(asked)


def numeric(expression="10/9", tolerance=0.005, relative=True, **parts):
    return asked("numeric", numeric=Numeric(expression, tolerance, relative), **parts)


CHOICE = asked("choice", options=(Option("the `mean`", False, "no"), Option("3", True, "yes"), Option("1", False)))
MULTI = asked(
    "multi", options=(Option("red", True, "red!"), Option("green", False, "green!"), Option("blue", True, "blue!"))
)
CLOZE = asked("cloze", blanks=(("1-p",), ("mean", "average")))
PREDICT = asked("predict", output="1 2\n3", wrong_answers=(WrongAnswer("1 2", "one line more"),))


# Choice


def test_an_options_text_may_be_typed_as_it_is_shown():
    formulas = asked("choice", options=(Option(r"$\lambda = 0.1$", True), Option("0.2", False)))
    assert grade(formulas, "λ = 0.1").correct


def test_two_options_that_are_typed_alike_are_told_apart_by_their_signs():
    signs = asked("choice", options=(Option("“p”", False), Option("p", True)))
    assert grade(signs, "p").correct


def test_several_options_may_be_named_by_their_texts():
    assert grade(MULTI, "red, blue").correct
    assert grade(MULTI, "Blue; red").correct
    with pytest.raises(UnreadableAnswer, match="names no options"):
        grade(MULTI, "red, yellow")


@pytest.mark.parametrize("response", ["b", " B ", "b)", "(b)", "b.", "3"])
def test_an_option_is_picked_by_letter_or_text(response):
    assert grade(CHOICE, response) == Grade(True, 1.0, "yes", frozenset([1]))


@pytest.mark.parametrize("response", ["The mean", "the  `mean`", "a"])
def test_case_space_and_marks_of_an_options_text_do_not_count(response):
    assert grade(CHOICE, response) == Grade(False, 0.0, "no", frozenset([0]))


def test_a_number_is_an_options_text_before_it_is_its_place():
    assert grade(CHOICE, "1").feedback == ""
    assert grade(CHOICE, "2") == Grade(True, 1.0, "yes", frozenset([1]))


@pytest.mark.parametrize("response", ["", " ", "d", "z", "4", "0", "ab", "median", "9" * 5000])
def test_what_names_no_option_is_asked_again(response):
    with pytest.raises(UnreadableAnswer, match="isn't an option: choose a to c, or type an option's text"):
        grade(CHOICE, response)


# Multi


@pytest.mark.parametrize("response", ["ac", "a, c", "A C", "c;a", "a and c", "1, 3", "(a) (c)", "a+c", "red, blue"])
def test_all_right_options_are_right_in_any_order(response):
    assert grade(MULTI, response).correct


@pytest.mark.parametrize(("response", "share"), [("a", 2 / 3), ("abc", 2 / 3), ("b", 0), ("ab", 1 / 3), ("green", 0)])
def test_the_share_is_that_of_options_judged_rightly(response, share):
    result = grade(MULTI, response)
    assert (result.correct, result.share) == (False, pytest.approx(share))


def test_the_feedback_is_that_of_the_options_picked():
    assert grade(MULTI, "cb").feedback == "**b)** green!\n\n**c)** blue!"


@pytest.mark.parametrize("response", ["", ",", "d", "a, d", "yellow", "13", "none"])
def test_letters_that_are_no_options_are_asked_again(response):
    with pytest.raises(UnreadableAnswer, match="choose from a to c"):
        grade(MULTI, response)


# Numeric


@pytest.mark.parametrize("response", ["1/0.9", "1.11", "10/9", "= 1.11", "≈1.11", "1.1111", "1 / (1 - 0.1)", "111%"])
def test_equal_values_are_the_same_answer(response):
    assert grade(numeric(), response) == Grade(True, 1.0)


@pytest.mark.parametrize(
    ("card", "right", "wrong"),
    [
        (numeric("0.7", 0.1, relative=False), ["0.8", "0.6"], ["0.81", "0.59"]),
        (numeric("-200", 0.01), ["-198", "-202"], ["-197.9", "200"]),
        (numeric("0.1 + 0.2"), ["0.3"], ["0.31"]),
        (numeric("12", 1e-9), ["12", "12.0", "144/12"], ["12.0001"]),
        (asked("numeric", numeric=Numeric(low="0.89", high="0.91")), ["0.89", "0.9", "91%"], ["0.92", "0.88"]),
    ],
)
def test_a_value_counts_up_to_the_tolerance(card, right, wrong):
    assert [grade(card, response).correct for response in right] == [True] * len(right)
    assert [grade(card, response).correct for response in wrong] == [False] * len(wrong)


@pytest.mark.parametrize("response", ["1,234,567", "1234567", "1.234567e6", "1,234,566+1"])
def test_commas_between_thousands_are_read(response):
    assert grade(numeric("1234567", 0.0), response).correct


@pytest.mark.parametrize("response", ["1.11 x 10^-3", "1.11×10⁻³", "1.11·10^-3", "1.11e-3", "0.111%", "0.111 percent"])
def test_scientific_notation_and_percentages_are_read(response):
    assert grade(numeric("1/900"), response).correct


@pytest.mark.parametrize("response", ["1.11x", "1.11 times", "1.11 GB", "$1.11$", "1.11.", "= 1,11", "ln(exp(10/9))"])
def test_a_number_is_read_with_the_signs_and_the_unit_that_people_add(response):
    assert grade(numeric()._replace(question="How many GB?"), response).correct
    assert grade(numeric("12")._replace(question="How many mask elements?"), "12 mask elements").correct


def test_a_unit_that_the_question_does_not_name_is_asked_again():
    with pytest.raises(UnreadableAnswer, match="isn't a number"):
        grade(numeric()._replace(question="How many GB?"), "1.11 MB")


def test_a_comma_before_three_digits_separates_thousands_or_decimals():
    assert grade(numeric("1333"), "1,333").correct
    assert grade(numeric("4/3"), "1,333").correct


@pytest.mark.parametrize(
    ("right", "response"), [("1/3", "0.33"), ("100/3", "33"), ("-1/3", "-.33"), ("12345", "1.2e4")]
)
def test_a_right_number_with_too_few_digits_is_asked_again(right, response):
    with pytest.raises(UnreadableAnswer, match=r"has too few digits: type three or more, or arithmetic$"):
        grade(numeric(right, wrong_answers=(WrongAnswer("0.331", "no"),)), response)


@pytest.mark.parametrize(("right", "response"), [("1/3", "0.34"), ("0.6", "1"), ("1/3", "0.3"), ("12345", "12300")])
def test_a_number_that_is_no_rounding_of_the_right_one_is_wrong(right, response):
    assert not grade(numeric(right, 0.001), response).correct


def test_a_comma_in_a_function_is_no_thousands_separator():
    assert grade(numeric("200", 0.0), "max(1,200)").correct


def test_percent_is_a_hundredth_or_the_unit_that_was_asked_for():
    assert grade(numeric("0.5"), "50%").correct
    assert grade(numeric("50"), "50%").correct
    assert grade(numeric("0.5")._replace(question="How many percent?"), "0.5%").correct
    assert not grade(numeric("0.5"), "0.5%").correct
    assert not grade(numeric("0.5")._replace(question="At a level of 5%?"), "0.5%").correct
    assert not grade(numeric("5"), "50%").correct


def test_a_parameter_may_be_used_by_name():
    assert grade(numeric("1/(1-p)", vary={"p": (0.2,)}), "1/(1-p)").correct


def test_a_known_wrong_value_says_why_though_rounded():
    card = numeric(
        "1/(1-p)",
        wrong_answers=(WrongAnswer("1/p", "p is dropped"), WrongAnswer("1-p", "at test time")),
        vary={"p": (0.3,)},
    )
    assert grade(card, "3.33") == Grade(False, 0.0, "p is dropped")
    assert grade(card, "0.7") == Grade(False, 0.0, "at test time")
    assert grade(card, "5") == Grade(False, 0.0, "")


def test_a_reason_is_given_only_for_its_own_value():
    """The tolerance of a wrong value is a part of that value, not of the larger right one."""
    card = numeric("100", 0.01, wrong_answers=(WrongAnswer("0", "nothing"), WrongAnswer("0.5", "one half")))
    assert grade(card, "0.4").feedback == ""
    assert grade(card, "0").feedback == "nothing"
    assert grade(card, "0.502").feedback == "one half"


def test_slips_that_give_one_number_are_both_said():
    slips = (WrongAnswer("s/(s + 2*q)", "s, not s²."), WrongAnswer("s^2/(s^2 + q)", "a factor of 2."))
    card = numeric("s^2/(s^2 + 2*q)", wrong_answers=slips, vary={"s": (0.5,), "q": (0.1,)})
    assert grade(card, "0.714") == Grade(False, 0.0, "s, not s². Or: a factor of 2.")


@pytest.mark.parametrize("response", ["", "abc", "1/0", "nan", "inf", "0,5,5", "1.11y", "9**9**9", "__import__('os')"])
def test_what_is_no_number_is_asked_again(response):
    with pytest.raises(UnreadableAnswer, match="isn't a number: type a number or arithmetic, for example"):
        grade(numeric(), response)


@pytest.mark.parametrize("right", ["3/8", "1e-3", "-2/7", "7/11", "1.11"])
def test_the_example_of_a_number_is_never_accepted(right):
    card = numeric(right)
    assert [grade(card, part).correct for part in example(card).split(" or ")] == [False, False]


@pytest.mark.parametrize("right", ["ab", "bc", "abc", "ac", "c"])
def test_the_example_of_letters_is_never_accepted(right):
    card = asked("multi", options=tuple(Option(letter, letter in right) for letter in "abc"))
    assert not grade(card, example(card)).correct


def test_the_options_that_were_picked_come_with_the_grade():
    assert (grade(CHOICE, "the mean").picked, grade(MULTI, "ab").picked) == ({0}, {0, 1})


# Cloze and predict


@pytest.mark.parametrize("response", ["1-p; mean", " 1 - P ;AVERAGE", "1-p, mean", "1-p\nmean"])
def test_case_and_space_of_a_blank_do_not_count(response):
    assert grade(CLOZE, response) == Grade(True, 1.0)


def test_each_blank_counts_by_itself():
    assert grade(CLOZE, "1-p; variance") == Grade(False, 0.5, "Not right: gap 2 is mean.")


def test_letters_are_equal_however_their_accents_are_composed():
    assert grade(asked("cloze", blanks=(("été",),)), "e\u0301te\u0301").correct


@pytest.mark.parametrize("response", ["", ";", "1-p", "1-p;", "a; b; c"])
def test_blanks_that_are_not_filled_are_asked_again(response):
    with pytest.raises(UnreadableAnswer, match="type all 2 in order, with ; between them"):
        grade(CLOZE, response)


@pytest.mark.parametrize(
    ("blank", "response"),
    [
        ("weight decay", "Weight-decay."),
        ("weight decay", "“weight decay”"),
        ("label-smoothing", "label\u2011smoothing"),
        (r"$\lambda$", "λ"),
        (r"$\lambda$", "lambda"),
        (r"$\frac{1}{1-p}$", r"\frac{1}{1-p}"),
        ("1/(1-p)", "1/(1\u2212p)"),
        ("λ", r"\lambda"),
        ("optimizer", "optimiser"),
        ("N, H, W", "(N,H,W)"),
        ("train()", ".train()"),
        ("x^2", "x²"),
        ("1/2", "½"),
        ("EMA", "**EMA**"),
    ],
)
def test_how_a_blank_is_typed_does_not_count(blank, response):
    assert grade(asked("cloze", blanks=((blank,),)), response).correct


@pytest.mark.parametrize(("blank", "response"), [("1-p", "1p"), ("x-y", "xy"), ("'", '"x"'), (".", "p"), ("5", ".5")])
def test_signs_that_mean_something_count(blank, response):
    assert not grade(asked("cloze", blanks=((blank,),)), response).correct


@pytest.mark.parametrize(
    ("blank", "right", "wrong"),
    [
        ("(1-p)**T", ["(1-p)^T", "(1 - p)ᵀ", "(1-p)^{T}", "(1-p)^(T)"], ["(1-p)*T", "(1-p)T", "1-p^T"]),
        ("1/(1-d)", ["(1-d)^-1", "(1-d)^(-1)", "(1-d)⁻¹", r"\frac{1}{1-d}", "1/(-d+1)"], ["1/1-d", "1-d", "1/(1-p)"]),
        ("1-5", ["1 – 5"], ["2-6", "-4"]),
        ("3.10", ["3.10."], ["3.1"]),
        ("log-likelihood", ["log likelihood", "loglikelihood"], ["likelihood"]),
    ],
)
def test_a_formula_counts_by_its_value_if_it_has_letters(blank, right, wrong):
    card = asked("cloze", blanks=((blank,),))
    assert [grade(card, response).correct for response in right] == [True] * len(right)
    assert [grade(card, response).correct for response in wrong] == [False] * len(wrong)


def test_a_word_next_to_a_gap_may_be_typed_with_it():
    card = asked("cloze", blanks=(("likelihood",), ("eval",)))
    card = card._replace(question=f"It is maximum (1){GAP}, in (2){GAP}\nmode.")
    for first in ("likelihood", "maximum likelihood"):
        assert grade(card, f"{first}; eval mode").correct
    assert not grade(card, "maximum; eval").correct
    assert not grade(card, "likelihood in; eval").correct


@pytest.mark.parametrize(
    ("response", "correct"), [("EMA (moving average)", True), ("EMA (mean)", False), ("(EMA)", True)]
)
def test_a_right_text_may_be_explained_in_brackets_by_another(response, correct):
    assert grade(asked("cloze", blanks=(("EMA", "moving average"),)), response).correct == correct


def test_of_several_gaps_those_that_are_wrong_are_named():
    assert grade(CLOZE, "p; average").feedback == "Not right: gap 1 is 1-p."
    assert grade(CLOZE, "1-p; average").feedback == ""


def test_a_number_of_a_million_letters_is_refused_before_it_is_searched():
    with pytest.raises(UnreadableAnswer, match="isn't a number"):
        grade(numeric(), "a" * 1_000_000)


def test_a_single_blank_may_hold_a_comma():
    assert grade(asked("cloze", blanks=(("a, b",),)), "A,b").correct


def test_a_blank_on_a_line_of_its_own_may_hold_a_semicolon():
    assert grade(CLOZE, "1-p\nmean; or so") == Grade(False, 0.5, "Not right: gap 2 is mean.")


@pytest.mark.parametrize("response", ["1 2\n3", "1 2 3", "  1   2\n\n3 "])
def test_white_space_of_an_output_is_folded(response):
    assert grade(PREDICT, response).correct


@pytest.mark.parametrize("response", ["12 3", "1 2"])
def test_another_output_is_wrong(response):
    assert not grade(PREDICT, response).correct


def test_a_known_wrong_output_says_why_below_the_difference():
    assert grade(PREDICT, "1  2").feedback.endswith("```\n\none line more")


@pytest.mark.parametrize(
    ("output", "response"),
    [
        ("[1.11, 0.0, 3.33]", "[1.11,0.0,3.33]"),
        ("0.0", "0"),
        ("0.0", "0."),
        ("[nan, 0.0, 0.0]", "[nan, 0, 0]"),
        ("[1. 0.]", "[1,0]"),
        ("(1, 2)\n[3]", "(1,2) [3]"),
        ("0.001", "1e-3"),
        ("True 1", "True  1"),
        ("tensor([1., 0.])", "tensor([1.,0.])"),
        ("-inf", "-inf"),
        ("a: 0.50", "a:0.5"),
        ("a-1", "a - 1"),
        ("True\nFalse", "true false"),
        ("[NaN, 0.0]", "[nan,-0]"),
        ("False\nrefused", "False, refused"),
        ("0.0\nAttributeError", "0 AttributeError"),
        ("['a', 'b']", "[a, b]"),
        ("torch.Size([2, 3])", "(2, 3)"),
        ("torch.Size([2, 3])", "[2,3]"),
        ("torch.Size([2]) 1", "(2,) 1"),
        ("torch.Size([])", "()"),
        ("1.0\n2.0", "1; 2"),
        ("[1, 2]", "`[1, 2]`"),
        ("[1.0, 2.0]\n[3.0]", "1 2\n3"),
        ("[1.0, 2.0]\n[3.0]", "1, 2, 3"),
        ("[[1, 2], [3, 4]]", "[1, 2], [3, 4]"),
        ("True [0.0]", "true 0"),
    ],
)
def test_an_output_is_compared_by_value_and_without_space(output, response):
    assert grade(asked("predict", output=output), response).correct


@pytest.mark.parametrize(
    ("output", "response"),
    [
        ("[1, 2]", "[1, 3]"),
        ("[1, 2]", "(1, 2)"),
        ("[[1], 2]", "[[1, 2]]"),
        ("12", "1 2"),
        ("1.5", "1 .5"),
        ("1\n2", "1"),
        ("True", "1"),
        ("nan", "0"),
        ("ab", "a b"),
        ("0", "-1"),
        ("torch.Size([2, 3])", "(3, 2)"),
        ("torch.Size([2, 3])", "2, 3"),
        ("[[1, 2], [3, 4]]", "1, 2, 3, 4"),
        ("[[1, 2], [3, 4]]", "[1, 2, 3, 4]"),
        ("[1, 2]\n[3, 4]", "[1, 2, 3, 4]"),
        ("1, 2", "[1, 2]"),
        ("[]", ","),
    ],
)
def test_an_output_of_another_value_or_text_is_wrong(output, response):
    assert not grade(asked("predict", output=output), response).correct


@pytest.mark.parametrize(
    ("kind", "right", "known", "response"),
    [
        ("cloze", {"blanks": (("p",),)}, "λ", r"$\lambda$"),
        ("cloze", {"blanks": (("L2",),)}, "weight decay", "Weight-decay."),
        ("predict", {"output": "3"}, "[1., 2.]", "[1,2]"),
    ],
)
def test_a_known_wrong_answer_is_read_as_a_right_one_is(kind, right, known, response):
    card = asked(kind, **right, wrong_answers=(WrongAnswer(known, "so"),))
    assert grade(card, response).feedback.endswith("so")


def test_a_wrong_output_is_shown_below_the_right_one():
    wrong = grade(asked("predict", output="[1, 2]\n[3, 4]"), "[1, 2]\n[3, 5]")
    assert wrong.feedback == "```text\nyours:  [3, 5]\nprints: [3, 4]\n            ^\n```"


@given(st.text("[](), 0123456789.eE+-_nainfTrueFls\n`"), st.text("[](), 0123456789.eE+-_nainfTrueFls\n`"))
def test_what_is_graded_wrong_has_a_difference_and_what_is_right_equals_itself(one, other):
    assert same_output(one, one)
    assert "[" in one + other or same_output(one, other) == same_output(other, one)
    assert difference(one, other).startswith("```text\n")


def test_an_empty_output_is_asked_again():
    with pytest.raises(UnreadableAnswer, match="type what the program prints"):
        grade(PREDICT, " ")


# Recall


@pytest.mark.parametrize(
    ("ticked", "total", "rating"),
    [(3, 3, GOOD), (2, 3, HARD), (1, 3, AGAIN), (1, 2, HARD), (0, 1, AGAIN), (1, 1, GOOD)],
)
def test_the_key_points_said_suggest_a_rating(ticked, total, rating):
    assert grade_recall(ticked, total) == rating


@pytest.mark.parametrize(("ticked", "total"), [(0, 0), (-1, 3), (4, 3)])
def test_key_points_that_are_not_there_cannot_be_ticked(ticked, total):
    with pytest.raises(ArgumentError):
        grade_recall(ticked, total)


@pytest.mark.parametrize("kind", ["recall", "code"])
def test_a_card_that_the_learner_grades_cannot_be_graded_here(kind):
    with pytest.raises(ArgumentError, match=f"Q1 is a {kind} card"):
        grade(asked(kind), "a")


def test_what_is_not_right_in_full_is_not_correct():
    assert grade(MULTI, "ac").correct
    assert not grade(MULTI, "a").correct


@given(
    st.sampled_from([CHOICE, MULTI, CLOZE, PREDICT, numeric(wrong_answers=(WrongAnswer("0.9", "no"),))]),
    st.text() | st.text("abc123,; .%+-*/()e", max_size=40),
)
def test_any_answer_is_graded_or_asked_again(card, response):
    try:
        result, said = grade(card, response), ""
    except UnreadableAnswer as fault:
        result, said = Grade(False, 0.0), str(fault)
    assert 0 <= result.share <= 1
    assert result.correct == (result.share == 1)
    assert said.isprintable()


@given(st.floats(-1e9, 1e9), st.floats(0, 1), st.floats(-2, 2))
def test_a_value_is_right_exactly_within_its_tolerance(value, tolerance, off):
    card = numeric(f"{value!r}", tolerance, relative=False)
    answer = value + off * tolerance
    # Rounding decides on the edge itself; it is a billionth of the value wide.
    edge = 1e-8 * (abs(value) + tolerance)
    near = abs(abs(answer - value) - tolerance) <= edge
    assert near or grade(card, repr(answer)).correct == (abs(answer - value) <= tolerance)
