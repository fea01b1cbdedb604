"""Noise on the activations: dropout, Gaussian dropout, spatial dropout, DropBlock."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import (
    check_amount,
    check_broadcast,
    check_dim,
    check_floating,
    check_mask,
    check_rate,
)
from regdemo.regularizers.masks import RateModule, keep_mask, scale_kept
from regdemo.regularizers.rates import find_rates


def dropout(
    x: Tensor,
    p: float = 0.5,
    *,
    training: bool = True,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Zero each element with probability p and scale the survivors, so the mean is unchanged.

        y = x * m / (1 - p),    m ~ Bernoulli(1 - p) for each element
        E[y] = x,    Var[y] = x^2 p / (1 - p)

    x: any shape, floating point.  mask: broadcastable to x, True is kept; drawn if not given.
    Returns: x's shape and dtype; x outside training.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if x is not floating point or the mask does not fit.
    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html

    >>> dropout(torch.ones(4), 0.5, mask=torch.tensor([True, False, True, True]))
    tensor([2., 0., 2., 2.])
    """
    check_rate(p)
    check_floating(x)
    if not training:
        return x
    mask = keep_mask(x.shape, p, generator=generator, device=x.device) if mask is None else check_mask(mask, x.shape)
    return scale_kept(x, mask, p)


class Dropout(RateModule):
    """`dropout` as a Module: active in training, the identity in eval."""

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `dropout` at rate p."""
        return dropout(x, self.p, training=self.training, generator=generator)


def gaussian_dropout(
    x: Tensor,
    p: float = 0.5,
    *,
    training: bool = True,
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
    check_floating(x)
    if not training:
        return x
    if noise is None:
        # In at least float32, since the half types' own normal draws are coarse in the tails.
        dtype = torch.promote_types(x.dtype, torch.float32)
        noise = 1 + (p / (1 - p)) ** 0.5 * torch.randn(x.shape, generator=generator, device=x.device, dtype=dtype)
    else:
        check_broadcast(check_floating(noise, "noise"), x.shape, "noise")
    return x * noise.to(x.dtype)


class GaussianDropout(RateModule):
    """`gaussian_dropout` as a Module: active in training, the identity in eval."""

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `gaussian_dropout` at rate p."""
        return gaussian_dropout(x, self.p, training=self.training, generator=generator)


