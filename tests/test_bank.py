"""The bundled questions, held to what a program can see: they load, answers are right, commands and links exist."""

import contextlib
import io
import itertools
import math
import re
import shlex
from statistics import mean
from typing import get_args

import pytest
import torch
import typer

from regdemo import catalog, gallery
from regdemo.cli.app import app
from regdemo.parameters import Parameter, Words
from regdemo.quiz import decks
from regdemo.quiz.arithmetic import evaluate
from regdemo.quiz.cards import Kind, fill_parameters

FOLDER = decks.bundled()
BANK = decks.load(FOLDER)
FORMAT = FOLDER / "README.md"
KINDS = set(get_args(Kind))
LEVELS = {"screen", "onsite", "deep dive", "staff"}
REPORTS = {"compare", "pitfalls"}  # commands that are no demo, and print a report


def each(*kinds):
    """The test runs once for each card of these kinds, or for each card."""
    cards = [card for card in BANK.cards if not kinds or card.kind in kinds]
    return pytest.mark.parametrize("card", cards, ids=lambda card: card.id)


def draws(card):
    """Every combination of values that the card's parameters may take."""
    return [dict(zip(card.vary, values, strict=True)) for values in itertools.product(*card.vary.values())]


def parse(command):
    """The name of a command, and the values it would run with. Raises if a word of it is not understood."""
    program, *words = shlex.split(command)
    assert program == "regdemo"
    with typer.main.get_command(app).make_context(program, list(words)) as context:
        name, found, rest = context.command.resolve_command(context, words)
        with found.make_context(name, rest, parent=context) as inner:
            return name, dict(inner.params)


def test_the_bank_holds_every_kind_in_number():
    kinds = BANK.kinds()
    assert len(BANK.cards) - kinds["code"] >= 240
    assert sum(bool(card.vary) for card in BANK.cards if card.kind == "numeric") >= 60
    assert kinds["choice"] + kinds["multi"] >= 50
    assert kinds["predict"] >= 25
    assert kinds["cloze"] >= 15


@each()
def test_a_card_says_at_which_level_it_is_asked(card):
    assert len(LEVELS & set(card.tags)) == 1


def test_many_questions_begin_a_chain_of_three():
    def leads_on(card):
        return any(
            third not in (card.id, second) for second in card.follow_ups for third in BANK.find(second).follow_ups
        )

    assert sum(leads_on(card) for card in BANK.cards) >= 30


def test_every_pitfall_has_a_card_that_shows_it():
    shown = {command for card in BANK.cards for command in card.see_it}
    assert [
        name for name in (pitfall.name for pitfall in gallery.pitfalls()) if f"regdemo pitfalls {name}" not in shown
    ] == []


def test_the_study_guide_answers_q18():
    assert BANK.find("Q18").file == FOLDER / "15_regularization" / "README.md"


def test_the_page_on_the_format_is_read_and_holds_no_card():
    assert FORMAT in [passed.file for passed in BANK.passed_over]
    assert [card.id for card in BANK.cards if card.file == FORMAT] == []


def test_the_examples_of_the_format_are_cards_of_the_kinds_they_show(tmp_path):
    examples = re.findall(r"^````markdown\n(.*?)^````$", FORMAT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "examples.md").write_text("\n".join(examples), encoding="utf-8")
    kinds = [card.kind for card in decks.load(tmp_path).cards]
    assert kinds == ["recall", "choice", "cloze", "predict", "numeric"]


def test_every_demo_has_a_deck_of_four_cards_or_more():
    topics = [card.topic for card in BANK.cards]
    assert [stem for stem in (*catalog.stems(), "compare") if topics.count(stem) < 4] == []


@each("numeric")
def test_a_numeric_answer_is_what_its_check_computes(card):
    (check,) = [block for block in card.code if block.role == "check"]
    program = compile(check.text, f"{card.file}:{check.line}", "exec")
    for values in draws(card):
        answer = evaluate(card.numeric.expression, values)
        exec(program, {**values, "answer": answer, "torch": torch, "math": math, "pytest": pytest})


@each("numeric")
def test_a_known_wrong_answer_says_why_and_is_never_right(card):
    assert card.wrong_answers
    for values, wrong in itertools.product(draws(card), card.wrong_answers):
        low, high = card.numeric.bounds(values)
        assert not low <= evaluate(wrong.answer, values) <= high, (values, wrong)
        assert wrong.why


@each("predict")
def test_a_program_prints_what_its_card_says(card):
    (program,) = re.findall(r"```python show\n(.*?)```", card.question, re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, {})
    assert printed.getvalue().split() == card.output.split()


@each(*KINDS - {"code"})  # an f-string in a starter has braces of its own
def test_no_parameter_is_left_unfilled(card):
    answer = card.explanation if card.kind == "code" else card.answer  # the code itself may well have braces
    texts = [card.question, answer, *card.hints, *card.see_it, *(wrong.why for wrong in card.wrong_answers)]
    for text, values in itertools.product(texts, draws(card)):
        assert re.findall(r"(?<!\{)\{\w+\}(?!\})", fill_parameters(text, values)) == []


@each("choice", "multi")
def test_a_choice_has_four_options_each_with_a_reason(card):
    assert len(card.options) == 4
    assert [option.text for option in card.options if not option.feedback] == []


@pytest.mark.parametrize("extreme", [max, min])
def test_the_length_of_an_option_does_not_give_the_right_one_away(extreme):
    def chance_of_who_picks_it(options):
        length = extreme(len(option.text) for option in options)
        return mean(option.correct for option in options if len(option.text) == length)

    chances = [chance_of_who_picks_it(card.options) for card in BANK.cards if card.kind == "choice"]
    assert mean(chances) <= 1 / 4  # as by guessing: every choice has four options


@each("recall")
def test_a_recall_card_has_points_to_tick_a_hint_and_linked_sources(card):
    assert 3 <= len(card.key_points) <= 5
    assert card.hints
    assert card.sources
    assert [source for source in card.sources if "https://" not in source] == []


@each()
def test_a_card_leads_to_other_cards_that_exist(card):
    assert card.follow_ups
    assert [id for id in card.follow_ups if BANK.find(id) in (None, card)] == []


@pytest.mark.parametrize("demo", catalog.demos(), ids=lambda demo: demo.stem)
def test_a_demo_leads_to_cards_that_exist(demo):
    cards = demo.run().cards
    assert cards
    assert [id for id in cards if BANK.find(id) is None] == []


@each()
def test_a_card_names_commands_that_would_run(card):
    assert card.see_it
    for command in {fill_parameters(command, values) for command in card.see_it for values in draws(card)}:
        name, values = parse(command)
        stem = name.replace("-", "_")
        assert stem == card.topic or stem in {*catalog.stems(), *REPORTS}
        for parameter in catalog.load(stem).signature.parameters.values() if stem in catalog.stems() else ():
            (allowed,) = [item for item in parameter.annotation.__metadata__ if isinstance(item, Parameter | Words)]
            allowed.check(parameter.name, values[parameter.name])


@pytest.mark.parametrize("command", ["regdemo dropuot", "regdemo dropout --q 1", "regdemo dropout --p x"])
def test_a_command_that_would_not_run_is_noticed(command):
    with pytest.raises(typer.exceptions.TyperException):
        parse(command)


@pytest.mark.parametrize("document", sorted(FOLDER.rglob("*.md")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_link_to_a_file_leads_to_one(document):
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).is_file()] == []
