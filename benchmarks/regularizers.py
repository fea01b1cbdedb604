"""How fast the regularizers are, each as a fraction of its peer's time, the two timed in turn in one run.

python benchmarks/regularizers.py [ROUNDS] [THREADS]

Below 1 ours is the faster. Rows of timm, torchvision, transformers and pytorch_optimizer need them installed.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regdemo import regularizers as ours

Timed = Callable[[], object]
Row = tuple[str, float, Callable[[], tuple[Timed, Timed]]]  # name, goal, what makes ours and the peer's
SAMPLE = 0.004  # seconds that one sample lasts at least


def fractions(mine: Timed, theirs: Timed, rounds: int) -> list[float]:
    """The time of ours over that of the peer's, pair by pair, sorted; the first pair, on cold memory, is left out."""

    # One thread's own time does not count what other programs on the machine take.
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter

    def seconds(run: Timed, times: int) -> float:
        start = clock()
        for _ in range(times):
            run()
        return clock() - start

    seconds(theirs, 1)
    times = max(1, round(SAMPLE / seconds(theirs, 1)))
    return sorted([seconds(mine, times) / seconds(theirs, times) for _ in range(rounds + 1)][1:])


def peer(name: str) -> Any:
    """A library to compare with; None where it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError:
        return None


def both_ways(shape: tuple[int, ...], mine: Callable[[Tensor], Tensor], theirs: Callable[[Tensor], Tensor], **how: Any):
    """Forward and backward of two functions of one tensor."""
    x, gradient = torch.randn(shape, **how).requires_grad_(), torch.randn(shape, **how)
    return (
        lambda: torch.autograd.grad(mine(x), x, gradient),
        lambda: torch.autograd.grad(theirs(x), x, gradient),
    )


def elementwise() -> Iterator[Row]:
    """dropout against F.dropout."""
    goals = {torch.float32: {2**13: 1.0, 2**17: 0.4, 2**20: 0.3}, torch.bfloat16: {2**13: 1.1, 2**17: 0.6, 2**22: 0.3}}
    for dtype, by_size in goals.items():
        for size, goal in by_size.items():
            yield (
                f"dropout, {str(dtype)[6:]}, {size:,} elements; F.dropout",
                goal,
                lambda size=size, dtype=dtype: both_ways(
                    (size,), lambda x: ours.dropout(x, 0.1), lambda x: F.dropout(x, 0.1), dtype=dtype
                ),
            )


def structured() -> Iterator[Row]:
    """DropPath, SpatialDropout and DropBlock against timm's, torch's and torchvision's."""
    timm, vision = peer("timm.layers.drop"), peer("torchvision.ops")
    mine = ours.DropPath(0.1)
    for shape in ((32, 16, 64), (32, 196, 192), (64, 196, 384)):
        if timm:
            theirs = timm.DropPath(0.1)
            yield f"DropPath, {shape}; timm", 1.0, lambda s=shape, t=theirs: both_ways(s, mine, t)
    for shape in ((32, 16, 8, 8), (32, 64, 28, 28), (32, 128, 28, 28)):
        yield (
            f"SpatialDropout, {shape}; Dropout2d",
            1.0,
            lambda s=shape: both_ways(s, ours.SpatialDropout(0.1), nn.Dropout2d(0.1)),
        )
    for shape in ((8, 32, 14, 14), (16, 64, 28, 28)):
        if timm:
            theirs = timm.DropBlock2d(0.1, 7, couple_channels=False)
            yield f"DropBlock, {shape}; timm", 1.0, lambda s=shape, t=theirs: both_ways(s, ours.DropBlock(0.1), t)
        if vision:
            theirs = vision.DropBlock2d(0.1, 7)
            yield (
                f"DropBlock, {shape}; torchvision",
                1.0,
                lambda s=shape, t=theirs: both_ways(s, ours.DropBlock(0.1), t),
            )


def mixups(shape: tuple[int, ...], vision: Any) -> tuple[Timed, Timed]:
    """Mixup of a batch of images and integer labels."""
    x, labels, theirs = torch.randn(shape), torch.randint(10, shape[:1]), vision.MixUp(alpha=0.2, num_classes=10)
    return lambda: ours.mixup(x, labels, 0.2, num_classes=10), lambda: theirs(x, labels)


def neftune(shape: tuple[int, ...]) -> tuple[Timed, Timed]:
    """Noise on the embeddings as in transformers' hook: uniform numbers in place, then a sum."""
    x, size = torch.randn(shape), 5 / (shape[-2] * shape[-1]) ** 0.5
    return lambda: ours.embedding_noise(x, 5.0), lambda: x + torch.zeros_like(x).uniform_(-size, size)


def r_drops(examples: int, classes: int) -> tuple[Timed, Timed]:
    """The loss by kl_div and cross_entropy, forward and backward, as the authors' code has it."""
    first, second = (torch.randn(examples, classes, requires_grad=True) for _ in range(2))
    target = torch.randint(classes, (examples,))

    def by_kl_div() -> Tensor:
        log_p, log_q = first.log_softmax(-1), second.log_softmax(-1)
        p, q = first.softmax(-1), second.softmax(-1)
        kl = F.kl_div(log_p, q, reduction="none").sum() + F.kl_div(log_q, p, reduction="none").sum()
        return F.cross_entropy(first, target) + F.cross_entropy(second, target) + kl / 2 / examples

    return (
        lambda: torch.autograd.grad(ours.r_drop(first, second, target), [first, second]),
        lambda: torch.autograd.grad(by_kl_div(), [first, second]),
    )