def spatial_dropout(
    x: Tensor,
    p: float = 0.5,
    *,
    training: bool = True,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Drop whole channels: one coin for each example and channel, shared by every position.

        y[n, c, ...] = x[n, c, ...] * m[n, c] / (1 - p),    m ~ Bernoulli(1 - p)

    x: (N, C, *positions), channels second, floating point.  A (B, T, C) batch of tokens would lose whole tokens:
    transpose it first.  mask: broadcastable to (N, C, 1, ...), True is kept; drawn if not given.
    Returns: x's shape and dtype; x outside training.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if x has fewer than 3 dimensions, is not floating point,
    or the mask does not fit.
    Tompson et al. 2015, https://arxiv.org/abs/1411.4280

    >>> spatial_dropout(torch.ones(1, 2, 3), 0.5, mask=torch.tensor([[[True], [False]]]))
    tensor([[[2., 2., 2.],
             [0., 0., 0.]]])
    """
    check_rate(p)
    check_floating(x)
    check_dim(x, 3, "(N, C, *positions)")
    if not training:
        return x
    shape = (*x.shape[:2], *(1,) * (x.dim() - 2))
    mask = keep_mask(shape, p, generator=generator, device=x.device) if mask is None else check_mask(mask, shape)
    return scale_kept(x, mask, p)


class SpatialDropout(RateModule):
    """`spatial_dropout` as a Module: active in training, the identity in eval."""

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `spatial_dropout` at rate p."""
        return spatial_dropout(x, self.p, training=self.training, generator=generator)


def drop_block_seed_rate(p: float, block_size: int, height: int, width: int) -> float:
    """The rate at which block centres are drawn so that about a share p of all positions is dropped.

        gamma = p * H W / block^2 / ((H - block + 1) (W - block + 1))

    gamma is never above p. It counts the overlap of two blocks twice, so the dropped share comes out somewhat below p.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError unless block_size is odd, positive and fits the map.
    Ghiasi et al. 2018, equation 1, https://arxiv.org/abs/1810.12890

    >>> round(drop_block_seed_rate(0.1, 7, 14, 14), 6)
    0.00625
    """
    check_rate(p)
    if block_size % 2 == 0 or not 1 <= block_size <= min(height, width):
        raise ArgumentError(
            f"block_size = {block_size} does not fit a {height} x {width} map: "
            f"it must be odd, from 1 to {min(height, width)}"
        )
    return p * height * width / block_size**2 / ((height - block_size + 1) * (width - block_size + 1))


def drop_block(
    x: Tensor,
    p: float = 0.1,
    block_size: int = 7,
    *,
    training: bool = True,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Drop square blocks of each channel's map, and rescale by the share really kept.

        centres ~ Bernoulli(gamma) where a whole block fits;  m = 0 on each block around a centre
        y = x * m * numel(m) / sum(m)

    x: (N, C, H, W), floating point.  block_size: odd.  mask: broadcastable to x, True is kept; drawn if not given.
    Returns: x's shape and dtype; x outside training, zeros where nothing is kept.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError unless x has 4 dimensions and is floating point, the block
    is odd and fits, and so does the mask.
    Ghiasi et al. 2018, https://arxiv.org/abs/1810.12890

    >>> mask = torch.tensor([[True, False], [True, True]]).view(1, 1, 2, 2)
    >>> drop_block(torch.ones(1, 1, 2, 2), 0.25, 1, mask=mask).sum()
    tensor(4.)
    """
    check_floating(x)
    if x.dim() != 4:
        raise ArgumentError(f"x has shape {tuple(x.shape)}: it must be (N, C, H, W), 4 dimensions")
    gamma = drop_block_seed_rate(p, block_size, *x.shape[2:])
    if not training:
        return x
    mask = _block_mask(x, gamma, block_size, generator) if mask is None else check_mask(mask, x.shape)
    kept = mask.sum(dtype=torch.promote_types(x.dtype, torch.float32))
    # A tensor over a tensor: torch takes a number over a tensor as n * (1 / kept), which at p = 0 can miss 1.
    scale = torch.where(kept > 0, torch.full_like(kept, mask.numel()) / kept, 0)
    return x * mask * scale.to(x.dtype)


def _block_mask(x: Tensor, gamma: float, block: int, generator: torch.Generator | None) -> Tensor:
    """True outside the blocks; one is drawn only where the whole of it is inside the map."""
    n, c, height, width = x.shape
    inner = (n, c, height - block + 1, width - block + 1)
    blocks = ~keep_mask(inner, gamma, generator=generator, device=x.device)
    return F.max_pool2d(F.pad(blocks.float(), (block - 1,) * 4), block, stride=1) == 0


class DropBlock(RateModule):
    """`drop_block` as a Module: active in training, the identity in eval."""

    def __init__(self, p: float = 0.1, block_size: int = 7) -> None:
        super().__init__(p)
        self.block_size = block_size

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `drop_block` at rate p."""
        return drop_block(x, self.p, self.block_size, training=self.training, generator=generator)

    def extra_repr(self) -> str:
        """The rate and the block's side."""
        return f"p={self.p}, block_size={self.block_size}"


def mc_dropout(model: nn.Module, x: Tensor, samples: int = 20, *, generator: torch.Generator | None = None) -> Tensor:
    """Predict in several passes with dropout on and everything else in eval.

        probabilities[s] = softmax(model(x)) under the masks of pass s;    prediction = their mean over s

    x: the model's input; model(x): logits (..., K).  samples: passes, at least 1.
    Returns: probabilities (samples, ..., K), without gradient; `.mean(0)` predicts, `.std(0)` says how sure that is.
    The rates are those of `find_rates`; each module's mode is left as found, and batch norm's statistics are.
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
    *,
    training: bool = True,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """Add Gaussian noise to each element, of one size whatever the element is.

        y = x + std * n,    n ~ N(0, 1) for each element
        E[y] = x,    Var[y] = std^2;    behind a linear layer, E[MSE] = MSE + std^2 |w|^2

    x: any shape, floating point.  noise: n itself, floating point, broadcastable to x; drawn if not given.
    Returns: x's shape and dtype; x outside training.
    A network can escape it by larger activations, which `gaussian_dropout`, growing with x, does not allow.
    Raises ArgumentError unless std is finite and at least 0, x is floating point, and the noise fits.
    Bishop 1995, https://doi.org/10.1162/neco.1995.7.1.108

    >>> activation_noise(torch.ones(2), 0.5, noise=torch.tensor([1.0, -1.0]))
    tensor([1.5000, 0.5000])
    """
    check_amount(std, "std")
    check_floating(x)
    if not training:
        return x
    if noise is None:
        # In at least float32, since the half types' own normal draws are coarse in the tails.
        dtype = torch.promote_types(x.dtype, torch.float32)
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=dtype)
    else:
        check_broadcast(check_floating(noise, "noise"), x.shape, "noise")
    return x + (std * noise).to(x.dtype)


class ActivationNoise(nn.Module):
    """`activation_noise` as a Module: active in training, the identity in eval."""

    def __init__(self, std: float = 0.1) -> None:
        super().__init__()
        self.std = check_amount(std, "std")

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `activation_noise` of size std."""
        return activation_noise(x, self.std, training=self.training, generator=generator)

    def extra_repr(self) -> str:
        """The size of the noise."""
        return f"std={self.std}"
