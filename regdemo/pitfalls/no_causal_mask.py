"""No causal mask: a language model that reads the answer.

Some guides build a "GPT" of `nn.TransformerEncoder` and train it to predict the next token, without a mask. Each
position then sees the later ones too, the token to be predicted included. The training loss can fall by copying that
token, and in generation there is nothing to copy yet.
"""

import torch
from torch import nn

from regdemo.bounds import EXACT
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim

BREAKS = "dropout_sites"
CARDS = ("Q18.324", "Q18.60", "Q18.63")
SAY = (
    "nn.TransformerEncoder attends both ways unless it gets a causal mask. For next-token prediction pass "
    "one. The symptom is a loss that is too good; to test, change the last token in eval: earlier"
    " outputs must not change."
)
WRONG_ANSWER = (
    "'GPT is an encoder without a decoder.' Only with a causal mask: without one an encoder attends both ways, "
    "as in BERT."
)

LENGTH, WIDTH = 8, 16


def broken(encoder, x):
    return encoder(x)


def fixed(encoder, x):
    n = x.shape[1]
    mask = nn.Transformer.generate_square_subsequent_mask(n, x.device)
    return encoder(x, mask=mask, is_causal=True)


def measure() -> tuple[list[Claim], list[Block]]:
    layer = nn.TransformerEncoderLayer(WIDTH, 2, 4 * WIDTH, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    x = torch.randn(1, LENGTH, WIDTH)
    last, first = x.clone(), x.clone()
    last[0, -1] += torch.randn(WIDTH)
    first[0, 0] += torch.randn(WIDTH)
    middle = x.clone()
    middle[0, LENGTH // 2] += torch.randn(WIDTH)

    def moved(snippet, changed: torch.Tensor) -> int:
        difference = (snippet(encoder, changed) - snippet(encoder, x))[0].abs().amax(-1)
        return int((difference > 1e-6).sum())

    return [
        Claim(
            f"Outputs that change with the last token, of {LENGTH}",
            LENGTH,
            f"all = {LENGTH}",
            moved(broken, last),
            *EXACT,
        ),
        fixed_claim("Outputs that change with the last token", 1, "its own = 1", moved(fixed, last), *EXACT),
        fixed_claim(
            f"Outputs that change with token {LENGTH // 2}, counted from 0",
            LENGTH - LENGTH // 2,
            f"its own and the later ones = {LENGTH - LENGTH // 2}",
            moved(fixed, middle),
            *EXACT,
        ),
        fixed_claim(
            "Outputs that change with the first token",
            LENGTH,
            f"all = {LENGTH}",
            moved(fixed, first),
            *EXACT,
        ),
    ], []


WRONG = [
    Wrong(
        "a float mask of 0 and 1",
        f"{__name__}.fixed",
        lambda right, encoder, x: encoder(x, mask=torch.ones(x.shape[1], x.shape[1]).tril()),
    ),
    Wrong(
        "the transposed mask",
        f"{__name__}.fixed",
        lambda right, encoder, x: encoder(x, mask=nn.Transformer.generate_square_subsequent_mask(x.shape[1]).T),
    ),
    Wrong(
        "the last token padded out",
        f"{__name__}.fixed",
        lambda right, encoder, x: encoder(x, src_key_padding_mask=(torch.arange(x.shape[1]) == x.shape[1] - 1)[None]),
    ),
]
