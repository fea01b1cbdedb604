"""Noise on the inputs: input and embedding noise, word dropout, token masking, mixup, FGSM and training against it."""

from __future__ import annotations

from collections.abc import Callable

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
from regdemo.regularizers.masks import keep_mask, scale_kept


def input_noise(
    x: Tensor,
    std: float = 0.1,
    *,
    training: bool = True,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """Add Gaussian noise of one size to every input.

        y = x + std n,    n ~ N(0, 1) for each element
        for a linear model w and squared error,  E (t - w.y)^2 = (t - w.x)^2 + std^2 |w|^2

    x: any shape, floating point; token ids have no noise: add it to their embeddings.  noise: n itself, floating point,
    broadcastable to x; drawn if not given.
    Returns: x's shape and dtype; x outside training.
    Raises ArgumentError unless std is finite and at least 0, x is floating point and the noise fits.
    Bishop 1995, https://doi.org/10.1162/neco.1995.7.1.108

    >>> input_noise(torch.zeros(2), 0.5, noise=torch.tensor([1.0, -1.0]))
    tensor([ 0.5000, -0.5000])
    """
    check_amount(std, "std")
    if not x.is_floating_point():
        raise ArgumentError(f"x has dtype {x.dtype}: noise makes other tokens of ids; add it to their embeddings")
    if noise is not None:
        check_broadcast(check_floating(noise, "noise"), x.shape, "noise")
    if not training:
        return x
    if noise is None:
        # In at least float32, since the half types' own normal draws are coarse in the tails.
        dtype = torch.promote_types(x.dtype, torch.float32)
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=dtype)
    return x + (std * noise).to(x.dtype)


class InputNoise(nn.Module):
    """`input_noise` as a Module: active in training, the identity in eval."""

    def __init__(self, std: float = 0.1) -> None:
        super().__init__()
        self.std = check_amount(std, "std")

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `input_noise` of size std."""
        return input_noise(x, self.std, training=self.training, generator=generator)

    def extra_repr(self) -> str:
        """The size of the noise, shown when the module is printed."""
        return f"std={self.std}"


def embedding_noise(
    x: Tensor,
    alpha: float = 5.0,
    *,
    training: bool = True,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Add uniform noise to embedded tokens, of one total size for short and long sequences: NEFTune.

        y = x + alpha / sqrt(L d) u,    u ~ Uniform(-1, 1) for each number
        E |y - x|^2 = alpha^2 / 3 for a sequence of L tokens

    x: (..., T, d), floating point.  mask: bool, broadcastable to (..., T), True for a token, False for padding, which
    stays as it is; L counts the tokens of each sequence, and is T without a mask.
    Returns: x's shape and dtype; x outside training.
    Raises ArgumentError unless alpha is finite and at least 0, x is floating point with 2 dimensions or more, and the
    mask fits.
    Jain et al. 2023, algorithm 1, https://arxiv.org/abs/2310.05914

    >>> embedding_noise(torch.zeros(2, 3), alpha=0.0)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    check_amount(alpha, "alpha")
    check_dim(check_floating(x), 2, "(..., T, d)")
    if mask is None:
        mask = torch.ones((), dtype=torch.bool, device=x.device)
    tokens = check_mask(mask, x.shape[:-1]).expand(x.shape[:-1]).unsqueeze(-1)
    if not training:
        return x
    # In at least float32: a half type's own draws are coarse.
    dtype = torch.promote_types(x.dtype, torch.float32)
    uniform = 2 * torch.rand(x.shape, generator=generator, device=x.device, dtype=dtype) - 1
    numbers = tokens.sum(-2, keepdim=True, dtype=dtype).clamp(min=1) * x.shape[-1]
    return x + (alpha / numbers.sqrt() * uniform * tokens).to(x.dtype)


class EmbeddingNoise(nn.Module):
    """`embedding_noise` as a Module, to stand after the embedding: active in training, the identity in eval."""

    def __init__(self, alpha: float = 5.0) -> None:
        super().__init__()
        self.alpha = check_amount(alpha, "alpha")

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None, mask: Tensor | None = None) -> Tensor:
        """Apply `embedding_noise` at size alpha."""
        return embedding_noise(x, self.alpha, training=self.training, generator=generator, mask=mask)

    def extra_repr(self) -> str:
        """The size of the noise, shown when the module is printed."""
        return f"alpha={self.alpha}"


def word_dropout(
    ids: Tensor,
    weight: Tensor,
    p: float = 0.1,
    *,
    training: bool = True,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Embed tokens with whole words dropped: one coin for each row of the vocabulary, shared by the batch.

        y[...] = weight[ids] * m[ids] / (1 - p),    m ~ Bernoulli(1 - p) for each of V words

    ids: integers (...), below V.  weight: (V, d), floating point.  mask: (V,), True is kept; drawn if not given.
    Returns: (..., d); the plain embedding outside training.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError unless ids are integers, weight is a floating (V, d) table
    and the mask fits.
    Gal and Ghahramani 2015, on word embeddings, https://arxiv.org/abs/1512.05287; Merity et al. 2017,
    https://arxiv.org/abs/1708.02182

    >>> weight, mask = torch.tensor([[1.0], [2.0]]), torch.tensor([True, False])
    >>> word_dropout(torch.tensor([0, 1, 0, 1]), weight, 0.5, mask=mask).flatten()
    tensor([2., 0., 2., 0.])
    """
    check_rate(p)
    if ids.dtype not in (torch.int32, torch.int64):
        raise ArgumentError(f"ids has dtype {ids.dtype}: it must hold integers, as from ids.long()")
    if check_floating(weight, "weight").dim() != 2:
        raise ArgumentError(f"weight has shape {tuple(weight.shape)}: it must be (V, d)")
    embedded = F.embedding(ids, weight)
    if not training:
        return embedded
    words = weight.shape[:1]
    mask = keep_mask(words, p, generator=generator, device=weight.device) if mask is None else check_mask(mask, words)
    # Scaling what was looked up, instead of the table, costs as much as there are tokens.
    return scale_kept(embedded, mask.expand(words)[ids].unsqueeze(-1), p)


