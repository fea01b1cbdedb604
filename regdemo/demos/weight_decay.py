"""Weight decay: shrink weights outside the gradient.

AdamW shrinks each weight directly; Adam with L2 in the loss divides the penalty's gradient by the gradients' running
scale, so the decay depends on the gradients. Measures both on the same gradients, checks AdamW's formula and that
under SGD decay and penalty agree, and shows which parameters are exempt.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, gap, global_generator, normal, seeded
from regdemo.parameters import SEED, Parameter
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Generator, Tensor

ACTS_ON = "weights"
PROVIDED_BY = "torch.optim.AdamW"
SAY = (
    r"AdamW multiplies each weight by $1 - \eta \lambda$ and takes Adam's step on the gradient alone. Under plain "
    "SGD an L2 term in the loss shrinks weights in the same way. Adam divides the penalty's gradient by the gradients' "
    "running scale, so the larger a weight's gradients, the less it is decayed. By convention biases and norm "
    "parameters are exempt, but AdamW's defaults decay them too: exempting them takes parameter groups."
)
WRONG_ANSWER = (
    r"'AdamW adds $\lambda |w|^2$ to the loss.' That is Adam with L2. Close second: '$\lambda \sum w^2$ is "
    r"weight_decay = $\lambda$'. Its gradient is $2 \lambda w$, so it is weight_decay = $2 \lambda$, in SGD and "
    "Adam, not in AdamW."
)
CARDS = ("Q18.150", "Q18.151", "Q18.152", "Q18.153")

LR, STEPS = 1e-2, 200
SCALES = (0.01, 1.0, 100.0)  # standard deviations of the gradients that a weight meets
REPEATS = 16
ROUNDING = rounding(1, digits=1e-12)  # float64 throughout


def weight_decay(
    *,
    weight_decay: Annotated[float, Parameter("Weight decay, or the L2 penalty's coefficient.", 0.001, 1)] = 0.1,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure what AdamW and Adam with an L2 penalty do to the same weights under the same gradients."""
    generator = seeded(seed)
    first, many = _first_step(weight_decay, generator), _many_steps(weight_decay, generator)
    groups = _groups(weight_decay, generator)
    return Measurement(
        title=f"Weight decay at {weight_decay:g}",
        claims=[*first.claims, *many.claims, *groups.claims],
        picture=many.picture,
        blocks=[
            Text(
                rf"AdamW multiplies each weight by $1 - \eta \lambda$ = {1 - LR * weight_decay:g} "
                r"in each step, then takes Adam's step. An L2 penalty adds $\lambda w$ to the gradient instead, and "
                "Adam divides the sum's running mean by the root of its running mean square."
            ),
            *first.blocks,
            *many.blocks,
            *groups.blocks,
        ],
    )


def _first_step(wd: float, generator: Generator) -> Measurement:
    """One step at a data gradient of 0, and plain SGD, where L2 and weight decay agree."""
    start = 1 + torch.rand(8, generator=generator, dtype=torch.float64)  # above 0, so that L2 moves all one way
    zero = torch.zeros(1, *start.shape, dtype=torch.float64)
    by_decay = (start - _run(torch.optim.AdamW, start, zero, weight_decay=wd)[-1]).mean().item()
    by_l2 = (start - _run(torch.optim.Adam, start, zero, weight_decay=wd)[-1]).mean().item()

    penalized = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((wd / 2) * penalized.square().sum(), penalized)
    sgd = _run(torch.optim.SGD, start, zero, weight_decay=wd)[-1] - _run(torch.optim.SGD, start, gradient[None])[-1]
    claims = [
        Claim(
            "At a data gradient of 0, AdamW moves a weight on average by",
            LR * wd * start.mean().item(),
            r"$\eta \lambda$ mean(w)",
            by_decay,
            *ROUNDING,
        ),
        Claim(
            r"Under SGD, weight_decay = $2 \lambda$ is the penalty $\lambda \sum w^2$",
            0,
            "largest difference",
            gap(sgd),
            *ROUNDING,
        ),
    ]
    table = Table(
        title=f"One step from a mean weight of {start.mean().item():.4g} at a data gradient of 0, lr = {LR:g}",
        columns=["optimizer", "mean move"],
        rows=[[f"AdamW, weight_decay = {wd:g}", by_decay], [f"Adam, L2 coefficient {wd:g}", by_l2]],
        note="Adam normalizes what it is given: in the first step a penalty alone, its gradient far above eps, moves a "
        "weight by lr whatever the coefficient.",
    )
    return Measurement("", claims, [table])


