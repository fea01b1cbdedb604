"""The bundled katas, held to what can be seen without judging; and four wrong dropouts, which are judged."""

import ast

import pytest

from helpers import bundled_bank
from regdemo.bank import katas as bank
from regdemo.bank.katas import JudgedFile, KataFile, faults
from regdemo.cli import kata as command
from regdemo.errors import ArgumentError
from regdemo.kata import check_source
from regdemo.kata.judge import Judge
from regdemo.kata.katas import LEVELS, find, katas
from regdemo.kata.verdict import State, Verdict

KATAS = katas(bundled_bank().cards)
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
        "a gradient that ignores the mask": "The gradient passes the same scaled mask",
    }
    with Judge(seconds=30) as judge:
        found = {mutant.name: judge.check(dropout, mutant.source) for mutant in dropout.mutants if mutant.name in wrong}
        right = [judge.check(dropout, source).state for source in dropout.solutions.values()]
    assert {name: verdict.state for name, verdict in found.items()} == dict.fromkeys(wrong, "failed")
    assert [name for name, verdict in found.items() if not verdict.message.startswith(wrong[name])] == []
    assert right == ["passed"] * 4


SHARED = ("in pairs", "two calls", "second half", "whole sequence", "random number of places")


def test_masks_that_are_shared_in_part_are_among_the_wrong_answers():
    """Each of these passed once: a mutant of each kind is kept wherever masks are drawn."""
    wanted = {
        "dropout": SHARED[:4], "dropout_backward": SHARED[2:3], "attention_dropout": SHARED[:3],
        "spatial_dropout": SHARED[:3], "drop_path": SHARED[:3], "drop_connect": SHARED[:3], "mixout": SHARED[1:3],
        "token_masking": (SHARED[0], SHARED[2]), "mixup": SHARED[4:], "fix_unsure_classifier": SHARED[4:],
    }  # fmt: skip
    missing = [
        (name, kind)
        for name, kinds in wanted.items()
        for kind in kinds
        if not any(kind in mutant.name for mutant in KATAS[name].mutants)
    ]
    assert missing == []
    assert any("soft targets" in style for style in KATAS["label_smoothing"].solutions)


CAUSES = {
    "fix_attention": "dropout_p",
    "fix_average": "AveragedModel",
    "fix_classifier": "training=",
    "fix_early_stopping": "state_dict",
    "fix_language_model": "mask",
    "fix_noisy_text": "long()",
    "fix_residual": "one draw",
    "fix_sam": "never goes back",
    "fix_scaled_step": "unscale",
    "fix_set_dropout": "passed over",
    "fix_text_classifier": "batch_first",
    "fix_uncertainty": "batch norm",
    "fix_unsure_classifier": "labels",
    "fix_weight_noise": "still in",
}


def test_a_bug_hunt_shows_the_symptom_and_not_the_cause():
    """Neither the title, the name nor the first test says what the explanation says."""
    hunts = {kata.name: kata for kata in KATAS.values() if "bug hunt" in kata.card.tags}
    assert set(hunts) == set(CAUSES)
    shown = {name: f"{name} {kata.card.question} {bank.tests(kata)[0][1]}" for name, kata in hunts.items()}
    assert [name for name, cause in CAUSES.items() if cause in shown[name]] == []


@each
def test_a_file_begins_with_the_whole_task_and_is_python(kata):
    tree = ast.parse(kata.file)
    assert " ".join(kata.card.question.split())[:500].replace('"""', "") in " ".join(ast.get_docstring(tree).split())
    assert kata.is_untouched(kata.file)
    assert kata.is_untouched(kata.starter)
    assert not kata.is_untouched(kata.solution)
    assert kata.code_of(kata.file) == kata.code_of(kata.starter) == kata.starter


def judged(what, state, test="", named="test_a"):
    kata = KATAS["dropout"]
    return JudgedFile(
        KataFile(kata, what, "n", named if what == "mutant" else "", "", 7), Verdict(State(state), test=test)
    )


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
