"""Adam steps of perceptrons under plain dropout, written out by hand: what autograd would do, without its engine.

A step of the general path spends as much on autograd, dispatch and masks as on its matrix products. Here forward pass,
backward pass and optimizer are a few dozen calls on stacked tensors; the mask is never scaled: 1/(1-p) is a factor of
the products instead. `benchmarks/lab.py` prints what that gains, and a test holds the gradients against autograd's.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from regdemo.lab.ensemble import Ensemble
from regdemo.lab.streams import RngStreams
from regdemo.lab.task import Task

ALIGNED = 16  # numbers: each parameter begins on a line of the cache, as one with memory of its own does


class Adam:
    """torch.optim.AdamW with its defaults, for parameters of which every second one is a bias and does not decay.

    It calls what AdamW calls, on parameters that lie in one block of memory, as do their gradients. An optimizer of
    torch's imports torch's compiler at its first step, which takes as long as to import torch.
    """

    def __init__(self, parameters: Sequence[Tensor], learning_rate: float, weight_decay: float) -> None:
        self.learning_rate = learning_rate
        # Without decay all are one block.
        weights, biases = parameters[::2], parameters[1::2]
        parts = [(weights, weight_decay), (biases, 0.0)] if weight_decay else [(parameters, 0.0)]
        self._blocks = [(_in_one_block(part), decay) for part, decay in parts]

    @property
    def state(self) -> dict[Tensor, dict[str, Tensor]]:
        """What it keeps from step to step of each block, as an optimizer of torch's does of each parameter."""
        return {b.value: {"exp_avg": b.first, "exp_avg_sq": b.second, "step": b.steps} for b, _ in self._blocks}

    def zero_grad(self) -> None:
        """Forget the gradients of the last step."""
        for block, _ in self._blocks:
            block.gradient.zero_()

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters in place, by their gradients."""
        for block, decay in self._blocks:
            adamw(
                [block.value],
                [block.gradient],
                [block.first],
                [block.second],
                [],
                [block.steps],
                fused=True,
                amsgrad=False,
                maximize=False,
                beta1=0.9,
                beta2=0.999,
                eps=1e-8,
                lr=self.learning_rate,
                weight_decay=decay,
            )


class _Block(NamedTuple):
    value: Tensor
    gradient: Tensor
    first: Tensor  # the moments
    second: Tensor
    steps: Tensor


def _in_one_block(parameters: Sequence[Tensor]) -> _Block:
    """Move them into one block, and give each a gradient that is its part of another."""
    places = [0]
    for parameter in parameters:
        places.append(places[-1] + ALIGNED * ceil(parameter.numel() / ALIGNED))
    value, gradient, first, second = (torch.zeros(places[-1], dtype=parameters[0].dtype) for _ in range(4))
    for parameter, place in zip(parameters, places, strict=False):
        own, grad = (t[place : place + parameter.numel()].view_as(parameter) for t in (value, gradient))
        parameter.data, parameter.grad = own.copy_(parameter.data), grad
    return _Block(value, gradient, first, second, torch.zeros(()))


def fits(task: Task, model: object) -> bool:
    """Whether the steps below are the ones asked for, the techniques aside."""
    return (
        type(model) is Ensemble
        and bool(task.classes)
        and task.dtype == torch.float32
        and task.precision == "float32"
        and task.device.type == "cpu"
        and task.optimizer == "adam"
    )


def backward(
    parameters: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    masks: Sequence[Tensor],
    scale: float,
    gradients: Sequence[Tensor],
) -> None:
    """Write the gradient of each member's mean cross entropy in every parameter into `gradients`.

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
    torch.sum(delta.mT, 1, keepdim=True, out=gradients[-1])
    gradients[-2].copy_(_product(delta, hidden[-1], factor).mT)
    if len(weights) > 1:
        upstream = _product(delta.mT, weights[-1].mT, factor)
    for layer in range(len(weights) - 2, -1, -1):
        factor = scale if masks and layer else 1.0
        # Where h is above 0, its ReLU was open and its mask 1: one comparison undoes both.
        upstream = torch.ops.aten.threshold_backward(upstream, hidden[layer + 1], 0.0)
        torch.sum(upstream, 1, keepdim=True, out=gradients[2 * layer + 1])
        gradients[2 * layer].baddbmm_(hidden[layer].mT, upstream, beta=0.0, alpha=factor)
        if layer:
            upstream = _product(upstream, weights[layer].mT, factor)


def _product(a: Tensor, b: Tensor, factor: float) -> Tensor:
    """factor a b. Without the factor `bmm` would do; with it this is one call, and no slower."""
    return torch.empty((len(a), a.shape[1], b.shape[2]), dtype=a.dtype).baddbmm_(a, b, beta=0.0, alpha=factor)


@torch.no_grad()
def train(
    task_x: Tensor,
    task_y: Tensor,
    parameters: Sequence[Tensor],
    optimizer: Adam,
    batches: Sequence[Tensor],
    p: float,
    streams: RngStreams | None,
) -> None:
    """One step on each batch, (S, B) numbers of examples, as `TrainingRun.step` takes them.

    streams: draws the masks at rate p; None without dropout.
    """
    found = [parameter.grad for parameter in parameters if parameter.grad is not None]
    parameters = [parameter.detach() for parameter in parameters]
    units = [weight.shape[-1] for weight in parameters[:-2:2]]
    for batch in batches:
        members, size = batch.shape
        flat = batch.reshape(-1)
        x = task_x.index_select(0, flat).view(members, size, -1)
        y = task_y.index_select(0, flat).view(members, 1, size)
        masks = [streams.keep((size, n), p).view(torch.uint8) for n in units] if streams is not None and p else []
        backward(parameters, x, y, masks, 1 / (1 - p), found)
        optimizer.step()
