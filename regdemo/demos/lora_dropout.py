"""LoRA dropout: drop the input of the update alone.

Draws many masks of one example's input to a low-rank update of a frozen layer. The frozen layer's part is the same
under each mask; the update's mean and variance are compared with their formulas, and the output in eval with the merged
weight's.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, rounding
from regdemo.measure import Wrong, gap, mean_square, normal, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

ACTS_ON = "weights"
SAY = (
    r"LoRA freezes $W$ and learns $\Delta W = (\alpha/r) B A$ of low rank. Its dropout zeroes elements of the input "
    "on the way into $A$, so only the update is noisy: the frozen part sees the whole input. The mean of the update is "
    r"kept, the variance of one output is $p/(1-p) \sum_j (\Delta w_j x_j)^2$, and after training $\Delta W$ can be "
    "merged into $W$."
)
WRONG_ANSWER = (
    "'LoRA dropout drops entries of A and B', or 'it drops the layer's input'. It drops elements of the "
    "input to the adapter's branch. And 'the first output is noisy already': $B$ starts at 0, so the first output is "
    "that of the frozen layer. In the first step the mask affects the gradient of $B$ alone, since that of $A$ is 0."
)
CARDS = ("Q18.284", "Q18.286", "Q18.285", "Q18.565")

INPUTS, ALPHA = 64, 16.0
RATES = tuple(step / 20 for step in range(17))


def lora_dropout(
    *,
    p: Annotated[float, rate("Probability that an element of the update's input is dropped.")] = 0.1,
    rank: Annotated[int, count("Rank of the update.", 1, 64)] = 8,
    draws: Annotated[int, count("Masks drawn.", 1_000, 50_000)] = 10_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Draw masks for one example in a linear layer with one output and an update of rank `rank`."""
    generator = seeded(seed)
    frozen = torch.nn.utils.skip_init(torch.nn.Linear, INPUTS, 1, dtype=torch.float64).requires_grad_(False)
    frozen.weight.copy_(normal(generator, 1, INPUTS) / INPUTS**0.5)
    frozen.bias.zero_()
    x = normal(generator, 1, INPUTS)
    layer = _adapted(frozen, rank, p, generator)
    first_step = _first_step_claims(layer, x, generator)
    layer.requires_grad_(False).b.copy_(normal(generator, 1, rank))
    outputs = layer(x.expand(draws, -1), generator=generator)[:, 0]
    change = ALPHA / rank * (layer.b @ layer.a)[0]
    parts = change * x[0]  # what each input adds to the update in eval
    merged = torch.nn.functional.linear(x, frozen.weight + change)
    return Measurement(
        title=f"LoRA dropout at p = {p:g}, rank {rank}",
        claims=[*first_step, *_trained_claims(layer, x, outputs, parts, merged)],
        picture=[_picture(parts, frozen.weight[0] * x[0])],
        blocks=[
            Text(
                f"A frozen layer has {INPUTS} inputs, one output and an update of rank {rank}. One example passes "
                f"through it under {draws:,} draws of the mask."
            ),
            Table(
                title="The two parts of the output",
                columns=["part", "value in eval", "standard deviation in training"],
                rows=[
                    ["frozen layer", frozen(x).item(), 0.0],
                    ["update", (merged - frozen(x)).item(), (outputs - merged[0, 0]).std().item()],
                ],
            ),
        ],
    )


def _adapted(frozen: torch.nn.Linear, rank: int, p: float, generator: torch.Generator) -> regularizers.LoraDropout:
    """The layer with its update, drawn by our generator: torch's initialization takes the global one."""
    with torch.random.fork_rng(devices=[]):
        layer = regularizers.LoraDropout(frozen, rank, p, alpha=ALPHA)
    with torch.no_grad():
        layer.a.copy_(normal(generator, rank, INPUTS) / INPUTS**0.5 / 4)
    return layer


def _first_step_claims(layer: regularizers.LoraDropout, x: torch.Tensor, generator: torch.Generator) -> list[Claim]:
    frozen, first = layer.layer(x), layer(x, generator=generator)
    towards_a, towards_b = torch.autograd.grad((frozen + _update_of_half(layer, x)).square().sum(), (layer.a, layer.b))
    return [
        Claim("In the first step the output is that of the frozen layer", 0, "difference", gap(first, frozen), *EXACT),
        Claim(
            "In the first step the gradient of $B$ is not 0, here with half of the inputs dropped",
            1,
            "yes = 1",
            float(gap(towards_b) > 0),
            *EXACT,
        ),
        Claim("In the first step the gradient of $A$ is 0", 0, "largest entry", gap(towards_a), *EXACT),
    ]