class WordDropout(nn.Embedding):
    """`word_dropout` as an embedding: drops words in training, a plain nn.Embedding in eval."""

    def __init__(self, num_embeddings: int, embedding_dim: int, p: float = 0.1) -> None:
        super().__init__(num_embeddings, embedding_dim)
        self.p = check_rate(p)

    def forward(self, input: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `word_dropout` at rate p."""
        return word_dropout(input, self.weight, self.p, training=self.training, generator=generator)

    def extra_repr(self) -> str:
        """nn.Embedding's sizes and the rate."""
        return f"{super().extra_repr()}, p={self.p}"


def token_masking(
    ids: Tensor,
    vocabulary: int,
    mask_id: int,
    p: float = 0.15,
    *,
    special: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Choose a share p of the tokens to predict, and hide most of them: BERT's masked language modelling.

        a chosen token becomes  mask_id 80%,  any of the vocabulary 10%,  itself 10%;  labels are -100 elsewhere

    ids: integers, any shape.  vocabulary: its size; the random 10% are drawn from 0 to vocabulary - 1.
    special: bool, broadcastable to ids, True where a token is never chosen: separators, padding.
    Returns: the corrupted ids and the labels, both of ids' shape and dtype.
    Raises ProbabilityError unless 0 <= p < 1, ArgumentError unless ids are integers, mask_id is in the vocabulary and
    special is a mask that fits.
    Devlin et al. 2018, appendix A.1, https://arxiv.org/abs/1810.04805

    >>> token_masking(torch.tensor([5, 6, 7]), 100, 3, special=torch.tensor(True))
    (tensor([5, 6, 7]), tensor([-100, -100, -100]))
    """
    chosen = ~keep_mask(ids.shape, p, generator=generator, device=ids.device)
    if ids.is_floating_point() or ids.dtype == torch.bool:
        raise ArgumentError(f"ids has dtype {ids.dtype}: it must hold integers, as from ids.long()")
    if not 0 <= mask_id < vocabulary:
        raise ArgumentError(f"mask_id = {mask_id} is not in a vocabulary of {vocabulary:,}: choose one below it")
    if special is not None:
        if special.dtype != torch.bool:
            raise ArgumentError(f"special has dtype {special.dtype}: it must be bool, True where a token is kept")
        chosen &= ~check_broadcast(special, ids.shape, "special")
    fate = torch.rand(ids.shape, generator=generator, device=ids.device)
    other = torch.randint(vocabulary, ids.shape, generator=generator, device=ids.device, dtype=ids.dtype)
    hidden = torch.where(fate < 0.8, mask_id, torch.where(fate < 0.9, other, ids))
    return torch.where(chosen, hidden, ids), torch.where(chosen, ids, -100)


def mixup(
    x: Tensor,
    y: Tensor,
    alpha: float = 0.2,
    *,
    generator: torch.Generator | None = None,
    weight: Tensor | None = None,
    order: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Mix each example with a partner from the batch, inputs and targets alike.

        x' = l x + (1 - l) x[order],    y' = l y + (1 - l) y[order],    l ~ Beta(alpha, alpha), one for the batch

    x: (N, ...), floating point.  y: (N, ...), floating point: one-hot or soft targets, or numbers to regress on.
    weight: l itself, of shape () or (N,).  order: a permutation of the N examples.  Both are drawn if not given.
    Returns: x' and y', shapes and dtypes as they came.
    Raises ArgumentError unless alpha is finite and above 0, x and y are floating point and have N rows each, and weight
    and order fit.
    Zhang et al. 2017, https://arxiv.org/abs/1710.09412

    >>> x, y = torch.tensor([[0.0], [8.0]]), torch.eye(2)
    >>> mixup(x, y, weight=torch.tensor(0.75), order=torch.tensor([1, 0]))[0]
    tensor([[2.],
            [6.]])
    """
    check_amount(alpha, "alpha", above=0)
    check_dim(check_floating(x), 1, "(N, ...)")
    if not y.is_floating_point():
        raise ArgumentError(
            f"y has dtype {y.dtype}: labels cannot be mixed, probabilities can, as from one_hot(y).float()"
        )
    if y.dim() < 1 or len(y) != len(x):
        raise ArgumentError(f"y has shape {tuple(y.shape)} and x {tuple(x.shape)}: they must have as many rows")
    if weight is None:
        weight = draw_beta(alpha, x.device, generator)
    else:
        check_broadcast(check_floating(weight, "weight"), x.shape[:1], "weight")
    if order is None:
        order = torch.randperm(len(x), generator=generator, device=x.device)
    elif order.shape != x.shape[:1]:
        raise ArgumentError(f"order has shape {tuple(order.shape)}: it must be a permutation of {len(x)} examples")
    return _mix(x, weight, order), _mix(y, weight, order)


def _mix(x: Tensor, weight: Tensor, order: Tensor) -> Tensor:
    share = weight.to(x.dtype).reshape(weight.shape + (1,) * (x.dim() - 1))
    return share * x + (1 - share) * x[order]


def draw_beta(alpha: float, device: torch.device, generator: torch.Generator | None) -> Tensor:
    """One draw from Beta(alpha, alpha): a ratio of two Gamma draws, in logarithms, since a small alpha underflows."""
    shape = torch.full((2,), alpha + 1.0, device=device, dtype=torch.float64)
    gamma = torch._standard_gamma(shape, generator=generator)
    uniform = torch.rand(2, generator=generator, device=device, dtype=torch.float64)
    log_gamma = gamma.log() + uniform.log() / alpha  # Gamma(a) is Gamma(a + 1) U^(1/a)
    return (log_gamma[0] - log_gamma[1]).sigmoid()


def fgsm(x: Tensor, loss: Callable[[Tensor], Tensor], epsilon: float) -> Tensor:
    """Move every input by epsilon in the direction that raises the loss: the fast gradient sign method.

        x' = x + epsilon sign(d loss / d x)

    The largest loss in the box |x' - x| <= epsilon, as far as the loss is linear there.
    x: floating point.  loss: from x to a tensor, summed if it is no scalar; parameters' .grad stay as they are.
    Returns: x's shape and dtype, without a gradient of its own; clamp it where inputs have a range.
    Raises ArgumentError unless epsilon is finite and at least 0, x is floating point and reaches the loss, and the
    gradient is a number.
    Goodfellow et al. 2014, https://arxiv.org/abs/1412.6572

    >>> fgsm(torch.tensor([1.0, 1.0]), lambda x: x @ torch.tensor([3.0, -2.0]), 0.5)
    tensor([1.5000, 0.5000])
    """
    check_amount(epsilon, "epsilon")
    x = check_floating(x).detach()
    with torch.enable_grad():  # a caller in no_grad still attacks
        probe = x.clone().requires_grad_()
        value = loss(probe).sum()
        if not value.requires_grad:
            raise ArgumentError(
                f"loss returned {value.item():g} without a gradient: it must be computed from x by torch"
            )
        # Not backward(): it would add to the .grad of every parameter on the way.
        (gradient,) = torch.autograd.grad(value, probe)
    if gradient.isnan().any():  # whose sign is 0 in torch: the attack would pass over it
        raise ArgumentError(
            f"the gradient of loss is not a number in {int(gradient.isnan().sum())} of {x.numel()} inputs"
        )
    return x + epsilon * gradient.sign()


def adversarial_training(x: Tensor, loss: Callable[[Tensor], Tensor], epsilon: float, *, clean: float = 0.5) -> Tensor:
    """The loss of training against FGSM: a share of it on the inputs as they are, the rest on the attacked ones.

        clean loss(x) + (1 - clean) loss(x'),    x' = fgsm(x, loss, epsilon), made afresh in each step

    Gradients flow into the parameters through both terms, but not through x' itself, which is the worst case's own.
    x: floating point.  loss: from x to a tensor.  Returns: what loss returns; three passes where training takes one.
    Raises ArgumentError as `fgsm` does, and unless 0 <= clean <= 1.
    Goodfellow et al. 2014, on adversarial training, https://arxiv.org/abs/1412.6572

    >>> adversarial_training(torch.tensor([1.0, 1.0]), lambda x: x @ torch.tensor([3.0, -2.0]), 0.5)
    tensor(2.2500)
    """
    if check_amount(clean, "clean") > 1:
        raise ArgumentError(f"clean = {clean!r} is not allowed: it is the clean loss's share, from 0 to 1")
    return clean * loss(x) + (1 - clean) * loss(fgsm(x, loss, epsilon))
