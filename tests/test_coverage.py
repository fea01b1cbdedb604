"""docs/pages/coverage.md: its sums, its cards and the order of new cards are what the bank gives today."""

import importlib.util
from pathlib import Path

import pytest

from helpers import bundled_bank

SCRIPT = Path(__file__).parent.parent / "scripts" / "coverage.py"
spec = importlib.util.spec_from_file_location("count_coverage", SCRIPT)
count = importlib.util.module_from_spec(spec)
spec.loader.exec_module(count)
PARTS = ("The 135 questions", "Ten further collections")


@pytest.mark.parametrize("part", PARTS)
def test_every_card_that_is_named_exists(part):
    bank = bundled_bank()
    named = {id for row in count.rows(part) for id in count.cards(row)}
    assert named
    assert [id for id in named if bank.find(id) is None] == []


@pytest.mark.parametrize("part", PARTS)
def test_a_question_that_is_answered_names_its_card(part):
    assert [row for row in count.rows(part) if row[-1] != "not" and not count.cards(row)] == []


def test_the_page_quotes_the_sums_and_the_order():
    page = count.PAGE.read_text(encoding="utf-8")
    assert "\n".join(count.summary()) in page
    assert count.evenings() in page


def test_at_least_nine_of_ten_askings_are_answered_well():
    well = sum(int(row[0]) for row in count.rows(PARTS[0]) if row[-1] == "well")
    assert well >= 0.9 * count.ASKED
    further = [row[-1] for row in count.rows(PARTS[1])]
    assert further.count("well") >= 0.85 * len(further)


def test_the_first_cards_meet_three_of_five_askings():
    ids = {card.id for card in count.new_cards()[: count.FIRST]}
    met = sum(int(row[0]) * count.met(row, ids) for row in count.rows(PARTS[0]))
    assert met >= 0.6 * count.ASKED


def test_a_new_learner_does_not_begin_with_essays():
    bank = bundled_bank()
    first = count.selection.new_order((card for card in bank.cards if card.kind != "code"), first=True)[:10]
    assert len({card.topic for card in first}) >= 5
    assert sum(card.kind == "recall" for card in first) <= 2
