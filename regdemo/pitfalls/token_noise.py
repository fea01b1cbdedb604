"""Token noise: noise on token ids turns them into other words.

A token id is a name, not a quantity: the next id need not be a similar word. The snippet adds Gaussian noise of
standard deviation 0.01 to the ids and cuts the fraction off. Half of the draws are negative, and cutting then leads
to the id below, however small the draw is. The exceptions are id 0, and large ids, near which float32's numbers are so
coarse that small noise is rounded away.
"""

from math import sqrt

import torch
from torch import nn

from regdemo.bounds import EXACT, mean_of_bounded, mean_of_normal
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim

BREAKS = "input_noise"
CARDS = ("Q18.146", "Q18.144")
SAY = (
    "Noise belongs on the embeddings, which are quantities, not on the ids, which are names. `.long()` cuts towards "
    "0, so noise of 0.01 turns a large fraction of the tokens, up to a half, into the token one id below."
)
WRONG_ANSWER = (
    "'The noise is only 0.01, so hardly a token changes.' Cutting turns 41.999 into 41, however little is missing."
)

VOCABULARY, STD, WIDTH = 50_257, 0.01, 8


def broken(ids, std, vocabulary):
    noise = torch.randn_like(ids, dtype=torch.float) * std
    return (ids.float() + noise).long().clamp(0, vocabulary - 1)


def fixed(ids, std, embedding):
    x = embedding(ids)
    return x + torch.randn_like(x) * std


def measure() -> tuple[list[Claim], list[Block]]:
    ids = torch.arange(1, VOCABULARY)
    moved = broken(ids, STD, VOCABULARY) - ids
    # float32's next number below an id: noise of less than half that distance rounds back to the id.
    reach = (ids.float() - ids.float().nextafter(torch.tensor(0.0))).double() / 2
    expected = (torch.erfc(reach / (STD * sqrt(2))) / 2).mean().item()
    embedding = nn.Embedding(VOCABULARY, WIDTH)
    noise = (fixed(ids, STD, embedding) - embedding(ids)).detach()
    return [
        Claim(
            f"The fraction of GPT-2's {VOCABULARY - 1:,} ids above 0 that noise of {STD} changes",
            expected,
            "mean P(noise < -spacing(id)/2)",
            (moved != 0).double().mean().item(),
            *mean_of_bounded(0.25, 1, len(ids)),
        ),
        Claim(
            "The mean change of the ids that change",
            -1,
            "new id - id",
            moved[moved != 0].double().mean().item(),
            *EXACT,
        ),
        Claim(
            "The fraction of tokens with id 0 that change",
            0,
            "fraction changed",
            (broken(torch.zeros(10_000, dtype=torch.long), STD, VOCABULARY) != 0).double().mean().item(),
            *EXACT,
        ),
        Claim(
            "The fraction of ids that change if rounded instead of cut",
            0,
            "fraction changed",
            ((ids.float() + torch.randn_like(ids, dtype=torch.float) * STD).round().long() != ids)
            .double()
            .mean()
            .item(),
            *EXACT,
        ),
        fixed_claim(
            "The embeddings get noise of the variance asked for",
            STD**2,
            r"$\sigma^2$",
            noise.double().square().mean().item(),
            *mean_of_normal(sqrt(2) * STD**2, noise.numel()),
        ),
    ], []


WRONG = [
    Wrong(
        "ids rounded instead of cut",
        f"{__name__}.fixed",
        lambda right, ids, std, e: e((ids + std * torch.randn(ids.shape)).round().long()),
    ),
    Wrong(
        "the snippet, then the embedding",
        f"{__name__}.fixed",
        lambda right, ids, std, e: e(broken(ids, std, e.num_embeddings)),
    ),
    Wrong("noise of deviation std^2", f"{__name__}.fixed", lambda right, ids, std, e: right(ids, std**2, e)),
]
