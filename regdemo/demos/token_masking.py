"""Token masking: choose tokens, hide most of them, predict them.

Counts what becomes of the tokens that BERT's masking chooses, and of the others. Then two mistakes: a second draw at
the wrong rate, and special tokens that get masked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, proportion
from regdemo.measure import Wrong
from regdemo.parameters import SEED, count, rate
from regdemo.report import Cell, Claim, Measurement, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "inputs"
SAY = (
    "BERT's masked language modeling chooses 15% of the tokens and predicts those: 80% of them are shown as "
    "[MASK], 10% as a random token, 10% as they are. In torch the labels are -100 elsewhere. [MASK] does not occur in "
    "fine-tuning; the random and the unchanged tokens make the model predict at visible tokens too. Special tokens and "
    "padding are not chosen. BERT prepared its masks in advance; RoBERTa draws them again each time it sees a sequence."
)
WRONG_ANSWER = (
    "'15% of the tokens are replaced by [MASK].' 12% are; 1.5% become a random token, 1.5% stay, and all 15% are "
    "predicted. Mistakes in code: a second draw, for the random tokens among the 20% left, at 0.1 where 0.5 is "
    "needed; [CLS] and padding chosen like words; or labels left at every token, so that most positions ask for a copy."
)
CARDS = (
    "Q18.130",
    "Q18.131",
    "Q18.132",
    "Q18.133",
)

LENGTH = 32
MASK, FIRST, LAST = 0, 1, 2  # special ids; ordinary tokens begin at 3
WORDS = ("[MASK]", "[CLS]", "[SEP]", "the", "cat", "sat", "on", "a", "mat", "and", "slept", "dog", "ran")
SENTENCE = (1, 3, 4, 5, 6, 7, 8, 9, 10, 2)
SHOWN_RATE = 0.5


def token_masking(
    *,
    p: Annotated[float, rate("Fraction of the tokens that are chosen to be predicted.")] = 0.15,
    vocabulary: Annotated[int, count("Size of the vocabulary.", 4, 200_000)] = 1_000,
    sequences: Annotated[int, count("Sequences of 32 tokens.", 1, 10_000)] = 2_000,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Measure BERT's 80/10/10 masking at rate p on random tokens."""

    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, vocabulary, (sequences, LENGTH), generator=generator)
    ids[:, 0], ids[:, -1] = FIRST, LAST
    special = torch.zeros(LENGTH, dtype=torch.bool)
    special[[0, -1]] = True
    inputs, labels = regularizers.token_masking(ids, vocabulary, MASK, p, special=special, generator=generator)
    chosen, ordinary = labels != -100, ~special.expand_as(ids)
    unprotected, _ = regularizers.token_masking(ids, vocabulary, MASK, p, generator=generator)
    careless = _second_draw(ids, vocabulary, p, 0.1, generator)
    halved = _second_draw(ids, vocabulary, p, 0.5, generator)

    def of_ordinary(where: Tensor) -> float:
        """Of the tokens that may be chosen."""
        return where[ordinary].double().mean().item()

    def replaced(by: Tensor) -> float:
        """The fraction that became another ordinary or special token, not [MASK]."""
        return of_ordinary((by != ids) & (by != MASK))

    n, v = int(ordinary.sum()), vocabulary
    hidden = 0.8 + 0.1 / v  # the random token is [MASK] itself once in a vocabulary
    swapped, same = 0.1 * (v - 2) / v, 0.1 + 0.1 / v
    claims = [
        Claim("The fraction of ordinary tokens that is chosen", p, "$p$", of_ordinary(chosen), *proportion(p, n)),
        Claim(
            "The fraction of ordinary tokens that shows [MASK]",
            p * hidden,
            "$p (0.8 + 0.1/V)$",
            of_ordinary(inputs == MASK),
            *proportion(p * hidden, n),
        ),
        Claim(
            "The fraction of ordinary tokens that shows another token",
            p * swapped,
            "$0.1 p (1 - 2/V)$",
            replaced(inputs),
            *proportion(p * swapped, n),
        ),
        Claim(
            "The fraction of ordinary tokens that is predicted, but shown as it is",
            p * same,
            "$p (0.1 + 0.1/V)$",
            of_ordinary(chosen & (inputs == ids)),
            *proportion(p * same, n),
        ),
        Claim(
            "A label is the token itself where chosen, -100 elsewhere",
            0,
            "labels that differ",
            float((labels != torch.where(chosen, ids, -100)).sum() + (inputs != ids)[~chosen].sum()),
            *EXACT,
        ),
        Claim("Special tokens are not chosen", 0, "number", float((chosen & ~ordinary).sum()), *EXACT),
        Claim(
            "The fraction of [CLS] and [SEP] that is changed if they are not protected",
            p * (0.9 - 0.1 / v),
            "$p (0.9 - 0.1/V)$",
            (unprotected != ids)[~ordinary].double().mean().item(),
            *proportion(p * (0.9 - 0.1 / v), ids.numel() - n),
        ),
    ]
    return Measurement(
        title=f"Token masking at p = {p}",
        claims=claims,
        picture=[_sentence(generator)],
        blocks=[
            Text(
                f"A fraction p = {p} of the tokens is chosen. 80% of these become [MASK], 10% a random token, 10% "
                "stay; the model must predict the original at all of them and is not asked about the rest."
            ),
            Table(
                title="What becomes of the tokens other than [CLS] and [SEP], in fractions",
                columns=["way", "[MASK]", "another token", "unchanged"],
                rows=[
                    ["by formula", p * hidden, p * swapped, 1 - p * (0.9 - 0.1 / v)],
                    ["measured", of_ordinary(inputs == MASK), replaced(inputs), of_ordinary(inputs == ids)],
                    [
                        "two draws, 0.8 then 0.5",
                        of_ordinary(halved == MASK),
                        replaced(halved),
                        of_ordinary(halved == ids),
                    ],
                    [
                        "two draws, 0.8 then 0.1",
                        of_ordinary(careless == MASK),
                        replaced(careless),
                        of_ordinary(careless == ids),
                    ],
                ],
                note="With two draws, the first decides on [MASK]. The second, on a random token, concerns the 20% of "
                "the chosen tokens that the first left over: 10% of the chosen ones is half of these.",
            ),
        ],
    )


