"""CutMix: paste a box, mix the labels by area.

Draws boxes and checks that a label's weight is the fraction of pixels that come from its image; where the edge cuts the
box, that is not the fraction drawn. Then it compares the mean of the area pasted with its exact value.
"""

from __future__ import annotations

from typing import Annotated

import scipy
import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, rounding
from regdemo.measure import Wrong, gap, mixed_targets_claim, normal, one_of_two, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, HeatMap, Measurement, Table, Text

ACTS_ON = "inputs"
SAY = (
    "CutMix pastes a box of one training image into another and mixes the two labels by area: each label's weight is "
    "the fraction of pixels that come from its image. The box's area is a fraction $1-l$ of the image, $l$ from "
    "Beta$(\\alpha, \\alpha)$; where the edge cuts the box, the weight must be computed again."
)
WRONG_ANSWER = (
    "'Mix the labels by the $l$ that was drawn.' A box near the edge is cut, so the pasted image has fewer pixels than "
    "its label's weight says. Close second: sides of $(1-l)$ times the image's. Then the area is $(1-l)^2$; the sides "
    "need $\\sqrt{1-l}$."
)
CARDS = ("Q18.912", "Q18.913", "Q18.561", "Q18.915", "Q18.558")

CLASSES = 3
ALPHAS = (0.2, 1.0, 5.0)


