"""R-Drop: two passes under dropout, made to agree.

Runs a batch twice through a network with dropout, checks the loss against its definition, and compares three
reductions of its KL term.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, gap, normal, seeded
from regdemo.parameters import SEED, Parameter, count, rate
from regdemo.report import Cell, Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "targets"
SAY = (
    r"R-Drop passes each batch twice under different dropout masks. Its loss is the two cross entropies plus "
    r"$\alpha$ times the mean of the two KL divergences between the predictions. It trains the subnetworks to "
    "agree, which is meant to narrow the gap between training with dropout and inference without it. It costs a second "
    "forward and backward pass, and without dropout or other noise the KL term is 0."
)
WRONG_ANSWER = (
    "'Add F.kl_div(p, q).' Three mistakes in one: the first argument is not a log-probability, the divergence is "
    "one-sided, and the default reduction divides by the number of classes too. Close second: the same mask in both "
    "passes, as from a generator reseeded before each. Then the KL term is 0."
)
CARDS = ("Q18.114", "Q18.115", "Q18.116", "Q18.117")

INPUTS, HIDDEN, CLASSES = 16, 64, 5
SHOWN = 3  # examples in the table of predictions


def r_drop(
    *,
    p: Annotated[float, rate("Probability that a hidden unit is dropped.")] = 0.3,
    alpha: Annotated[float, Parameter("Weight of the disagreement.", 0, 100)] = 1.0,
    examples: Annotated[int, count("Examples in the batch.", 1, 10_000)] = 256,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure R-Drop's loss on two passes of a random network at rate p."""
    generator = seeded(seed)
    first_layer, second_layer = _network(generator)
    hidden = (normal(generator, examples, INPUTS) @ first_layer).relu()
    target = torch.randint(CLASSES, (examples,), generator=generator)
    passes = _passes(hidden, second_layer, p, generator)
    undropped = _passes(hidden, second_layer, 0.0, generator)
    in_eval = _passes(hidden, second_layer, p, generator, training=False)
    rates = [i / 10 for i in range(9)]
    disagreements = [_disagreement(_passes(hidden, second_layer, q, generator), target) for q in rates]
    return Measurement(
        title=f"R-Drop at p = {p}, alpha = {alpha}",
        claims=_claims(passes, target, alpha, _disagreement(undropped, target), _disagreement(in_eval, target)),
        picture=[
            Curves(
                title="How far two passes disagree, over the drop rate",
                x_label="p",
                y_label="mean of the two KLs",
                series=[Series("measured", rates, disagreements)],
                note=f"A network with random weights; examples: {examples:,}. Whether R-Drop helps is not measured.",
            )
        ],
        blocks=[
            Text(
                "Dropout trains many subnetworks, and its loss does not ask them to agree. R-Drop sends each "
                "example through twice, each time under another mask, and adds the divergence of the two "
                "predictions to the loss."
            ),
            _predictions(*passes),
            _reductions(passes),
        ],
    )


def _network(generator: Generator) -> tuple[Tensor, Tensor]:
    """The weights of two layers, scaled so that logits are of the order of 1."""
    first = normal(generator, INPUTS, HIDDEN) / INPUTS**0.5
    return first, normal(generator, HIDDEN, CLASSES) / (HIDDEN / 2) ** 0.5


def _passes(hidden: Tensor, layer: Tensor, p: float, generator: Generator, training: bool = True) -> list[Tensor]:
    """The logits of two passes, from the hidden units on."""
    return [regularizers.dropout(hidden, p, training=training, generator=generator) @ layer for _ in range(2)]


def _disagreement(passes: list[Tensor], target: Tensor) -> float:
    """What alpha multiplies: the loss at alpha 1 less the loss at alpha 0."""
    one, other = passes
    return (regularizers.r_drop(one, other, target, 1.0) - regularizers.r_drop(one, other, target, 0.0)).item()


