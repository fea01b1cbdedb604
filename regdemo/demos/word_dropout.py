"""Word dropout: drop words of the vocabulary, not tokens.

Drops rows of an embedding table, for a text in which some words are frequent and most are rare. The occurrences of a
word share its draw; the result is compared with a draw for each token and a draw for each number.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import mean_of_bounded, proportion, rounding
from regdemo.measure import Wrong, fraction, gap, identity_in_eval, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Claim, Measurement, Table, Text

ACTS_ON = "inputs"
SAY = (
    "Word dropout, or embedding dropout, drops whole rows of the embedding table, with one draw for each word "
    "type and batch, and scales the rest by $1/(1-p)$. All occurrences of a word go together, so no other "
    "occurrence gives it away. AWD-LSTM used 0.1; BERT and GPT-1 put elementwise dropout on the embedded tokens, "
    "which is another technique."
)
WRONG_ANSWER = (
    "'It is nn.Dropout after the embedding.' That zeroes single numbers, by a fresh draw at each place: at p = 0.1 "
    "a word is hardly ever missing as a whole, and two copies of one word get different masks. Nor is it replacing "
    "tokens by <unk>, one draw per token, though that has the same name in papers on text VAEs."
)
CARDS = ("Q18.140", "Q18.141", "Q18.142", "Q18.143")

WIDTH = 8
DRAWS = 1_000
SENTENCE = ("the", "cat", "saw", "the", "dog", "and", "the", "dog", "saw", "the", "cat")


def word_dropout(
    *,
    p: Annotated[float, rate("Probability that a word is dropped.")] = 0.1,
    vocabulary: Annotated[int, count("Words in the vocabulary.", 2, 5_000)] = 1_000,
    tokens: Annotated[int, count("Tokens in the text.", 2, 5_000)] = 2_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure word dropout at rate p on a text with Zipf's word frequencies."""
    generator = seeded(seed)
    frequency = 1 / torch.arange(1, vocabulary + 1, dtype=torch.float64)
    ids = torch.multinomial(frequency, tokens, replacement=True, generator=generator)
    weight = 1 + torch.rand(vocabulary, WIDTH, generator=generator, dtype=torch.float64)
    y = regularizers.word_dropout(ids, weight, p, generator=generator)
    elementwise = regularizers.dropout(weight[ids], p, generator=generator)
    lost = _lost_words(p, vocabulary, generator)
    frequencies = torch.bincount(ids, minlength=vocabulary).double() / tokens
    by_word = lost @ frequencies
    by_token = (regularizers.dropout(torch.ones(DRAWS, tokens), p, generator=generator) == 0).double().mean(1)
    variance = p * (1 - p) * frequencies.square().sum().item()
    return Measurement(
        title=f"Word dropout at p = {p}",
        claims=[
            *_row_claims(p, ids, weight[ids], y),
            *_rate_claims(p, lost, by_word, variance),
            identity_in_eval(
                regularizers.word_dropout(ids, weight, p, training=False, generator=generator), weight[ids]
            ),
        ],
        picture=[_sentence(p, generator)],
        blocks=[
            Text(
                f"Word dropout zeroes whole rows of the embedding table, each with probability p = {p}, and "
                f"multiplies the others by {1 / (1 - p):.4g}. A dropped word is gone from the whole batch: no other "
                "occurrence gives it away."
            ),
            Table(
                title=f"A text of {tokens:,} tokens, word k with probability in proportion to $1/k$",
                columns=["a draw for each", "zeros", "std of tokens lost", "formula"],
                rows=[
                    ["word", fraction(y == 0), _deviation(by_word, p), variance**0.5],
                    ["token", by_token[0].item(), _deviation(by_token, p), (p * (1 - p) / tokens) ** 0.5],
                    ["number", fraction(elementwise == 0), "-", "-"],
                ],
                note=f"Zeros: the fraction of the text that is 0 in one draw. Std: of the fraction of tokens "
                f"lost, over {DRAWS:,} draws. When a frequent word is dropped, a large part of the text is gone.",
            ),
        ],
    )


