"""Faults of a training loop, seen from its log."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from regdemo.diagnoses import diagnosis, table
from regdemo.diagnoses.fit import LOSSES_AND_ACCURACIES, Data, digits, evaluate, fit, mlp
from regdemo.report import Block, Code


@diagnosis("Q18.620")
def diverging() -> list[Block]:
    """At rate 10 the step is too large: the loss jumps, the units die, and guessing is all that is left."""
    data = digits(train=600)

    def dead(model: nn.Module) -> dict[str, float]:
        with torch.no_grad():
            hidden = model[:2](data.x)  # type: ignore[index]
        return {"dead": (hidden.amax(0) == 0).double().mean().item()}

    rates, epochs = (0.1, 1, 10), [1, 2, 4, 8]
    logs = [
        fit(mlp(64, 64, 10), data, epochs=epochs, rate=rate, optimizer=torch.optim.SGD, measure=dead).rows
        for rate in rates
    ]
    columns = ["epoch", *(f"rate {rate}" for rate in rates)]
    loss, dying = (
        [[int(rows[0]["epoch"]), *(row[key] for row in rows)] for rows in zip(*logs, strict=True)]
        for key in ("running", "dead")
    )
    return [
        table("Mean training loss of an epoch, SGD", columns, loss, f"Guessing costs ln 10 = {math.log(10):.2f}."),
        table("Fraction of hidden units that are 0 for every training example", columns, dying),
    ]


@diagnosis("Q18.621")
def softmax_twice() -> list[Block]:
    """The softmax is applied twice."""
    data = digits(train=900)

    def twice(out: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(out.softmax(-1), y)

    log = fit(mlp(64, 64, 10), data, epochs=[1, 5, 20, 60], rate=3e-3, loss=twice)
    once = fit(mlp(64, 64, 10), data, epochs=[1, 5, 20, 60], rate=3e-3)
    floor = math.log(math.e + 9) - 1
    return [
        table(
            "Training log",
            *log.columns(*LOSSES_AND_ACCURACIES),
            f"The least possible loss: ln(e + 9) - 1 = {floor:.2f}.",
        ),
        table("Training log with the cross entropy of the logits themselves", *once.columns(*LOSSES_AND_ACCURACIES)),
    ]


@diagnosis("Q18.622")
def labels_out_of_step() -> list[Block]:
    """Inputs were shuffled without their labels: the validation accuracy stays near that of guessing."""
    data = digits(train=600)
    generator = torch.Generator().manual_seed(1)
    torn = Data(data.x[torch.randperm(600, generator=generator)], data.y, data.val_x, data.val_y)
    log = fit(mlp(64, 64, 10), torn, epochs=[1, 10, 40, 160], rate=3e-3)
    sound = fit(mlp(64, 64, 10), data, epochs=[1, 10, 40, 160], rate=3e-3)
    return [
        table("Training log", *log.columns(*LOSSES_AND_ACCURACIES), f"Guessing costs ln 10 = {math.log(10):.2f}."),
        table("With each input next to its own label", *sound.columns(*LOSSES_AND_ACCURACIES)),
    ]


@diagnosis("Q18.623")
def no_zero_grad() -> list[Block]:
    """The gradients are never set to zero: each step takes the sum of all so far."""
    data = digits(train=600)
    diff = """\
 for rows in order.split(50):
