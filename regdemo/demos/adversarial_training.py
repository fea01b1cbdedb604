"""Adversarial training: learn on the attacked inputs too.

Trains a logistic model, for which the worst case is known in closed form, on clean inputs and on FGSM's. Checks the
gradient of the adversarial loss, and compares the loss under attack with those after two other trainings: on clean
inputs alone, and with random signs of the same size in place of FGSM's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, fraction, gap, normal, seeded, signs
from regdemo.parameters import SEED, Parameter
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    Loss = Callable[[torch.Tensor], torch.Tensor]  # of the weights

ACTS_ON = "inputs"
SAY = (
    "Adversarial training minimizes the loss on attacked inputs, made again in each step with the current weights. "
    "In the original recipe half the loss is on clean inputs and half on FGSM's. It buys robustness to that attack, "
    "and costs a second forward and backward pass and often some clean accuracy. PGD, which takes several smaller "
    "steps, is usually the stronger attack to train on."
)
WRONG_ANSWER = (
    "'Attack the training set once, and add it to the data.' An attack belongs to the weights of the moment, so it "
    "is made again in each step. And it is not noise: in the demo, training on random signs of the same size leaves a "
    "higher loss under attack. Also, robustness to one-step FGSM does not imply robustness to other attacks."
)
CARDS = ("Q18.432", "Q18.433", "Q18.434", "Q18.435")

EXAMPLES, WEAK = 400, 60  # two sets of as many examples; inputs that each say a little
STEPS, LR, EVERY = 200, 0.5, 10
STRONG, SHIFT = 1.0, 0.25  # means of the one input that says much, and of each weak one


def adversarial_training(
    *,
    epsilon: Annotated[float, Parameter("Largest change of an input.", 0.05, 0.5)] = 0.2,
    clean: Annotated[float, Parameter("The clean loss's weight in the sum.", 0, 0.9)] = 0.5,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Train a logistic model of one strong input and many weak ones, with and without attacked inputs."""
    generator = seeded(seed)
    x, t = _examples(generator)
    new_x, new_t = _examples(generator)
    noised = x + epsilon * signs(generator, *x.shape)
    plain, worst = partial(_loss, x=x, t=t), partial(_loss, x=x, t=t, epsilon=epsilon)
    losses: dict[str, Loss] = {
        "clean inputs": plain,
        "random signs": lambda w: clean * plain(w) + (1 - clean) * plain(w, x=noised),
        "FGSM's inputs": lambda w: regularizers.adversarial_training(
            x, lambda inputs: plain(w, x=inputs), epsilon, clean=clean
        ),
    }
    trained = {name: _train(loss, worst) for name, loss in losses.items()}
    clean_end, noise_end, fgsm_end = (path[-1] for _, path in trained.values())
    return Measurement(
        title=f"Adversarial training at epsilon = {epsilon:g}, clean weight {clean:g}",
        claims=[
            *_formula_claims(losses["FGSM's inputs"], plain, worst, clean, normal(generator, 1 + WEAK)),
            Claim(
                "FGSM's inputs lower the loss under attack further than clean inputs and random signs do",
                2,
                "other trainings with a higher worst-case loss",
                (fgsm_end < clean_end) + (fgsm_end < noise_end),
                *EXACT,
            ),
        ],
        picture=[_picture(trained, epsilon)],
        blocks=[
            Text(
                f"The label is 1 or -1. One strong input has mean {STRONG:g} times the label, and {WEAK} weak inputs "
                f"have mean {SHIFT:g} times the label; all have deviation 1. Together the weak ones say more than the "
                f"strong one, and an attack can shift all of them against the label at once, by {epsilon:g} each."
            ),
            Table(
                title=f"Accuracy on {EXAMPLES} new examples, and the training losses",
                columns=["trained on", "clean", "attacked", "clean loss", "worst loss", "on weak inputs"],
                rows=[
                    [name, *_right(w, new_x, new_t, epsilon), plain(w).item(), path[-1], _on_weak_inputs(w)]
                    for name, (w, path) in trained.items()
                ],
                note=f"Rows two and three were trained with the weight {clean:g} on the clean loss. Last column: the "
                "fraction of $|w|_1$ on the weak inputs. The claims are about training; the accuracies "
                "vary with the seed.",
            ),
        ],
    )


