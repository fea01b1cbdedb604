"""Noise on the depth: whole residual branches (DropPath, or stochastic depth), and whole layers (LayerDrop)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from regdemo.regularizers.checks import check_dim, check_floating, check_mask, check_rate
from regdemo.regularizers.masks import RateModule, keep_mask, scale_kept


@torch.fx.wrap
def drop_path(
    x: Tensor,
    p: float = 0.1,
    training: bool = True,
    scale_by_keep: bool = True,
    *,
    per_sample: bool = True,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Drop a residual branch's output for whole examples, and scale the ones that keep it.

        y[b] = x[b] * m[b] / (1 - p),    m ~ Bernoulli(1 - p) for each example, or one m for the batch

    x: (B, ...), the branch's output before it is added, floating point.  A single example needs unsqueeze(0).
    per_sample: a draw for each example; otherwise one for the batch.
    scale_by_keep: divide by 1 - p; without it the mean in training is (1 - p) x.
    mask: broadcastable to (B, 1, ...), True is kept; drawn if not given.
    Returns: x's shape and dtype; x outside training.
    The original paper draws one gate per batch, leaves the survivors unscaled and multiplies by 1 - p in eval: the same
    mean.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if x has no batch dimension, is not floating point, or the
    mask does not fit.
    Huang et al. 2016, https://arxiv.org/abs/1603.09382

    >>> drop_path(torch.ones(2, 3), 0.5, mask=torch.tensor([[True], [False]]))
    tensor([[2., 2., 2.],
            [0., 0., 0.]])
    """
    check_rate(p)
    check_floating(x)
    check_dim(x, 1, "(B, ...)")
    ones = (1,) * (x.dim() - 1)
    check_mask(mask, (x.shape[0], *ones))
    if not training:
        return x
    if mask is None:
        mask = keep_mask((x.shape[0] if per_sample else 1, *ones), p, generator=generator, device=x.device)
    return scale_kept(x, mask, p if scale_by_keep else 0.0)


def drop_path_residual(
    x: Tensor,
    branch: Callable[[Tensor], Tensor],
    p: float = 0.1,
    training: bool = True,
    *,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Add a residual branch with DropPath per sample, computing it only for the examples that keep it.

        y[b] = x[b] + m[b] branch(x[b]) / (1 - p)

    x: (B, ...), floating point.  branch: maps (K, ...) to the same shape each example alone (no batch norm).
    mask: broadcastable to (B,), True is kept; drawn if not given.
    Returns: x's shape and dtype; x + branch(x) outside training.
    The distribution is that of `x + drop_path(branch(x), p)`; a fraction p of the branch's work is saved.
    K depends on the draw, so torch.compile may break the graph here, and torch.func.vmap needs randomness="same".
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if x has no batch dimension, is not floating point, or the
    mask does not fit.
    Oquab et al. 2023, section 5 (efficient stochastic depth), https://arxiv.org/abs/2304.07193

    >>> drop_path_residual(torch.ones(2, 1), lambda x: x, 0.5, mask=torch.tensor([True, False]))
    tensor([[3.],
            [1.]])
    """
    check_rate(p)
    check_floating(x)
    check_dim(x, 1, "(B, ...)")
    shape = x.shape[:1]
    check_mask(mask, shape)
    if not training:
        return x + branch(x)
    if mask is None:
        mask = keep_mask(shape, p, generator=generator, device=x.device)
    kept = mask.expand(shape).nonzero().squeeze(1)
    return x.index_add(0, kept, branch(x[kept]).to(x.dtype), alpha=1 / (1 - p))


class DropPath(RateModule):
    """`drop_path` as a Module, around a branch's output: drops whole examples in training; the identity in eval.

    p: the drop probability, 0 <= p < 1.  scale_by_keep: divide what is kept by 1 - p.
    per_sample: a draw for each example; otherwise one for the batch.
    Input and output: (B, ...), floating point.

    >>> x, branch = torch.ones(2, 3), nn.Linear(3, 3)
    >>> y = x + DropPath(0.1)(branch(x))
    >>> y.shape
    torch.Size([2, 3])
    """

    def __init__(self, p: float = 0.1, scale_by_keep: bool = True, *, per_sample: bool = True) -> None:
        super().__init__(p)
        self.scale_by_keep, self.per_sample = scale_by_keep, per_sample

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `drop_path` at rate p."""
        return drop_path(x, self.p, self.training, self.scale_by_keep, per_sample=self.per_sample, generator=generator)

    def extra_repr(self) -> str:
        """The rate, whether each example draws its own, and whether what is kept is left unscaled."""
        return f"p={self.p}, per_sample={self.per_sample}" + ("" if self.scale_by_keep else ", scale_by_keep=False")


@torch.fx.wrap
def layer_drop(
    x: Tensor,
    layers: Iterable[Callable[[Tensor], Tensor]],
    p: float = 0.1,
    training: bool = True,
    *,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Run a stack of layers, each of them skipped with probability p.

        x_l = f_l(x_(l-1)) if m_l, else x_(l-1);    m_l ~ Bernoulli(1 - p) for each layer, one for the whole batch

    x: what the first layer takes, floating point.  layers: each keeps the shape, and holds its own residual connection.
    mask: broadcastable to (L,), True is run; drawn if not given.
    Returns: the last layer's output; outside training all layers run.
    Nothing is rescaled, so the mean in training is not eval's: the aim is a network that can be pruned by layers.
    A skipped layer is not computed and gets no gradient: DistributedDataParallel needs find_unused_parameters=True.
    Which layers run depends on the draw: in training torch.compile breaks the graph here; in eval it does not.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if x is not floating point or the mask does not fit.
    Fan et al. 2019, https://arxiv.org/abs/1909.11556

    >>> layer_drop(torch.ones(1), [lambda x: x + 1, lambda x: x * 10], 0.5, mask=torch.tensor([False, True]))
    tensor([10.])
    """
    check_rate(p)
    check_floating(x)
    layers = list(layers)
    shape = (len(layers),)
    check_mask(mask, shape)
    if not training:
        return _run(x, layers)
    if mask is None:
        mask = keep_mask(shape, p, generator=generator, device=generator.device if generator else None)
    return _run(x, [layer for layer, run in zip(layers, mask.expand(shape).tolist(), strict=True) if run])


def _run(x: Tensor, layers: Iterable[Callable[[Tensor], Tensor]]) -> Tensor:
    """The layers, one after the other."""
    for layer in layers:
        x = layer(x)
    return x


class LayerDrop(RateModule):
    """`layer_drop` over a stack of layers of its own: some are skipped in training; all run in eval.

    layers: Modules that keep the shape, each with its own residual connection.  p: a layer's skip probability.
    Input and output: what the layers take and return, floating point.
    Under DistributedDataParallel a skipped layer has no gradient: it needs find_unused_parameters=True.

    >>> LayerDrop([nn.Linear(3, 3), nn.Linear(3, 3)], 0.5)(torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(self, layers: Iterable[nn.Module], p: float = 0.1) -> None:
        super().__init__(p)
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `layer_drop` at rate p."""
        if not self.training:  # here as well, so that torch.fx records the layers one by one
            return _run(x, self.layers)
        return layer_drop(x, self.layers, self.p, generator=generator)
