"""Train for MC: model.train() for the passes moves batch norm's statistics.

MC dropout needs dropout on in prediction. `model.train()` switches it on, but also puts the batch norms in training
mode: they then normalize by the batch that is being predicted, and each pass moves their running statistics towards
that batch. Afterwards the model predicts differently in eval.
"""

import torch
from torch import nn

from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim

BREAKS = "mc_dropout"
CARDS = ("Q18.215", "Q18.214", "Q18.217")
SAY = (
    "For MC dropout put the model in eval, and then in training only its dropout modules and the modules that hold "
    "a dropout rate as a float, in torch nn.MultiheadAttention, nn.LSTM, nn.GRU and nn.RNN. model.train() would also "
    "update the batch norms on what you predict. With nn.TransformerEncoderLayer call "
    "torch.backends.mha.set_fastpath_enabled(False) too: its fast path in eval skips the dropout modules."
)
WRONG_ANSWER = (
    "'train() only turns dropout on, there is no optimizer.' The forward pass itself updates a batch norm's buffers."
)

PASSES, ROWS, FEATURES, SHIFT = 20, 64, 8, 5.0


def broken(model, x, passes):
    model.train()
    with torch.no_grad():
        return torch.stack([model(x) for _ in range(passes)])


def fixed(model, x, passes):
    model.eval()
    floats = (nn.MultiheadAttention, nn.RNNBase)
    for module in model.modules():
        if "Dropout" in type(module).__name__ or isinstance(module, floats):
            module.train()
    with torch.no_grad():
        return torch.stack([model(x) for _ in range(passes)])


def measure() -> tuple[list[Claim], list[Block]]:
    x = SHIFT + torch.randn(ROWS, FEATURES)  # not the data that the norm was trained on, which had mean 0

    def run(snippet) -> tuple[float, float, float, float]:
        model = nn.Sequential(nn.BatchNorm1d(FEATURES), nn.Dropout(0.5))
        passes = snippet(model, x, PASSES)
        spread = passes.std(0).mean().item()
        meant = 2 * nn.BatchNorm1d(FEATURES).eval()(x)  # of an untrained norm, with what is kept divided by 1-p
        off = ((passes - meant) * (passes != 0)).abs().max().item()
        change = (model.eval()(x) - nn.BatchNorm1d(FEATURES).eval()(x)).abs().mean().item()
        return (next(model.buffers()) / x.mean(0)).mean().item(), change, spread, off

    moved, change, _, _ = run(broken)
    moved_fixed, change_fixed, spread, off = run(fixed)
    learned = 1 - 0.9**PASSES
    return [
        Claim(
            f"The fraction of the way to the test batch's mean that the running mean moves in {PASSES} passes",
            learned,
            f"$1 - 0.9^{{{PASSES}}}$",
            moved,
            *rounding(1, digits=1e-5),
        ),
        Claim("The prediction in eval has changed (1 = yes)", 1, "yes = 1", int(change > 0.1), *EXACT),
        fixed_claim("The running mean has moved by", 0, "nothing = 0", moved_fixed, *EXACT),
        fixed_claim("The prediction in eval has changed by", 0, "nothing = 0", change_fixed, *EXACT),
        fixed_claim(
            "Where dropout keeps a value, largest difference from 1/(1-p) times the prediction in eval",
            0,
            "largest difference",
            off,
            *rounding(10),
        ),
        fixed_claim("The passes differ (1 = yes)", 1, "yes = 1", int(spread > 0.1), *EXACT),
    ], []


WRONG = [
    Wrong("buffers restored afterwards", f"{__name__}.fixed", lambda right, *a: _restored(*a)),
    Wrong("momentum 0 in the batch norms", f"{__name__}.fixed", lambda right, *a: _no_momentum(*a)),
    Wrong(
        "model.eval() alone",
        f"{__name__}.fixed",
        lambda right, model, x, passes: torch.stack([model.eval()(x).detach()] * passes),
    ),
]


def _restored(model, x, passes):
    before = {name: buffer.clone() for name, buffer in model.state_dict().items()}
    found = broken(model, x, passes)
    model.load_state_dict(before)
    return found


def _no_momentum(model, x, passes):
    model[0].momentum = 0.0
    return broken(model, x, passes)