def _run(make: Callable[..., torch.optim.Optimizer], start: Tensor, gradients: Tensor, **options: Any) -> Tensor:
    """The weights after each step, from `start`, when the gradients are those handed in."""
    w = torch.nn.Parameter(start.clone())
    optimizer = make([w], lr=LR, **options)
    path = [start]
    for gradient in gradients:
        w.grad = gradient.clone()
        optimizer.step()
        path.append(w.detach().clone())
    return torch.stack(path)


def _many_steps(wd: float, generator: Generator) -> Measurement:
    """STEPS steps of weights that start at 1 and of ones that start at 0, on the same gradients of each scale."""
    scales = torch.tensor(SCALES, dtype=torch.float64).repeat_interleave(REPEATS)
    gradients = normal(generator, STEPS, len(scales)) * scales
    gradients = gradients.unsqueeze(1).expand(-1, 2, -1)
    start = torch.tensor([[1.0], [0.0]], dtype=torch.float64).expand(2, len(scales))
    decayed = _run(torch.optim.AdamW, start, gradients, weight_decay=wd)
    same = _run(torch.optim.Adam, start, gradients, weight_decay=wd, decoupled_weight_decay=True)
    plain = _run(torch.optim.Adam, start, gradients)
    by_adamw, by_l2 = _remains(decayed), _remains(_run(torch.optim.Adam, start, gradients, weight_decay=wd))
    expected = decayed[:-1] * (1 - LR * wd) + plain.diff(dim=0)
    left = [[path[-1] for path in paths] for paths in (by_adamw, by_l2)]
    claims = [
        Claim(
            "Each AdamW step is Adam's step and the decay",
            0,
            r"$w' - (w - \eta \lambda w)$ - Adam's step",
            gap(decayed[1:], expected),
            *ROUNDING,
        ),
        Claim(
            "Adam with decoupled_weight_decay=True is AdamW, bit for bit",
            0,
            r"$\max |w - w_{AdamW}|$",
            gap(same, decayed),
            *EXACT,
        ),
        *_remains_claims(wd, *left),
    ]
    return Measurement("", claims, [_remains_table(wd, *left)], [_picture(by_adamw, by_l2)])


def _remains(path: Tensor) -> list[list[float]]:
    """What is left of a weight of 1 after each step, at each scale: its path from 1 less its path from 0."""
    return (path[:, 0] - path[:, 1]).view(-1, len(SCALES), REPEATS).mean(2).T.tolist()


def _remains_claims(wd: float, by_adamw: list[float], by_l2: list[float]) -> list[Claim]:
    return [
        *(
            Claim(
                f"What AdamW leaves of a weight of 1, at gradients of scale {scale:g}",
                (1 - LR * wd) ** STEPS,
                rf"$(1 - \eta \lambda)^{{{STEPS}}}$",
                left,
                *ROUNDING,
            )
            for scale, left in zip(SCALES, by_adamw, strict=True)
        ),
        Claim(
            "Under L2, the larger a weight's gradients, the less it decays",
            len(SCALES) - 1,
            "pairs of scales in that order",
            sum(less < more for less, more in pairwise(by_l2)),
            *EXACT,
        ),
    ]


