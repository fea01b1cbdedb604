"""A mock interview: the order of its questions, and what it says of how sure the learner was."""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regdemo.quiz.cards import Card
from regdemo.quiz.history import Review
from regdemo.quiz.mock import CHAIN, calibration, questions
from regdemo.quiz.schedule import AGAIN, EASY, microseconds, replay

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def card(id, topic="t", follow_ups=()):
    return Card(id, "recall", "Why?", "So.", Path("d.md"), 1, topic=topic, follow_ups=follow_ups)


def asked(cards, seed=0, memories=None):
    return list(questions(cards, memories or {}, NOW, Random(seed)))


def test_every_card_is_asked_once():
    cards = [card(f"{topic}{n}", topic, (f"b{n}", f"a{n - 1}")) for topic, n in product("abc", range(7))]
    assert sorted(question.id for question in asked(cards)) == sorted(card.id for card in cards)


def test_a_question_is_followed_by_its_follow_ups():
    cards = [card("A", "a", ("B",)), card("B", "b", ("A", "C")), card("C", "c", ("D",)), card("D", "d", ("X",))]
    first = next(found for found in (asked(cards, seed) for seed in range(99)) if found[0].id == "A")
    assert [each.id for each in first] == ["A", "B", "C", "D"]


def test_a_chain_of_follow_ups_is_no_longer_than_the_longest_allowed():
    rng = Random(0)
    rng.choice = lambda ids: drawn.append(ids[0]) or ids[0]
    drawn = []
    list(questions([card(f"Q{n}", "t", (f"Q{n + 1}",)) for n in range(3 * CHAIN)], {}, NOW, rng))
    assert drawn == [f"Q{n * CHAIN}" for n in range(3)]


def test_the_same_seed_asks_the_same_and_another_one_another():
    cards = [card(f"Q{n}", f"t{n % 4}") for n in range(40)]
    assert asked(cards, 1) == asked(cards, 1) != asked(cards, 2)


def test_a_weak_topic_comes_first_more_often():
    cards = [card("W", "weak"), card("S", "strong"), card("N", "new")]
    then = microseconds(NOW - timedelta(days=9))
    reviews = [Review(id, then, "recall", r, 1.0, "", "{}", "", 0, 0, "s") for id, r in (("W", AGAIN), ("S", EASY))]
    memories = replay(reviews)
    weights = {"W": 1 - memories["W"].recall(NOW), "S": 1 - memories["S"].recall(NOW), "N": 0.5}
    count = 4000
    firsts = Counter(next(questions(cards, memories, NOW, Random(seed))).id for seed in range(count))
    for id, weight in weights.items():
        share = weight / sum(weights.values())
        # Hoeffding: a share is further off than this once in a million.
        assert firsts[id] / count == pytest.approx(share, abs=math.sqrt(math.log(2e6) / 2 / count))
    assert firsts["W"] > 3 * firsts["S"]


def test_ten_thousand_cards_are_no_trouble():
    cards = [card(f"Q{n}", f"t{n % 500}") for n in range(10_000)]
    assert len(list(islice(questions(cards, {}, NOW, Random(0)), 1000))) == 1000


def test_without_answers_there_is_no_calibration():
    assert calibration([]) is None


def test_the_brier_score_and_the_bins_of_an_example_by_hand():
    found = calibration([(1.0, True), (0.9, False), (0.5, True), (0.0, False)])
    assert found.brier == pytest.approx((0 + 0.81 + 0.25 + 0) / 4)
    assert (found.stated, found.right) == (pytest.approx(0.6), 0.5)
    assert [(each.low, each.high, each.answers, each.right) for each in found.bins] == [
        (0.0, 0.2, 1, 0.0),
        (0.4, 0.6, 1, 1.0),
        (0.8, 1.0, 2, 0.5),
    ]
    assert found.bins[-1].stated == pytest.approx(0.95)


@given(st.lists(st.tuples(st.integers(0, 10).map(lambda n: n / 10), st.booleans()), min_size=1, max_size=8))
def test_the_tail_is_what_counting_every_outcome_gives(answers):
    successes = sum(right for _, right in answers)
    low = high = 0.0
    for outcome in product([0, 1], repeat=len(answers)):
        chance = math.prod(sure if one else 1 - sure for one, (sure, _) in zip(outcome, answers, strict=True))
        low += chance * (sum(outcome) <= successes)
        high += chance * (sum(outcome) >= successes)
    assert calibration(answers).tail == pytest.approx(min(low, high, 1), abs=1e-12)
