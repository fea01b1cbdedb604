"""Effects of a factorial against least squares, and what may be said of an interaction."""

from itertools import product

import numpy as np
import pytest

from helpers import texts
from regdemo.errors import ArgumentError
from regdemo.lab import metrics
from regdemo.lab.combine import _interaction, combine, effect, subsets
from regdemo.lab.compare import Stopped
from regdemo.lab.statistics import change
from regdemo.report import Boxes, Table, Text

pytestmark = pytest.mark.usefixtures("small")


def quick(techniques=("dropout", "label-smoothing"), **options):
    return combine(techniques, **{"task": "digits", "seeds": 8, "epochs": 2} | options)


@pytest.mark.parametrize("n", [2, 3])
def test_effects_are_the_coefficients_of_least_squares_with_settings_of_half(n):
    values = np.random.default_rng(0).normal(size=(2**n, 5))
    arms = {arm: values[i].tolist() for i, arm in enumerate(subsets(n))}
    settings = np.array([[0.5 if t in arm else -0.5 for t in range(n)] for arm in arms])
    design = np.stack([settings[:, list(of)].prod(1) for of in subsets(n)], axis=1)
    fitted = np.linalg.lstsq(design, values, rcond=None)[0]
    for of, coefficients in list(zip(subsets(n), fitted, strict=True))[1:]:
        assert effect(of, arms, n) == pytest.approx(coefficients)


def test_subsets_are_all_of_them_the_empty_one_first():
    found = subsets(3)
    assert found[0] == ()
    assert {tuple(t in s for t in range(3)) for s in found} == set(product([False, True], repeat=3))
    assert len(found) == 8


def said(values, alone=((1.0, 1.1), (1.0, 1.1)), together=(3.0, 3.1), metric=metrics.TEST_ACCURACY):
    better = metrics.BETTER[metric]
    return _interaction("a and b", change(values), [change(v) for v in alone], change(together), metric, better)


def test_more_than_the_sum_is_synergy():
    assert said([2.0, 2.1, 1.9, 2.2]).startswith("Synergy: a and b together do better than the sum of the two")


@pytest.mark.parametrize("together", [(-3.0, -3.1), (-3.0, 3.1)])
def test_more_than_the_sum_is_no_synergy_where_both_are_not_shown_to_help(together):
    text = said([2.0, 2.1, 1.9, 2.2], alone=((-3.0, -3.1), (-2.0, -2.1)), together=together)
    assert text.startswith("No synergy: a and b together do better than the sum of the two, not than neither; test")


def test_less_than_the_sum_of_two_that_help_is_redundant():
    assert said([-2.0, -2.1, -1.9, -2.2]).startswith("Redundant: a and b each help")


def test_less_than_the_sum_is_not_redundant_where_one_alone_is_not_shown_to_help():
    text = said([-2.0, -2.1, -1.9, -2.2], alone=((1.0, 1.1), (-1.0, 1.1)))
    assert text.startswith("In each other's way")


def test_of_a_loss_less_is_better():
    text = said([-0.2, -0.21, -0.19], metric=metrics.TEST_LOSS, alone=((-1.0, -1.1),) * 2, together=(-2.0, -2.1))
    assert text.startswith("Synergy")
    assert "-0.2 nats" in text
    text = said([0.2, 0.21, 0.19], metric=metrics.TEST_LOSS, alone=((-1.0, -1.1),) * 2)
    assert text.startswith("Redundant")


def test_every_combination_is_an_arm_and_every_effect_a_row():
    report = quick(["sam", "dropout", "label-smoothing"], rho=0.1)
    effects, levels = [block for block in report.blocks if isinstance(block, Table)][:2]
    assert [row[0] for row in levels.rows] == [
        "none",
        "sam 0.1",
        "dropout 0.2",
        "label-smoothing 0.1",
        "sam 0.1 + dropout 0.2",
        "sam 0.1 + label-smoothing 0.1",
        "dropout 0.2 + label-smoothing 0.1",
        "sam 0.1 + dropout 0.2 + label-smoothing 0.1",
    ]
    assert [row[0].count(" x ") for row in effects.rows] == [0, 0, 0, 1, 1, 1, 2]
    assert report.holds
    assert report.parameters["rho"] == 0.1
    (boxes,) = (block for block in report.blocks if isinstance(block, Boxes))
    assert [(box.name, len(box.values)) for box in boxes.boxes] == [(row[0], 8) for row in levels.rows[1:]]


def test_what_another_test_set_would_move_is_said():
    assert "Another test set of 1,000 examples would move the differences" in texts(quick(task="mnist1d", epochs=1))


def test_a_factorial_in_bfloat16_says_so():
    first, second = quick(), quick(precision="bfloat16")
    assert list(second.parameters.items())[1:3] == [("task", "digits"), ("precision", "bfloat16")]
    assert second.blocks != first.blocks


def test_a_technique_that_does_nothing_has_no_effect_and_no_interaction():
    report = quick(["dropout", "l2-penalty"], strength=0.0)
    effects = next(block for block in report.blocks if isinstance(block, Table))
    name, *cells = effects.rows[1]
    assert name == "l2-penalty 0"
    for cell in cells[::2]:  # the arm's path through torch is another one, so it is 0 within rounding
        assert (cell.low, cell.high) == pytest.approx((0, 0), abs=1e-5)
    assert any("No interaction shown" in block.text for block in report.blocks if isinstance(block, Text))


def test_a_diverging_arm_leaves_no_verdict_and_is_named():
    report = quick(["input-noise", "l2-penalty"], task="diabetes", strength=1000.0, epochs=70)
    texts = [block.text for block in report.blocks if isinstance(block, Text)]
    assert texts[0].startswith("No verdict: 0 seeds left")
    assert sum("8 of 8 runs" in text for text in texts) == 2


def test_ctrl_c_leaves_the_report_of_the_last_evaluated_epoch():
    def progress(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(Stopped) as caught:
        quick(epochs=5, progress=progress)
    assert caught.value.report.title.endswith("(stopped at epoch 2 of 5)")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"techniques": ["dropout"]}, "techniques to combine: 1 given, and it must be from 2 to 5"),
        ({"techniques": ["dropout", "none"]}, "'none' isn't a technique"),
        ({"techniques": ["dropout", "dropout"]}, "cannot have dropout twice"),
        ({"techniques": ["dropout", "r-drop"]}, "dropout and r-drop: both set the drop rate"),
        ({"techniques": ["dropout", "cutout"]}, "'cutout' cannot be compared"),
        ({"p": [0.1, 0.2]}, "p has 2 values"),
        ({"rho": 0.1}, "rho isn't a parameter of dropout or label-smoothing"),
        ({"p": 1.5}, "p = 1.5 is not allowed"),
    ],
)
def test_what_cannot_be_combined_is_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        quick(**arguments)
