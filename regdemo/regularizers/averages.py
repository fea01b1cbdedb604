"""Averages of the weights along training, SWA and EMA: torch's AveragedModel, with its usual mistakes prevented."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_rate
from regdemo.regularizers.rates import find_rates

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class SWA(AveragedModel):
    """Stochastic weight averaging: the equal mean of the weights at several moments, as a model to evaluate.

        after n updates:  W_swa = (W_1 + ... + W_n) / n

    torch.optim.swa_utils.AveragedModel, which see for what else it can do; before the first update it is a copy of the
    model. Evaluate the average, `swa(x)`, not the model. Batch norm's running statistics belong to other weights than
    the mean: after the last update call `update_batch_norm`, without which evaluation is refused.
    model: copied.  device: where the average is kept, as the model if not given.
    Raises ArgumentError in eval if batch norm's statistics are older than the weights.
    Izmailov et al. 2018, https://arxiv.org/abs/1803.05407

    >>> model = nn.Linear(1, 1, bias=False)
    >>> swa = SWA(model)
    >>> for weight in (1.0, 2.0, 6.0):
    ...     _ = nn.init.constant_(model.weight, weight)
    ...     swa.update_parameters(model)
    >>> swa(torch.ones(1, 1)).item()
    3.0
    """

    def __init__(self, model: nn.Module, device: int | torch.device | None = None) -> None:
        super().__init__(model, device, multi_avg_fn=get_swa_multi_avg_fn())  # type: ignore[no-untyped-call]
        self._has_old_statistics = False

    def update_parameters(self, model: nn.Module) -> None:
        """Take the model's weights into the mean."""
        super().update_parameters(model)
        self._has_old_statistics = any(isinstance(module, BATCH_NORMS) for module in self.module.modules())

    def update_batch_norm(self, batches: Iterable[Any], device: torch.device | None = None) -> None:
        """Compute batch norm's statistics again, for the averaged weights.

        batches: training inputs, or tuples that begin with them.  device: where they are moved to first.
        torch.optim.swa_utils.update_bn, but with every drop rate that `find_rates` finds at 0: it runs the model in
        training mode, where dropout before a batch norm would inflate the variance.
        """
        with _without_dropout(self.module):
            update_bn(batches, self, device)
        self._has_old_statistics = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model returns."""
        if self._has_old_statistics and not self.training:
            raise ArgumentError(
                "batch norm's statistics are not those of the averaged weights: call update_batch_norm(batches) before"
            )
        return super().forward(*args, **kwargs)  # type: ignore[no-untyped-call]


class EMA(AveragedModel):
    """An exponential moving average of the weights, as a model to evaluate.

        W_ema <- decay W_ema + (1 - decay) W    after each step;  the first update copies W

    torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn. Evaluate the average, `ema(x)`, not the model.
    Buffers, such as batch norm's statistics, are copied from the model at each update; they lag behind it less than
    the average does, which is the usual practice.
    model: copied.  decay: 0 <= decay < 1.  device: where the average is kept, as the model if not given.
    Raises ProbabilityError unless 0 <= decay < 1.
    Tarvainen and Valpola 2017 (the mean teacher), https://arxiv.org/abs/1703.01780

    >>> model = nn.Linear(1, 1, bias=False)
    >>> ema = EMA(model, decay=0.5)
    >>> for weight in (1.0, 2.0, 6.0):
    ...     _ = nn.init.constant_(model.weight, weight)
    ...     ema.update_parameters(model)
    >>> ema(torch.ones(1, 1)).item()  # 1, then (1 + 2) / 2, then (1.5 + 6) / 2
    3.75
    """

    def __init__(self, model: nn.Module, decay: float = 0.999, device: int | torch.device | None = None) -> None:
        average = get_ema_multi_avg_fn(check_rate(decay, "decay"))  # type: ignore[no-untyped-call]
        super().__init__(model, device, multi_avg_fn=average)


@contextmanager
def _without_dropout(model: nn.Module) -> Iterator[None]:
    """Within this context every drop rate of a model is 0."""
    found = [(module, attribute, getattr(module, attribute)) for _, module, attribute in find_rates(model)]
    for module, attribute, _ in found:
        setattr(module, attribute, 0.0)
    try:
        yield
    finally:
        for module, attribute, rate in found:
            setattr(module, attribute, rate)
