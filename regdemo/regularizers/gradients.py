"""What is done to gradients: the check that they are finite, DP-SGD."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_amount, check_floating
from regdemo.regularizers.draws import source


def check_gradients(model: nn.Module) -> None:
    """Raise ArgumentError, naming the parameters, if a gradient of model holds an inf or a NaN.

        call it before  torch.nn.utils.clip_grad_norm_(model.parameters(), c),  g <- g min(1, c / (|g| + 1e-6))

    One inf makes |g| infinite: clipping by norm then turns every finite entry into 0 and the inf into NaN, in silence
    unless error_if_nonfinite=True, which does not say whose gradient it was.
    model: any; a parameter without a gradient is skipped.
    Pascanu, Mikolov and Bengio 2013 (clipping by norm), https://arxiv.org/abs/1211.5063

    >>> model = nn.Linear(2, 1)
    >>> model(torch.tensor([[1.0, float("inf")]])).sum().backward()
    >>> check_gradients(model)
    Traceback (most recent call last):
    regdemo.errors.ArgumentError: the gradient of weight is not finite: 1 inf, 0 nan of 2; skip this step
    """
    bad = [
        f"{name} is not finite: {int(p.grad.isinf().sum())} inf, {int(p.grad.isnan().sum())} nan of {p.grad.numel()}"
        for name, p in model.named_parameters()
        if p.grad is not None and not p.grad.isfinite().all()
    ]
    if bad:
        raise ArgumentError(f"the gradient of {'; of '.join(bad)}; skip this step")


def dp_sgd(
    loss: Callable[..., Tensor],
    parameters: dict[str, Tensor],
    *batch: Tensor,
    max_norm: float,
    noise_multiplier: float,
    expected_batch: float | None = None,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """The gradient of differentially private SGD: each example's own is clipped, then noise is added to the sum.

        g = (sum_i g_i min(1, C / |g_i|) + N(0, (s C)^2)) / B,    g_i = grad loss(parameters, example i)

    C is max_norm, |g_i| over all parameters, s noise_multiplier, B expected_batch, or the batch's size if not given.
    The guarantee needs Poisson sampling of the batch, B the expected size whatever was drawn, no batch norm, and a
    privacy accountant, such as opacus's, to count what s, the sampling rate and the steps have spent. Poisson sampling
    may draw an empty batch, whose gradient is noise / B.
    loss: of a dict of parameters and one example, a number; what is random in it, such as dropout, is drawn for each
    example from torch's global generator. It is run for all examples at once by torch.func.vmap or, where that cannot,
    as with an LSTM or a branch on a value, for one after the other.
    batch: tensors whose first dimension is the example.
    Returns: a gradient of the same shape and dtype for each parameter.
    Raises ArgumentError unless max_norm and expected_batch are above 0 and noise_multiplier is at least 0, all finite;
    if a parameter is not floating point, the batch's tensors differ in length or are empty without expected_batch, or a
    gradient is not finite.
    Abadi et al. 2016, algorithm 1, https://arxiv.org/abs/1607.00133

    >>> def loss(parameters, x):
    ...     return (parameters["w"] * x).sum()
    >>> dp_sgd(loss, {"w": torch.zeros(2)}, torch.tensor([[3.0, 4.0], [0.0, 0.5]]), max_norm=1.0, noise_multiplier=0.0)
    {'w': tensor([0.3000, 0.6500])}
    """
    check_amount(max_norm, "max_norm", above=0)
    check_amount(noise_multiplier, "noise_multiplier")
    size = _batch_size(batch)
    if size == 0 and expected_batch is None:
        raise ArgumentError("batch is empty: its gradient is noise / expected_batch, so give expected_batch")
    divisor = check_amount(size if expected_batch is None else expected_batch, "expected_batch", above=0)
    plain = {name: check_floating(p, f"parameter {name}").detach() for name, p in parameters.items()}
    clipped = (
        _sum_of_clipped(loss, plain, batch, max_norm) if size else {n: p.new_zeros(p.shape) for n, p in plain.items()}
    )
    noisy = {}
    for name, g in clipped.items():
        noise = torch.randn(tuple(g.shape), **source(generator), device=g.device, dtype=g.dtype)
        noisy[name] = (g + noise_multiplier * max_norm * noise) / divisor
    return noisy


def _sum_of_clipped(
    loss: Callable[..., Tensor], parameters: dict[str, Tensor], batch: tuple[Tensor, ...], max_norm: float
) -> dict[str, Tensor]:
    """The sum of the examples' gradients, each scaled down to max_norm if it is longer."""
    each = _gradient_of_each(loss, parameters, batch)
    size = len(batch[0])
    norms = torch.stack([g.reshape(size, -1).norm(dim=1) for g in each.values()]).norm(dim=0)
    if not norms.isfinite().all():
        bad = (~norms.isfinite()).nonzero().flatten().tolist()
        raise ArgumentError(f"the gradient of example {bad[0]} is not finite, {len(bad)} of {size}: leave it out")
    factors = (max_norm / norms.clamp(min=max_norm)).to(norms)
    return {name: torch.tensordot(factors.to(g), g, dims=1) for name, g in each.items()}


def _gradient_of_each(
    loss: Callable[..., Tensor], parameters: dict[str, Tensor], batch: tuple[Tensor, ...]
) -> dict[str, Tensor]:
    """The gradients of the examples, stacked: all at once or, where torch.func.vmap cannot, one after the other."""
    of_one = torch.func.grad(loss)
    try:
        in_dims = (None, *(0 for _ in batch))
        each: dict[str, Tensor] = torch.func.vmap(of_one, in_dims, randomness="different")(parameters, *batch)
    except RuntimeError:  # such as of a recurrent layer; what is wrong with the loss itself is raised again by the loop
        found = [of_one(parameters, *example) for example in zip(*batch, strict=True)]
        each = {name: torch.stack([gradients[name] for gradients in found]) for name in parameters}
    return each


def _batch_size(batch: tuple[Tensor, ...]) -> int:
    """The number of examples that all tensors of the batch agree on."""
    sizes = {len(x) if x.dim() else -1 for x in batch}
    if len(sizes) != 1 or -1 in sizes:
        shapes = ", ".join(str(tuple(x.shape)) for x in batch) or "no tensor"
        raise ArgumentError(f"batch has {shapes}: its tensors must have the same first dimension")
    return sizes.pop()
