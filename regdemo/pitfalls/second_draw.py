"""Second draw: 2% random words where BERT has 10%.

Of the chosen tokens 80% become [MASK], 10% a random word, and 10% stay. In code with one draw for [MASK] and another
for a random word, the second is made for the 20% that the first has left over, so its probability must be 0.5. With
the paper's 0.1, only 0.1 of that 20% become random words: 2% of the chosen tokens.
"""

import torch

from regdemo.bounds import EXACT, proportion
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "token_masking"
CARDS = ("Q18.132", "Q18.133")
SAY = (
    "BERT's 80% [MASK], 10% random words and 10% unchanged are fractions of the chosen tokens. With two draws one "
    "after the other, the second is conditional on the first: 0.8, then 0.5 of the rest."
)
WRONG_ANSWER = (
    "'10% random words, so the second draw has probability 0.1.' 0.1 is right if one draw decides among "
    "[MASK], a random word and no change."
)

VOCABULARY, MASK, P = 1_000, 0, 0.15


def broken(ids, mask_id, vocabulary, p):
    draw = torch.rand(3, *ids.shape, device=ids.device)
    chosen = draw[0] < p
    labels = ids.masked_fill(~chosen, -100)
    masked = chosen & (draw[1] < 0.8)
    swapped = chosen & ~masked & (draw[2] < 0.1)
    words = torch.randint_like(ids, vocabulary)
    inputs = torch.where(swapped, words, ids).masked_fill(masked, mask_id)
    return inputs, labels


def fixed(ids, mask_id, vocabulary, p):
    draw = torch.rand(3, *ids.shape, device=ids.device)
    chosen = draw[0] < p
    labels = ids.masked_fill(~chosen, -100)
    masked = chosen & (draw[1] < 0.8)
    swapped = chosen & ~masked & (draw[2] < 0.5)
    words = torch.randint_like(ids, vocabulary)
    inputs = torch.where(swapped, words, ids).masked_fill(masked, mask_id)
    return inputs, labels


def measure() -> tuple[list[Claim], list[Block]]:
    ids = torch.randint(1, VOCABULARY, (2_000, 128))
    # A random word is [MASK], or the token itself, once in a vocabulary each.
    another = (VOCABULARY - 2) / VOCABULARY
    claims, rows = [], []
    for claim, snippet, fraction in ((Claim, broken, 0.02), (fixed_claim, fixed, 0.1)):
        inputs, labels = snippet(ids, MASK, VOCABULARY, P)
        chosen = labels != -100
        n = int(chosen.sum())
        swapped = ((inputs != ids) & (inputs != MASK))[chosen].double().mean().item()
        claims.append(
            claim(
                "The fraction of the chosen tokens that show another word",
                fraction * another,
                f"${fraction:g} (1 - 2/V)$",
                swapped,
                *proportion(fraction * another, n),
            )
        )
        masked, same = ((what & chosen).sum().item() / n for what in (inputs == MASK, inputs == ids))
        rows.append([snippet.__name__, masked, swapped, same])
        if snippet is broken:
            claims.append(
                Claim(
                    "Labels that are wrong",
                    0,
                    "labels that differ",
                    (labels != torch.where(chosen, ids, -100)).sum().item(),
                    *EXACT,
                )
            )
    columns = ["code", "[MASK]", "another word", "unchanged"]
    return claims, [Table("What becomes of the chosen tokens, in fractions", columns, rows)]


WRONG = [
    Wrong("0.1/0.8 = 0.125 for the second draw", f"{__name__}.fixed", lambda right, *a: _second(0.125, *a)),
    Wrong("0.2 for the second draw", f"{__name__}.fixed", lambda right, *a: _second(0.2, *a)),
    Wrong("0.9 for the second draw", f"{__name__}.fixed", lambda right, *a: _second(0.9, *a)),
]


def _second(probability, ids, mask_id, vocabulary, p):
    chosen = torch.rand(ids.shape) < p
    masked = chosen & (torch.rand(ids.shape) < 0.8)
    swapped = chosen & ~masked & (torch.rand(ids.shape) < probability)
    inputs = torch.where(swapped, torch.randint_like(ids, vocabulary), ids).masked_fill(masked, mask_id)
    return inputs, ids.masked_fill(~chosen, -100)