def cutmix(
    *,
    alpha: Annotated[float, Parameter("Parameter of the area's distribution, Beta(alpha, alpha).", 0.05, 100)] = 1.0,
    side: Annotated[int, count("Side of the square images, in pixels.", 1, 64)] = 16,
    draws: Annotated[int, count("Boxes drawn.", 10, 5_000)] = 600,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure CutMix at alpha on `draws` pairs of an image of ones and an image of zeros."""
    generator = seeded(seed)
    x = torch.stack([torch.ones(side, side), torch.zeros(side, side)]).double()
    pairs = [_pasted(x, alpha, generator) for _ in range(draws)]
    mean, square = _area(alpha, side), _area(alpha, side, power=2)
    return Measurement(
        title=f"CutMix at alpha = {alpha:g}",
        claims=[*_box_claims(pairs, mean, max(square - mean**2, 0)), _loss_claim(side, generator)],
        picture=[_picture(alpha, generator)],
        blocks=[
            Text(
                "The area drawn is half of the image on average, at any alpha. The edge cuts some boxes, and "
                f"sides are whole pixels: at alpha = {alpha:g} and side {side} the fraction really pasted is "
                f"{mean:.3g} on average."
            ),
            Table(
                title=f"The fractions drawn and pasted, on average, for images of side {side}",
                columns=["alpha", "drawn", "pasted", "excess"],
                rows=[[f"{a:g}", 0.5, _area(a, side), 0.5 - _area(a, side)] for a in sorted({*ALPHAS, alpha})],
                note="Last column: how much too heavy the pasted image's label would be with the area drawn as weight.",
            ),
        ],
    )


def _pasted(x: torch.Tensor, alpha: float, generator: torch.Generator) -> tuple[torch.Tensor, float]:
    """The first of two images with a box of the second, and the weight of the first one's label."""
    one_hot, swap = torch.eye(2).double(), torch.tensor([1, 0])
    images, targets = regularizers.cutmix(x, one_hot, alpha, generator=generator, order=swap)
    return images[0], targets[0, 0].item()


def _area(alpha: float, side: int, power: int = 1) -> float:
    """The mean of a power of the fraction pasted: over the length of the box's sides, then over its center."""
    # A side is at most k pixels, rounded down, where 1 - l < ((k + 1) / side)^2, and 1 - l is Beta(alpha, alpha) too.
    limits = (torch.arange(side + 2, dtype=torch.float64) / side) ** 2
    limits[side], limits[side + 1] = 1 - 2**-53, 1  # the whole image, where 1 - l is rounded to 1: at a small alpha
    below = torch.as_tensor(scipy.special.betainc(alpha, alpha, limits.numpy()))
    probability = below.diff()
    mean = 0.0
    for length in range(side + 1):
        start = torch.arange(side) - length // 2
        inside = (start + length).clamp(max=side) - start.clamp(min=0)
        # Rows and columns are drawn independently, each center with the same probability.
        mean += probability[length].item() * (inside / side).double().pow(power).mean().item() ** 2
    return mean


def _box_claims(pairs: list[tuple[torch.Tensor, float]], mean: float, variance: float) -> list[Claim]:
    """What images and weights have in common, and how large the boxes are: mean and variance of the area pasted."""
    images = torch.stack([image for image, _ in pairs])
    left, pasted = images.mean((1, 2)), images == 0
    boxes = pasted.any(1).sum(1) * pasted.any(2).sum(1)
    return [
        one_of_two(images, 0.0, 1.0, "Each pixel comes from one of the two images"),
        Claim(
            "A label's weight is the fraction of pixels that come from its image",
            0,
            "largest difference",
            gap(left, left.new_tensor([weight for _, weight in pairs])),
            *rounding(1),
        ),
        Claim(
            "What is pasted is a box", 0, "images in which it is not", int((boxes != pasted.sum((1, 2))).sum()), *EXACT
        ),
        Claim(
            "The mean of the area pasted agrees with the exact sum",
            mean,
            "sum over sides and centers, cut at the edge",
            1 - left.mean().item(),
            *mean_of_bounded(variance, 1, len(pairs)),
        ),
    ]


def _loss_claim(side: int, generator: torch.Generator) -> Claim:
    """Cross entropy of a linear model on the targets of images with a given box."""
    x, layer = normal(generator, 8, side, side), normal(generator, side * side, CLASSES)
    labels = torch.randint(CLASSES, (8,), generator=generator)
    order = torch.randperm(8, generator=generator)
    box = (side // 4, side // 2, 0, side)
    mixed, target = regularizers.cutmix(x, labels, num_classes=CLASSES, box=box, order=order)
    logits = mixed.flatten(1) @ layer
    weight = 1 - (side // 2 - side // 4) / side
    formula = "$l$ CE$(y)$ + $(1-l)$ CE$(y')$"
    return mixed_targets_claim(logits, target, labels, labels[order], weight, formula)


def _picture(alpha: float, generator: torch.Generator) -> HeatMap:
    """An image with a box of another: the first of 20 draws whose box is neither tiny nor everything."""
    rows, columns = torch.meshgrid(torch.linspace(0, 0.3, 12), torch.linspace(0, 0.3, 24), indexing="ij")
    x = torch.stack([columns, 1 - rows]).double()
    for _ in range(20):
        image, weight = _pasted(x, alpha, generator)
        if 0.1 < weight < 0.9:
            break
    return HeatMap(
        title="An example of 12 x 24 pixels: a box of one image (values 0.7 to 1) in another (0 to 0.3)",
        values=image.tolist(),
        low=0,
        high=1,
        row_label="row",
        column_label="column",
        note=f"The target is {weight:.3g} of the outer image's label and {1 - weight:.3g} of the pasted image's.",
    )


def _by_drawn_area(right, x, y, alpha=1.0, *, generator=None, box=None, **kw):
    if box is not None:
        return right(x, y, alpha, box=box, generator=generator, **kw)
    drawn = torch.rand((), generator=generator).item()
    mixed, _ = right(x, y, alpha, generator=generator, **kw)
    return mixed, drawn * y + (1 - drawn) * y.flip(0)


def _side_without_root(right, x, y, alpha=1.0, *, generator=None, box=None, **kw):
    if box is None:
        height, width = x.shape[-2:]
        length, row, column = torch.rand(3, generator=generator).tolist()
        top, left = int(row * height) - int(length * height) // 2, int(column * width) - int(length * width) // 2
        bottom, end = min(top + int(length * height), height), min(left + int(length * width), width)
        box = (max(top, 0), bottom, max(left, 0), end)
    return right(x, y, alpha, box=box, **kw)


WRONG = [
    Wrong("labels by the area drawn", "cutmix", _by_drawn_area),
    Wrong("sides of 1 - l", "cutmix", _side_without_root),
    Wrong(
        "labels not mixed",
        "cutmix",
        lambda right, x, y, a=1.0, **kw: (
            right(x, y, a, **kw)[0],
            right(x, y, a, box=(0, 0, 0, 0), order=kw["order"], num_classes=kw.get("num_classes"))[1],
        ),
    ),
    Wrong(
        "blends as mixup does",
        "cutmix",
        lambda right, x, y, a=1.0, *, box=None, **kw: regularizers.mixup(x, y, a, **kw),
    ),
    Wrong(
        "half of the box pasted",
        "cutmix",
        lambda right, x, y, a=1.0, **kw: (x + (right(x, y, a, **kw)[0] - x) / 2, right(x, y, a, **kw)[1]),
    ),
]
