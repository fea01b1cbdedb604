"""The runs behind the cards to diagnose: what a card quotes is what its run gives today."""

import re
from functools import cache
from itertools import takewhile

import numpy as np
import pytest
import torch

from helpers import bundled_bank
from regdemo import diagnoses
from regdemo.cli import app
from regdemo.errors import ArgumentError
from regdemo.report import Table

BANK = bundled_bank()
COMMAND = re.compile(r"regdemo diagnose ([\w-]+)$")
QUOTED = re.compile(r"(?<![\d.])-?\d+\.\d{2,4}(?![\d.])")


@cache
def report(name):
    return diagnoses.report(name)


def runs_of(card):
    return [match[1] for match in map(COMMAND.match, card.see_it) if match]


def tables(markdown):
    """The cells of each table of a card, its header first."""
    lines = iter(markdown.splitlines())
    for line in lines:
        if line.startswith("|"):
            rows = [line, *takewhile(lambda row: row.startswith("|"), lines)]
            cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
            yield [cells[0], *cells[2:]]


def printed(names):
    return [block for name in names for block in report(name).blocks if isinstance(block, Table)]


@pytest.mark.parametrize("name", diagnoses.names())
def test_cards_quote_the_tables_and_numbers_of_their_run(name):
    state = torch.get_rng_state()
    report(name)
    cards = [card for card in BANK.cards if name in runs_of(card)[:1]]
    assert {card.id for card in BANK.cards if name in runs_of(card)} >= set(diagnoses.CARDS[name])
    for card in cards:
        text = f"{card.question}\n{card.answer}"
        blocks = printed(runs_of(card))
        if card.topic == "diagnosis":
            assert [table for table in tables(text) if table not in [[b.columns, *b.rows] for b in blocks]] == []
        cells = " ".join(cell for block in blocks for row in [*block.rows, [block.note]] for cell in row)
        measured = [part for part in text.split("\n\n") if re.search(r"\bruns?\s+under\s+See\s+it|\bMeasured\b", part)]
        numbers = [number for part in measured for number in QUOTED.findall(part)]
        assert [number for number in numbers if number not in cells] == [], card.id
    assert torch.equal(torch.get_rng_state(), state)


def test_of_submissions_with_the_same_test_score_the_first_leads():
    rng = np.random.default_rng(0)
    answers, guesses = rng.integers(2, size=(2, 200)), rng.integers(2, size=(1000, 2, 200))
    test, fresh = (guesses == answers).mean(2).T
    leaders = [(tries, np.argmax(test[:tries])) for tries in (1, 10, 100, 1000)]
    expected = [[f"{tries}", f"{test[first]:.2f}", f"{fresh[first]:.2f}"] for tries, first in leaders]
    assert report("best-of-many").blocks[1].rows == expected


def test_every_card_of_the_deck_shows_a_table_or_a_diff():
    deck = [card for card in BANK.cards if card.topic == "diagnosis"]
    assert len(deck) >= 25
    assert [card.id for card in deck if "\n|" not in card.question and "```diff" not in card.question] == []


def test_the_list_read_from_the_files_is_that_of_the_runs():
    report("recurrent-dropout")
    assert sorted(diagnoses.names()) == sorted(diagnoses.DIAGNOSES)


def test_a_run_that_does_not_exist_is_told_the_nearest_names():
    with pytest.raises(ArgumentError, match="did you mean 'overfitting'"):
        diagnoses.report("overfiting")


def test_the_command_prints_the_log(capsys):
    assert app.run(["diagnose", "recurrent-dropout"]) == 0
    assert "one mask per sequence" in capsys.readouterr().out


def test_without_a_name_all_are_listed(capsys):
    assert app.run(["diagnose"]) == 0
    out = capsys.readouterr().out
    assert [name for name in diagnoses.names() if name not in out] == []