def _examples(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and their labels, -1 or 1."""
    labels = signs(generator, EXAMPLES)
    means = torch.tensor([STRONG] + [SHIFT] * WEAK, dtype=torch.float64)
    return labels[:, None] * means + normal(generator, EXAMPLES, 1 + WEAK), labels


def _loss(w: torch.Tensor, x: torch.Tensor, t: torch.Tensor, epsilon: float = 0.0) -> torch.Tensor:
    """The loss in the worst corner of each example's box of changes up to epsilon, in closed form."""
    return torch.nn.functional.softplus(epsilon * w.abs().sum() - t * (x @ w)).mean()


def _train(loss: Loss, worst: Loss) -> tuple[torch.Tensor, list[float]]:
    """The weights in the end, and the worst-case loss every few steps."""
    w, path = torch.zeros(1 + WEAK, dtype=torch.float64), []
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            path.append(worst(w).item())
        w = w - LR * _gradient(loss, w)
    return w, path


def _gradient(loss: Loss, w: torch.Tensor) -> torch.Tensor:
    leaf = w.clone().requires_grad_()
    return torch.autograd.grad(loss(leaf), leaf)[0]


def _formula_claims(adversarial: Loss, plain: Loss, worst: Loss, clean: float, w: torch.Tensor) -> list[Claim]:
    """The adversarial loss and its gradient at w."""
    return [
        Claim(
            "The loss is a weighted sum of the clean loss and the worst case",
            (clean * plain(w) + (1 - clean) * worst(w)).item(),
            r"$c\,L(x) + (1-c)$ mean softplus$(\epsilon |w|_1 - t\,w x)$",
            adversarial(w).item(),
            *rounding(1 + w.abs().sum().item(), digits=1e-12),
        ),
        Claim(
            "The gradient of the loss is that of the closed form, though the attack is held fixed",
            0,
            "largest difference of the gradients",
            gap(_gradient(adversarial, w), clean * _gradient(plain, w) + (1 - clean) * _gradient(worst, w)),
            *rounding(1, digits=1e-9),
        ),
    ]


def _picture(trained: dict[str, tuple[torch.Tensor, list[float]]], epsilon: float) -> Curves:
    at = [float(step) for step in range(0, STEPS + 1, EVERY)]
    return Curves(
        title=f"The loss on {EXAMPLES} training examples under their worst changes of up to {epsilon:g} per input",
        x_label="step",
        y_label="worst-case loss",
        series=[Series(f"trained on {name}", at, path) for name, (_, path) in trained.items()],
    )


def _right(w: torch.Tensor, x: torch.Tensor, t: torch.Tensor, epsilon: float) -> tuple[float, float]:
    """The fraction of examples that are right as they are, and in the worst corner of their box."""
    margin = t * (x @ w)
    return fraction(margin > 0), fraction(margin > epsilon * w.abs().sum())


def _on_weak_inputs(w: torch.Tensor) -> float:
    return (w[1:].abs().sum() / w.abs().sum()).item()


NAME = "adversarial_training"
WRONG = [
    Wrong(
        "attacks downhill",
        NAME,
        lambda right, x, loss, epsilon, clean: (
            clean * loss(x) + (1 - clean) * loss(x - regularizers.fgsm(x, loss, epsilon) + x)
        ),
    ),
    Wrong(
        "random signs",
        NAME,
        lambda right, x, loss, epsilon, clean: (
            clean * loss(x) + (1 - clean) * loss(x + epsilon * signs(seeded(1), *x.shape))
        ),
    ),
    Wrong("the clean loss alone", NAME, lambda right, x, loss, epsilon, clean: loss(x)),
    Wrong("the attacked loss alone", NAME, lambda right, x, loss, epsilon, clean: right(x, loss, epsilon, clean=0.0)),
    Wrong("steps half as far", NAME, lambda right, x, loss, epsilon, clean: right(x, loss, epsilon / 2, clean=clean)),
]
