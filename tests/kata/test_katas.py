"""The bundled katas, held to what can be seen without judging; and four wrong dropouts, which are judged."""

import pytest

from regdemo.bank import katas as bank
from regdemo.bank.katas import Judged, Run, faults
from regdemo.cli import kata as command
from regdemo.errors import ArgumentError
from regdemo.kata import check_source
from regdemo.kata.judge import Judge
from regdemo.kata.katas import LEVELS, find, katas
from regdemo.kata.verdict import State, Verdict
from regdemo.quiz import decks

KATAS = katas(decks.load(decks.bundled()).cards)
each = pytest.mark.parametrize("kata", KATAS.values(), ids=KATAS)


@each
def test_a_kata_has_a_level_and_a_name_that_is_no_command(kata):
    assert kata.level in LEVELS
    assert kata.name not in {one.name or one.callback.__name__ for one in command.kata.registered_commands}
    assert kata.name.startswith("fix_") == ("bug hunt" in kata.card.tags)


@each
def test_a_kata_has_five_misconceptions_each_named_with_the_test_it_fails(kata):
    named = dict(bank.tests(kata))
    assert len({mutant.name for mutant in kata.mutants}) == len(kata.mutants) >= 5
    assert [mutant.test for mutant in kata.mutants if mutant.test not in named] == []
    assert all(named.values())


@each
def test_a_kata_to_write_is_solved_in_three_styles_and_a_bug_hunt_in_two(kata):
    assert len(set(kata.solutions.values())) >= (2 if "bug hunt" in kata.card.tags else 3)


def test_the_four_known_wrong_dropouts_are_rejected_each_for_its_reason():
    dropout = KATAS["dropout"]
    wrong = {
        "keeps one mask for all calls": "Each call draws a new mask",
        "draws one mask for all rows": "Each row of a batch has its own mask",
        "drops the first p N elements": "Each call draws a new mask",
        "a gradient that ignores the mask": "The gradient is the same mask",
    }
    with Judge(seconds=30) as judge:
        found = {mutant.name: judge.check(dropout, mutant.source) for mutant in dropout.mutants if mutant.name in wrong}
        right = [judge.check(dropout, source).state for source in dropout.solutions.values()]
    assert {name: verdict.state for name, verdict in found.items()} == dict.fromkeys(wrong, "failed")
    assert [name for name, verdict in found.items() if not verdict.message.startswith(wrong[name])] == []
    assert right == ["passed"] * 4


def judged(what, state, test="", named="test_a"):
    kata = KATAS["dropout"]
    return Judged(Run(kata, what, "n", named if what == "mutant" else "", "", 7), Verdict(State(state), test=test))


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (judged("starter", "passed"), "K1's starter 'n' passes, so there is nothing to do"),
        (judged("solution", "failed", "test_a"), "K1's solution 'n' does not pass, test_a failed:"),
        (judged("mutant", "passed"), "K1's mutant 'n' lives: no test fails"),
        (judged("mutant", "failed", "test_b"), "K1's mutant 'n' fails test_b before test_a, test_b failed:"),
        (judged("mutant", "timeout", "test_a"), "K1's mutant 'n' fails no test, test_a timeout:"),
    ],
)
def test_a_card_that_does_not_keep_its_word_is_a_fault_at_its_line(one, said):
    (fault,) = faults([one])
    assert fault.line == 7
    assert fault.message.startswith(said)


@pytest.mark.parametrize(
    "one",
    [
        judged("starter", "failed", "test_a"),
        judged("solution", "passed"),
        judged("mutant", "failed", "test_a"),
        judged("mutant", "failed", "test_b", named=""),
    ],
)
def test_a_card_that_keeps_its_word_is_none(one):
    assert faults([one]) == []


def test_other_faces_get_a_verdict_for_a_name_and_a_text_and_nothing_is_printed(capfd):
    starter = KATAS["soft_threshold"].starter
    verdict = check_source("soft_threshold", starter + "\nprint('x')\n", seed=3)
    assert (verdict.state, verdict.done, verdict.seed, verdict.output) == (State.FAILED, 0, 3, "x\n")
    assert verdict.test in dict(bank.tests(KATAS["soft_threshold"]))
    assert starter.splitlines()[verdict.line - 1].strip() == "raise NotImplementedError"
    assert capfd.readouterr() == ("", "")


def test_a_name_that_is_unknown_is_refused():
    with pytest.raises(ArgumentError, match="there is no kata 'nothing'"):
        find(KATAS, "nothing")
