"""Noise, penalties and bounds on the weights: DropConnect, Mixout, L1, L2, elastic net, max-norm; exemptions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regdemo.errors import ArgumentError
from regdemo.regularizers.activations import dropout
from regdemo.regularizers.checks import (
    check_amount,
    check_dim,
    check_floating,
    check_mask,
    check_noise,
    check_rate,
)
from regdemo.regularizers.draws import normal
from regdemo.regularizers.masks import RateModule, keep_mask, scale_kept


@torch.fx.wrap
def drop_connect(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    p: float = 0.5,
    training: bool = True,
    *,
    per_sample: bool = True,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """A linear layer that drops weights instead of activations.

        y[b] = (W * m[b] / (1 - p)) x[b] + bias,    m ~ Bernoulli(1 - p) for each weight
        per_sample: a mask for each example, as in the paper; otherwise one for the batch, as in AWD-LSTM's WeightDrop

    x: (B, in), or (..., in) as for nn.Linear, floating point.  weight: (out, in).  bias: (out,), never dropped.
    mask: broadcastable to (B, out, in), so (out, in) is one for the batch, True is kept; drawn if not given.
    Returns: (B, out); W x + bias outside training, the mean. The paper's own inference is `drop_connect_moments`.
    A mask for each example takes B * out * in elements of memory.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if a tensor is not floating point, or the shapes or the
    mask do not fit.
    Wan et al. 2013, https://proceedings.mlr.press/v28/wan13.html; Merity et al. 2018, https://arxiv.org/abs/1708.02182

    >>> weight, mask = torch.ones(1, 2), torch.tensor([[True, False]])
    >>> drop_connect(torch.ones(1, 2), weight, p=0.5, per_sample=False, mask=mask)
    tensor([[2.]])
    """
    _check_linear(x, weight, bias, p)
    batch = x.shape[:-1]
    check_mask(mask, (*batch, *weight.shape))
    if not training:
        return F.linear(x, weight, bias)
    if mask is None:
        mask = keep_mask((*(batch if per_sample else ()), *weight.shape), p, generator=generator, device=x.device)
    dropped = scale_kept(weight, mask, p)
    if dropped.dim() == 2:
        return F.linear(x, dropped, bias)
    y = torch.einsum("...i,...oi->...o", x, dropped)
    return y if bias is None else y + bias.to(y.dtype)  # autocast computes y, but not the sum, in a half type


def _check_linear(x: Tensor, weight: Tensor, bias: Tensor | None, p: float) -> None:
    check_rate(p)
    check_floating(x)
    check_floating(weight, "weight")
    if x.dim() < 1 or weight.dim() != 2 or x.shape[-1] != weight.shape[1]:
        raise ArgumentError(
            f"x has shape {tuple(x.shape)} and weight {tuple(weight.shape)}: they must be (B, in) and (out, in)"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ArgumentError(f"bias has shape {tuple(bias.shape)}: it must be ({weight.shape[0]},)")


def drop_connect_moments(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, p: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Mean and variance of `drop_connect`'s output over its masks: what the paper samples its inference from.

        mean = W x + bias,    var = p / (1 - p) * (W * W) (x * x)

    The paper then averages f(u) over draws u ~ N(mean, var), f the layer's nonlinearity.
    x: (B, in), or (..., in).  weight: (out, in).  bias: (out,).  Returns: two tensors (B, out).
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if a tensor is not floating point or the shapes do not fit.
    Wan et al. 2013, on inference, https://proceedings.mlr.press/v28/wan13.html

    >>> drop_connect_moments(torch.tensor([[3.0]]), torch.tensor([[2.0]]), p=0.5)
    (tensor([[6.]]), tensor([[36.]]))
    """
    _check_linear(x, weight, bias, p)
    return F.linear(x, weight, bias), p / (1 - p) * F.linear(x * x, weight * weight)


class DropConnect(nn.Linear):
    """`drop_connect` as a linear layer: drops weights in training; a plain nn.Linear in eval.

    in_features, out_features, bias, device, dtype: as in nn.Linear.  p: a weight's drop probability, 0 <= p < 1.
    per_sample: a mask for each example, which takes B * out * in elements of memory; otherwise one for the batch.
    Input: (..., in).  Output: (..., out).

    >>> DropConnect(3, 2, 0.5)(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        p: float = 0.5,
        *,
        bias: bool = True,
        per_sample: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias=bias, device=device, dtype=dtype)
        self.p = check_rate(p)
        self.per_sample = per_sample

    def forward(self, input: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `drop_connect` at rate p."""
        return drop_connect(
            input,
            self.weight,
            self.bias,
            self.p,
            self.training,
            per_sample=self.per_sample,
            generator=generator,
        )

    def extra_repr(self) -> str:
        """nn.Linear's sizes, the rate, and whether each example draws its own mask."""
        return f"{super().extra_repr()}, p={self.p}, per_sample={self.per_sample}"


