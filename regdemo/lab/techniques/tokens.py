"""What only a transformer on tokens has a place for: its tokens, positions, attention and residual branches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch

from regdemo import regularizers
from regdemo.lab.recipe import Technique
from regdemo.parameters import Parameter, rate

if TYPE_CHECKING:
    from torch import Tensor

    from regdemo.lab.recipe import RunProtocol

TOKENS = frozenset({"tokens"})
BLOCKS = frozenset({"blocks"})


@dataclass(eq=False)
class TokenMaskingTechnique(Technique):
    """BERT's corruption of the tokens that are read, as `regularizers.token_masking`; what to predict stays.

    The vocabulary's last number, that of characters never seen, is the mask.
    """

    NAME: ClassVar = "token-masking"
    requires: ClassVar = TOKENS
    p: Annotated[float, rate("Fraction of the tokens chosen; of these, 80% are masked and 10% replaced.")] = 0.15

    def batch(self, run: RunProtocol, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        last = run.task.classes - 1
        members = zip(x, self.streams.generators, strict=True)
        return torch.stack(
            [regularizers.token_masking(ids, last + 1, last, self.p, generator=g)[0] for ids, g in members]
        ), y


@dataclass(eq=False)
class WordDropoutTechnique(Technique):
    """`regularizers.word_dropout`: words of the vocabulary are dropped, one draw each for a member's whole batch."""

    NAME: ClassVar = "word-dropout"
    requires: ClassVar = TOKENS
    p: Annotated[float, rate("Probability that a word is dropped.")] = 0.1

    def tokens(self, run: RunProtocol, h: Tensor, ids: Tensor) -> Tensor:
        words = self.streams.keep((run.task.classes,), self.p)
        # Its formula on what was looked up already: a mask on tokens that is the same for all of one word.
        return regularizers.dropout(h, self.p, mask=words.gather(1, ids.flatten(1)).view(*ids.shape, 1))


@dataclass(eq=False)
class EmbeddingNoiseTechnique(Technique):
    """NEFTune: uniform noise on the embeddings, `regularizers.embedding_noise`."""

    NAME: ClassVar = "embedding-noise"
    requires: ClassVar = TOKENS
    alpha: Annotated[float, Parameter("Size of the noise; its largest part is alpha / sqrt(T d).", 0, 1000)] = 5.0

    def activations(self, run: RunProtocol, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        if site != "embedding":
            return h
        size = self.alpha / (h.shape[-2] * h.shape[-1]) ** 0.5
        noise = self.streams.uniform(h.shape[1:]).mul_(2).sub_(1)
        noisy: Tensor = h + size * noise
        return noisy


@dataclass(eq=False)
class SpatialDropoutTechnique(Technique):
    """`regularizers.spatial_dropout` wherever dropout acts but on attention: a channel falls at all of a text's places.

    One mask for all steps of a sequence is variational or locked dropout too: Gal and Ghahramani 2015,
    https://arxiv.org/abs/1512.05287
    """

    NAME: ClassVar = "spatial-dropout"
    requires: ClassVar = TOKENS
    p: Annotated[float, rate("Probability that a channel of a sequence is dropped.")] = 0.1

    def activations(self, run: RunProtocol, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        if site == "attention":
            return h
        channels = self.streams.keep((h.shape[1], h.shape[-1]), self.p).flatten(0, 1).unsqueeze(-1)
        return regularizers.spatial_dropout(h.flatten(0, 1).mT, self.p, mask=channels).mT.reshape(h.shape)


@dataclass(eq=False)
class AttentionDropoutTechnique(Technique):
    """`regularizers.dropout` on the attention weights alone."""

    NAME: ClassVar = "attention-dropout"
    requires: ClassVar = BLOCKS
    p: Annotated[float, rate("Probability that an attention weight is dropped.")] = 0.1

    def activations(self, run: RunProtocol, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        return (
            regularizers.dropout(h, self.p, mask=self.streams.keep(h.shape[1:], self.p)) if site == "attention" else h
        )


@dataclass(eq=False)
class DropPathTechnique(Technique):
    """`regularizers.drop_path` on what each sublayer adds, one draw for each sequence; rates grow from 0 to p."""

    NAME: ClassVar = "drop-path"
    requires: ClassVar = BLOCKS
    p: Annotated[float, rate("Probability that the last block's branch is dropped.")] = 0.1

    def activations(self, run: RunProtocol, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        if site != "residual":
            return h
        p = regularizers.layerwise_rates(depth, self.p)[layer]
        mask = self.streams.keep(h.shape[1:2], p).reshape(-1, *(1,) * (h.dim() - 2))
        return regularizers.drop_path(h.flatten(0, 1), p, mask=mask).view_as(h)


@dataclass(eq=False)
class LayerDropTechnique(Technique):
    """Whole blocks are skipped, for a member's whole batch and without rescaling, as by `regularizers.layer_drop`."""

    NAME: ClassVar = "layer-drop"
    requires: ClassVar = BLOCKS
    p: Annotated[float, rate("Probability that a block is skipped.")] = 0.1

    def begin(self, run: RunProtocol) -> None:
        super().begin(run)
        self._runs: dict[int, Tensor] = {}

    def activations(self, run: RunProtocol, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        if site != "residual":
            return h
        # A block adds twice, after attention and after the feed-forward net: one draw is for both.
        runs = self._runs.pop(layer, None)
        if runs is None:
            runs = self._runs[layer] = self.streams.keep((1,), self.p)
        return h * runs.view(-1, *(1,) * (h.dim() - 1))
