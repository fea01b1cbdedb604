"""A card as it is asked: what is drawn, and what stays as it was written."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from regdemo.quiz.arithmetic import ArithmeticFault
from regdemo.quiz.cards import Card, Numeric, Option, WrongAnswer, fill_parameters


def card(kind="recall", question="Why {p}?", answer="Because {p}.", **parts):
    return Card(id="Q1", kind=kind, question=question, answer=answer, file=Path("d.md"), line=1, **parts)


LETTERED = tuple(Option(text, correct=text == "d") for text in "abcdef")


def test_the_same_seed_asks_the_same():
    choice = card("choice", options=LETTERED, vary={"p": (1, 2, 3, 4, 5)})
    assert [choice.ask(Random(seed)) for seed in range(20)] == [choice.ask(Random(seed)) for seed in range(20)]


def test_the_global_random_state_is_left_alone():
    import random

    before = random.getstate()
    card("choice", options=LETTERED, vary={"p": (1, 2)}).ask(Random(1))
    assert random.getstate() == before


def test_every_value_and_every_place_of_an_option_is_drawn():
    asked = [card("choice", options=LETTERED, vary={"p": (0.1, 0.2)}).ask(Random(seed)) for seed in range(500)]
    # The chance that one of the 6 places is never drawn in 500 is 6 (5/6)^500 < 1e-38.
    places = Counter([option.correct for option in one.options].index(True) for one in asked)
    assert set(places) == set(range(6))
    assert {one.values["p"] for one in asked} == {0.1, 0.2}


def test_options_in_a_fixed_order_are_not_shuffled():
    asked = [card("choice", options=LETTERED, fixed_order=True).ask(Random(seed)) for seed in range(20)]
    assert all(one.options == LETTERED for one in asked)


def test_the_answer_of_a_choice_names_the_right_letters_as_shown():
    asked = card("choice", options=LETTERED, explanation="So.").ask(Random(3))
    letter = "abcdef"["".join(option.text for option in asked.options).index("d")]
    assert asked.answer == f"**{letter})** d\n\nSo."


def test_the_answer_of_a_numeric_card_has_its_value():
    numeric = card("numeric", numeric=Numeric("1/(1-p)", 0.01), explanation="So.", vary={"p": (0.5,)})
    assert numeric.ask(Random(0)).answer == "`1/(1-p)` = 2 for p = 0.5\n\nSo."


def test_a_formula_is_shown_with_the_values_of_its_names_alone():
    assert Numeric("n * exp(e)").shown({"e": 0, "n": 2, "p": 0.5}) == "`n * exp(e)` = 2 for e = 0, n = 2"
    assert Numeric("3 * 4").shown({"p": 0.5}) == "`3 * 4` = 12"


def test_a_plain_number_is_not_shown_twice():
    assert Numeric("12", 0.0).shown({}) == "12"
    assert Numeric("p").shown({"p": 2}) == "2"
    assert Numeric(low="1/2", high="3").shown({}) == "0.5 to 3"


def test_a_parameter_is_filled_in_wherever_the_learner_reads():
    asked = card(
        key_points=("{p}",),
        hints=("a {p}",),
        wrong_answers=(WrongAnswer("{p}", "not {p}"),),
        see_it=("regdemo dropout --p {p}",),
        vary={"p": (0.1,)},
    ).ask(Random(0))
    assert (asked.question, asked.answer) == ("Why 0.1?", "Because 0.1.")
    assert (asked.key_points, asked.hints, asked.see_it) == (("0.1",), ("a 0.1",), ("regdemo dropout --p 0.1",))
    assert asked.wrong_answers == (WrongAnswer("0.1", "not 0.1"),)


@pytest.mark.parametrize("text", [r"\frac{p}{2}", r"\frac{1}{p}", "x_{p}", "2^{p}", "{{p}}", "{q}", r"\{p}", "f{p}"])
def test_braces_that_are_not_a_parameter_stay(text):
    assert fill_parameters(text, {"p": 0.1}) == text


@pytest.mark.parametrize(("text", "filled"), [("$p = {p}$", "$p = 0.1$"), ("({p})", "(0.1)"), ("{p}{p}", "0.1{p}")])
def test_braces_around_a_parameter_are_filled(text, filled):
    assert fill_parameters(text, {"p": 0.1}) == filled


@pytest.mark.parametrize(
    ("numeric", "bounds"),
    [
        (Numeric("-p", 0.1, relative=True), (-2.2, -1.8)),
        (Numeric("p", 0.5, relative=False), (1.5, 2.5)),
        (Numeric(low="p/2", high="p"), (1, 2)),
    ],
)
def test_the_right_values_lie_around_an_expression_or_in_a_range(numeric, bounds):
    assert numeric.bounds({"p": 2}) == pytest.approx(bounds)


def test_a_value_that_does_not_exist_is_a_fault():
    with pytest.raises(ArithmeticFault):
        Numeric("1/p").bounds({"p": 0})
