"""Clipped scaled: clip_grad_norm_ before the scaler has unscaled.

In mixed precision the loss is multiplied by a large factor S, so that small gradients survive in float16. Until
`scaler.unscale_` they are S times too long. Clipped to c before that, and divided by S afterwards, they are c/S long:
training seems to stand still, or the clip is believed to do nothing harmful.
"""

import torch
from torch.nn.utils import clip_grad_norm_

from regdemo.bounds import rounding
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim

BREAKS = "gradient_clipping"
CARDS = ("Q18.266", "Q18.154", "Q18.155")
SAY = (
    "With a GradScaler the order is backward, unscale_, clip, step, update. Clipping before unscale_ bounds the "
    "scaled gradient, so the real one is at most c/S: with the default scale of 65,536, nothing."
)
WRONG_ANSWER = "'Clip right after backward, as always.' What stands there is the gradient times the scale."

C, SCALE, SIZE = 1.0, 65_536.0, 10


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

    def step(snippet) -> float:
        """The length of a step of SGD at lr = 1: that of the gradient it used."""
        w = torch.zeros(SIZE, requires_grad=True)
        scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)
        snippet(scaler, torch.optim.SGD([w], lr=1.0), [w], w @ direction, C)
        return w.detach().norm().item()

    return [
        Claim("The step at lr = 1 from a gradient of norm 3", C / SCALE, "c/S", step(broken), *rounding(C / SCALE)),
        fixed_claim("The step has the length asked for", C, "c", step(fixed), *rounding(C)),
    ], []
