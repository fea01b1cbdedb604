"""No causal mask: a language model that reads the answer.

Guides build a "GPT" of `nn.TransformerEncoder` and train it to predict the next token, without a mask. Each position
then sees all later ones, the one to be predicted too. The training loss can fall to nothing, whatever the dropout, by
copying; and in generation there is nothing to copy yet.
"""

import torch
from torch import nn

from regdemo.bounds import EXACT
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim

BREAKS = "dropout_sites"
CARDS = ("Q18.324", "Q18.60", "Q18.63")
SAY = (
    "nn.TransformerEncoder attends both ways unless it gets a mask. For next-token prediction pass the causal one. A "
    "loss that is too good is the symptom: change the last token, and earlier logits must not move."
)
WRONG_ANSWER = (
    "'An encoder without a decoder is what GPT is.' With the causal mask; without, it is BERT with GPT's loss."
)

LENGTH, WIDTH = 8, 16


def broken(encoder, x):
    return encoder(x)


def fixed(encoder, x):
    mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
    return encoder(x, mask=mask, is_causal=True)


def measure() -> tuple[list[Claim], list[Block]]:
    layer = nn.TransformerEncoderLayer(WIDTH, 2, 4 * WIDTH, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    x = torch.randn(1, LENGTH, WIDTH)
    last, first = x.clone(), x.clone()
    last[0, -1] += torch.randn(WIDTH)
    first[0, 0] += torch.randn(WIDTH)

    def moved(snippet, changed: torch.Tensor) -> int:
        apart = (snippet(encoder, changed) - snippet(encoder, x))[0].abs().amax(-1)
        return int((apart > 1e-6).sum())

    return [
        Claim(
            f"Positions that move with the last token, of {LENGTH}",
            LENGTH,
            f"all = {LENGTH}",
            moved(broken, last),
            *EXACT,
        ),
        fixed_claim("Positions that move with the last token", 1, "itself = 1", moved(fixed, last), *EXACT),
        fixed_claim(
            "Positions that move with the first token",
            LENGTH,
            f"all = {LENGTH}",
            moved(fixed, first),
            *EXACT,
        ),
    ], []