def _update_of_half(layer: regularizers.LoraDropout, x: torch.Tensor) -> torch.Tensor:
    """The update in training when the last half of the inputs is dropped; a drawn mask may drop all if p is large."""
    kept = torch.arange(INPUTS) < INPUTS // 2
    return regularizers.weights.lora_dropout(x, layer.a, layer.b, layer.p, scaling=layer.scaling, mask=kept)


def _trained_claims(
    layer: regularizers.LoraDropout, x: torch.Tensor, outputs: torch.Tensor, parts: torch.Tensor, merged: torch.Tensor
) -> list[Claim]:
    """The outputs under the drawn masks, the update under a given one, and the output in eval."""
    p, draws = layer.p, len(outputs)
    size, squares = parts.abs().sum().item(), parts.square()
    variance = p / (1 - p) * squares.sum().item()
    # The fourth moment of one element's noise, which is -1 with probability p and p / (1 - p) otherwise.
    fourth = p + p**4 / (1 - p) ** 3
    spread = (fourth - 3 * (p / (1 - p)) ** 2) * squares.square().sum().item() + 2 * variance**2
    most = size * max(1.0, p / (1 - p))
    return [
        Claim(
            "The mean output is that of the merged weight",
            merged.item(),
            r"$(W + (\alpha/r) B A) x$",
            outputs.mean().item(),
            *mean_of_bounded(variance, most, draws),
        ),
        Claim(
            "The variance of the output is that of the update alone",
            variance,
            r"$p/(1-p) \sum_j (\Delta w_j x_j)^2$",
            mean_square(outputs - merged),
            *mean_of_bounded(spread, most**2, draws),
        ),
        Claim(
            "A dropped element is missing from the update, and the others are scaled by $1/(1-p)$",
            0,
            r"difference from $\Delta w \cdot (m x) / (1-p)$",
            gap(_update_of_half(layer, x), parts[: INPUTS // 2].sum() / (1 - p)),
            *rounding(1 + size / (1 - p)),
        ),
        Claim(
            "In eval the output is that of the merged weight",
            0,
            r"difference from $(W + (\alpha/r) B A) x$",
            gap(layer.eval()(x), merged),
            *rounding(1 + size),
        ),
    ]


def _picture(update: torch.Tensor, pretrained: torch.Tensor) -> Curves:
    """The deviation over p, from what each input adds to the two parts of the output in eval."""
    return Curves(
        title="Standard deviation of the output by the formula",
        x_label="p",
        y_label="standard deviation",
        series=[
            Series(
                f"dropout on the {whose} input",
                list(RATES),
                [(r / (1 - r) * parts.square().sum().item()) ** 0.5 for r in RATES],
            )
            for whose, parts in (("update's", update), ("layer's", pretrained + update))
        ],
        note="On the layer's input, the same mask would disturb the pretrained part as well.",
    )


def _on_the_layer(right, *args, **options):
    """The module with dropout on the input of the frozen layer as well."""
    module = right(*args, **options)
    plain = module.forward

    def forward(x: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        return plain(regularizers.dropout(x, module.p, module.training, generator=generator), generator=generator)

    module.forward = forward
    return module


UPDATE = "regdemo.regularizers.weights.lora_dropout"  # where the module looks it up
WRONG = [
    Wrong("on the input of the frozen layer too", "LoraDropout", _on_the_layer),
    Wrong(
        "never rescaled",
        UPDATE,
        lambda right, x, a, b, p, training=True, **kw: (1 - p * training) * right(x, a, b, p, training, **kw),
    ),
    Wrong("drops in eval", UPDATE, lambda right, x, a, b, p, training=True, **kw: right(x, a, b, p, **kw)),
    Wrong(
        "drops between A and B",
        UPDATE,
        lambda right, x, a, b, p, training=True, scaling=1.0, generator=None, mask=None: (
            scaling * regularizers.dropout(x @ a.T, p, training, generator=generator) @ b.T
        ),
    ),
    Wrong(
        "scaled by alpha",
        UPDATE,
        lambda right, x, a, b, p, training=True, scaling=1.0, **kw: right(
            x, a, b, p, training, scaling=scaling * len(a), **kw
        ),
    ),
    Wrong(
        "drops the update as a whole",
        UPDATE,
        lambda right, x, a, b, p, training=True, scaling=1.0, generator=None, mask=None: regularizers.dropout(
            scaling * x @ a.T @ b.T, p, training, generator=generator
        ),
    ),
]
