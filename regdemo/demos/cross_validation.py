"""Cross-validation: select inside the folds.

Cross-validates a classifier on data sets of pure noise. With the features selected inside each fold the score is
at chance. With the features selected once on all of the data the score is far above chance, and on fresh data the same
model is back at chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import sklearn
import torch

from regdemo.bounds import EXACT, proportion
from regdemo.measure import Wrong, fraction, normal, seeded, signs
from regdemo.parameters import SEED, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Tensor

ACTS_ON = "models"
PROVIDED_BY = "sklearn.model_selection.KFold"
SAY = (
    "k-fold cross-validation tests each example once, by a model that was fitted without it. That has to hold for "
    "the whole pipeline: scaling, feature selection and tuning are fitted inside each fold. If you select features "
    "on all of the data first, the test labels have already been used, and even pure noise can score far above "
    "chance."
)
WRONG_ANSWER = (
    "'I selected the features that correlate with the label, then cross-validated, so the score is honest.' "
    "The selection saw the test folds. Features of pure noise that are selected in this way correlate with the labels "
    "by chance, with those of the test folds too. Cross-validation does not notice; fresh data do."
)
CARDS = ("Q18.491", "Q18.493", "Q18.500", "Q18.501")

EXAMPLES, SETS, FRESH = 60, 30, 100
AT_LEAST = 0.65  # a leak is called one from here


def cross_validation(
    *,
    features: Annotated[int, count("Noise features, none of them related to the label.", 200, 2_000)] = 1_000,
    selected: Annotated[int, count("Features selected by their correlation with the label.", 5, 50)] = 20,
    folds: Annotated[int, count("Number of folds.", 2, 10)] = 5,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Cross-validate on many data sets of noise, with the selection inside the folds and outside."""
    generator = seeded(seed)
    x = torch.randn(SETS, EXAMPLES, features, generator=generator)
    y = signs(generator, SETS, EXAMPLES).float()
    parts = _folds(folds, generator)
    inside, outside = (_scores(x, y, parts, selected, leak=leak) for leak in (False, True))
    # Fresh values of the selected features are noise as the others are.
    _, weights = _select(x, y, torch.arange(EXAMPLES), selected)
    fresh = normal(generator, SETS, FRESH, selected).float()
    on_fresh = fraction(_agree(fresh, weights, signs(generator, SETS, FRESH).float()))
    middles = [step / 10 + 0.05 for step in range(10)]
    return Measurement(
        title=f"Cross-validation in {folds} folds: {selected} of {features:,} noise features selected",
        claims=[*_folds_claims(parts), *_scores_claims(folds, inside, outside, on_fresh)],
        picture=[
            Curves(
                title=f"Cross-validated accuracy on {SETS} data sets of pure noise",
                x_label="accuracy",
                y_label="data sets",
                series=[
                    Series("selected inside the folds", middles, _histogram(inside), style="bars"),
                    Series("selected on all of the data", middles, _histogram(outside), style="bars"),
                ],
                note="The labels have nothing to do with the features: the true accuracy is 0.5.",
            )
        ],
        blocks=[
            Text(
                f"Each data set has {EXAMPLES} examples. The classifier adds the selected features, each with the "
                "sign of its correlation with the label, and predicts the sign of the sum."
            ),
            _features_table(x, y, parts, selected),
        ],
    )