-    optimizer.zero_grad()
     loss = cross_entropy(model(x[rows]), y[rows])
     loss.backward()
     optimizer.step()"""
    sgd = torch.optim.SGD
    before = fit(mlp(64, 64, 10), data, epochs=[1, 2, 4, 8], rate=0.1, optimizer=sgd)
    after = fit(mlp(64, 64, 10), data, epochs=[1, 2, 4, 8], rate=0.1, optimizer=sgd, zero=False)
    rows = [
        [int(a["epoch"]), a["running"], b["running"], a["grad"], b["grad"]]
        for a, b in zip(before.rows, after.rows, strict=True)
    ]
    return [
        Code("The change", diff, "diff"),
        table(
            "Mean training loss and mean gradient norm of an epoch, before and after the change",
            ["epoch", "loss before", "loss after", "gradient before", "gradient after"],
            rows,
            "SGD, learning rate 0.1.",
        ),
    ]


@diagnosis("Q18.624")
def sorted_batches() -> list[Block]:
    """Batches hold one or two classes each: every batch pulls all predictions to its own classes."""
    data = digits(train=900)
    order = data.y.argsort(stable=True)
    by_class = Data(data.x[order], data.y[order], data.val_x, data.val_y)
    sgd = torch.optim.SGD
    log = fit(mlp(64, 64, 10), by_class, epochs=[1, 2, 5, 10], rate=0.1, optimizer=sgd, shuffle=False)
    sound = fit(mlp(64, 64, 10), by_class, epochs=[1, 2, 5, 10], rate=0.1, optimizer=sgd)

    columns = ["epoch", "train loss", "val loss", "val acc"]
    return [
        table("Training log", columns, log.columns("running", "val loss", "val acc")[1]),
        table("The same data, shuffled in each epoch", columns, sound.columns("running", "val loss", "val acc")[1]),
    ]


def _norms(model: nn.Sequential, data: Data) -> list[float]:
    model.zero_grad()
    torch.autograd.backward(cross_entropy(model(data.x), data.y))
    return [layer.weight.grad.norm().item() for layer in model if isinstance(layer, nn.Linear)]  # type: ignore[union-attr]


@diagnosis("Q18.625")
def vanishing_gradients() -> list[Block]:
    """Sigmoids in a deep network: the gradient fades on its way to the first layer."""
    data = digits(train=600)
    widths = (64, *[64] * 7, 10)
    sigmoid, relu = mlp(*widths, act=nn.Sigmoid), mlp(*widths)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for layer in relu:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    normed = mlp(*widths, act=nn.Sigmoid, norm=True)
    columns = ["layer", "sigmoid", "ReLU, He's initialization", "sigmoid, batch norm"]
    norms = list(zip(*(_norms(model, data) for model in (sigmoid, relu, normed)), strict=True))
    return [
        table(
            "Norm of the first gradient of each weight matrix",
            columns[:2],
            [[i, f"{row[0]:.0e}"] for i, row in enumerate(norms, 1)],
        ),
        table("The same, three ways", columns, [[i, *(f"{n:.0e}" for n in row)] for i, row in enumerate(norms, 1)]),
    ]


@diagnosis("Q18.626")
def one_bad_example() -> list[Block]:
    """One corrupted example throws the weights far away; clipping bounds the step."""
    data = digits(train=600)
    x = data.x.clone()
    x[123] *= 1000
    spoiled = Data(x, data.y, data.val_x, data.val_y)
    sgd = torch.optim.SGD
    plain = fit(mlp(64, 64, 10), spoiled, epochs=[1, 2, 3, 4], rate=0.1, optimizer=sgd)
    clipped = fit(mlp(64, 64, 10), spoiled, epochs=[1, 2, 3, 4], rate=0.1, optimizer=sgd, clip=1.0)
    columns = ["epoch", "mean gradient norm", "val loss", "val acc"]
    rows = [
        [[int(r["epoch"]), f"{r['grad']:.2g}", f"{r['val loss']:.2f}", r["val acc"]] for r in log.rows]
        for log in (plain, clipped)
    ]
    return [
        table("Training log", columns, rows[0]),
        table("With clip_grad_norm_(parameters, 1.0)", columns, rows[1], "The norm is taken before clipping."),
    ]


@diagnosis("Q18.627")
def eval_forgotten() -> list[Block]:
    """Validation runs in training mode: dropout is on, and two passes disagree."""
    data = digits(train=900)
    model = mlp(64, 64, 64, 10, dropout=0.5)
    fit(model, data, epochs=[40], rate=3e-3)
    model.train()
    rows: list[list[object]] = []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for i in range(1, 5):
            out = model(data.val_x)
            rows.append(
                [i, cross_entropy(out, data.val_y).item(), (out.argmax(1) == data.val_y).double().mean().item()]
            )
    held = [[i, *evaluate(model, data.val_x, data.val_y)] for i in (1, 2)]
    return [
        table("The same weights validated four times", ["pass", "val loss", "val acc"], rows),
        table("After model.eval()", ["pass", "val loss", "val acc"], held),
    ]


@diagnosis("Q18.628")
def batch_norm_in_training_mode() -> list[Block]:
    """Batch norm left in training mode: a prediction depends on its batch."""
    data = digits(train=900)
    model = mlp(64, 64, 64, 10, norm=True)
    fit(model, data, epochs=[20], rate=3e-3)
    by_class = data.val_y.argsort(stable=True)
    orders = {"shuffled": torch.arange(len(data.val_y)), "sorted by class": by_class}

    def accuracy(order: Tensor, size: int) -> float:
        right = [(model(data.val_x[rows]).argmax(1) == data.val_y[rows]).double() for rows in torch.split(order, size)]
        return torch.cat(right).mean().item()

    state = {name: value.clone() for name, value in model.state_dict().items()}
    tables = []
    for mode, title in ((True, "Accuracy in training mode"), (False, "After model.eval()")):
        rows = []
        for name, order in orders.items():
            cells: list[object] = [name]
            for size in (50, 8, 2):
                model.load_state_dict(state)
                model.train(mode)
                with torch.no_grad():
                    cells.append(accuracy(order, size))
            rows.append(cells)
        tables.append(table(title, ["validation batches", "of 50", "of 8", "of 2"], rows))
    return [*tables]


@diagnosis("Q18.629")
def zero_weights() -> list[Block]:
    """All weights and biases start at zero: only the last bias learns."""
    data = digits(train=900)
    model = mlp(64, 64, 10)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()

    def hidden(model: nn.Module) -> dict[str, float]:
        return {"largest weight": max(p.abs().max().item() for p in model.parameters() if p.dim() > 1)}

    log = fit(model, data, epochs=[1, 5, 20], rate=0.1, optimizer=torch.optim.SGD, measure=hidden)
    sound = fit(mlp(64, 64, 10), data, epochs=[1, 5, 20], rate=0.1, optimizer=torch.optim.SGD, measure=hidden)
    columns = ("train loss", "val acc", "largest weight")
    return [
        table("Training log", *log.columns(*columns), f"Guessing costs ln 10 = {math.log(10):.2f}."),
        table("With torch's own initialization", *sound.columns(*columns)),
    ]


@diagnosis("Q18.630")
def forgetting() -> list[Block]:
    """Fine-tuning on new classes unlearns the old ones: catastrophic forgetting."""
    data = digits(train=900)
    old, val_old = data.y < 5, data.val_y < 5
    first = Data(data.x[old], data.y[old], data.val_x[val_old], data.val_y[val_old])
    second = Data(data.x[~old], data.y[~old], data.val_x[~val_old], data.val_y[~val_old])

    def both(model: nn.Module) -> dict[str, float]:
        return {
            "digits 0-4": evaluate(model, first.val_x, first.val_y)[1],
            "digits 5-9": evaluate(model, second.val_x, second.val_y)[1],
        }

    def pretrained() -> nn.Sequential:
        model = mlp(64, 64, 10)
        fit(model, first, epochs=[20], rate=3e-3)
        return model

    names = ("digits 0-4", "digits 5-9")
    start = pretrained()
    before = [0, *both(start).values()]
    log = fit(start, second, epochs=[1, 2, 5, 20], rate=3e-3, measure=both)
    fifth = torch.arange(len(first.x)) % 5 == 0  # replayed: every fifth of the old examples
    mixed = Data(torch.cat([second.x, first.x[fifth]]), torch.cat([second.y, first.y[fifth]]), data.val_x, data.val_y)
    replay = fit(pretrained(), mixed, epochs=[1, 2, 5, 20], rate=3e-3, measure=both)
    columns, rows = log.columns(*names)
    return [
        table("Accuracy while fine-tuning on 5 to 9", columns, [before, *rows]),
        table("With every fifth old example replayed", columns, [before, *replay.columns(*names)[1]]),
    ]
