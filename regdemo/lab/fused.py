"""Adam steps of perceptrons under plain dropout, written out by hand: what autograd would do, without its engine.

A step of the general path spends as much on autograd, dispatch and masks as on its matrix products. Here forward pass,
backward pass and optimizer are a few dozen calls on stacked tensors; the mask is never scaled: 1/(1-p) is a factor of
the products instead. `benchmarks/lab.py` prints what that gains, and a test holds the gradients against autograd's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from regdemo.lab.ensemble import Ensemble
from regdemo.lab.streams import RngStreams
from regdemo.lab.task import Task


def fits(task: Task, model: object, optimizer: object) -> bool:
    """Whether the steps below are the ones asked for, the techniques aside."""
    return (
        type(model) is Ensemble
        and bool(task.classes)
        and task.dtype == torch.float32
        and task.precision == "float32"
        and task.device.type == "cpu"
        and type(optimizer) is torch.optim.AdamW
    )


def gradients(
    parameters: Sequence[Tensor], x: Tensor, y: Tensor, masks: Sequence[Tensor], scale: float
) -> list[Tensor]:
    """The gradient of each member's mean cross entropy in every parameter.

        h_0 = x,    h_l = relu(scale h_{l-1} W_l + b_l) m_l,    logits = scale h_{L-1} W_L + b_L    (scale 1 for l = 1)

    parameters: W_1, b_1, W_2, ... each (S, ...).  x: (S, B, inputs).  y: (S, 1, B) labels.  masks: 0 or 1 as uint8,
    (S, B, units) for each hidden layer, or none.  scale: 1/(1-p).
    """
    weights, biases = parameters[::2], parameters[1::2]
    hidden, factor = [x], 1.0
    for layer, (weight, bias) in enumerate(zip(weights[:-1], biases[:-1], strict=True)):
        h = torch.baddbmm(bias, hidden[-1], weight, alpha=factor).relu_()
        if masks:
            h.mul_(masks[layer])
            factor = scale
        hidden.append(h)
    # The logits transposed, (S, classes, B): few rows are quicker than few columns.
    delta = torch.baddbmm(biases[-1].mT, weights[-1].mT, hidden[-1].mT, alpha=factor).softmax(1)
    delta.scatter_add_(1, y, delta.new_full((1, 1, 1), -1.0).expand_as(y)).mul_(1 / x.shape[1])
    found = [delta.sum(2).unsqueeze(1), _product(delta, hidden[-1], factor).mT.contiguous()]
    if len(weights) > 1:
        upstream = _product(delta.mT, weights[-1].mT, factor)
    for layer in range(len(weights) - 2, -1, -1):
        factor = scale if masks and layer else 1.0
        # Where h is above 0, its ReLU was open and its mask 1: one comparison undoes both.
        upstream = torch.ops.aten.threshold_backward(upstream, hidden[layer + 1], 0.0)
        found += [upstream.sum(1, keepdim=True), _product(hidden[layer].mT, upstream, factor)]
        if layer:
            upstream = _product(upstream, weights[layer].mT, factor)
    return found[::-1]


def _product(a: Tensor, b: Tensor, factor: float) -> Tensor:
    """factor a b. Without the factor `bmm` would do; with it this is one call, and no slower."""
    return torch.empty((len(a), a.shape[1], b.shape[2]), dtype=a.dtype).baddbmm_(a, b, beta=0.0, alpha=factor)


@torch.no_grad()
def train(
    task_x: Tensor,
    task_y: Tensor,
    parameters: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Tensor],
    p: float,
    streams: RngStreams | None,
) -> None:
    """One step on each batch, (S, B) numbers of examples, as `TrainingRun.step` takes them.

    streams: draws the masks at rate p; None without dropout. The optimizer's state is used and left up to date.
    """
    states = [_state(optimizer, parameter) for parameter in parameters]
    parameters = [parameter.detach() for parameter in parameters]
    first, second, counts = ([state[key] for state in states] for key in ("exp_avg", "exp_avg_sq", "step"))
    decays = [optimizer.param_groups[0]["weight_decay"], 0.0]
    options = {key: optimizer.param_groups[0][key] for key in ("lr", "eps", "amsgrad", "maximize")}
    beta1, beta2 = optimizer.param_groups[0]["betas"]
    # Weights decay and biases do not: without decay all are one call.
    parts = [slice(0, None, 2), slice(1, None, 2)] if decays[0] else [slice(None)]
    units = [weight.shape[-1] for weight in parameters[:-2:2]]
    for batch in batches:
        members, size = batch.shape
        flat = batch.reshape(-1)
        x = task_x.index_select(0, flat).view(members, size, -1)
        y = task_y.index_select(0, flat).view(members, 1, size)
        masks = [streams.keep((size, n), p).view(torch.uint8) for n in units] if streams is not None and p else []
        found = gradients(parameters, x, y, masks, 1 / (1 - p))
        for part, decay in zip(parts, decays, strict=False):
            adamw(
                parameters[part],
                found[part],
                first[part],
                second[part],
                [],
                counts[part],
                fused=True,
                beta1=beta1,
                beta2=beta2,
                weight_decay=decay,
                **options,
            )


def _state(optimizer: torch.optim.Optimizer, parameter: Tensor) -> dict[str, Any]:
    """The optimizer's own state of a parameter, made as its first step would."""
    state: dict[str, Any] = optimizer.state[parameter]
    if not state:
        state["step"] = torch.zeros((), dtype=torch.float32)
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
    return state