def _remains_table(wd: float, by_adamw: list[float], by_l2: list[float]) -> Table:
    return Table(
        title=f"What {STEPS} steps leave of a weight of 1, lr = {LR:g}, coefficient {wd:g}",
        columns=["scale of its gradients", "AdamW", "Adam with L2"],
        rows=[[f"{scale:g}", *left] for scale, *left in zip(SCALES, by_adamw, by_l2, strict=True)],
        note=rf"AdamW leaves $(1 - \eta \lambda)^{{{STEPS}}}$ = {(1 - LR * wd) ** STEPS:.4g} at each scale. Under L2 "
        "what is left depends on the scale of the gradients.",
    )


def _picture(by_adamw: list[list[float]], by_l2: list[list[float]]) -> Curves:
    at = [float(step) for step in range(STEPS + 1)]
    return Curves(
        title="What is left of a weight of 1, for gradients of three scales",
        x_label="step",
        y_label="what is left",
        series=[
            Series("AdamW, each scale", at, by_adamw[0]),
            *(
                Series(f"Adam with L2, gradients of {scale:g}", at, left)
                for scale, left in zip(SCALES, by_l2, strict=True)
            ),
        ],
        note="What is left: of two weights with the same gradients one starts at 1, the other at 0; this is their "
        "difference. AdamW decays a weight at one rate; under L2 the decay depends on the scale of its gradients.",
    )


def _groups(wd: float, generator: Generator) -> Measurement:
    """Which parameters of a small model a step of AdamW decays, with its groups and without."""
    with global_generator(generator):  # layers draw their weights from it
        model = torch.nn.ModuleDict(
            {"embedding": torch.nn.Embedding(11, 6), "linear": torch.nn.Linear(6, 6), "norm": torch.nn.LayerNorm(6)}
        )
    groups = regularizers.decay_groups(model, wd)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    torch.optim.AdamW(groups, lr=LR).step()
    moved = {name: gap(p.detach(), before[name]) for name, p in model.named_parameters()}
    ungrouped = torch.nn.Parameter(torch.ones(6))
    ungrouped.grad = torch.zeros(6)
    torch.optim.AdamW([ungrouped], lr=LR, weight_decay=wd).step()
    matrices = {"embedding.weight", "linear.weight"}
    claims = [
        Claim(
            "With decay_groups the matrices decay, and nothing else",
            len(moved),
            "parameters that do as said",
            sum((move > 0) == (name in matrices) for name, move in moved.items()),
            *EXACT,
        ),
        Claim(
            "Without groups a norm's gain of 1 also decays, by",
            LR * wd,
            r"$\eta \lambda$",
            1 - ungrouped.detach().double().mean().item(),
            *rounding(1),
        ),
    ]
    table = Table(
        title="decay_groups(model, weight_decay): one step at a data gradient of 0",
        columns=["parameter", "shape", "largest move"],
        rows=[[name, "x".join(map(str, p.shape)), moved[name]] for name, p in model.named_parameters()],
        note="A norm's gain and a bias are exempt by convention; AdamW's defaults decay them too.",
    )
    return Measurement("", claims, [table])


ADAMW = "torch.optim.AdamW"
WRONG = [
    Wrong("Adam with L2", ADAMW, lambda right, params, **kw: torch.optim.Adam(params, **kw)),
    Wrong(
        "decays twice as fast",
        ADAMW,
        lambda right, params, weight_decay=0.0, **kw: right(_groups_of(params, 2), weight_decay=2 * weight_decay, **kw),
    ),
    Wrong(
        "does not decay",
        ADAMW,
        lambda right, params, weight_decay=0.0, **kw: right(_groups_of(params, 0), weight_decay=0.0, **kw),
    ),
    Wrong(
        "everything decays",
        "decay_groups",
        lambda right, model, wd: [{"params": list(model.parameters()), "weight_decay": wd}],
    ),
    Wrong(
        "the groups are swapped",
        "decay_groups",
        lambda right, model, wd: [{**group, "weight_decay": wd - group["weight_decay"]} for group in right(model, wd)],
    ),
]


def _groups_of(params, times):
    return [{**g, "weight_decay": times * g["weight_decay"]} if isinstance(g, dict) else g for g in params]