def _folds(folds: int, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """scikit-learn's folds: rows to train on and rows to test."""
    state = int(torch.randint(2**31, (), generator=generator))
    splitter = sklearn.model_selection.KFold(folds, shuffle=True, random_state=state)
    return [(torch.as_tensor(a), torch.as_tensor(b)) for a, b in splitter.split(np.zeros((EXAMPLES, 1)))]


def _scores(x: Tensor, y: Tensor, parts: list[tuple[Tensor, Tensor]], selected: int, *, leak: bool) -> Tensor:
    """The cross-validated accuracy on each data set."""
    right = torch.zeros(y.shape, dtype=torch.bool)
    chosen, _ = _select(x, y, torch.arange(x.shape[1]), selected)
    for train, test in parts:
        if not leak:
            chosen, _ = _select(x, y, train, selected)
        columns = x.gather(2, chosen[:, None].expand(-1, x.shape[1], -1))
        weights = torch.einsum("sn,snf->sf", y[:, train], columns[:, train]).sign()
        right[:, test] = _agree(columns[:, test], weights, y[:, test])
    return right.double().mean(1)


def _select(x: Tensor, y: Tensor, rows: Tensor, selected: int) -> tuple[Tensor, Tensor]:
    """The features that correlate most with the label over these rows, of each data set, and their signs."""
    correlation = torch.einsum("sn,snf->sf", y[:, rows], x[:, rows])
    best = correlation.abs().topk(selected).indices
    return best, correlation.gather(1, best).sign()


def _agree(x: Tensor, weights: Tensor, y: Tensor) -> Tensor:
    """Whether the sign of the weighted sum is the label."""
    return torch.einsum("snf,sf->sn", x, weights) * y > 0


def _folds_claims(parts: list[tuple[Tensor, Tensor]]) -> list[Claim]:
    tested = torch.cat([test for _, test in parts]).bincount(minlength=EXAMPLES)
    both = sum(len(set(train.tolist()) & set(test.tolist())) for train, test in parts)
    return [
        Claim("Each example is tested once", EXAMPLES, "examples tested once", int((tested == 1).sum()), *EXACT),
        Claim("No example is trained on and tested in one fold", 0, "examples in both", both, *EXACT),
    ]


def _scores_claims(folds: int, inside: Tensor, outside: Tensor, on_fresh: float) -> list[Claim]:
    slip, reason = proportion(0.5, SETS * (EXAMPLES // folds))
    return [
        Claim(
            "With the selection inside the folds the score is at chance",
            0.5,
            "accuracy 1/2: labels are independent of predictions",
            inside.mean().item(),
            slip,
            f"{reason}, for each fold",
        ),
        Claim(
            "With the selection on all of the data the score is far above chance",
            1,
            f"accuracy from {AT_LEAST} to 1",
            outside.mean().item(),
            1 - AT_LEAST,
            "a range, not an estimate: at the default it is near 0.94",
        ),
        Claim(
            "On fresh data the model with features from all of the data is at chance",
            0.5,
            "accuracy 1/2",
            on_fresh,
            *proportion(0.5, SETS * FRESH),
        ),
    ]


def _histogram(scores: Tensor) -> list[float]:
    return [float(n) for n in (scores * 10).long().clamp(max=9).bincount(minlength=10)]


def _features_table(x: Tensor, y: Tensor, parts: list[tuple[Tensor, Tensor]], selected: int) -> Table:
    return Table(
        title=f"Mean accuracy over {SETS} data sets, by the number of features from which {selected} are selected",
        columns=["features", "inside the folds", "on all of the data"],
        rows=[
            [f"{n:,}", *(_scores(x[..., :n], y, parts, selected, leak=leak).mean().item() for leak in (False, True))]
            for n in sorted({selected, 100, 200, x.shape[-1]})
        ],
        note="Where every feature is selected, both scores are at chance. The more features there are to "
        "select from, the larger the leak.",
    )


class _Splitter:
    """scikit-learn's folds, changed."""

    def __init__(self, folds: Any, change: Any) -> None:
        self.folds, self.change = folds, change

    def split(self, x: Any) -> Any:
        """Pairs of rows to train on and rows to test."""
        return self.change(list(self.folds.split(x)))


WRONG = [
    Wrong(
        "trains on all examples",
        "sklearn.model_selection.KFold",
        lambda right, *a, **kw: _Splitter(right(*a, **kw), lambda s: [(np.r_[train, test], test) for train, test in s]),
    ),
    Wrong(
        "tests one fold in each round",
        "sklearn.model_selection.KFold",
        lambda right, *a, **kw: _Splitter(right(*a, **kw), lambda s: [s[0]] * len(s)),
    ),
    Wrong(
        "selects on all rows",
        "regdemo.demos.cross_validation._select",
        lambda right, x, y, rows, k: right(x, y, torch.arange(x.shape[1]), k),
    ),
    Wrong(
        "selects by another data set",
        "regdemo.demos.cross_validation._select",
        lambda right, x, y, rows, k: right(x.roll(1, 0), y, rows, k),
    ),
]
