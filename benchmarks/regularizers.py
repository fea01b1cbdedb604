"""How fast the regularizers are, each as a ratio to the usual way, the two timed in turn in one run.

python benchmarks/regularizers.py [ROUNDS] [THREADS]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regdemo.regularizers import SAM, dp_sgd, drop_path, drop_path_residual, dropout, keep_masks

Timed = Callable[[], object]


def ratios(slow: Timed, fast: Timed, rounds: int) -> list[float]:
    """The time of slow over that of fast, pair by pair, sorted; the first pair meets cold memory and is left out."""

    def seconds(run: Timed) -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    return sorted([seconds(slow) / seconds(fast) for _ in range(rounds + 1)][1:])


def dropouts(p: float) -> tuple[Timed, Timed]:
    """Forward and backward on a batch of hidden states: torch's own dropout, and ours."""
    x, gradient = torch.randn(32, 256, 768, requires_grad=True), torch.randn(32, 256, 768)
    return (
        lambda: torch.autograd.grad(F.dropout(x, p), x, gradient),
        lambda: torch.autograd.grad(dropout(x, p), x, gradient),
    )


def members() -> tuple[Timed, Timed]:
    """Masks of 16 networks, 64 examples and 256 units, each from its own generator: one by one, and together."""
    generators = [torch.Generator().manual_seed(seed) for seed in range(16)]
    return (
        lambda: torch.stack([torch.rand(64, 256, generator=generator) >= 0.1 for generator in generators]),
        lambda: keep_masks((64, 256), 0.1, generators),
    )


def drop_paths() -> tuple[Timed, Timed]:
    """Forward and backward of a transformer's feed-forward branch: every row masked, and the kept rows alone."""
    batch, width = 64, 256
    branch = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
    x, gradient = torch.randn(batch, 64, width, requires_grad=True), torch.randn(batch, 64, width)
    inputs = [x, *branch.parameters()]
    # Exactly half of the rows, so that a pair's ratio does not hang on the draw.
    mask = torch.arange(batch) % 2 == 0

    def masking() -> Tensor:
        return x + drop_path(branch(x), 0.5, mask=mask.view(-1, 1, 1))

    return (
        lambda: torch.autograd.grad(masking(), inputs, gradient),
        lambda: torch.autograd.grad(drop_path_residual(x, branch, 0.5, mask=mask), inputs, gradient),
    )


def classifier(inputs: int, hidden: int, examples: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A multilayer perceptron with 10 classes, and a batch."""
    model = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    return model, torch.randn(examples, inputs), torch.randint(10, (examples,))


def sam_steps() -> tuple[Timed, Timed]:
    """SAM's step, and two plain ones; AdamW is the optimizer of both."""
    model, x, y = classifier(40, 256, 128)
    plain, sam = (torch.optim.AdamW(model.parameters(), lr=1e-5) for _ in range(2))
    around = SAM(sam, rho=0.05)

    def closure() -> Tensor:
        model.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    def two_steps() -> None:
        for _ in range(2):
            plain.step(closure)

    return lambda: around.step(closure), two_steps


def dp_sgds() -> tuple[Timed, Timed]:
    """The clipped and noisy gradient of a batch: a loop over its examples, and `vmap(grad)`.

    At digits' size. A larger network gains less: its examples' gradients, all held at once, are bound by memory.
    """
    model, x, y = classifier(64, 64, 256)
    parameters = dict(model.named_parameters())

    def loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(model, parameters, (x,)), y)

    def loop() -> dict[str, Tensor]:
        total = {name: torch.zeros_like(p) for name, p in parameters.items()}
        for i in range(len(x)):
            gradients = torch.autograd.grad(F.cross_entropy(model(x[i]), y[i]), list(parameters.values()))
            norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
            factor = 1 / norm.clamp(min=1.0)
            for name, gradient in zip(parameters, gradients, strict=True):
                total[name] += gradient * factor
        return {name: (sum_ + torch.randn_like(sum_)) / len(x) for name, sum_ in total.items()}

    return loop, lambda: dp_sgd(loss, parameters, x, y, max_norm=1.0, noise_multiplier=1.0)


def main() -> None:
    """Print one row a figure."""
    rounds, threads = (int(word) for word in (*sys.argv[1:], *("15", "2")[len(sys.argv) - 1 :]))
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    rows: list[tuple[str, tuple[Timed, Timed], str]] = [
        ("dropout at 0.5, against F.dropout", dropouts(0.5), "at least 2.5, aim 4"),
        ("dropout at 0.1, against F.dropout", dropouts(0.1), "at least 2.5, aim 4"),
        ("16 generators' masks, against one by one with rand", members(), "no figure asked"),
        ("DropPath of kept rows, p = 0.5, against masking", drop_paths(), "at least 1.7, aim 1.9"),
        ("SAM's step, in units of two plain steps", sam_steps(), "at most 1.1"),
        ("DP-SGD by vmap(grad), against a loop", dp_sgds(), "at least 10"),
    ]
    print(f"Median ratio of {rounds} paired runs [least, most], torch on {torch.get_num_threads()} threads.")
    for name, (slow, fast), asked in rows:
        found = ratios(slow, fast, rounds)
        print(f"{name:52}{statistics.median(found):6.2f} [{found[0]:.2f}, {found[-1]:.2f}], {asked}", flush=True)


if __name__ == "__main__":
    main()