def _claims(passes: list[Tensor], target: Tensor, alpha: float, undropped: float, in_eval: float) -> list[Claim]:
    """The loss against its definition, and the KL terms without dropout."""
    first, second = passes
    loss = regularizers.r_drop(first, second, target, alpha).item()
    errors = sum(torch.nn.functional.cross_entropy(logits, target).item() for logits in passes)
    kl = _mean_kl(passes, "batchmean")
    size = 1 + gap(first) + gap(second)
    return [
        Claim(
            "The loss is that of its definition, by torch's cross_entropy and kl_div",
            errors + alpha * kl,
            r"CE + CE + $\alpha\, (KL(p \| q) + KL(q \| p))/2$",
            loss,
            *rounding((1 + alpha) * size),
        ),
        Claim(
            "Either pass may come first",
            0,
            "difference",
            regularizers.r_drop(second, first, target, alpha).item() - loss,
            *rounding((1 + alpha) * size),
        ),
        Claim("At p = 0 the KL term is 0", 0, "KL", undropped, *EXACT),
        Claim("In eval the KL term is 0", 0, "KL", in_eval, *EXACT),
        Claim(
            "With the mean of the two cross entropies instead of their sum, alpha counts double",
            regularizers.r_drop(first, second, target, 2 * alpha).item(),
            r"loss at $2 \alpha$ = 2 (CE/2 + CE/2 + $\alpha$ KL)",
            (errors / 2 + alpha * kl) * 2,
            *rounding((1 + 2 * alpha) * size),
        ),
    ]


def _mean_kl(passes: list[Tensor], reduction: str) -> float:
    """The mean of the two divergences, each reduced by torch."""
    log_p, log_q = (logits.log_softmax(-1) for logits in passes)
    forwards = torch.nn.functional.kl_div(log_q, log_p, log_target=True, reduction=reduction)
    backwards = torch.nn.functional.kl_div(log_p, log_q, log_target=True, reduction=reduction)
    return (forwards.mean() + backwards.mean()).item() / 2


def _predictions(first: Tensor, second: Tensor) -> Table:
    """The probabilities of the first examples in either pass."""
    rows: list[list[Cell]] = [
        [index, name, *logits[index].softmax(-1).tolist()]
        for index in range(min(SHOWN, len(first)))
        for name, logits in (("first", first), ("second", second))
    ]
    return Table(
        title=f"Probabilities in the two passes; examples shown: {min(SHOWN, len(first))} of {len(first):,}",
        columns=["example", "pass", *(f"class {i}" for i in range(CLASSES))],
        rows=rows,
    )


def _reductions(passes: list[Tensor]) -> Table:
    kl = _mean_kl(passes, "batchmean")
    return Table(
        title=f"The KL term by three reductions; the KL itself is {kl:.4g}",
        columns=["reduction", "value", "value / KL"],
        rows=[
            ["sum over classes, mean over examples", kl, 1.0],
            ["sum over all (the authors' README)", _mean_kl(passes, "sum"), float(len(passes[0]))],
            ["mean over all (kl_div's default)", _mean_kl(passes, "none"), 1 / CLASSES],
        ],
        note="A value of alpha that was tuned for one reduction has another strength under a different one.",
    )


NAME = "r_drop"
WRONG = [
    Wrong("one-sided", NAME, lambda right, a, b, target, alpha: right(a, b, target, 0.0) + alpha * _kl(a, b)),
    Wrong("half of both cross entropies", NAME, lambda right, a, b, target, alpha: right(a, b, target, 2 * alpha) / 2),
    Wrong("a sum over the batch", NAME, lambda right, a, b, target, alpha: right(a, b, target, alpha * len(a))),
    Wrong("divided by the classes", NAME, lambda right, a, b, target, alpha: right(a, b, target, alpha / a.shape[-1])),
    Wrong("one pass twice", NAME, lambda right, a, b, target, alpha: right(a, a, target, alpha)),
]


def _kl(a, b):
    return torch.nn.functional.kl_div(a.log_softmax(-1), b.log_softmax(-1), log_target=True, reduction="batchmean")
