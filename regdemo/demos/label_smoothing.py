"""Label smoothing: a little of the target goes to every class.

Reads the targets off torch's own loss, splits that loss into its two parts, and compares the two conventions for
the wrong classes. Then it finds the best gap between the right logit and the others.
"""

from __future__ import annotations

from math import exp, log, log1p
from typing import TYPE_CHECKING, Annotated

import torch

from regdemo.bounds import rounding
from regdemo.measure import Wrong, gap, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Cell, Claim, Curves, Measurement, Series, Table

if TYPE_CHECKING:
    from torch import Tensor

ACTS_ON = "targets"
PROVIDED_BY = "torch.nn.CrossEntropyLoss"
SAY = (
    r"Label smoothing trains towards $(1-e)\,onehot + e/K$: its loss is $1-e$ times cross entropy plus $e$ times the "
    r"mean of $-\ln p$ over the $K$ classes. The right logit then has a finite best gap to the others, "
    r"$\ln(1 + K(1-e)/e)$: the loss punishes more confidence than that. Label smoothing often helps calibration, and "
    "sometimes accuracy. Whether a smoothed model is a worse teacher for distillation is disputed."
)
WRONG_ANSWER = (
    "'With e = 0.1 over five classes the target is [.9, .025, .025, .025, .025].' That is fairseq's $e/(K-1)$. "
    "torch mixes with the uniform over all K classes, the right one included: [.92, .02, .02, .02, .02]. And a "
    "training loss that stays above 0 is no fault: its floor is the entropy of the targets."
)
CARDS = ("Q18.110", "Q18.111", "Q18.112", "Q18.113")

SMOOTHINGS = (0.01, 0.05, 0.1, 0.2)
SHOWN = 6  # classes in the table of targets


def label_smoothing(
    *,
    smoothing: Annotated[float, Parameter("Fraction e of the target spread over all classes.", 0.001, 0.9)] = 0.1,
    classes: Annotated[int, count("Number of classes K.", 2, 1_000)] = 5,
    examples: Annotated[int, count("Examples with random logits.", 1, 10_000)] = 500,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure torch's label smoothing on random logits, and where its loss has its minimum."""
    e, k = smoothing, classes
    generator = seeded(seed)
    logits = 3 * normal(generator, examples, k)
    labels = torch.randint(k, (examples,), generator=generator)
    minimum = _minimum(labels, e, k)
    return Measurement(
        title=f"Label smoothing at e = {e} over {k} classes",
        claims=[*_loss_claims(logits, labels, e), *minimum.claims],
        picture=minimum.picture,
        blocks=[_targets_table(e, k), _gaps_table(e, k)],
    )


def _loss_claims(logits: Tensor, labels: Tensor, e: float) -> list[Claim]:
    """The targets, the parts of the loss, and fairseq's convention against torch's."""
    k, log_p = logits.shape[-1], logits.log_softmax(-1)
    one_hot = torch.nn.functional.one_hot(labels, k).double()
    hard, uniform = -(one_hot * log_p).sum(-1), -log_p.mean(-1)
    fairseq = (1 - e) * one_hot + e / (k - 1) * (1 - one_hot)
    over_others = -(fairseq * log_p).sum(-1)
    theirs = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=e, reduction="none")
    close = rounding(1 + gap(log_p))
    claims = [
        Claim(
            r"The targets of torch's loss are $(1-e)\,onehot + e/K$",
            0,
            "largest difference",
            gap(_targets(logits, labels, e), (1 - e) * one_hot + e / k),
            *rounding(1),
        ),
        Claim(
            r"The loss is $(1-e)$ CE + $e$ times the mean of $-\ln p$",
            0,
            "largest difference",
            gap(theirs - (1 - e) * hard - e * uniform),
            *close,
        ),
        Claim(
            "$e/(K-1)$ on the wrong classes gives another loss",
            e / (k - 1) * (uniform - hard).mean().item(),
            r"$e/(K-1)$ (mean of $-\ln p$ - CE)",
            (over_others - theirs).mean().item(),
            *close,
        ),
    ]
    if (converted := e * k / (k - 1)) > 1:
        return claims
    same = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=converted, reduction="none")
    statement = f"That other loss is torch's at $e K/(K-1)$ = {converted:.4g}"
    return [*claims, Claim(statement, 0, "largest difference", gap(over_others, same), *close)]


def _targets(logits: Tensor, labels: Tensor, e: float) -> Tensor:
    """What the loss pulls towards, read off its gradient: softmax - gradient."""

    x = logits.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(
        torch.nn.functional.cross_entropy(x, labels, label_smoothing=e, reduction="sum"), x
    )
    return logits.softmax(-1) - gradient


