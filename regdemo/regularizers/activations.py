"""Noise on the activations: dropout, its Gaussian, alpha and spatial forms, DropBlock, additive noise; MC dropout."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_dim, check_floating, check_inplace, check_mask, check_noise, check_rate
from regdemo.regularizers.draws import normal
from regdemo.regularizers.inputs import InputNoise, input_noise
from regdemo.regularizers.masks import RateModule, keep_mask, scale_kept
from regdemo.regularizers.rates import find_rates


@torch.fx.wrap
def dropout(
    x: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Zero each element with probability p and scale the survivors, so that the mean is unchanged.

        y = x * m / (1 - p),    m ~ Bernoulli(1 - p) for each element
        E[y] = x,    Var[y] = x^2 p / (1 - p)

    x: any shape, floating point.  mask: broadcastable to x, True is kept; drawn if not given.
    Returns: x's shape and dtype; x outside training.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if x is not floating point, the mask does not fit or
    inplace is True.
    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html

    >>> dropout(torch.ones(4), 0.5, mask=torch.tensor([True, False, True, True]))
    tensor([2., 0., 2., 2.])
    """
    check_rate(p)
    check_inplace(inplace)
    check_mask(mask, check_floating(x).shape)
    if not training:
        return x
    if mask is None:
        mask = keep_mask(x.shape, p, generator=generator, device=x.device)
    return scale_kept(x, mask, p)


class Dropout(RateModule):
    """`dropout` as a Module: single elements are zeroed in training; the identity in eval.

    p: the drop probability, 0 <= p < 1.  inplace: refused, as by the function.
    Input and output: any shape, floating point.

    >>> Dropout(0.5).eval()(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__(p)
        check_inplace(inplace)

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `dropout` at rate p."""
        return dropout(x, self.p, self.training, generator=generator)


