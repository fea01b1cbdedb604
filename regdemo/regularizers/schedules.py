"""Rates that change with depth: the layer-wise schedule of stochastic depth and dropout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from torch import nn

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_rate

Convention = Literal["linspace", "huang"]


def layerwise_rates(depth: int, p_max: float, *, convention: Convention = "linspace") -> list[float]:
    """Drop rates that grow linearly with depth, from the input to the output.

        linspace:  p_l = p_max (l - 1) / (L - 1)    the first block is never dropped (timm)
        huang:     p_l = p_max l / L                the first block already is, a little (the paper)

    depth: L, at least 1.  Returns: L rates, the last one p_max; for L = 1, [0.0] under linspace.
    Raises ProbabilityError unless 0 <= p_max < 1, ArgumentError on a depth below 1 or an unknown convention.
    Huang et al. 2016, equation 4, https://arxiv.org/abs/1603.09382

    >>> [round(p, 4) for p in layerwise_rates(5, 0.2)]
    [0.0, 0.05, 0.1, 0.15, 0.2]
    >>> [round(p, 4) for p in layerwise_rates(5, 0.2, convention="huang")]
    [0.04, 0.08, 0.12, 0.16, 0.2]
    """
    check_rate(p_max, "p_max")
    if depth < 1:
        raise ArgumentError(f"depth = {depth} is not allowed: there must be at least 1 layer")
    if convention == "linspace":
        return [p_max * (layer / max(depth - 1, 1)) for layer in range(depth)]
    if convention == "huang":
        return [p_max * (layer / depth) for layer in range(1, depth + 1)]
    raise ArgumentError(f"convention = {convention!r} is unknown: choose 'linspace' or 'huang'")


def layerwise_dropout(layers: Iterable[nn.Module], p_max: float, *, convention: Convention = "linspace") -> list[float]:
    """Set the drop rates inside each layer of a model to grow linearly with its depth, in place.

        every module with a rate `p` inside layer l gets p_l of `layerwise_rates`

    layers: a model's blocks in order, such as `model.blocks`.  Returns: the rate of each layer.
    Raises ArgumentError if a layer holds no module with a rate: a silent no-op is the usual bug.

    >>> blocks = [nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)) for _ in range(3)]
    >>> layerwise_dropout(blocks, 0.2), [block[1].p for block in blocks]
    ([0.0, 0.1, 0.2], [0.0, 0.1, 0.2])
    """
    layers = list(layers)
    rates = layerwise_rates(len(layers), p_max, convention=convention)
    rated = [[m for m in layer.modules() if isinstance(getattr(m, "p", None), float | int)] for layer in layers]
    for number, modules in enumerate(rated):
        if not modules:
            raise ArgumentError(f"layer {number} has no module with a rate p: nothing there could be set")
    for p, modules in zip(rates, rated, strict=True):
        for module in modules:
            setattr(module, "p", p)  # noqa: B010 - typed as Tensor | Module by nn.Module
    return rates
