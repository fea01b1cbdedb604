"""Clipped scaled: clip_grad_norm_ before the scaler has unscaled.

With a GradScaler the loss is multiplied by a large factor S, so that small gradients survive in float16. Until
`scaler.unscale_` the gradients are S times too long. With the bound $c$, a gradient whose true norm exceeds $c/S$ is
clipped to $c$ while it is scaled, and then divided by S, so the step uses a gradient of norm $c/S$: SGD hardly moves.
Adam can hide the fault, as it divides by the size of the gradients.
"""

import torch
from torch.nn.utils import clip_grad_norm_

from regdemo.bounds import rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim

BREAKS = "gradient_clipping"
CARDS = ("Q18.266", "Q18.154", "Q18.155")
SAY = (
    "With a GradScaler the order is backward, unscale_, clip, step, update. Clipping before unscale_ "
    "bounds the scaled gradient by $c$, so the norm of the real one is at most $c/S$: 1.5e-5 for $c = 1$ and the"
    " default initial scale S of 65,536."
)
WRONG_ANSWER = "'Clip right after backward, as usual.' With a GradScaler .grad then holds the gradient times the scale."

C, SCALE, SIZE, LR = 1.0, 65_536.0, 10, 0.01


def broken(scaler, optimizer, parameters, loss, max_norm):
    scaler.scale(loss).backward()
    clip_grad_norm_(parameters, max_norm)
    scaler.step(optimizer)
    scaler.update()


def fixed(scaler, optimizer, parameters, loss, max_norm):
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(parameters, max_norm)
    scaler.step(optimizer)
    scaler.update()


def measure() -> tuple[list[Claim], list[Block]]:
    direction = torch.randn(SIZE)
    direction *= 3 * C / direction.norm()

    def step(snippet, length: float = 3 * C, optimizer=torch.optim.SGD, lr: float = 1.0) -> float:
        """How far a step leads: with SGD at lr = 1, the norm of the gradient that it used."""
        w = torch.zeros(SIZE, requires_grad=True)
        scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)
        snippet(scaler, optimizer([w], lr=lr), [w], w @ direction * (length / (3 * C)), C)
        return w.detach().norm().item()

    adam = step(broken, optimizer=torch.optim.Adam, lr=LR) / (LR * SIZE**0.5)
    return [
        Claim("SGD's step at lr = 1 from a gradient of norm 3", C / SCALE, "$c/S$", step(broken), *rounding(C / SCALE)),
        Claim(
            "SGD's step at lr = 1 from a gradient of norm 0.5, below $c$",
            C / SCALE,
            "$c/S$",
            step(broken, C / 2),
            *rounding(C / SCALE),
        ),
        Claim(
            "Adam hides the fault: its first step per weight, in units of lr",
            1,
            "1",
            adam,
            0.2,
            "entries below eps hardly move",
        ),
        fixed_claim("SGD's step at lr = 1 from a gradient of norm 3", C, "$c$", step(fixed), *rounding(C)),
        fixed_claim(
            "SGD's step at lr = 1 from a gradient of norm 0.5",
            C / 2,
            "unclipped = 0.5",
            step(fixed, C / 2),
            *rounding(C),
        ),
    ], []


WRONG = [
    Wrong(
        "a larger max_norm",
        f"{__name__}.fixed",
        lambda right, scaler, optimizer, w, loss, c: broken(scaler, optimizer, w, loss, 100 * c),
    ),
    Wrong(
        "a loss divided by the scale first",
        f"{__name__}.fixed",
        lambda right, scaler, optimizer, w, loss, c: broken(scaler, optimizer, w, loss / scaler.get_scale(), c),
    ),
    Wrong(
        "unscale_ after the clip",
        f"{__name__}.fixed",
        lambda right, scaler, optimizer, w, loss, c: _unscaled_late(scaler, optimizer, w, loss, c),
    ),
]


def _unscaled_late(scaler, optimizer, parameters, loss, max_norm):
    scaler.scale(loss).backward()
    clip_grad_norm_(parameters, max_norm)
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