@torch.fx.wrap
def gaussian_dropout(
    x: Tensor,
    p: float = 0.5,
    training: bool = True,
    *,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """Multiply each element by Gaussian noise with dropout's mean and variance.

        y = x * n,    n ~ N(1, p / (1 - p)) for each element
        E[y] = x,    Var[y] = x^2 p / (1 - p)

    x: any shape, floating point.  noise: n itself, floating point, broadcastable to x; drawn if not given.
    Returns: x's shape and dtype; x outside training.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if x is not floating point or the noise does not fit.
    Srivastava et al. 2014, section 10, https://jmlr.org/papers/v15/srivastava14a.html

    >>> gaussian_dropout(torch.ones(2), 0.5, noise=torch.tensor([0.5, 1.5]))
    tensor([0.5000, 1.5000])
    """
    check_rate(p)
    check_noise(noise, check_floating(x).shape)
    if not training:
        return x
    if noise is None:
        noise = 1 + (p / (1 - p)) ** 0.5 * normal(x.shape, x, generator)
    return x * noise.to(x.dtype)


class GaussianDropout(RateModule):
    """`gaussian_dropout` as a Module: multiplies by noise in training; the identity in eval.

    p: the drop probability whose variance p / (1 - p) the noise has, 0 <= p < 1.
    Input and output: any shape, floating point.

    >>> GaussianDropout(0.5).eval()(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `gaussian_dropout` at rate p."""
        return gaussian_dropout(x, self.p, self.training, generator=generator)


SELU_FLOOR = -1.7580993408473766  # -scale * alpha of selu: its limit towards -infinity


@torch.fx.wrap
def alpha_dropout(
    x: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Set each element to selu's floor with probability p, then shift and scale: for self-normalizing networks.

        y = a (x m + c (1 - m)) + b,    m ~ Bernoulli(1 - p) for each element,    c = -1.7581, selu's limit at -infinity
        a = ((1 - p) (1 + p c^2))^(-1/2),    b = -a p c:    mean 0 and variance 1 of x are kept

    x: any shape, floating point, as selu returns it.  mask: broadcastable to x, True is kept; drawn if not given.
    Returns: x's shape and dtype; x outside training.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if x is not floating point, the mask does not fit or
    inplace is True.
    Klambauer et al. 2017, https://arxiv.org/abs/1706.02515

    >>> y = alpha_dropout(torch.tensor([1.0, -1.0]), 0.5, mask=torch.tensor([True, False]))
    >>> [round(value, 4) for value in y.tolist()]  # a = 0.8864, b = 0.7792
    [1.6656, -0.7792]
    """
    check_rate(p)
    check_inplace(inplace)
    check_mask(mask, check_floating(x).shape)
    if not training:
        return x
    if mask is None:
        mask = keep_mask(x.shape, p, generator=generator, device=x.device)
    a = 1 / math.sqrt((1 - p) * (1 + p * SELU_FLOOR**2))
    return torch.where(mask, a * x, a * SELU_FLOOR) - a * p * SELU_FLOOR


class AlphaDropout(RateModule):
    """`alpha_dropout` as a Module: sets elements to selu's floor in training; the identity in eval.

    p: the drop probability, 0 <= p < 1.  inplace: refused, as by the function.
    Input and output: any shape, floating point.

    >>> AlphaDropout(0.5).eval()(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__(p)
        check_inplace(inplace)

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `alpha_dropout` at rate p."""
        return alpha_dropout(x, self.p, self.training, generator=generator)


@torch.fx.wrap
def spatial_dropout(
    x: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    positions: int | None = None,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Drop whole channels: one draw for each example and channel, shared by every position.

        y[n, c, ...] = x[n, c, ...] * m[n, c] / (1 - p),    m ~ Bernoulli(1 - p)

    x: (N, C, *positions), channels second, floating point.  A (B, T, C) batch of tokens would lose whole tokens:
    transpose it first.  An image without a batch, (C, H, W), would be taken for C examples of H channels.
    positions: how many dimensions follow the channels; an x with more or fewer is refused.  Any number if not given.
    mask: broadcastable to (N, C, 1, ...), True is kept; drawn if not given.
    Returns: x's shape and dtype; x outside training.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if x has fewer than 3 dimensions, or not 2 + positions, is
    not floating point, the mask does not fit or inplace is True.
    Tompson et al. 2015, https://arxiv.org/abs/1411.4280

    >>> spatial_dropout(torch.ones(1, 2, 3), 0.5, mask=torch.tensor([[[True], [False]]]))
    tensor([[[2., 2., 2.],
             [0., 0., 0.]]])
    """
    check_rate(p)
    check_inplace(inplace)
    check_dim(check_floating(x), 3, "(N, C, *positions)")
    if positions is not None and x.dim() != 2 + positions:
        raise ArgumentError(
            f"x has shape {tuple(x.shape)}: with positions = {positions} it must have {2 + positions} dimensions; "
            "unsqueeze(0) makes a batch of one example"
        )
    shape = (*x.shape[:2], *(1,) * (x.dim() - 2))
    check_mask(mask, shape)
    if not training:
        return x
    if mask is None:
        mask = keep_mask(shape, p, generator=generator, device=x.device)
    return scale_kept(x, mask, p)


class SpatialDropout(RateModule):
    """`spatial_dropout` as a Module: whole channels are zeroed in training; the identity in eval.

    p: the drop probability of a channel, 0 <= p < 1.  inplace: refused, as by the function.
    positions: the number of dimensions after the channels, 2 for images; any if not given.
    Input and output: (N, C, *positions), floating point.

    >>> SpatialDropout(0.5, positions=2).eval()(torch.ones(1, 1, 1, 2))
    tensor([[[[1., 1.]]]])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False, *, positions: int | None = None) -> None:
        super().__init__(p)
        check_inplace(inplace)
        self.positions = positions

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `spatial_dropout` at rate p."""
        return spatial_dropout(x, self.p, self.training, positions=self.positions, generator=generator)

    def extra_repr(self) -> str:
        """The rate, and the number of positions' dimensions if it is fixed."""
        return super().extra_repr() + (f", positions={self.positions}" if self.positions else "")


def drop_block_seed_rate(p: float, block_size: int, *sides: int) -> float:
    """The rate at which block centres are drawn so that about a fraction p of all positions is dropped.

        gamma = p * prod_i side_i / (block * (side_i - block + 1)),    sides: (H, W), or (D, H, W)

    gamma is at most p. It counts the overlap of two blocks twice, so the dropped fraction comes out somewhat below p.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError unless block_size is odd, positive and fits the map.
    Ghiasi et al. 2018, https://arxiv.org/abs/1810.12890

    >>> round(drop_block_seed_rate(0.1, 7, 14, 14), 6)
    0.00625
    """
    rate = check_rate(p)
    if block_size % 2 == 0 or not 1 <= block_size <= min(sides):
        raise ArgumentError(
            f"block_size = {block_size} does not fit a {' x '.join(str(side) for side in sides)} map: "
            f"it must be odd, from 1 to {min(sides)}"
        )
    for side in sides:
        rate *= side / block_size / (side - block_size + 1)
    return rate


@torch.fx.wrap
def drop_block(
    x: Tensor,
    p: float = 0.1,
    block_size: int = 7,
    training: bool = True,
    inplace: bool = False,
    *,
    positions: int = 2,
    couple_channels: bool = False,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Drop square blocks of each channel's map, and rescale by the fraction that was really kept.

        centres ~ Bernoulli(gamma) where a whole block fits;  m = 0 on each block around a centre
        y = x * m * numel(m) / sum(m)

    x: (N, C, H, W), floating point; with positions=3, (N, C, D, H, W), whose blocks are cubes.  block_size: odd.
    couple_channels: one mask for all channels of an example.
    mask: broadcastable to x, True is kept; drawn if not given.
    Returns: x's shape and dtype; x outside training, zeros where nothing is kept.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError unless positions is 2 or 3, x has 2 + positions dimensions
    and is floating point, the block is odd and fits, and so does the mask; or if inplace is True.
    Ghiasi et al. 2018, https://arxiv.org/abs/1810.12890

    >>> mask = torch.tensor([[True, False], [True, True]]).view(1, 1, 2, 2)
    >>> drop_block(torch.ones(1, 1, 2, 2), 0.25, 1, mask=mask).sum()
    tensor(4.)
    """
    check_inplace(inplace)
    check_floating(x)
    if positions not in (2, 3):
        raise ArgumentError(f"positions = {positions!r} is not allowed: choose 2 for maps, 3 for volumes")
    if x.dim() != 2 + positions:
        layout = "(N, C, H, W)" if positions == 2 else "(N, C, D, H, W)"
        raise ArgumentError(f"x has shape {tuple(x.shape)}: it must be {layout}, {2 + positions} dimensions")
    gamma = drop_block_seed_rate(p, block_size, *x.shape[2:])
    check_mask(mask, x.shape)
    if not training:
        return x
    if mask is None:
        kept = _outside_blocks(x, gamma, block_size, 1 if couple_channels else x.shape[1], generator)
    else:
        kept = mask.to(torch.promote_types(x.dtype, torch.float32))
    count = kept.sum()
    # A tensor over a tensor: torch takes a number over a tensor as n * (1 / count), which at p = 0 can miss 1.
    scale = torch.where(count > 0, torch.full_like(count, kept.numel()) / count, 0)
    return x * (kept * scale).to(x.dtype)


def _outside_blocks(x: Tensor, gamma: float, block: int, channels: int, generator: torch.Generator | None) -> Tensor:
    """1 outside the blocks and 0 inside, in at least float32; a block is drawn where all of it is inside the map."""
    sides = x.shape[2:]
    inner = (x.shape[0], channels, *(side - block + 1 for side in sides))
    starts = keep_mask(inner, gamma, generator=generator, device=x.device).logical_not()
    dropped = starts.to(torch.promote_types(x.dtype, torch.float32))
    pool = F.max_pool2d if len(sides) == 2 else F.max_pool3d
    # One dimension after the other: the maximum over a square is that over its rows' maxima.
    for dim in range(len(sides)):
        kernel = [block if other == dim else 1 for other in range(len(sides))]
        before = [block - 1 if other == dim else 0 for other in reversed(range(len(sides))) for _ in range(2)]
        dropped = pool(F.pad(dropped, before), kernel, stride=1)
    return 1 - dropped


class DropBlock(RateModule):
    """`drop_block` as a Module: square blocks are zeroed in training; the identity in eval.

    p: the fraction to drop, 0 <= p < 1.  block_size: the blocks' side, odd.  inplace: refused, as by the function.
    positions: 2 for maps, 3 for volumes.  couple_channels: one mask for all channels of an example.
    Input and output: (N, C, H, W), or (N, C, D, H, W) with positions=3, floating point.

    >>> DropBlock(0.1, 3).eval()(torch.ones(1, 1, 3, 3)).sum()
    tensor(9.)
    """

    def __init__(
        self,
        p: float = 0.1,
        block_size: int = 7,
        inplace: bool = False,
        *,
        positions: int = 2,
        couple_channels: bool = False,
    ) -> None:
        super().__init__(p)
        check_inplace(inplace)
        self.block_size, self.positions, self.couple_channels = block_size, positions, couple_channels

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `drop_block` at rate p."""
        return drop_block(
            x,
            self.p,
            self.block_size,
            self.training,
            positions=self.positions,
            couple_channels=self.couple_channels,
            generator=generator,
        )

    def extra_repr(self) -> str:
        """The rate, the block's side, and what differs from the defaults."""
        shown = f"p={self.p}, block_size={self.block_size}"
        shown += ", positions=3" if self.positions == 3 else ""
        return shown + (", couple_channels=True" if self.couple_channels else "")


def mc_dropout(model: nn.Module, x: Tensor, samples: int = 20, *, generator: torch.Generator | None = None) -> Tensor:
    """Predict in several passes with dropout on and everything else in eval.

        probabilities[s] = softmax(model(x)) under the masks of pass s;    prediction = their mean over s

    x: the model's input; model(x): logits (..., K).  samples: passes, at least 1.
    Returns: probabilities (samples, ..., K), without gradient; `.mean(0)` predicts, `.std(0)` says how sure that is.
    On are the modules in which `find_rates` finds a drop rate, DropPath included; each module's mode is left as found,
    and batch norm's statistics are.
    Raises ArgumentError if samples is below 1, or the model holds no drop rate: all passes would be the same.
    Gal and Ghahramani 2016, https://arxiv.org/abs/1506.02142

    >>> model = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 3))
    >>> mc_dropout(model, torch.ones(4, 2), samples=10).shape
    torch.Size([10, 4, 3])
    """
    if not samples >= 1:
        raise ArgumentError(f"samples = {samples} is not allowed: there must be at least 1 pass")
    rated = {module for _, module, _ in find_rates(model)}
    if not rated:
        raise ArgumentError(f"{type(model).__name__} holds no drop rate: all passes would be the same")
    modes, fast = {module: module.training for module in model.modules()}, torch.backends.mha.get_fastpath_enabled()
    try:
        for module in modes:
            module.training = module in rated
        # In eval, nn.TransformerEncoderLayer takes a fused path that never asks its dropout modules.
        torch.backends.mha.set_fastpath_enabled(False)
        with torch.no_grad(), torch.random.fork_rng(range(torch.cuda.device_count()), enabled=generator is not None):
            if generator is not None:
                torch.manual_seed(int(torch.randint(2**31, (), generator=generator, device=generator.device)))
            return torch.stack([model(x).softmax(-1) for _ in range(samples)])
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, mode in modes.items():
            module.training = mode


def activation_noise(
    x: Tensor,
    std: float = 0.1,
    training: bool = True,
    *,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """Add Gaussian noise of one size to every element of a hidden layer: `input_noise` for the layers that follow.

        y = x + std * n,    n ~ N(0, 1) for each element

    Arguments, result and errors are those of `input_noise`. A network can escape this noise by larger activations;
    `gaussian_dropout`, whose noise grows with x, does not allow that.

    >>> activation_noise(torch.ones(2), 0.5, noise=torch.tensor([1.0, -1.0]))
    tensor([1.5000, 0.5000])
    """
    return input_noise(x, std, training, generator=generator, noise=noise)


class ActivationNoise(InputNoise):
    """`activation_noise` as a Module: adds noise of size std in training; the identity in eval.

    std: the noise's standard deviation, at least 0.
    Input and output: any shape, floating point.

    >>> ActivationNoise(0.1).eval()(torch.ones(3))
    tensor([1., 1., 1.])
    """