def classifier(inputs: int, hidden: int, examples: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A multilayer perceptron with 10 classes, and a batch."""
    model = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    return model, torch.randn(examples, inputs), torch.randint(10, (examples,))


def steps(make: Callable[[list[Any]], Any], two: bool = False) -> Timed:
    """A training step of a classifier with an optimizer, with both of SAM's passes if two."""
    model, x, y = classifier(40, 256, 128)
    optimizer = make(list(model.parameters()))

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    def with_first_pass() -> None:
        closure()
        optimizer.step(closure)

    return with_first_pass if two else lambda: optimizer.step(closure)


def optimizers(theirs: Any) -> Iterator[Row]:
    """SAM and Lookahead against pytorch_optimizer's, and SAM against two plain steps; AdamW is the base of all."""
    adam = torch.optim.AdamW
    if theirs:
        yield (
            "SAM's step; pytorch_optimizer",
            1.05,
            lambda: (
                steps(lambda ps: ours.SAM(adam(ps, lr=1e-5))),
                steps(lambda ps: theirs.SAM(ps, adam, lr=1e-5), two=True),
            ),
        )
        yield (
            "Lookahead's step; pytorch_optimizer",
            1.05,
            lambda: (
                steps(lambda ps: ours.Lookahead(adam(ps, lr=1e-5))),
                steps(lambda ps: theirs.Lookahead(adam(ps, lr=1e-5))),
            ),
        )

    def two_plain() -> Timed:
        plain = steps(lambda ps: adam(ps, lr=1e-5))
        return lambda: (plain(), plain())

    yield "SAM's step; two plain steps", 1.1, lambda: (steps(lambda ps: ours.SAM(adam(ps, lr=1e-5))), two_plain())


def members() -> tuple[Timed, Timed]:
    """Masks of 16 networks, 64 examples and 256 units, each from its own generator: together, and one by one."""
    generators = [torch.Generator().manual_seed(seed) for seed in range(16)]
    return (
        lambda: ours.keep_masks((64, 256), 0.1, generators),
        lambda: torch.stack([torch.rand(64, 256, generator=generator) >= 0.1 for generator in generators]),
    )


def kept_rows() -> tuple[Timed, Timed]:
    """Forward and backward of a transformer's feed-forward branch: the kept rows alone, and every row masked."""
    batch, width = 64, 256
    branch = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
    x, gradient = torch.randn(batch, 64, width, requires_grad=True), torch.randn(batch, 64, width)
    inputs = [x, *branch.parameters()]
    # Exactly half of the rows, so that a pair's ratio does not depend on the draw.
    mask = torch.arange(batch) % 2 == 0

    def masking() -> Tensor:
        return x + ours.drop_path(branch(x), 0.5, mask=mask.view(-1, 1, 1))

    return (
        lambda: torch.autograd.grad(ours.drop_path_residual(x, branch, 0.5, mask=mask), inputs, gradient),
        lambda: torch.autograd.grad(masking(), inputs, gradient),
    )


def dp_sgds() -> tuple[Timed, Timed]:
    """The clipped and noisy gradient of a batch: `vmap(grad)`, and a loop over its examples.

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

    return lambda: ours.dp_sgd(loss, parameters, x, y, max_norm=1.0, noise_multiplier=1.0), loop


def rows() -> Iterator[Row]:
    """Every row: its name and peer, the goal, and what makes the two functions to time."""
    yield from elementwise()
    hidden = (32, 256, 768)
    for p in (0.5, 0.1):
        yield (
            f"dropout at {p}, {hidden}; F.dropout",
            0.4,
            lambda p=p: both_ways(hidden, lambda x: ours.dropout(x, p), lambda x: F.dropout(x, p)),
        )
    yield from structured()
    vision = peer("torchvision.transforms.v2")
    for shape in ((64, 3, 32, 32), (64, 3, 64, 64), (64, 3, 128, 128)):
        if vision:
            yield f"mixup, {shape}; torchvision v2", 0.9, lambda s=shape: mixups(s, vision)
    for shape in ((8, 32, 64), (16, 128, 512)):
        yield f"NEFTune, {shape}; transformers' formula", 1.05, lambda s=shape: neftune(s)
    for examples, classes in ((64, 10), (256, 1000)):
        yield (
            f"R-Drop, ({examples}, {classes}); kl_div and cross_entropy",
            1.05,
            lambda e=examples, c=classes: r_drops(e, c),
        )
    yield from optimizers(peer("pytorch_optimizer"))
    yield "16 generators' masks; one by one with rand", 0.5, members
    yield "DropPath of kept rows, p = 0.5; masking", 0.6, kept_rows
    yield "DP-SGD by vmap(grad); a loop", 0.1, dp_sgds


def main() -> None:
    """Print one line per row."""
    rounds, threads = (int(word) for word in (*sys.argv[1:], *("9", "1")[len(sys.argv) - 1 :]))
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    print(f"Our time as a fraction of the peer's: median of {rounds} pairs [least, most]; {threads} thread(s).")
    for name, goal, make in rows():
        found = fractions(*make(), rounds)
        print(f"{name:58}{statistics.median(found):6.2f} [{found[0]:.2f}, {found[-1]:.2f}], goal {goal}", flush=True)


if __name__ == "__main__":
    main()
