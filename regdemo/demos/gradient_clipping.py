"""Gradient clipping: bound a step, by norm or by value.

Clips a gradient with one exploded entry by its norm, by value, and one tensor at a time; measures length and direction
after each, what is left of a gradient below the bound, and what a single inf does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, rounding
from regdemo.errors import ArgumentError
from regdemo.measure import Wrong, gap, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "gradients"
PROVIDED_BY = "torch.nn.utils.clip_grad_norm_"
SAY = (
    r"Clipping by norm scales the whole gradient by $\min(1, c/|g|)$ for the bound $c$: the direction stays, only the "
    "length is bounded, so a step of plain SGD is at most the learning rate times $c$ long. Clipping by value bounds "
    "each entry and in general turns the direction. Log the norm that clip_grad_norm_ returns: it is the one before "
    "clipping."
)
WRONG_ANSWER = (
    "'Clipping protects from inf gradients.' By norm, one inf makes the norm infinite, the factor 0, and the "
    "gradient zeros with a NaN in it; by value, an inf becomes the bound, and a NaN stays NaN. Close second: "
    "calling clip_grad_norm_ for each layer in a loop, which can turn the direction of the step."
)
CARDS = ("Q18.154", "Q18.155", "Q18.156", "Q18.157")

EXPLODED = 1000.0  # what the outlier's entry is multiplied by
ROUNDING = rounding(1, digits=1e-12)  # float64 throughout


def gradient_clipping(
    *,
    max_norm: Annotated[float, Parameter("Largest norm, or largest entry when clipping by value.", 0.001, 100)] = 1.0,
    size: Annotated[int, count("Entries of each of the two gradients.", 2, 100_000)] = 64,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure clipping by norm, by value and for each tensor on two parameters' gradients."""
    generator = seeded(seed)
    clipped = _clipped(max_norm, size, generator)
    with_inf = _with_inf(max_norm, size, generator)
    return Measurement(
        title=f"Gradient clipping at {max_norm:g}",
        claims=[*clipped.claims, *with_inf.claims],
        picture=clipped.picture,
        blocks=[
            Text(
                "Clipping by norm takes the gradients of all parameters as one vector and shortens it to the "
                f"norm {max_norm:g} when it is longer. Clipping by value limits each entry by itself to the range from "
                f"-{max_norm:g} to {max_norm:g}."
            ),
            *clipped.blocks,
            *with_inf.blocks,
        ],
    )


def _clipped(max_norm: float, size: int, generator: Generator) -> Measurement:
    """Two parameters' gradients, one entry of the first exploded, clipped in three ways."""
    # Every entry is past max_norm, so that each way of clipping has something to do.
    raw = (1 + torch.rand(2, size, generator=generator, dtype=torch.float64)) * max_norm
    raw[0, 0] *= EXPLODED
    by_norm, by_value, each_alone = (_parameters(raw) for _ in range(3))
    returned = torch.nn.utils.clip_grad_norm_(by_norm, max_norm).item()
    torch.nn.utils.clip_grad_value_(by_value, max_norm)
    for parameter in each_alone:
        torch.nn.utils.clip_grad_norm_(parameter, max_norm)
    ways = {
        "none": raw.flatten(),
        "by norm": _gradient(by_norm),
        "by value": _gradient(by_value),
        "each tensor alone": _gradient(each_alone),
    }
    norm = raw.norm().item()
    claims = [
        Claim("clip_grad_norm_ returns the norm before clipping", norm, "$|g|$", returned, *rounding(norm)),
        *_norm_claims(ways["by norm"], raw.flatten(), max_norm),
        *_turned_claims(ways["by value"], ways["each tensor alone"], raw, max_norm),
        _short_claim(raw * (0.5 * max_norm / norm), max_norm),
    ]
    return Measurement("", claims, [_ways_table(ways)], [_picture(ways)])


