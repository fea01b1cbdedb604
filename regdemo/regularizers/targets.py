"""R-Drop and the confidence penalty. Label smoothing is torch.nn.CrossEntropyLoss's own."""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_amount, check_dim, check_floating

IGNORED = -100  # the label that torch's cross entropy leaves out


def confidence_penalty(logits: Tensor, beta: float = 0.1) -> Tensor:
    """The confidence penalty: minus beta times the mean entropy of the predictions, to be added to the loss.

        -beta H = beta * mean over examples of  sum over classes of p ln p,    p = softmax(logits)

    The value is from -beta ln K, where all K classes are equally likely, to 0, where one class is certain. It is
    beta KL(p || uniform) - beta ln K, so it has the gradient of that divergence.

    logits: (..., K), the last axis holds the classes; a class at -inf has probability 0 and gets no gradient. Leave
    padding out beforehand: logits[target != -100].
    beta: in units of the loss per nat of entropy, at least 0.
    Returns: a scalar of the logits' dtype. Where all of an example's logits are -inf it is NaN, as cross entropy is.
    Raises ArgumentError unless the logits are floating point with at least one example and one class, and beta is
    finite and at least 0.
    Pereyra et al. 2017, https://arxiv.org/abs/1701.06548

    >>> confidence_penalty(torch.tensor([[0.0, 0.0]]), beta=1.0)
    tensor(-0.6931)
    """
    check_amount(beta, "beta")
    if check_floating(logits, "logits").dim() == 0 or logits.numel() == 0:
        raise ArgumentError(
            f"logits has shape {tuple(logits.shape)}: it must be (..., K), with at least one example and one class; "
            "leave the penalty out where a batch is empty"
        )
    return -beta * entropy(logits).mean()


def entropy(logits: Tensor) -> Tensor:
    """The entropy in nats of the distribution that logits (..., K) predict, for each example: (...)."""
    log_p = logits.log_softmax(-1)
    finite = log_p.masked_fill(log_p == -inf, 0)  # 0 * -inf would be NaN, where p ln p tends to 0
    return -(log_p.exp() * finite).sum(-1)


def r_drop(first: Tensor, second: Tensor, target: Tensor, alpha: float = 1.0) -> Tensor:
    """Cross entropy of two passes under different dropout masks, and a penalty on their disagreement.

        L = mean over examples of  -ln p[t] - ln q[t] + alpha / 2 (KL(p || q) + KL(q || p))
        p = softmax(first),  q = softmax(second)

    first, second: logits (N, K), or (..., K), of the same inputs; a class at -inf has probability 0.
    target: class indices (N,), or (...); -100 leaves an example out, as in torch.
    alpha: at least 0; gradients flow into both passes.
    Returns: a scalar; 0 if every example is left out, where torch's cross entropy is NaN.
    Raises ArgumentError unless the logits are floating point, finite alpha is at least 0, target holds classes or -100,
    the shapes fit and there is an example.
    Liang et al. 2021, section 2, https://arxiv.org/abs/2106.14448

    >>> logits = torch.tensor([[0.0, 0.0]])
    >>> r_drop(logits, logits, torch.tensor([1])) / 2
    tensor(0.6931)
    """
    check_amount(alpha, "alpha")
    check_dim(check_floating(first, "first"), 2, "(N, K)", "first")
    if second.shape != first.shape or second.dtype != first.dtype:
        raise ArgumentError(
            f"second has shape {tuple(second.shape)} and {second.dtype}, first {tuple(first.shape)} and {first.dtype}: "
            "they must be two passes over the same examples"
        )
    if target.is_floating_point() or target.shape != first.shape[:-1] or target.numel() == 0:
        raise ArgumentError(
            f"target has shape {tuple(target.shape)} and {target.dtype}: it must hold {tuple(first.shape[:-1])} "
            "class indices, at least one"
        )
    log_p, log_q = first.log_softmax(-1), second.log_softmax(-1)
    counted = target != IGNORED
    label = torch.where(counted, target, 0).unsqueeze(-1)
    try:
        losses = -(log_p.gather(-1, label) + log_q.gather(-1, label)).squeeze(-1)
    except RuntimeError as error:  # asking beforehand would make a GPU wait
        outside = label[(label < 0) | (label >= first.shape[-1])]
        raise ArgumentError(
            f"target holds the label {int(outside[0])}: it must be from 0 to {first.shape[-1] - 1}, or {IGNORED} to "
            "leave the example out"
        ) from error
    if alpha:  # or an infinite disagreement would count 0 times, which is NaN
        losses = losses + alpha / 2 * _divergence(log_p, log_q)
    return torch.where(counted, losses, 0).sum() / counted.sum().clamp(min=1)


def disagreement(first: Tensor, second: Tensor) -> Tensor:
    """KL(p || q) + KL(q || p) of two passes' logits, (..., K), for each example: (...)."""
    return _divergence(first.log_softmax(-1), second.log_softmax(-1))


def _divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) + KL(q || p); a class that both give probability 0 adds nothing."""
    neither = (log_p == -inf) & (log_q == -inf)
    ratio = (log_p - log_q).masked_fill(neither, 0)  # of -inf and -inf it would be NaN
    return ((log_p.exp() - log_q.exp()) * ratio).sum(-1)