def _second_draw(ids: Tensor, vocabulary: int, p: float, rate_: float, generator: Generator) -> Tensor:
    """The usual code with two draws: [MASK] at 0.8, and of what is left a random token at this rate."""

    def drawn(rate: float) -> Tensor:
        return torch.rand(ids.shape, generator=generator) < rate

    chosen, masked = drawn(p), drawn(0.8)
    other = torch.randint(vocabulary, ids.shape, generator=generator)
    return torch.where(chosen, torch.where(masked, MASK, torch.where(drawn(rate_), other, ids)), ids)


def _sentence(generator: Generator) -> Table:
    """One sentence, what the model sees of it, and what it must say."""

    ids = torch.tensor(SENTENCE)
    inputs, labels = regularizers.token_masking(
        ids, len(WORDS), MASK, SHOWN_RATE, special=(ids == FIRST) | (ids == LAST), generator=generator
    )
    rows: list[list[Cell]] = [
        [WORDS[word], WORDS[seen], WORDS[label] if label >= 0 else "-100"]
        for word, seen, label in zip(ids.tolist(), inputs.tolist(), labels.tolist(), strict=True)
    ]
    return Table(
        title=f"One sentence at p = {SHOWN_RATE}, so that there is something to see",
        columns=["token", "the model sees", "label"],
        rows=rows,
        note="A random token may be any of the vocabulary, [SEP] and [CLS] included.",
    )


def _changed(right, ids, vocabulary, mask, p, *, change, **kw):
    inputs, labels = right(ids, vocabulary, mask, p, **kw)
    return change(inputs, labels, ids, mask)


NAME = "token_masking"
WRONG = [
    Wrong(
        "every chosen token is masked",
        NAME,
        lambda right, *a, **kw: _changed(
            right, *a, change=lambda x, y, ids, mask: (torch.where(y != -100, mask, ids), y), **kw
        ),
    ),
    Wrong(
        "random tokens stay as they are",
        NAME,
        lambda right, *a, **kw: _changed(
            right, *a, change=lambda x, y, ids, mask: (torch.where(x == mask, mask, ids), y), **kw
        ),
    ),
    Wrong(
        "labels everywhere",
        NAME,
        lambda right, *a, **kw: _changed(right, *a, change=lambda x, y, ids, mask: (x, ids), **kw),
    ),
    Wrong("special tokens are chosen", NAME, lambda right, *a, special=None, **kw: right(*a, **kw)),
    Wrong(
        "chooses twice as many", NAME, lambda right, ids, v, mask, p, **kw: right(ids, v, mask, min(0.99, 2 * p), **kw)
    ),
]