def _minimum(labels: Tensor, e: float, k: int) -> Measurement:
    """Where the loss is least over the gap between the right logit and the others, and what it is there."""
    best = _best_gap(e, k)
    one_hot = torch.nn.functional.one_hot(labels, k).double()
    logits = (best * one_hot).requires_grad_()
    at_best = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=e)
    (slope,) = torch.autograd.grad(at_best, logits)
    target = (1 - e) * one_hot[0] + e / k
    entropy = -(target * target.log()).sum().item()
    claims = [
        Claim(
            f"A logit {best:.4g} above the others is best: the slope is 0",
            0,
            r"p - target at a gap of $\ln(1 + K(1-e)/e)$",
            gap(slope) * len(labels),
            *rounding(1),
        ),
        Claim(
            "The loss at the best gap is not 0 but the entropy of the targets",
            entropy,
            r"$-\sum q \ln q$",
            at_best.item(),
            *rounding(1 + entropy),
        ),
        Claim(
            "A logit twice as far above the others costs more",
            _loss_at(2 * best, e, k),
            r"with $z$ twice the best gap: $\ln(1 + (K-1) \exp(-z)) + e (K-1)/K\, z$",
            torch.nn.functional.cross_entropy(logits.detach() * 2, labels, label_smoothing=e).item(),
            *rounding(1 + 2 * best),
        ),
    ]
    at = [i / 4 for i in range(49)]
    curves = Curves(
        title=f"The loss against the gap between the right logit and the others, K = {k}",
        x_label="gap of the logits",
        y_label="loss",
        series=[
            *(Series(f"e = {rate:g}", at, [_loss_at(z, rate, k) for z in at]) for rate in sorted({0.0, e, 0.3})),
            Series(f"best gap at e = {e:g}", [best], [at_best.item()], style="points"),
        ],
        note="With smoothing there is a best gap. Without, the loss falls for as long as the gap grows.",
    )
    return Measurement("", claims, [], [curves])


def _best_gap(e: float, k: int) -> float:
    return log((1 - e + e / k) / (e / k))


def _loss_at(z: float, e: float, k: int) -> float:
    """The smoothed loss when the right logit is z and the others are 0."""
    return log1p((k - 1) * exp(-z)) + e * (k - 1) / k * z


def _targets_table(e: float, k: int) -> Table:
    shown = min(k, SHOWN)
    targets = [
        ("cross entropy", 1.0, 0.0),
        ("torch, e/K", 1 - e + e / k, e / k),
        ("fairseq, e/(K-1)", 1 - e, e / (k - 1)),
    ]
    return Table(
        title="The target when class 0 is right" + (f", {SHOWN} of {k:,} classes" if k > SHOWN else ""),
        columns=["loss", *(f"class {i}" for i in range(shown))],
        rows=[[loss, right, *[wrong] * (shown - 1)] for loss, right, wrong in targets],
        note=f"torch gives the right class its $e/K$ too: {1 - e + e / k:.4g} is more than $1-e$.",
    )


def _gaps_table(e: float, k: int) -> Table:
    rows: list[list[Cell]] = []
    for rate in sorted({*SMOOTHINGS, e}):
        best = _best_gap(rate, k)
        rows.append([str(rate), best, 1 - rate + rate / k, _loss_at(best, rate, k), _loss_at(2 * best, rate, k)])
    return Table(
        title=f"The best gap of the logits, K = {k}",
        columns=["e", "best gap", "p at the best gap", "loss there", "loss at twice the gap"],
        rows=rows,
        note="Without smoothing there is no best gap: the loss falls for as long as the gap grows.",
    )


CE = "torch.nn.functional.cross_entropy"
WRONG = [
    Wrong("not smoothed", CE, lambda right, logits, labels, label_smoothing=0.0, **kw: right(logits, labels, **kw)),
    Wrong(
        "e/(K-1) for the wrong classes",
        CE,
        lambda right, logits, labels, label_smoothing=0.0, **kw: right(
            logits, labels, label_smoothing=min(1.0, label_smoothing * logits.shape[-1] / (logits.shape[-1] - 1)), **kw
        ),
    ),
    Wrong(
        "half of e",
        CE,
        lambda right, logits, labels, label_smoothing=0.0, **kw: right(
            logits, labels, label_smoothing=label_smoothing / 2, **kw
        ),
    ),
    Wrong(
        "mixed with e of the uniform, without 1-e",
        CE,
        lambda right, logits, labels, label_smoothing=0.0, **kw: (
            right(logits, labels, label_smoothing=label_smoothing, **kw) + label_smoothing * right(logits, labels, **kw)
        ),
    ),
]