NORMS = (
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two optimizer parameter groups: weights that decay, then biases and norm parameters, which do not.

        torch's AdamW decays each parameter of the first by  w <- w - lr * weight_decay * w

    Exempt: what is named bias, what a norm layer holds, and any parameter of fewer than two dimensions. Embeddings
    decay, as in nanoGPT. A tied parameter is listed once; a frozen one, requires_grad False, not at all.
    Returns: [{"params": ..., "weight_decay": weight_decay}, {"params": ..., "weight_decay": 0.0}].
    Raises ArgumentError unless weight_decay is finite and at least 0, or if model has no trainable parameter.
    Loshchilov and Hutter 2017 (decoupled decay), https://arxiv.org/abs/1711.05101

    >>> decayed, exempt = decay_groups(nn.Linear(3, 2), 0.1)
    >>> [p.shape for p in decayed["params"]], [p.shape for p in exempt["params"]]
    ([torch.Size([2, 3])], [torch.Size([2])])
    """
    check_amount(weight_decay, "weight_decay")
    decayed: list[Tensor] = []
    exempt: list[Tensor] = []
    seen: set[Tensor] = set()
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter in seen or not parameter.requires_grad:
                continue
            seen.add(parameter)
            is_exempt = parameter.dim() < 2 or name.endswith("bias") or isinstance(module, NORMS)
            (exempt if is_exempt else decayed).append(parameter)
    if not seen:
        raise ArgumentError(f"model {type(model).__name__} has no trainable parameter: set requires_grad on some")
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": exempt, "weight_decay": 0.0}]


def l1_penalty(weights: Iterable[Tensor], strength: float) -> Tensor:
    """What an L1 penalty adds to the loss.

        strength * sum |w|,    subgradient strength * sign(w), 0 at 0

    Its gradient pulls every weight to 0 by the same amount, but steps over 0 and back: for weights that are exactly 0,
    leave it out of the loss and follow each step with `soft_threshold`.
    weights: floating-point tensors of any shapes, at least one.  Returns: a number, as a tensor.
    Raises ArgumentError unless strength is finite and at least 0, if a tensor is not floating point, or if weights is
    empty.
    Tibshirani 1996 (the lasso), https://doi.org/10.1111/j.2517-6161.1996.tb02080.x

    >>> l1_penalty([torch.tensor([1.0, -2.0]), torch.tensor(3.0)], 0.5)
    tensor(3.)
    """
    check_amount(strength, "strength")
    return strength * _total([check_floating(w, "weight").abs().sum() for w in weights])


def l2_penalty(weights: Iterable[Tensor], strength: float) -> Tensor:
    """What an L2 penalty, or ridge, adds to the loss.

        strength * sum w^2,    gradient 2 strength w

    Under SGD it is weight_decay = 2 strength, with momentum too; under Adam it is not AdamW's weight decay.
    weights: floating-point tensors of any shapes, at least one.  Returns: a number, as a tensor.
    Raises ArgumentError unless strength is finite and at least 0, if a tensor is not floating point, or if weights is
    empty.
    Hoerl and Kennard 1970 (ridge regression), https://doi.org/10.1080/00401706.1970.10488634

    >>> l2_penalty([torch.tensor([1.0, -2.0]), torch.tensor(3.0)], 0.5)
    tensor(7.)
    """
    check_amount(strength, "strength")
    return strength * _total([check_floating(w, "weight").square().sum() for w in weights])


def _total(sums: list[Tensor]) -> Tensor:
    if not sums:
        raise ArgumentError("weights is empty: hand in at least one tensor, as from model.parameters()")
    return sum(sums[1:], start=sums[0])


def elastic_net(weights: Iterable[Tensor], l1: float, l2: float) -> Tensor:
    """What an elastic net adds to the loss: an L1 and an L2 penalty together.

        l1 * sum |w| + l2 * sum w^2

    The L1 part selects, and the L2 part shares the weight among correlated inputs. Of nearly equal inputs L1 may keep
    one. scikit-learn's ElasticNet(alpha, l1_ratio) is l1 = alpha * l1_ratio and l2 = alpha * (1 - l1_ratio) / 2, with
    half the mean squared error as loss. For weights that are exactly 0 leave it out of the loss and use
    `elastic_net_prox`.
    weights: floating-point tensors of any shapes, at least one.  Returns: a number, as a tensor.
    Raises ArgumentError unless l1 and l2 are finite and at least 0, if a tensor is not floating point, or if weights is
    empty.
    Zou and Hastie 2005 (their naive form, without the rescaling), https://doi.org/10.1111/j.1467-9868.2005.00503.x

    >>> elastic_net([torch.tensor([1.0, -2.0])], 1.0, 0.5)
    tensor(5.5000)
    """
    check_amount(l1, "l1")
    check_amount(l2, "l2")
    weights = list(weights)
    return l1_penalty(weights, l1) + l2_penalty(weights, l2)


def elastic_net_prox(w: Tensor, l1: float, l2: float) -> Tensor:
    """The proximal step of an elastic net: the soft threshold of its L1 part, then shrinkage by its L2 part.

        soft_threshold(w, l1) / (1 + 2 l2) = argmin_v (v - w)^2 / 2 + l1 |v| + l2 v^2
        after a gradient step at rate lr on the loss without the penalty:  lr * l1 and lr * l2

    w: any shape, floating point.  Returns: same shape and dtype.
    Raises ArgumentError unless l1 and l2 are finite and at least 0, or if w is not floating point.
    Parikh and Boyd 2014, https://doi.org/10.1561/2400000003

    >>> elastic_net_prox(torch.tensor([3.0, 0.5, -2.0]), 1.0, 0.5)
    tensor([ 1.0000,  0.0000, -0.5000])
    """
    return soft_threshold(w, check_amount(l1, "l1")) / (1 + 2 * check_amount(l2, "l2"))


def max_norm(weight: Tensor, limit: float = 3.0, *, dim: int = 0) -> Tensor:
    """Shrink each unit's weight vector that is longer than limit to that length: a bound, not a pull.

        w <- w min(1, limit / |w|)    for each slice w along dim: the nearest point of the ball |w| <= limit

    To be done after each step:  with torch.no_grad(): layer.weight.copy_(max_norm(layer.weight, 3.0))
    weight: floating point, such as nn.Linear's (out, in) or nn.Conv2d's (out, in, h, w), whose units lie along dim 0.
    Returns: weight's shape and dtype. torch.renorm does the same, to within 1e-7 of the norm.
    Raises ArgumentError unless limit is finite and above 0, weight is floating point and finite, and has dimension dim.
    Srivastava et al. 2014, on max-norm regularization, https://jmlr.org/papers/v15/srivastava14a.html

    >>> max_norm(torch.tensor([[3.0, 4.0], [0.3, 0.4]]), 1.0)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    check_amount(limit, "limit", above=0)
    check_dim(check_floating(weight, "weight"), 1, "(out, ...)", "weight")
    if not -weight.dim() <= dim < weight.dim():
        raise ArgumentError(f"dim = {dim} is not allowed: weight has the dimensions 0 to {weight.dim() - 1}")
    others = [other for other in range(weight.dim()) if other != dim % weight.dim()]
    # In at least float32, where the squares of a half type's weights do not overflow.
    wide = weight.to(torch.promote_types(weight.dtype, torch.float32))
    norms = torch.linalg.vector_norm(wide, dim=others, keepdim=True) if others else wide.abs()
    if not norms.isfinite().all():  # an infinite weight would become NaN, and its neighbours 0, in silence
        raise ArgumentError(f"weight is not finite in {int((~norms.isfinite()).sum())} of {norms.numel()} units")
    return (wide * (limit / norms).clamp(max=1)).to(weight.dtype)


def soft_threshold(w: Tensor, threshold: float) -> Tensor:
    """The proximal step of an L1 penalty: shrink each weight by threshold, and those within it to exactly 0.

        sign(w) max(|w| - threshold, 0) = argmin_v (v - w)^2 / 2 + threshold |v|
        after a gradient step at rate lr on the loss without the penalty:  threshold = lr * strength

    torch.nn.functional.softshrink, with arguments checked.
    w: any shape, floating point.  Returns: same shape and dtype; a NaN stays one.
    Raises ArgumentError unless threshold is finite and at least 0, or if w is not floating point.
    Beck and Teboulle 2009 (ISTA), https://doi.org/10.1137/080716542

    >>> soft_threshold(torch.tensor([3.0, 0.5, -2.0]), 1.0)
    tensor([ 2.,  0., -1.])
    """
    return F.softshrink(check_floating(w, "w"), check_amount(threshold, "threshold"))


@torch.fx.wrap
def mixout(
    weight: Tensor,
    pretrained: Tensor,
    p: float = 0.5,
    training: bool = True,
    *,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Put single weights back to their pretrained values, and rescale so that the mean is unchanged.

        W~ = ((1 - m) W0 + m W - p W0) / (1 - p) = W0 + m (W - W0) / (1 - p),    m ~ Bernoulli(1 - p) for each weight

    Dropout of what fine-tuning has changed: W0 = 0 gives dropout of the weights. E|W~ - W|^2 = p/(1-p) |W - W0|^2.
    The paper draws m once for all weights out of an input unit: for that, pass a mask of shape (1, inputs).
    weight, pretrained: the same shape, floating point.  mask: bool, broadcastable to it, True keeps W; drawn if not
    given.  Returns: the same shape; weight itself outside training.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if a tensor is not floating point, or shapes do not fit.
    Lee, Cho and Kang 2020, https://arxiv.org/abs/1909.11299

    >>> mixout(torch.tensor([3.0, 3.0]), torch.ones(2), 0.5, mask=torch.tensor([True, False]))
    tensor([5., 1.])
    """
    check_rate(p)
    check_floating(weight, "weight")
    _check_pretrained(pretrained)
    if pretrained.shape != weight.shape:
        raise ArgumentError(
            f"pretrained has shape {tuple(pretrained.shape)}: it must be {tuple(weight.shape)}, the shape of weight"
        )
    check_mask(mask, weight.shape)
    if not training:
        return weight
    if mask is None:
        mask = keep_mask(weight.shape, p, generator=generator, device=weight.device)
    return pretrained + scale_kept(weight - pretrained, mask, p)


def _check_pretrained(pretrained: Tensor) -> Tensor:
    if not isinstance(pretrained, Tensor):
        raise ArgumentError(
            f"pretrained = {pretrained!r} is not a tensor: mixout needs the weights that fine-tuning began with"
        )
    return check_floating(pretrained, "pretrained")


class Mixout(nn.Module):
    """`mixout` as a parametrization of any layer's weight, to be registered before fine-tuning changes it.

    pretrained: the weight that fine-tuning begins with; a copy is kept as a buffer.  p: how often it is put back.
    Input and output: a weight of pretrained's shape.

    >>> layer = nn.Linear(3, 2)
    >>> mixed = torch.nn.utils.parametrize.register_parametrization(layer, "weight", Mixout(layer.weight, p=0.7))
    >>> mixed(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    """

    pretrained: Tensor

    def __init__(self, pretrained: Tensor, p: float = 0.5) -> None:
        super().__init__()
        self.p = check_rate(p)
        self.register_buffer("pretrained", _check_pretrained(pretrained).detach().clone())

    def forward(self, weight: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """The weight that the layer computes with: `mixout` in training, weight itself in eval."""
        return mixout(weight, self.pretrained, self.p, self.training, generator=generator)

    def extra_repr(self) -> str:
        """The rate, and the shape of the pretrained weights."""
        return f"p={self.p}, pretrained={tuple(self.pretrained.shape)}"


@torch.fx.wrap
def weight_noise(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    std: float = 0.05,
    training: bool = True,
    *,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """A linear layer with Gaussian noise on its weights, one draw for the whole batch.

        y = (W + std * n) x + bias,    n ~ N(0, 1) for each weight
        E[y] = W x + bias,    Cov[y(x), y(x')] = std^2 x . x' for each output

    x: (..., in), floating point.  weight: (out, in).  bias: (out,), without noise.
    noise: n itself, floating point, broadcastable to (out, in); drawn if not given.
    Returns: (..., out); W x + bias outside training.
    On a linear model with squared error this adds std^2 |x|^2 to the mean loss, whatever W is; it regularizes where
    the output is not linear in the weights, by a penalty on its gradient with respect to them.
    Raises ArgumentError unless std is finite and at least 0, the tensors are floating point, and their shapes fit.
    Graves 2011, https://papers.nips.cc/paper/4329-practical-variational-inference-for-neural-networks

    >>> weight_noise(torch.ones(1, 2), torch.ones(1, 2), std=0.5, noise=torch.tensor([[1.0, 0.0]]))
    tensor([[2.5000]])
    """
    check_amount(std, "std")
    _check_linear(x, weight, bias, 0.0)
    check_noise(noise, weight.shape)
    if not training:
        return F.linear(x, weight, bias)
    if noise is None:
        noise = normal(weight.shape, weight, generator)
    return F.linear(x, weight + (std * noise).to(weight.dtype), bias)


class WeightNoise(nn.Linear):
    """`weight_noise` as a linear layer: noise on its weights in training; a plain nn.Linear in eval.

    in_features, out_features, bias, device, dtype: as in nn.Linear.  std: the noise's standard deviation, at least 0.
    Input: (..., in).  Output: (..., out).

    >>> WeightNoise(3, 2, 0.05)(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        std: float = 0.05,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias=bias, device=device, dtype=dtype)
        self.std = check_amount(std, "std")

    def forward(self, input: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `weight_noise` of size std."""
        return weight_noise(input, self.weight, self.bias, self.std, self.training, generator=generator)

    def extra_repr(self) -> str:
        """nn.Linear's sizes, and the size of the noise."""
        return f"{super().extra_repr()}, std={self.std}"


@torch.fx.wrap
def lora_dropout(
    x: Tensor,
    a: Tensor,
    b: Tensor,
    p: float = 0.1,
    training: bool = True,
    *,
    scaling: float = 1.0,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """A low-rank update of a frozen linear layer, LoRA's, with dropout on the input of the update alone.

        dy = scaling * B A (x * m / (1 - p)),    m ~ Bernoulli(1 - p) for each element;    y = W x + dy
        E[dy] = scaling * B A x: merged into the weight, W + scaling * B A, the update keeps its mean, without dropout

    x: (..., in), floating point.  a: (rank, in).  b: (out, rank).  scaling: alpha / rank in the paper.
    mask: broadcastable to x, True is kept; drawn if not given.
    Returns: (..., out), to be added to the frozen layer's output, which sees x without dropout.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError if a tensor is not floating point, or the shapes or the
    mask do not fit.
    Hu et al. 2021 (LoRA), https://arxiv.org/abs/2106.09685; the dropout is `lora_dropout` in Hugging Face's peft.

    >>> x, a, b = torch.ones(1, 2), torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0], [10.0]])
    >>> lora_dropout(x, a, b, 0.5, mask=torch.tensor([True, False]))
    tensor([[ 2., 20.]])
    """
    _check_linear(x, a, None, p)
    check_floating(b, "b")
    if b.dim() != 2 or b.shape[1] != a.shape[0]:
        raise ArgumentError(
            f"b has shape {tuple(b.shape)} and a {tuple(a.shape)}: they must be (out, rank) and (rank, in)"
        )
    return scaling * F.linear(F.linear(dropout(x, p, training, generator=generator, mask=mask), a), b)


class LoraDropout(RateModule):
    """`lora_dropout` around a linear layer of its own: a trained low-rank update; dropout on it in training alone.

    layer: an nn.Linear, whose parameters are frozen.  rank: of the update.  p: the drop probability, 0 <= p < 1.
    alpha: the update is scaled by alpha / rank. It begins at 0: A is random, and B zeros.
    Input: (..., in).  Output: (..., out).

    >>> adapted = LoraDropout(nn.Linear(3, 2), rank=1)
    >>> [name for name, parameter in adapted.named_parameters() if parameter.requires_grad]
    ['a', 'b']
    """

    def __init__(self, layer: nn.Linear, rank: int = 8, p: float = 0.1, *, alpha: float = 16.0) -> None:
        super().__init__(p)
        if not rank >= 1:
            raise ArgumentError(f"rank = {rank} is not allowed: it must be at least 1")
        self.layer, self.scaling = layer.requires_grad_(False), check_amount(alpha, "alpha") / rank
        self.a = nn.Parameter(layer.weight.new_empty(rank, layer.in_features))
        self.b = nn.Parameter(layer.weight.new_zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.a, a=5**0.5)  # as nn.Linear begins

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """The frozen layer's output, and `lora_dropout` at rate p."""
        update = lora_dropout(x, self.a, self.b, self.p, self.training, scaling=self.scaling, generator=generator)
        frozen: Tensor = self.layer(x)
        return frozen + update.to(frozen.dtype)

    def extra_repr(self) -> str:
        """The rate, the rank and the scaling."""
        return f"p={self.p}, rank={len(self.a)}, scaling={self.scaling:g}"
