"""Noise on the inputs: input and embedding noise, word dropout, token masking, mixup, CutMix, FGSM."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import (
    check_amount,
    check_broadcast,
    check_dim,
    check_floating,
    check_ids,
    check_mask,
    check_noise,
    check_rate,
    check_tensor,
)
from regdemo.regularizers.draws import noise_within, normal, source, uniform
from regdemo.regularizers.masks import keep_mask, scale_kept


@torch.fx.wrap
def input_noise(
    x: Tensor,
    std: float = 0.1,
    training: bool = True,
    *,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """Add Gaussian noise of one size to every element, without regard to its value.

        y = x + std * n,    n ~ N(0, 1) for each element
        E[y] = x,    Var[y] = std^2
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
    if not check_tensor(x, "x").is_floating_point():
        raise ArgumentError(
            f"x has dtype {x.dtype}: it must be floating point; noise makes other tokens of ids: "
            "add it to their embeddings"
        )
    check_noise(noise, x.shape)
    if not training:
        return x
    if noise is None:
        noise = normal(x.shape, x, generator)
    return x + (std * noise).to(x.dtype)


class InputNoise(nn.Module):
    """`input_noise` as a Module: adds noise of size std in training; the identity in eval.

    std: the noise's standard deviation, at least 0.
    Input and output: any shape, floating point.

    >>> InputNoise(0.1).eval()(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, std: float = 0.1) -> None:
        super().__init__()
        self.std = check_amount(std, "std")

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `input_noise` of size std."""
        return input_noise(x, self.std, self.training, generator=generator)

    def extra_repr(self) -> str:
        """The size of the noise, shown when the module is printed."""
        return f"std={self.std}"


@torch.fx.wrap
def embedding_noise(
    x: Tensor,
    alpha: float = 5.0,
    training: bool = True,
    *,
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
    check_mask(mask, x.shape[:-1])
    if not training:
        return x
    if mask is None:
        return x + noise_within(alpha / max(x.shape[-2] * x.shape[-1], 1) ** 0.5, x, generator).to(x.dtype)
    noise = noise_within(1.0, x, generator)
    tokens = mask.expand(x.shape[:-1]).unsqueeze(-1)
    numbers = tokens.sum(-2, keepdim=True, dtype=noise.dtype).clamp(min=1) * x.shape[-1]
    return x + (noise * (alpha / numbers.sqrt() * tokens)).to(x.dtype)


class EmbeddingNoise(nn.Module):
    """`embedding_noise` as a Module, to follow the embedding: adds noise in training; the identity in eval.

    alpha: the size of a sequence's noise, at least 0; 5, 10 and 15 in the paper.
    Input and output: (..., T, d), floating point; `forward` takes the mask of tokens, (..., T), too.

    >>> EmbeddingNoise(5.0).eval()(torch.ones(1, 2))
    tensor([[1., 1.]])
    """

    def __init__(self, alpha: float = 5.0) -> None:
        super().__init__()
        self.alpha = check_amount(alpha, "alpha")

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None, mask: Tensor | None = None) -> Tensor:
        """Apply `embedding_noise` at size alpha."""
        return embedding_noise(x, self.alpha, self.training, generator=generator, mask=mask)

    def extra_repr(self) -> str:
        """The size of the noise, shown when the module is printed."""
        return f"alpha={self.alpha}"


