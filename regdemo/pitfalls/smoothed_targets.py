"""Smoothed targets: torch's label smoothing of 0.1 doesn't give .9 and .025.

Some texts explain label smoothing of 0.1 over five classes as [.025, .025, .9, .025, .025], and show torch's
CrossEntropyLoss(label_smoothing=0.1) next to it. torch spreads e over all K classes, the right one included: its
targets are .92 and .02. The other rule, $e/(K-1)$ for the wrong ones, is fairseq's, and is torch's at $e K/(K-1)$.
"""

import torch
import torch.nn.functional as F

from regdemo.bounds import rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Cell, Claim, Table

BREAKS = "label_smoothing"
CARDS = ("Q18.111", "Q18.110")
SAY = (
    "torch's label smoothing gives each class $e/K$ and adds $1-e$ to the right one: .92 and .02 for e = .1 and K "
    "= 5. fairseq gives each wrong class $e/(K-1)$. The two differ by $e/K$ on the right class, so say which one "
    "you mean, above all with few classes."
)
WRONG_ANSWER = "'The right class gets $1-e$, the others $e/(K-1)$.' In torch the right one gets $e/K$ more."

E, K, N = 0.1, 5, 40


def broken(labels, classes, e):
    right = F.one_hot(labels, classes) == 1
    return torch.where(right, 1 - e, e / (classes - 1))


def fixed(labels, classes, e):
    return (1 - e) * F.one_hot(labels, classes) + e / classes


def measure() -> tuple[list[Claim], list[Block]]:
    labels, logits = torch.randint(K, (N,)), torch.randn(N, K, requires_grad=True)

    def targets_of(loss: torch.Tensor) -> torch.Tensor:
        """The targets of a loss: softmax minus its gradient."""
        (gradient,) = torch.autograd.grad(loss, logits)
        return logits.detach().softmax(-1) - N * gradient

    by_torch = targets_of(F.cross_entropy(logits, labels, label_smoothing=E))
    stronger = targets_of(F.cross_entropy(logits, labels, label_smoothing=E * K / (K - 1)))
    wrong, right = broken(labels, K, E), fixed(labels, K, E)
    exact = rounding(1, digits=1e-5)

    def gap(a: torch.Tensor, b: torch.Tensor) -> float:
        return (a - b).abs().max().item()

    def row(name: str, targets: torch.Tensor) -> list[Cell]:
        own = targets.gather(1, labels[:, None]).mean().item()
        return [name, own, (1 - own) / (K - 1)]

    return [
        Claim(
            f"The target of the right class, torch's being {1 - E + E / K:g}",
            1 - E,
            "$1 - e$",
            wrong.gather(1, labels[:, None]).mean().item(),
            *exact,
        ),
        Claim("Largest difference from torch's targets", E / K, "$e/K$", gap(wrong, by_torch), *exact),
        Claim(
            "Largest difference from torch's targets with label_smoothing = $e K/(K-1)$ = 0.125",
            0,
            "max difference",
            gap(wrong, stronger),
            *exact,
        ),
        fixed_claim("Largest difference from torch's targets", 0, "max difference", gap(right, by_torch), *exact),
    ], [
        Table(
            f"Targets at e = {E}, {K} classes",
            ["rule", "right class", "each wrong class"],
            [row("broken", wrong), row("fixed", right), row("torch", by_torch)],
        )
    ]


WRONG = [
    Wrong(
        "e K/(K-1) in the snippet", f"{__name__}.fixed", lambda right, labels, k, e: broken(labels, k, e * k / (k - 1))
    ),
    Wrong(
        "e/K for the wrong ones and 1-e",
        f"{__name__}.fixed",
        lambda right, labels, k, e: torch.full((len(labels), k), e / k).scatter(1, labels[:, None], 1 - e),
    ),
    Wrong("e for every class", f"{__name__}.fixed", lambda right, labels, k, e: right(labels, k, k * e) + e),
]
