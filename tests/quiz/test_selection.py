"""Which cards a session asks: filters, due before new, the most asked first, topics in turn."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from regdemo.errors import ArgumentError
from regdemo.quiz import decks
from regdemo.quiz.cards import Card
from regdemo.quiz.decks import Bank
from regdemo.quiz.history import Review
from regdemo.quiz.schedule import GOOD, microseconds, replay
from regdemo.quiz.selection import LEVELS, QUICK_WORDS, frequency, interleave, level, names, narrow, new_order, pick

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def card(id, topic="t", kind="recall", tags=()):
    return Card(id, kind, "Why?", "So.", Path("d.md"), 1, topic=topic, tags=(*tags, topic))


def answered(id, days_ago):
    at = microseconds(NOW - timedelta(days=days_ago))
    return Review(id, at, "recall", GOOD, 1.0, "", "{}", "", 0, 0, "s")


def ids(cards):
    return [card.id for card in cards]


BANK = Bank(
    (
        card("A1", "drop_path", tags=("nets",)),
        card("A2", "drop_path", kind="choice", tags=("nets",)),
        card("B1", "mixup", tags=("data",)),
        card("C1", "Noise", kind="choice"),
    )
)


def test_no_filter_asks_for_every_card():
    assert ids(narrow(BANK)) == ["A1", "A2", "B1", "C1"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"topics": ["drop-path"]}, ["A1", "A2"]),
        ({"topics": ["noise", "MIXUP"]}, ["B1", "C1"]),
        ({"kinds": ["choice"]}, ["A2", "C1"]),
        ({"tags": ["data", "nets"]}, ["A1", "A2", "B1"]),
        ({"tags": ["nets"], "kinds": ["choice"]}, ["A2"]),
        ({"ids": ["C1", "A1", "C1"]}, ["C1", "A1"]),
        ({"ids": ["C1", "A1"], "topics": ["noise"]}, ["C1"]),
        ({"kinds": ["cloze"]}, []),
    ],
)
def test_names_of_one_filter_are_alternatives_and_filters_add_up(wanted, found):
    assert ids(narrow(BANK, **wanted)) == found


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"topics": ["mixpu"]}, "no topic or tag 'mixpu': choose from drop_path, nets, mixup, data, Noise"),
        ({"tags": ["net"]}, "no tag or topic 'net': choose from"),
        ({"kinds": ["essay"]}, "no kind 'essay': choose from choice, cloze"),
        ({"ids": ["A9"]}, "no card 'A9': the nearest are A"),
    ],
)
def test_a_name_that_no_card_has_is_refused_with_those_that_are_allowed(wanted, message):
    with pytest.raises(ArgumentError, match=message):
        narrow(BANK, **wanted)


GROUPS = {"paths": ("drop_path",), "inputs": ("mixup", "gone")}
LEVELLED = Bank((card("S", tags=("deep dive", "rare")), card("M", "mixup", tags=("screen",)), card("P", "drop_path")))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"topics": ["paths"]}, "P"),
        ({"tags": ["PATHS", "Inputs"]}, "MP"),
        ({"topics": ["deep-dive"]}, "S"),
        ({"tags": ["Deep_Dive", "drop path"]}, "SP"),
        ({"topics": ["screen", "paths"], "tags": ["inputs"]}, "M"),
        ({"tags": ["rare"]}, "S"),
    ],
)
def test_levels_frequencies_and_groups_are_names_like_topics_and_tags(wanted, found):
    assert "".join(ids(narrow(LEVELLED, **wanted, groups=GROUPS))) == found


def test_a_group_is_suggested_on_a_typo():
    with pytest.raises(ArgumentError, match=r"no topic or tag 'pahts': choose from .*paths"):
        narrow(LEVELLED, topics=["pahts"], groups=GROUPS)


def test_names_are_levels_then_groups_then_the_rest():
    assert names(LEVELLED.cards, GROUPS) == [
        "screen", "deep dive", "rare", "paths", "inputs", "t", "mixup", "drop_path",
    ]  # fmt: skip


def test_a_card_without_marks_is_a_regular_one_of_an_onsite():
    assert (frequency(card("A")), level(card("A"))) == ("regular", "onsite")
    assert [level(card("A", tags=(name,))) for name in LEVELS] == list(LEVELS)


def test_new_cards_come_by_frequency_then_level_then_kind():
    cards = [
        card("rare", tags=("rare", "screen"), kind="choice"),
        card("staff", tags=("common", "staff"), kind="choice"),
        card("recall", tags=("common", "screen")),
        card("cloze", tags=("common", "screen"), kind="cloze"),
        card("numeric", tags=("common", "screen"), kind="numeric"),
        card("plain", kind="choice"),
    ]
    assert ids(new_order(cards)) == ["numeric", "cloze", "recall", "staff", "plain", "rare"]


def test_a_choice_that_takes_long_to_read_comes_after_a_short_one():
    long = replace(card("long", kind="choice"), question="word " * (QUICK_WORDS + 1))
    assert ids(new_order([long, card("short", kind="choice")])) == ["short", "long"]


def test_a_first_session_begins_with_what_is_answered_in_seconds():
    cards = [
        card("essay", tags=("common", "screen")),
        card("quick", tags=("common", "onsite"), kind="choice"),
        card("rare", tags=("rare", "screen"), kind="choice"),
    ]
    assert ids(pick(cards, {}, NOW, new=9)) == ["quick", "essay", "rare"]
    rare = replace(cards[2], topic="another")
    assert ids(pick([*cards[:2], rare], {}, NOW, new=9)) == ["quick", "rare", "essay"]
    assert ids(pick(cards, replay([answered("other", 1)]), NOW, new=9)) == ["essay", "quick", "rare"]


def test_the_first_three_cards_of_the_bundled_bank_are_answered_in_20_seconds():
    found = pick([each for each in decks.load(decks.bundled()).cards if each.kind != "code"], {}, NOW, new=3)
    assert {each.kind for each in found} <= {"choice", "numeric"}
    assert "rare" not in map(frequency, found)
    assert len({each.topic for each in found}) == 3
    for each in found:
        assert len(" ".join([each.question, *(option.text for option in each.options)]).split()) <= QUICK_WORDS


def test_new_cards_of_one_rank_take_turns_by_topic():
    cards = [card(id, id[0], kind="choice") for id in ("A1", "A2", "B1", "B2")]
    assert ids(new_order(cards)) == ["A1", "B1", "A2", "B2"]


def test_of_many_names_the_nearest_are_told():
    bank = Bank((card("M", "mixup"), *(card(f"Q{n}", f"topic_{n}") for n in range(40))))
    with pytest.raises(ArgumentError, match=r"topic or tag 'mixpu': the nearest are mixup(, [^,]+){4}$"):
        narrow(bank, topics=["mixpu"])


def test_topics_take_turns_and_each_keeps_its_order():
    cards = [card(id, id[0]) for id in ("A1", "A2", "A3", "B1", "C1", "C2")]
    assert ids(interleave(cards)) == ["A1", "B1", "C1", "A2", "C2", "A3"]


def test_due_cards_come_first_then_new_ones_both_with_topics_in_turn():
    cards = [card(id, id[0]) for id in ("A1", "A2", "A3", "A4", "B1", "B2", "B3")]
    states = replay([answered("A2", 30), answered("A1", 20), answered("B2", 10)])
    assert ids(pick(cards, states, NOW, new=3)) == ["A2", "B2", "A1", "A3", "B1", "A4"]
    assert ids(pick(cards, states, NOW, new=3, limit=4)) == ["A2", "B2", "A1", "A3"]


def test_what_is_not_due_is_asked_by_a_cram_alone_the_most_likely_forgotten_first():
    cards = [card(id) for id in ("A", "B", "C")]
    states = replay([answered("B", 1.9), answered("A", 0.1)])
    assert ids(pick(cards, states, NOW, new=0)) == []
    assert ids(pick(cards, states, NOW, new=1, cram=True)) == ["B", "A", "C"]
