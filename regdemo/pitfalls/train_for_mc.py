"""Train for MC: samples by model.train(), which moves the batch norm.

MC dropout needs dropout on in prediction. `model.train()` switches it on, and everything else besides: batch norms
normalize by the batch that is being predicted, and each pass moves their running statistics towards it. The model is
another one afterwards.
"""

import torch
from torch import nn

from regdemo.bounds import EXACT, rounding
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim

BREAKS = "mc_dropout"
CARDS = ("Q18.215", "Q18.214", "Q18.217")
SAY = (
    "For MC dropout put the model in eval, and then its dropout modules alone in training. model.train() also trains "
    "the batch norms on what you predict."
)
WRONG_ANSWER = "'train() only turns dropout on, there is no optimizer.' Buffers are moved by the forward pass itself."

PASSES, ROWS, FEATURES, SHIFT = 20, 64, 8, 5.0


def broken(model, x, passes):
    model.train()
    with torch.no_grad():
        return torch.stack([model(x) for _ in range(passes)])


def fixed(model, x, passes):
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.train()
    with torch.no_grad():
        return torch.stack([model(x) for _ in range(passes)])


def measure() -> tuple[list[Claim], list[Block]]:
    x = SHIFT + torch.randn(ROWS, FEATURES)  # not the data that the norm was trained on, which had mean 0

    def run(snippet) -> tuple[float, float, float]:
        model = nn.Sequential(nn.BatchNorm1d(FEATURES), nn.Dropout(0.5))
        spread = snippet(model, x, PASSES).std(0).mean().item()
        change = (model.eval()(x) - nn.BatchNorm1d(FEATURES).eval()(x)).abs().mean().item()
        return (next(model.buffers()) / x.mean(0)).mean().item(), change, spread

    moved, change, _ = run(broken)
    moved_fixed, change_fixed, spread = run(fixed)
    learned = 1 - 0.9**PASSES
    return [
        Claim(
            f"After {PASSES} passes, how far the running mean has gone to the test batch's",
            learned,
            "1 - 0.9^passes",
            moved,
            *rounding(1, digits=1e-5),
        ),
        Claim("The prediction in eval has changed", 1, "yes = 1", int(change > 0.1), *EXACT),
        fixed_claim("The running mean has gone", 0, "nowhere = 0", moved_fixed, *EXACT),
        fixed_claim("The prediction in eval has changed by", 0, "nothing = 0", change_fixed, *EXACT),
        fixed_claim("The passes do differ", 1, "yes = 1", int(spread > 0.1), *EXACT),
    ], []
