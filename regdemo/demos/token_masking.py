"""Token masking: choose tokens, hide most of them, predict them.

Counts what becomes of the tokens that BERT's masking chooses, and of the others. Then two mistakes: a second draw at
the wrong rate, and special tokens that get masked.
"""

from __future__ import annotations

from typing import Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, proportion
from regdemo.measure import Wrong, fraction, seeded
from regdemo.parameters import SEED, count, rate
from regdemo.report import Cell, Claim, Measurement, Table, Text

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
CARDS = ("Q18.130", "Q18.131", "Q18.132", "Q18.133")

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
    generator = seeded(seed)
    ids = torch.randint(3, vocabulary, (sequences, LENGTH), generator=generator)
    ids[:, 0], ids[:, -1] = FIRST, LAST
    special = ids <= LAST
    inputs, labels = regularizers.token_masking(ids, vocabulary, MASK, p, special=special, generator=generator)
    chosen, words = labels != -100, ids[~special]
    unprotected, _ = regularizers.token_masking(ids, vocabulary, MASK, p, generator=generator)
    careless, halved = (_second_draw(ids, vocabulary, p, second, generator) for second in (0.1, 0.5))
    seen = {"measured": inputs, "two draws, 0.8 then 0.5": halved, "two draws, 0.8 then 0.1": careless}
    *_, changed = _expected(p, vocabulary)
    return Measurement(
        title=f"Token masking at p = {p}",
        claims=[
            *_word_claims(p, vocabulary, words, inputs[~special], chosen[~special]),
            Claim(
                "A label is the token itself where chosen, -100 elsewhere",
                0,
                "labels that differ",
                float((labels != torch.where(chosen, ids, -100)).sum() + (inputs != ids)[~chosen].sum()),
                *EXACT,
            ),
            Claim("Special tokens are not chosen", 0, "number", float((chosen & special).sum()), *EXACT),
            Claim(
                "The fraction of [CLS] and [SEP] that is changed if they are not protected",
                changed,
                "$p (0.9 - 0.1/V)$",
                fraction((unprotected != ids)[special]),
                *proportion(changed, int(special.sum())),
            ),
        ],
        picture=[_sentence(generator)],
        blocks=[
            Text(
                f"A fraction p = {p} of the tokens is chosen. 80% of these become [MASK], 10% a random token, 10% "
                "stay; the model must predict the original at all of them and is not asked about the rest."
            ),
            _outcomes_table(p, vocabulary, words, {way: tokens[~special] for way, tokens in seen.items()}),
        ],
    )


def _second_draw(
    ids: torch.Tensor, vocabulary: int, p: float, second: float, generator: torch.Generator
) -> torch.Tensor:
    """The usual code with two draws: [MASK] at 0.8, and of what is left a random token at this rate."""
    chosen, masked = (torch.rand(ids.shape, generator=generator) < drawn for drawn in (p, 0.8))
    other = torch.randint(vocabulary, ids.shape, generator=generator)
    left = torch.where(torch.rand(ids.shape, generator=generator) < second, other, ids)
    return torch.where(chosen, torch.where(masked, MASK, left), ids)


def _word_claims(
    p: float, vocabulary: int, words: torch.Tensor, seen: torch.Tensor, chosen: torch.Tensor
) -> list[Claim]:
    """What becomes of ordinary tokens, chosen or not."""
    masked, replaced, _ = _expected(p, vocabulary)
    measured_masked, measured_replaced, _ = _outcomes(words, seen)
    n, same = len(words), p * (0.1 + 0.1 / vocabulary)
    return [
        Claim("The fraction of ordinary tokens that is chosen", p, "$p$", fraction(chosen), *proportion(p, n)),
        Claim(
            "The fraction of ordinary tokens that shows [MASK]",
            masked,
            "$p (0.8 + 0.1/V)$",
            measured_masked,
            *proportion(masked, n),
        ),
        Claim(
            "The fraction of ordinary tokens that shows another token",
            replaced,
            "$0.1 p (1 - 2/V)$",
            measured_replaced,
            *proportion(replaced, n),
        ),
        Claim(
            "The fraction of ordinary tokens that is predicted, but shown as it is",
            same,
            "$p (0.1 + 0.1/V)$",
            fraction(chosen & (seen == words)),
            *proportion(same, n),
        ),
    ]


def _expected(p: float, v: int) -> tuple[float, float, float]:
    """The fractions of ordinary tokens that show [MASK], that show another token, and that show either."""
    # The random token is [MASK] itself once in a vocabulary, and once the token that was there.
    return p * (0.8 + 0.1 / v), p * (0.1 * (v - 2) / v), p * (0.9 - 0.1 / v)


def _outcomes(words: torch.Tensor, seen: torch.Tensor) -> tuple[float, float, float]:
    """The fractions of ordinary tokens that show [MASK], that show another token, and that show themselves."""
    return fraction(seen == MASK), fraction((seen != words) & (seen != MASK)), fraction(seen == words)


def _sentence(generator: torch.Generator) -> Table:
    """One sentence, what the model sees of it, and what it must say."""
    ids = torch.tensor(SENTENCE)
    inputs, labels = regularizers.token_masking(
        ids, len(WORDS), MASK, SHOWN_RATE, special=ids <= LAST, generator=generator
    )
    return Table(
        title=f"One sentence at p = {SHOWN_RATE}, so that there is something to see",
        columns=["token", "the model sees", "label"],
        rows=[
            [WORDS[word], WORDS[seen], WORDS[label] if label >= 0 else "-100"]
            for word, seen, label in zip(ids.tolist(), inputs.tolist(), labels.tolist(), strict=True)
        ],
        note="A random token may be any of the vocabulary, [SEP] and [CLS] included.",
    )


def _outcomes_table(p: float, vocabulary: int, words: torch.Tensor, seen: dict[str, torch.Tensor]) -> Table:
    masked, replaced, changed = _expected(p, vocabulary)
    measured: list[list[Cell]] = [[way, *_outcomes(words, tokens)] for way, tokens in seen.items()]
    return Table(
        title="What becomes of the tokens other than [CLS] and [SEP], in fractions",
        columns=["way", "[MASK]", "another token", "unchanged"],
        rows=[["by formula", masked, replaced, 1 - changed], *measured],
        note="With two draws, the first decides on [MASK]. The second, on a random token, concerns the 20% of "
        "the chosen tokens that the first left over: 10% of the chosen ones is half of these.",
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