@torch.fx.wrap
def word_dropout(
    ids: Tensor,
    weight: Tensor,
    p: float = 0.1,
    training: bool = True,
    *,
    padding_idx: int | None = None,
    generator: torch.Generator | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Embed tokens with whole words dropped: one draw for each row of the vocabulary, shared by the batch.

        y[...] = weight[ids] * m[ids] / (1 - p),    m ~ Bernoulli(1 - p) for each of V words

    ids: integers (...), below V.  weight: (V, d), floating point.  padding_idx: an id whose row gets no gradient.
    mask: (V,), True is kept; drawn if not given.
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
    if check_tensor(ids, "ids").dtype not in (torch.int32, torch.int64):
        raise ArgumentError(f"ids has dtype {ids.dtype}: it must hold integers, as from ids.long()")
    if check_floating(weight, "weight").dim() != 2:
        raise ArgumentError(f"weight has shape {tuple(weight.shape)}: it must be (V, d)")
    words = weight.shape[:1]
    check_mask(mask, words)
    embedded = F.embedding(ids, weight, padding_idx)
    if not training:
        return embedded
    if mask is None:
        mask = keep_mask(words, p, generator=generator, device=weight.device)
    # Scaling what was looked up, instead of the table, costs as much as there are tokens.
    return scale_kept(embedded, mask.expand(words)[ids].unsqueeze(-1), p)


class WordDropout(nn.Embedding):
    """`word_dropout` as an embedding: drops words in training; a plain nn.Embedding in eval.

    num_embeddings: V.  embedding_dim: d.  p: a word's drop probability, 0 <= p < 1.
    padding_idx, device, dtype: as in nn.Embedding. Other options of nn.Embedding, such as sparse, are not taken.
    Input: integers (...), below V.  Output: (..., d).

    >>> WordDropout.from_pretrained(torch.tensor([[1.0], [2.0]])).eval()(torch.tensor([1, 0]))
    tensor([[2.],
            [1.]])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        p: float = 0.1,
        *,
        padding_idx: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, device=device, dtype=dtype)
        self.p = check_rate(p)

    @classmethod
    def from_pretrained(  # type: ignore[override]  # nn.Embedding's further options have no place here
        cls, embeddings: Tensor, p: float = 0.1, *, freeze: bool = True, padding_idx: int | None = None
    ) -> Self:
        """An embedding with these weights, (V, d), which training leaves as they are unless freeze=False."""
        if check_floating(embeddings, "embeddings").dim() != 2:
            raise ArgumentError(f"embeddings has shape {tuple(embeddings.shape)}: it must be (V, d)")
        words, width = embeddings.shape
        made = cls(words, width, p, padding_idx=padding_idx, device="meta")
        made.weight = nn.Parameter(embeddings, requires_grad=not freeze)
        return made

    def forward(self, input: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Apply `word_dropout` at rate p."""
        return word_dropout(
            input, self.weight, self.p, self.training, padding_idx=self.padding_idx, generator=generator
        )

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
    """Choose a fraction p of the tokens to predict, and hide most of them: BERT's masked language modelling.

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
    check_rate(p)
    check_ids(ids)
    if not 0 <= mask_id < vocabulary:
        raise ArgumentError(f"mask_id = {mask_id} is not in a vocabulary of {vocabulary:,}: choose one below it")
    chosen = keep_mask(ids.shape, p, generator=generator, device=ids.device).logical_not()
    if special is not None:
        if special.dtype != torch.bool:
            raise ArgumentError(f"special has dtype {special.dtype}: it must be bool, True where a token is kept")
        chosen &= ~check_broadcast(special, ids.shape, "special")
    fate = uniform(ids.shape, generator, ids.device)
    other = torch.randint(vocabulary, tuple(ids.shape), **source(generator), device=ids.device, dtype=ids.dtype)
    hidden = torch.where(fate < 0.8, mask_id, torch.where(fate < 0.9, other, ids))
    return torch.where(chosen, hidden, ids), torch.where(chosen, ids, -100)


def mixup(
    x: Tensor,
    y: Tensor,
    alpha: float = 0.2,
    *,
    num_classes: int | None = None,
    per_example: bool = False,
    generator: torch.Generator | None = None,
    weight: Tensor | None = None,
    order: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Mix each example with a partner from the batch, inputs and targets alike.

        x' = l x + (1 - l) x[order],    y' = l y + (1 - l) y[order],    l ~ Beta(alpha, alpha), one for the batch

    x: (N, ...), floating point.  y: (N, ...), floating point: one-hot or soft targets, or numbers to regress on; with
    num_classes, integer labels (N, ...), which become one-hot first.
    per_example: draw a weight for each example.
    weight: l itself, of shape () or (N,).  order: a permutation of the N examples.  Both are drawn if not given.
    Returns: x' and y', shapes and dtypes as they came; for labels, y' is (N, ..., num_classes) in x's dtype.
    Raises ArgumentError unless alpha is finite and above 0, x and y are floating point and have N rows each, the labels
    are classes, and weight and order fit.
    Zhang et al. 2017, https://arxiv.org/abs/1710.09412

    >>> x, labels = torch.tensor([[0.0], [8.0]]), torch.tensor([0, 1])
    >>> mixup(x, labels, num_classes=2, weight=torch.tensor(0.75), order=torch.tensor([1, 0]))
    (tensor([[2.],
            [6.]]), tensor([[0.7500, 0.2500],
            [0.2500, 0.7500]]))
    """
    check_amount(alpha, "alpha", above=0)
    y = _targets(check_dim(check_floating(x), 1, "(N, ...)"), y, num_classes)
    if weight is None:
        weight = draw_beta(alpha, x.device, generator, x.shape[:1] if per_example else ())
    else:
        check_broadcast(check_floating(weight, "weight"), x.shape[:1], "weight")
    order = _order(x, order, generator)
    return _mix(x, weight, order), _mix(y, weight, order)


def cutmix(
    x: Tensor,
    y: Tensor,
    alpha: float = 1.0,
    *,
    num_classes: int | None = None,
    generator: torch.Generator | None = None,
    box: tuple[int, int, int, int] | None = None,
    order: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Paste a box of a partner's image into each image of the batch, and mix the targets by the area.

        x' = x outside the box, x[order] inside;    y' = l y + (1 - l) y[order],    l = 1 - box area / (H W)
        sides H sqrt(1 - l0) and W sqrt(1 - l0), rounded down,  l0 ~ Beta(alpha, alpha),  centre uniform; cut at edges

    x: (N, ..., H, W), floating point.  y and num_classes: as for `mixup`.
    box: (top, bottom, left, right), the rows from top to below bottom and the columns from left to below right.
    order: a permutation of the N examples.  Both are drawn if not given, one box for the batch.
    Returns: x' and y', as `mixup`.  A box that the edge cuts is smaller: l is its real area's, not l0.
    Raises ArgumentError as `mixup` does, if x has fewer than 3 dimensions, or if the box is not inside the image.
    Yun et al. 2019, https://arxiv.org/abs/1905.04899

    >>> x, labels = torch.stack([torch.zeros(2, 2), torch.ones(2, 2)]), torch.tensor([0, 1])
    >>> cutmix(x, labels, num_classes=2, box=(0, 1, 0, 1), order=torch.tensor([1, 0]))
    (tensor([[[1., 0.],
             [0., 0.]],
    <BLANKLINE>
            [[0., 1.],
             [1., 1.]]]), tensor([[0.7500, 0.2500],
            [0.2500, 0.7500]]))
    """
    check_amount(alpha, "alpha", above=0)
    y = _targets(check_dim(check_floating(x), 3, "(N, ..., H, W)"), y, num_classes)
    height, width = x.shape[-2:]
    rows, columns = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    if box is None:
        side = (1 - draw_beta(alpha, x.device, generator)).sqrt()
        centre = uniform((2,), generator, x.device)
        inside_rows = _interval(rows, centre[0], side)
        inside_columns = _interval(columns, centre[1], side)
    else:
        top, bottom, left, right = box
        if not (0 <= top <= bottom <= height and 0 <= left <= right <= width):
            raise ArgumentError(f"box = {box} is not allowed: it must be inside the image, {height} x {width}")
        inside_rows, inside_columns = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
    order = _order(x, order, generator)
    inside = inside_rows.unsqueeze(1) & inside_columns
    weight = 1 - inside.double().mean()
    return torch.where(inside, x.index_select(0, order), x), _mix(y, weight, order)


def _interval(places: Tensor, centre: Tensor, side: Tensor) -> Tensor:
    """Where a box of a fraction `side` of the places lies around a centre, itself a fraction: bool."""
    length = (side * len(places)).floor()
    start = (centre * len(places)).floor() - (length / 2).floor()
    return (places >= start) & (places < start + length)


def _targets(x: Tensor, y: Tensor, num_classes: int | None) -> Tensor:
    """The targets that can be mixed: y itself, or its labels one-hot."""
    if y.dim() < 1 or len(y) != len(x):
        raise ArgumentError(f"y has shape {tuple(y.shape)} and x {tuple(x.shape)}: they must have as many rows")
    if num_classes is not None:
        try:
            return F.one_hot(check_ids(y, "y").long(), num_classes).to(x.dtype)
        except RuntimeError as error:
            raise ArgumentError(
                f"y has labels from {int(y.min())} to {int(y.max())}: with num_classes = {num_classes} they must be "
                f"from 0 to {num_classes - 1}"
            ) from error
    if not y.is_floating_point():
        raise ArgumentError(
            f"y has dtype {y.dtype}: labels cannot be mixed, probabilities can: give num_classes, or one_hot(y).float()"
        )
    return y


def _order(x: Tensor, order: Tensor | None, generator: torch.Generator | None) -> Tensor:
    """The order handed in, or one drawn evenly."""
    if order is None:
        return torch.randperm(len(x), **source(generator), device=x.device)
    if order.shape != x.shape[:1]:
        raise ArgumentError(f"order has shape {tuple(order.shape)}: it must be a permutation of {len(x)} examples")
    return order


def _mix(x: Tensor, weight: Tensor, order: Tensor) -> Tensor:
    """weight * x + (1 - weight) * x[order]."""
    weight = weight.to(x.dtype).reshape(weight.shape + (1,) * (x.dim() - 1))
    return torch.lerp(x.index_select(0, order), x, weight)


def draw_beta(
    alpha: float, device: torch.device, generator: torch.Generator | None, shape: tuple[int, ...] = ()
) -> Tensor:
    """Draws from Beta(alpha, alpha), in float64, also where alpha is so small that Gamma draws would be 0.

        (1 + t / sqrt(2 alpha + t^2)) / 2,    t a Student's t of 2 alpha degrees: t^2 = 2 alpha c^2 (u^(-1/alpha) - 1)

    with u uniform and c the cosine of a uniform angle (Bailey 1994), which takes no rejections and so no loop.
    Bailey 1994, https://doi.org/10.1090/S0025-5718-1994-1219705-0
    """
    u, angle = uniform((2, *shape), generator, device, torch.float64)
    cosine, t = torch.cos(2 * math.pi * angle), -u.log() / alpha
    log_z = 2 * cosine.abs().log() + t + torch.log(-torch.expm1(-t))  # z = c^2 (u^(-1/alpha) - 1), which may overflow
    smaller = (-log_z).sigmoid() / 2 / (1 + log_z.sigmoid().sqrt())  # (1 - sqrt(z / (1 + z))) / 2 without cancellation
    return torch.where(cosine < 0, smaller, 1 - smaller)


def fgsm(x: Tensor, loss: Callable[[Tensor], Tensor], epsilon: float) -> Tensor:
    """Move every input by epsilon in the direction that raises the loss: the fast gradient sign method.

        x' = x + epsilon sign(d loss / d x)

    The largest loss in the box |x' - x| <= epsilon, as far as the loss is linear there.
    x: floating point.  loss: from x to a tensor, summed if it isn't a scalar; parameters' .grad stay as they are.
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
    """The loss of training against FGSM: a fraction of it on the inputs as they are, the rest on the attacked ones.

        clean loss(x) + (1 - clean) loss(x'),    x' = fgsm(x, loss, epsilon), made afresh in each step

    Gradients flow into the parameters through both terms, but not through x' itself, which is the worst case's own.
    x: floating point.  loss: from x to a tensor.  Returns: what loss returns; three passes where training takes one.
    Raises ArgumentError as `fgsm` does, and unless 0 <= clean <= 1.
    Goodfellow et al. 2014, on adversarial training, https://arxiv.org/abs/1412.6572

    >>> adversarial_training(torch.tensor([1.0, 1.0]), lambda x: x @ torch.tensor([3.0, -2.0]), 0.5)
    tensor(2.2500)
    """
    if check_amount(clean, "clean") > 1:
        raise ArgumentError(f"clean = {clean!r} is not allowed: it is the clean loss's fraction, from 0 to 1")
    return clean * loss(x) + (1 - clean) * loss(fgsm(x, loss, epsilon))
