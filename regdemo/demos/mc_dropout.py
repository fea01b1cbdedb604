"""MC dropout: dropout stays on, probabilities averaged.

Passes a batch many times through one network, each time under other masks, and reads from the spread how sure the
network is. Checks that the passes spread as the masks say, and that dropout alone is switched on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from regdemo import regularizers
from regdemo.bounds import EXACT, mean_of_bounded, rounding
from regdemo.measure import Wrong, gap, mean_square, normal, seeded
from regdemo.parameters import SEED, Parameter, count
from regdemo.report import Claim, Curves, Measurement, Series, Table, Text

if TYPE_CHECKING:
    from torch import Generator, Tensor

ACTS_ON = "models"
SAY = (
    "MC dropout keeps dropout on in prediction and averages the probabilities of, say, 20 passes; their spread is "
    "an estimate of the model's uncertainty. The method can be read as approximate Bayesian inference. Only "
    "dropout goes into training mode: batch norm stays in eval."
)
WRONG_ANSWER = (
    "'Call model.train() and average.' That switches batch norm over too: predictions depend on the other "
    "examples of the batch, and the norm's running statistics move with the test data. And average probabilities, not "
    "logits: where only a linear layer follows the dropout, the mean of the logits is plain eval's, up to sampling "
    "noise."
)
CARDS = (
    "Q18.214",
    "Q18.215",
    "Q18.216",
    "Q18.217",
)

FEATURES, HIDDEN, CLASSES, EXAMPLES = 8, 64, 3, 6


def mc_dropout(
    *,
    p: Annotated[float, Parameter("Probability that a hidden unit is dropped.", 0, 0.9)] = 0.5,
    samples: Annotated[int, count("Passes through the network.", 2, 5_000)] = 500,
    seed: Annotated[int, SEED] = 0,
) -> Measurement:
    """Predict a batch in `samples` passes through a random network with dropout at rate p after batch norm."""
    generator = seeded(seed)
    first, last = _linear(FEATURES, HIDDEN, generator), _linear(HIDDEN, CLASSES, generator)
    norm = torch.nn.BatchNorm1d(HIDDEN, dtype=torch.float64)
    below = torch.nn.Sequential(first, norm, torch.nn.ReLU())
    model = torch.nn.Sequential(below, torch.nn.Dropout(p), last).train()
    x = normal(generator, EXAMPLES, FEATURES)

    modes = [module.training for module in model.modules()]
    before = norm.get_buffer("running_mean").clone()
    passes = regularizers.mc_dropout(model, x, samples, generator=generator)
    moved = gap(norm.get_buffer("running_mean"), before)
    changed = sum(module.training != mode for module, mode in zip(model.modules(), modes, strict=True))

    model.eval()
    with torch.no_grad():
        hidden, in_eval = below(x), model(x)
        weights = hidden[0] * (last.weight[0] - last.weight[1])
    return Measurement(
        title=f"MC dropout at p = {p} in {samples} passes",
        claims=[
            *_log_odds_claims(p, weights, (in_eval[0, 0] - in_eval[0, 1]).item(), passes[:, 0].log()),
            *_mean_claims(passes),
            Claim("Batch norm's statistics are left as they were", 0, "max change", moved, *EXACT),
            Claim("Each module's mode is left as found", 0, "modules changed", changed, *EXACT),
        ],
        picture=[_preferred_class(passes, in_eval), _running_mean(passes[:, 0, in_eval[0].argmax()])],
        blocks=[
            Text(
                f"Each of {samples} passes draws its own masks. The mean of their probabilities is the prediction; "
                "their spread shows how much a pass depends on its mask. Dropout is on for this, and everything "
                "else is in eval."
            ),
            _examples_table(passes, in_eval),
            _distances_table(passes),
            Text(
                "The network is random, so no gain in accuracy is measured here. Whether the spread matches a "
                "trained network's errors has to be checked on data."
            ),
        ],
    )


def _linear(inputs: int, outputs: int, generator: Generator) -> torch.nn.Linear:
    """A layer with weights from the generator."""
    layer = torch.nn.Linear(inputs, outputs, dtype=torch.float64, device="meta")  # nothing is drawn there
    layer.to_empty(device="cpu")
    torch.nn.init.normal_(layer.weight, std=inputs**-0.5, generator=generator)
    torch.nn.init.zeros_(layer.bias)
    return layer


def _log_odds_claims(p: float, weights: Tensor, in_eval: float, logs: Tensor) -> list[Claim]:
    """The log-odds of two classes are linear in the masks: their mean over passes is known, and their spread."""
    odds, samples = logs[:, 0] - logs[:, 1], len(logs)
    variance = p / (1 - p) * weights.square().sum().item()
    furthest = max(1, p / (1 - p)) * weights.abs().sum().item()
    # A squared deviation of at most furthest^2 with mean v has a variance of at most 3 v^2 + the terms' fourth.
    of_squares = 3 * variance**2 + (p * (1 + (p / (1 - p)) ** 3)) * weights.pow(4).sum().item()
    return [
        Claim(
            "The log-odds of two classes average to eval's value",
            in_eval,
            "$z_0 - z_1$ in eval",
            odds.mean().item(),
            *mean_of_bounded(variance, furthest, samples),
        ),
        Claim(
            "The variance of the log-odds over the passes is that caused by the masks on the activations h",
            variance,
            r"$p/(1-p) \sum_j h_j^2 (w_{0j} - w_{1j})^2$",
            mean_square(odds - in_eval),
            *mean_of_bounded(of_squares, furthest**2 / 4, samples),
        ),
    ]


def _mean_claims(passes: Tensor) -> list[Claim]:
    return [
        Claim(
            "The mean of the passes is a distribution",
            1,
            "sum over classes",
            passes.mean(0).sum(-1).max().item(),
            *rounding(1),
        ),
        Claim(
            "The entropy of the mean is at least the mean entropy of the passes",
            0,
            r"$\min(H(mean) - mean\, H, 0)$: Jensen",
            min(_disagreement(passes).min().item(), 0.0),
            *rounding(1),
        ),
    ]


def _disagreement(passes: Tensor) -> Tensor:
    """The entropy of the mean minus the mean entropy, for each example."""
    return _entropy(passes.mean(0)) - _entropy(passes).mean(0)


def _entropy(p: Tensor) -> Tensor:
    """In nats, over the last dimension."""
    return -(p * p.log()).sum(-1)


def _preferred_class(passes: Tensor, in_eval: Tensor) -> Curves:
    """The probability of the class that eval prefers: in single passes, in their mean, and in eval."""
    samples, shown = len(passes), passes[:15]
    examples, tops = range(EXAMPLES), in_eval.argmax(-1).tolist()
    jitter = [(n % 5 - 2) / 20 for n in range(len(shown))]
    return Curves(
        title=f"The probability of the class that eval prefers, in {len(shown)} passes over {EXAMPLES} examples",
        x_label="example",
        y_label="probability",
        series=[
            Series(name, [i + 1 + shift for i in examples for shift in shifts], values, style="points")
            for name, shifts, values in (
                ("a pass", jitter, shown[:, examples, tops].T.flatten().tolist()),
                (f"mean of all {samples:,}", [0.25], passes.mean(0)[examples, tops].tolist()),
                ("eval", [0.4], in_eval.softmax(-1)[examples, tops].tolist()),
            )
        ],
    )


def _running_mean(probability: Tensor) -> Curves:
    """The mean of one probability over the first passes, by their number."""
    numbers = range(2, min(len(probability), 100) + 1)
    means = [probability[:n].mean().item() for n in numbers]
    halves = [1.96 * probability[:n].std().item() / n**0.5 for n in numbers]
    low, high = ([m + sign * h for m, h in zip(means, halves, strict=True)] for sign in (-1, 1))
    return Curves(
        title="The running mean for example 1, plus and minus 1.96 standard errors",
        x_label="passes",
        y_label="probability",
        series=[Series("mean of the passes so far", [float(n) for n in numbers], means, low, high)],
        note="Four times the passes about halve the band.",
    )


def _examples_table(passes: Tensor, in_eval: Tensor) -> Table:
    examples, tops = range(EXAMPLES), in_eval.argmax(-1).tolist()
    chosen = (x[examples, tops].tolist() for x in (in_eval.softmax(-1), passes.mean(0), passes.std(0)))
    return Table(
        title=f"The class that eval prefers and its probability, for {EXAMPLES} examples and a random network",
        columns=["example", "class", "eval", "mean of passes", "std", "disagreement"],
        rows=[
            list(row) for row in zip(range(1, EXAMPLES + 1), tops, *chosen, _disagreement(passes).tolist(), strict=True)
        ],
        note="Disagreement of the passes, in nats: the entropy of the mean minus the mean entropy.",
    )


def _distances_table(passes: Tensor) -> Table:
    mean, spread = passes.mean(0), passes.std(0).max()
    return Table(
        title="The largest distance of the mean of S passes from that of all passes",
        columns=["passes", "distance", "largest std / sqrt(S)"],
        rows=[[n, gap(passes[:n].mean(0), mean), (spread / n**0.5).item()] for n in (1, 5, 20, 100) if n < len(passes)],
        note="The largest over examples and classes. Twice the passes cost about twice the time and take "
        "about 30% off the standard error.",
    )


def _passes(model, x, samples, prepare, *, same=False):
    """Passes with modes set by `prepare`, which are put back."""
    modes = {module: module.training for module in model.modules()}
    prepare(model)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        found = [model(x).softmax(-1) for _ in range(1 if same else samples)]
    for module, mode in modes.items():
        module.training = mode
    return torch.stack(found * (samples if same else 1))


def _dropout_on(model):
    model.eval()
    for module in model.modules():
        module.training = isinstance(module, torch.nn.Dropout)


NAME = "mc_dropout"
WRONG = [
    Wrong("never drops", NAME, lambda right, model, x, samples, **kw: _passes(model, x, samples, lambda m: m.eval())),
    Wrong(
        "one mask for all passes",
        NAME,
        lambda right, model, x, samples, **kw: _passes(model, x, samples, _dropout_on, same=True),
    ),
    Wrong(
        "model.train()", NAME, lambda right, model, x, samples, **kw: _passes(model, x, samples, lambda m: m.train())
    ),
    Wrong("modes are not put back", NAME, lambda right, model, *a, **kw: (right(model, *a, **kw), model.eval())[0]),
    Wrong(
        "half as much dropout",
        NAME,
        lambda right, model, x, samples, **kw: (
            (right(model, x, samples, **kw) + _passes(model, x, samples, lambda m: m.eval())) / 2
        ),
    ),
]