def _lost_words(p: float, vocabulary: int, generator: torch.Generator) -> torch.Tensor:
    """1 for each word that is lost, in each of DRAWS draws: (DRAWS, vocabulary)."""
    # So many copies of the vocabulary side by side are as many draws.
    every, ones = torch.arange(DRAWS * vocabulary), torch.ones(DRAWS * vocabulary, 1)
    return (regularizers.word_dropout(every, ones, p, generator=generator).view(DRAWS, vocabulary) == 0).double()


def _row_claims(p: float, ids: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> list[Claim]:
    """What becomes of a text's embedded words x: each has one fate, wherever it occurs."""
    scale = 1 / (1 - p)
    first = torch.zeros(int(ids.max()) + 1, dtype=torch.long)
    first[ids.flip(0)] = torch.arange(len(ids) - 1, -1, -1)  # where each word occurs first
    factor = y / x
    return [
        Claim(
            "A word is embedded as 0 or as its row over $1-p$",
            0,
            "distance to the nearer of the two",
            gap(torch.minimum(y.abs(), (y - x * scale).abs())),
            *rounding(2 * scale),
        ),
        Claim(
            "All occurrences of a word share its draw",
            0,
            "largest difference from the first occurrence",
            gap(factor, factor[first[ids]]),
            *rounding(scale),
        ),
    ]


def _rate_claims(p: float, lost: torch.Tensor, by_word: torch.Tensor, variance: float) -> list[Claim]:
    """How many words are lost, and tokens with them; variance: of the fraction of tokens in one draw."""
    return [
        Claim("The fraction of words dropped is p", p, "$p$", lost.mean().item(), *proportion(p, lost.numel())),
        Claim(
            "The fraction of tokens dropped is $p$ on average",
            p,
            "$p$",
            by_word.mean().item(),
            *mean_of_bounded(variance, 1, DRAWS),
        ),
    ]


def _sentence(p: float, generator: torch.Generator) -> Table:
    """One sentence under a draw for each word and one for each token, at a rate at which something is seen."""
    shown = max(p, 0.4)
    vocabulary = list(dict.fromkeys(SENTENCE))
    ids = torch.tensor([vocabulary.index(word) for word in SENTENCE])
    by_word = regularizers.word_dropout(ids, torch.ones(len(vocabulary), 1), shown, generator=generator).flatten()
    by_token = regularizers.dropout(torch.ones(len(SENTENCE)), shown, generator=generator)
    return Table(
        title=f"One sentence at p = {shown:.4g}" + (", so that there is something to see" if shown > p else ""),
        columns=["a draw for each", "what is left"],
        rows=[["word", _what_is_left(by_word)], ["token", _what_is_left(by_token)]],
    )


def _what_is_left(kept: torch.Tensor) -> str:
    return " ".join(word if keep else "_" * len(word) for word, keep in zip(SENTENCE, kept.tolist(), strict=True))


def _deviation(fractions: torch.Tensor, p: float) -> float:
    return (fractions - p).square().mean().sqrt().item()


NAME = "word_dropout"
WRONG = [
    Wrong(
        "a draw for each token",
        NAME,
        lambda right, ids, weight, p, training=True, generator=None: (
            weight[ids]
            * (
                regularizers.dropout(torch.ones(len(ids), 1, dtype=weight.dtype), p, generator=generator)
                if training
                else 1
            )
        ),
    ),
    Wrong(
        "a draw for each number",
        NAME,
        lambda right, ids, weight, p, training=True, generator=None: regularizers.dropout(
            weight[ids], p, training=training, generator=generator
        ),
    ),
    Wrong(
        "never rescaled",
        NAME,
        lambda right, ids, weight, p, training=True, **kw: (
            right(ids, weight, p, training=training, **kw) * (1 - p if training else 1)
        ),
    ),
    Wrong("drops in eval", NAME, lambda right, ids, weight, p, training=True, **kw: right(ids, weight, p, **kw)),
    Wrong("keeps with probability p", NAME, lambda right, ids, weight, p, **kw: right(ids, weight, 1 - p, **kw)),
]