def _parameters(gradients: Tensor) -> list[Tensor]:
    """A parameter for each row, with that gradient."""
    parameters = [torch.zeros_like(gradient, requires_grad=True) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    return parameters


def _gradient(parameters: list[Tensor]) -> Tensor:
    return torch.cat([parameter.grad for parameter in parameters if parameter.grad is not None])


def _norm_claims(clipped: Tensor, gradient: Tensor, max_norm: float) -> list[Claim]:
    norm = gradient.norm().item()
    return [
        Claim(
            "Clipped by norm, the gradient has the norm allowed",
            max_norm * norm / (norm + 1e-6),
            "$c |g| / (|g| + 10^{-6})$",
            clipped.norm().item(),
            *rounding(max_norm),
        ),
        Claim(
            "Clipped by norm, the gradient keeps its direction", 1, "cosine = 1", _cosine(clipped, gradient), *ROUNDING
        ),
    ]


def _turned_claims(by_value: Tensor, each_alone: Tensor, raw: Tensor, max_norm: float) -> list[Claim]:
    """The two ways that turn the direction."""
    gradient = raw.flatten()
    each = torch.cat([row / (row.norm() + 1e-6) for row in raw])
    return [
        Claim(
            "Clipped by value, no entry is larger than allowed", max_norm, r"$\max |g_i| = c$", gap(by_value), *EXACT
        ),
        Claim(
            "By value the outlier counts like any other entry, and the direction turns",
            gradient.sum().item() / (raw.norm().item() * len(gradient) ** 0.5),
            "cosine of g and its signs",
            _cosine(by_value, gradient),
            *ROUNDING,
        ),
        Claim(
            "With each tensor clipped alone, the direction turns too",
            _cosine(each, gradient),
            "cosine of g and its tensors over their norms",
            _cosine(each_alone, gradient),
            *ROUNDING,
        ),
    ]


def _cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def _short_claim(gradients: Tensor, max_norm: float) -> Claim:
    below = _parameters(gradients)
    torch.nn.utils.clip_grad_norm_(below, max_norm)
    change = gap(_gradient(below), gradients.flatten())
    return Claim("A gradient below the bound is left alone", 0, "largest difference", change, *EXACT)


def _ways_table(ways: dict[str, Tensor]) -> Table:
    gradient = ways["none"]
    return Table(
        title=f"A gradient of norm {gradient.norm().item():.4g}, with one of its {len(gradient):,} entries "
        f"{EXPLODED:g} times too large",
        columns=["clipped", "norm", "largest entry", "cosine to g"],
        rows=[[name, g.norm().item(), gap(g), _cosine(g, gradient)] for name, g in ways.items()],
        note="By norm the gradient keeps its direction. By value, and with each tensor clipped alone, it is turned.",
    )


def _picture(ways: dict[str, Tensor]) -> Curves:
    entries = len(ways["none"])
    at = [float(i + 1) for i in range(min(16, entries // 2))]
    return Curves(
        title=f"The first {len(at)} of the gradient's {entries:,} entries, relative to the largest, after clipping by "
        "norm and by value",
        x_label="entry",
        y_label="entry over the largest",
        series=[
            Series(name, at, (ways[name][: len(at)] / gap(ways[name])).tolist()) for name in ("by norm", "by value")
        ],
        note="Entry 1 has exploded. By norm it is still far larger than the others; by value all are "
        "equal, as each was above the bound.",
    )


def _with_inf(max_norm: float, size: int, generator: Generator) -> Measurement:
    """What one inf does to a clipped gradient, and who says so."""
    layer = torch.nn.Module()
    layer.weight = torch.nn.Parameter(torch.zeros(size, dtype=torch.float64))
    gradient = 1 + torch.rand(size, generator=generator, dtype=torch.float64)
    gradient[0] = torch.inf
    layer.weight.grad = gradient
    said, refused = "", 0
    try:
        regularizers.check_gradients(layer)
    except ArgumentError as error:
        said = str(error)
    try:
        torch.nn.utils.clip_grad_norm_(layer.parameters(), max_norm, error_if_nonfinite=True)
    except RuntimeError:
        refused = 1
    torch.nn.utils.clip_grad_norm_(layer.parameters(), max_norm)
    after = layer.weight.grad
    (held,) = _parameters(torch.tensor([[torch.inf, torch.nan]], dtype=torch.float64))
    torch.nn.utils.clip_grad_value_(held, max_norm)
    inf, nan = _gradient([held])
    claims = [
        Claim("By value, an inf becomes the bound", max_norm, "c", inf.item(), *rounding(max_norm)),
        Claim("By value, a NaN stays NaN", 1, "entries that are NaN", int(nan.isnan()), *EXACT),
        Claim("By norm, the inf becomes a NaN", 1, "entries that are NaN", after.isnan().sum().item(), *EXACT),
        Claim(
            "By norm, every finite entry becomes 0", size - 1, "entries that are 0", (after == 0).sum().item(), *EXACT
        ),
        Claim("error_if_nonfinite=True refuses the inf", 1, "errors raised", refused, *EXACT),
        Claim("check_gradients names the parameter", 1, "errors that say weight", int("weight" in said), *EXACT),
    ]
    text = Text(
        "Clipping by norm does not remove an inf. By default clip_grad_norm_ says nothing, and the next step "
        f"makes that entry of the weight NaN. check_gradients raises an error before the step: '{said}'."
    )
    return Measurement("", claims, [text])


NORM = "torch.nn.utils.clip_grad_norm_"
WRONG = [
    Wrong(
        "by value",
        NORM,
        lambda right, parameters, max_norm, **kw: (
            right(parameters := _listed(parameters), torch.inf, **kw),
            torch.nn.utils.clip_grad_value_(parameters, max_norm),
        )[0],
    ),
    Wrong(
        "each tensor by itself",
        NORM,
        lambda right, parameters, max_norm, **kw: (
            sum(right([p], max_norm, **kw) ** 2 for p in _listed(parameters)) ** 0.5
        ),
    ),
    Wrong(
        "returns the norm after clipping",
        NORM,
        lambda right, parameters, max_norm, **kw: right(_listed(parameters), max_norm, **kw).clamp(max=max_norm),
    ),
    Wrong(
        "short gradients are lengthened",
        NORM,
        lambda right, parameters, max_norm, **kw: _to(right, _listed(parameters), max_norm, **kw),
    ),
    Wrong(
        "by value, NaN becomes 0",
        "torch.nn.utils.clip_grad_value_",
        lambda right, parameters, bound: [
            right(parameters, bound),
            *(p.grad.nan_to_num_() for p in _listed(parameters)),
        ],
    ),
    Wrong("check_gradients that says nothing", "check_gradients", lambda right, model: None),
]


def _listed(parameters):
    return [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)


def _to(right, parameters, max_norm, **kw):
    norm = right(parameters, torch.inf, **kw)
    for p in parameters:
        p.grad *= max_norm / norm
    return norm
