"""Word dropout: drop words of the vocabulary, not tokens.

Drops rows of an embedding table under a text in which some words are frequent and most are rare. Every occurrence of a
word shares its coin: what that does to the noise, beside dropout that tosses one for each number or each token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, proportion, rounding
from regdemo.parameters import SEED, count, rate
from regdemo.report import Cell, Claim, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "inputs"
SAY = (
    "Word dropout, or embedding dropout, drops whole rows of the embedding table, with one coin for each word type "
    "and batch, and scales the rest by 1/(1-p). All occurrences of a word go together, so the model cannot read it "
    "off elsewhere in the text. AWD-LSTM used 0.1; BERT and GPT-2 put elementwise dropout on the embedded tokens, "
    "which is another thing."
)
WRONG_ANSWER = (
    "'It is torch.nn.Dropout after the embedding.' That zeroes single numbers, by a fresh coin at each place: no word "
    "is ever missing, and two copies of one word differ. Nor is it replacing tokens by <unk>, one coin a token, "
    "though that bears the same name in papers on text VAEs."
)
CARDS = (
    "Q18.140",
    "Q18.141",
    "Q18.142",
    "Q18.143",
)

WIDTH = 8
DRAWS = 1_000
PAIRS = 20_000  # of two tokens, each with its own coin
SENTENCE = ("the", "cat", "saw", "the", "dog", "and", "the", "dog", "saw", "the", "cat")


def word_dropout(
    *,
    p: Annotated[float, rate("Probability that a word is dropped.")] = 0.1,
    vocabulary: Annotated[int, count("Words in the vocabulary.", 2, 5_000)] = 1_000,
    tokens: Annotated[int, count("Tokens in the text.", 2, 5_000)] = 2_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure word dropout at rate p on a text with Zipf's word frequencies."""

    generator = torch.Generator().manual_seed(seed)
    frequency = 1 / torch.arange(1, vocabulary + 1, dtype=torch.float64)
    ids = torch.multinomial(frequency, tokens, replacement=True, generator=generator)
    weight = 1 + torch.rand(vocabulary, WIDTH, generator=generator, dtype=torch.float64)
    plain = weight[ids]
    scale = 1 / (1 - p)

    y = regularizers.word_dropout(ids, weight, p, generator=generator)
    factor = y / plain
    first = torch.zeros(vocabulary, dtype=torch.long)
    first[ids.flip(0)] = torch.arange(tokens - 1, -1, -1)  # where each word stands first
    in_eval = regularizers.word_dropout(ids, weight, p, training=False, generator=generator)
    elementwise = regularizers.dropout(plain, p, generator=generator)
    twice = regularizers.dropout(torch.ones(PAIRS, 2), p, generator=generator) == 0

    # So many copies of the vocabulary side by side are as many draws.
    every, ones = torch.arange(DRAWS * vocabulary), torch.ones(DRAWS * vocabulary, 1)
    lost = regularizers.word_dropout(every, ones, p, generator=generator).view(DRAWS, vocabulary) == 0
    share = torch.bincount(ids, minlength=vocabulary).double() / tokens
    words = lost.double() @ share
    separate = (regularizers.dropout(torch.ones(DRAWS, tokens), p, generator=generator) == 0).double().mean(1)
    variance = p * (1 - p) * share.square().sum().item()
    apart = p * (1 - p) / tokens
    claims = [
        Claim(
            "A word is embedded as 0 or as row/(1-p)",
            0,
            "distance to the nearer of the two",
            torch.minimum(y.abs(), (y - plain * scale).abs()).max().item(),
            *rounding(2 * scale),
        ),
        Claim(
            "All occurrences of a word share its coin",
            0,
            "largest difference from the first occurrence",
            (factor - factor[first[ids]]).abs().max().item(),
            *rounding(scale),
        ),
        Claim(
            "The share of words dropped is p",
            p,
            "p",
            lost.double().mean().item(),
            *proportion(p, DRAWS * vocabulary),
        ),
        Claim(
            "So is the share of tokens, on average", p, "p", words.mean().item(), *mean_of_bounded(variance, 1, DRAWS)
        ),
        Claim(
            "With a coin for each token both copies of a word fall at p^2 only",
            p**2,
            "p^2",
            twice.all(1).double().mean().item(),
            *proportion(p**2, PAIRS),
        ),
        Claim("In eval it is the plain embedding", 0, "max |y - row|", (in_eval - plain).abs().max().item(), *EXACT),
    ]
    return Measurement(
        title=f"Word dropout at p = {p}",
        claims=claims,
        blocks=[
            Text(
                f"Word dropout zeroes whole rows of the embedding table, {p:.4g} of them, and multiplies the others by "
                f"{scale:.4g}. A dropped word is gone from the whole batch: no other occurrence gives it away."
            ),
            _sentence(p, generator),
            Table(
                title=f"A text of {tokens:,} tokens, word k with frequency 1/k",
                columns=["coin for each", "zeros", "std of tokens lost", "formula"],
                rows=[
                    ["word", (y == 0).double().mean().item(), _deviation(words, p), variance**0.5],
                    ["token", separate[0].item(), _deviation(separate, p), apart**0.5],
                    ["number", (elementwise == 0).double().mean().item(), "no token is lost whole", "-"],
                ],
                note="The frequent words decide: whenever one of them falls, a large part of the text is gone.",
            ),
        ],
    )


def _deviation(shares: Tensor, p: float) -> float:
    return (shares - p).square().mean().sqrt().item()


def _sentence(p: float, generator: Generator) -> Table:
    """One sentence under a coin for each word and one for each token, at a rate at which something is seen."""

    shown = max(p, 0.4)
    vocabulary = list(dict.fromkeys(SENTENCE))
    ids = torch.tensor([vocabulary.index(word) for word in SENTENCE])
    by_word = regularizers.word_dropout(ids, torch.ones(len(vocabulary), 1), shown, generator=generator).flatten()
    by_token = regularizers.dropout(torch.ones(len(SENTENCE)), shown, generator=generator)

    def line(name: str, kept: Tensor) -> list[Cell]:
        words = [word if keep else "_" * len(word) for word, keep in zip(SENTENCE, kept.tolist(), strict=True)]
        return [name, " ".join(words)]

    return Table(
        title=f"One sentence at p = {shown:.4g}",
        columns=["coin for each", "what is left"],
        rows=[line("word", by_word), line("token", by_token)],
    )
