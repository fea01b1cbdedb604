"""Small measurements behind questions that are asked without a log."""

from __future__ import annotations

import math

import numpy as np
import torch
from sklearn.datasets import load_digits, make_moons
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import HuberRegressor, LinearRegression, LogisticRegression, QuantileRegressor
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from regdemo.diagnoses import diagnosis, table
from regdemo.diagnoses.fit import Data, digits, fit, mlp
from regdemo.report import Block


@diagnosis("Q18.511")
def batch_norm_noise() -> list[Block]:
    """What batch norm in training makes of one example depends on its batch mates, less so in larger batches."""
    generator = torch.Generator().manual_seed(0)
    example = torch.randn(1, 100, dtype=torch.float64, generator=generator)
    batch, layer = nn.BatchNorm1d(100).double(), nn.LayerNorm(100).double()
    rows: list[list[object]] = []
    for size in (2, 8, 32, 128):
        outputs: dict[str, list[Tensor]] = {"batch": [], "layer": []}
        for _ in range(200):
            mates = torch.randn(size - 1, 100, dtype=torch.float64, generator=generator)
            x = torch.cat([example, mates])
            with torch.no_grad():
                outputs["batch"].append(batch(x)[0])
                outputs["layer"].append(layer(x)[0])
        rows.append([size, *(torch.stack(kind).std(0).mean().item() for kind in outputs.values())])
    return [
        table(
            "Standard deviation of one example's output over 200 batches, mean of its 100 features",
            ["batch size", "batch norm, training", "layer norm"],
            rows,
        )
    ]


@diagnosis("Q18.519")
def scale_invariance() -> list[Block]:
    """Weights in front of batch norm scaled up: the same outputs, a smaller gradient."""
    data = digits(train=300)
    rows: list[list[object]] = []
    start: Tensor | None = None
    for factor in (1, 2, 4):
        model = mlp(64, 64, 10, norm=True)
        first = model[0]
        with torch.no_grad():
            first.weight.mul_(factor)  # type: ignore[operator]
            first.bias.mul_(factor)  # type: ignore[operator]
        out = model(data.x)
        start = out if start is None else start
        (gradient,) = torch.autograd.grad(cross_entropy(out, data.y), first.weight)  # type: ignore[arg-type]
        change = float((out - start).detach().abs().max())
        rows.append([factor, f"{change:.3f}", f"{gradient.norm().item():.3f}"])
    return [
        table(
            "The first layer's weights multiplied by a factor",
            ["factor", "largest change of a logit", "norm of the weights' gradient"],
            rows,
        )
    ]


@diagnosis("Q18.570")
def recurrent_dropout() -> list[Block]:
    """A memory under dropout: a fresh mask at each step empties it, one mask for the sequence does not."""
    generator = torch.Generator().manual_seed(0)
    units, p = 10_000, 0.5
    one = (torch.rand(units, generator=generator) >= p).double()
    fresh, shared = torch.ones(units, dtype=torch.float64), torch.ones(units, dtype=torch.float64)
    rows: list[list[object]] = []
    for step in range(1, 21):
        fresh = fresh * (torch.rand(units, generator=generator) >= p)
        shared = shared * one
        if step in (1, 2, 5, 10, 20):
            rows.append([step, f"{fresh.mean().item():.4f}", f"{shared.mean().item():.4f}"])
    return [
        table(
            "Fraction of the state's units not yet dropped, p = 0.5",
            ["steps", "a fresh mask at each step", "one mask per sequence"],
            rows,
        )
    ]


@diagnosis("Q18.557")
def digits_augmented() -> list[Block]:
    """Augmentation that matches deployment helps; one that changes the class harms."""
    x, y = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(x / 16, y, train_size=300, random_state=0)

    def shifted(images: np.ndarray, by: int) -> np.ndarray:
        return np.roll(images.reshape(-1, 8, 8), by, axis=2).reshape(-1, 64)

    def turned(images: np.ndarray) -> np.ndarray:
        return images.reshape(-1, 8, 8)[:, ::-1, ::-1].reshape(-1, 64)

    sets = {
        "no augmentation": [train_x],
        "plus moved copies": [train_x, shifted(train_x, 1), shifted(train_x, -1)],
        "plus upside-down copies": [train_x, turned(train_x)],
    }
    sixes = np.isin(test_y, (6, 9))
    rows: list[list[object]] = []
    for name, images in sets.items():
        model = SVC(C=10.0).fit(np.concatenate(images), np.tile(train_y, len(images)))
        rows.append(
            [
                name,
                float(model.score(test_x, test_y)),
                float(model.score(shifted(test_x, 1), test_y)),
                float(model.score(test_x[sixes], test_y[sixes])),
            ]
        )
    columns = ["training images", "test", "test, moved by one pixel", "test, 6 and 9 only"]
    return [table("Accuracy of an SVM trained on 300 digits", columns, rows)]


@diagnosis("Q18.563")
def few_examples() -> list[Block]:
    """Twenty examples of a new task: train from scratch, or train the head or all of a pretrained network."""
    data = digits(train=900)
    body = mlp(64, 64, 64, 10)
    fit(body, data, epochs=[40], rate=3e-3)
    draws = [torch.cat([(data.y == digit).nonzero()[i : i + 2, 0] for digit in range(10)]) for i in range(0, 10, 2)]
    rows: list[list[object]] = []
    for name, pretrained, head_only in (
        ("all weights, from scratch", False, False),
        ("new head, the rest frozen", True, True),
        ("new head, all weights", True, False),
    ):
        scores = []
        for chosen in draws:
            target = Data(data.x[chosen], data.y[chosen] % 2, data.val_x, data.val_y % 2)
            model = mlp(64, 64, 64, 2)
            if pretrained:
                kept = {key: value for key, value in body.state_dict().items() if not key.startswith("4")}
                model.load_state_dict(kept, strict=False)
            for key, parameter in model.named_parameters():
                parameter.requires_grad_(not head_only or key.startswith("4"))
            last = fit(model, target, epochs=[100], rate=3e-3, batch=10).last
            scores.append([last["train acc"], last["val acc"]])
        rows.append([name, *map(float, np.mean(scores, axis=0))])
    title = "Odd or even, from scratch or pretrained on the ten digits: mean of five draws of 20 examples"
    return [table(title, ["trained", "train acc", "val acc"], rows)]


@diagnosis("Q18.556")
def separable() -> list[Block]:
    """Logistic regression on separable data: without a penalty the weights grow with the steps."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 2, dtype=torch.float64, generator=generator)
    sign = torch.sign(x[:, 0] + x[:, 1])
    x = x + 0.3 * sign[:, None]
    rows: list[list[object]] = []
    marks = (100, 1_000, 10_000)
    norms: list[list[float]] = []
    for decay in (0.0, 0.01):
        w = torch.zeros(2, dtype=torch.float64)
        seen = []
        for step in range(1, marks[-1] + 1):
            pull = torch.sigmoid(-sign * (x @ w)) * sign
            w = w + 1.0 * (x.T @ pull / len(x) - decay * w)
            if step in marks:
                seen.append(w.norm().item())
        norms.append(seen)
    rows = [[mark, *pair] for mark, *pair in zip(marks, *norms, strict=True)]
    return [table("|w| under gradient descent, step size 1", ["steps", "no penalty", "penalty 0.01/2 |w|²"], rows)]


@diagnosis("Q18.477")
def one_batch() -> list[Block]:
    """A network trained on a single batch of 20: a sound loop fits it, a broken one shows itself."""
    data = digits(train=20)
    models = {"sound": mlp(64, 64, 10), "weights start at 0": mlp(64, 64, 10), "softmax twice": mlp(64, 64, 10)}
    with torch.no_grad():
        for parameter in models["weights start at 0"].parameters():
            parameter.zero_()
    rows: list[list[object]] = []
    for name, model in models.items():
        loss = (lambda out, y: cross_entropy(out.softmax(-1), y)) if name == "softmax twice" else cross_entropy
        log = fit(model, data, epochs=[10, 100, 300], rate=1e-2, batch=20, loss=loss)
        rows.append([name, *(f"{row['train loss']:.3f}" for row in log.rows)])
    floor = math.log(math.e + 9) - 1
    note = f"With two softmaxes the least possible loss is ln(e + 9) - 1 = {floor:.2f}."
    return [table("Training loss on 20 digits", ["loop", "step 10", "step 100", "step 300"], rows, note)]


@diagnosis("Q18.498")
def random_search() -> list[Block]:
    """Sixteen trials over two settings of which one matters: grid against random."""
    rng = np.random.default_rng(0)

    def error(rate: np.ndarray) -> np.ndarray:
        return np.asarray((np.log10(rate) + 2.3) ** 2)  # the best rate is 10^-2.3; the other setting does nothing

    grid = np.repeat(np.logspace(-5, 0, 4), 4)
    found = [error(10 ** rng.uniform(-5, 0, 16)).min() for _ in range(1000)]
    rows: list[list[object]] = [
        ["grid of 4 × 4", 4, f"{error(grid).min():.3f}"],
        ["random, median of 1,000 searches", 16, f"{np.median(found):.3f}"],
    ]
    return [table("Best error of 16 trials", ["search", "values tried of the setting that matters", "error"], rows)]


@diagnosis("Q18.495")
def nested() -> list[Block]:
    """The best cross-validated score of a search is optimistic; nested cross-validation is not."""
    rng = np.random.default_rng(0)
    chosen, outer = [], []
    for _ in range(8):
        x, y = rng.standard_normal((40, 5)), np.repeat([0, 1], 20)
        inner = StratifiedKFold(5, shuffle=True, random_state=0)
        search = GridSearchCV(SVC(), {"C": np.logspace(-1, 2, 4), "gamma": np.logspace(-2, 1, 4)}, cv=inner)
        chosen.append(search.fit(x, y).best_score_)
        folds = StratifiedKFold(3, shuffle=True, random_state=1)
        outer.append(cross_val_score(search, x, y, cv=folds).mean())
    rows = [
        ["score of the chosen setting", float(np.mean(chosen))],
        ["nested: search inside, score outside", float(np.mean(outer))],
    ]
    return [
        table("Accuracy on labels that do not depend on the features, mean of 8 data sets", ["score", "accuracy"], rows)
    ]


@diagnosis("Q18.533")
def voting() -> list[Block]:
    """Three models, their vote and a stack of them."""
    x, y = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(x, y, train_size=300, random_state=0)
    models = [
        ("naive Bayes", GaussianNB(var_smoothing=0.1)),
        ("forest", RandomForestClassifier(100, random_state=0)),
        ("logistic", LogisticRegression(C=0.01, max_iter=2000)),
    ]
    voted = VotingClassifier(models, voting="soft")
    stacked = StackingClassifier(models, LogisticRegression(max_iter=2000))
    rows: list[list[object]] = []
    for name, model in (
        *models,
        ("vote (mean probability)", voted),
        ("stack (logistic on out-of-fold predictions)", stacked),
    ):
        chances = model.fit(train_x, train_y).predict_proba(test_x)
        wrong = chances.argmax(1) != test_y
        rows.append([name, float(wrong.mean()), float(chances[wrong].max(1).mean())])
    return [table("Results on test digits after training on 300", ["model", "error", "confidence when wrong"], rows)]


@diagnosis("Q18.550")
def svm_width() -> list[Block]:
    """An SVM over C and gamma: both set how closely the boundary follows the examples."""
    x, y = make_moons(2400, noise=0.35, random_state=0)
    train_x, val_x, train_y, val_y = train_test_split(x, y, train_size=400, random_state=0)
    rows: list[list[object]] = []
    for c in (0.01, 1.0, 100.0):
        cells: list[object] = [f"{c:g}"]
        for gamma in (0.1, 1.0, 100.0):
            model = SVC(C=c, gamma=gamma).fit(train_x, train_y)
            cells.append(f"{1 - model.score(train_x, train_y):.2f} / {1 - model.score(val_x, val_y):.2f}")
        rows.append(cells)
    return [
        table(
            "Training error / validation error of an SVM, 400 training examples",
            ["C", "gamma 0.1", "gamma 1", "gamma 100"],
            rows,
        )
    ]


@diagnosis("Q18.547")
def outlier_loss() -> list[Block]:
    """One outlier: the slope under squared, absolute and Huber loss."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 30)[:, None]
    y = 2 * x[:, 0] + 0.1 * rng.standard_normal(30)
    spoiled = y.copy()
    spoiled[-1] += 10
    models = {
        "squared": LinearRegression(),
        "absolute": QuantileRegressor(quantile=0.5, alpha=0.0),
        "Huber": HuberRegressor(alpha=0.0),
    }
    rows = [
        [name, float(model.fit(x, y).coef_[0]), float(model.fit(x, spoiled).coef_[0])] for name, model in models.items()
    ]
    return [table("Fitted slope; the true one is 2", ["loss", "clean", "one target raised by 10"], rows)]


@diagnosis("Q18.551")
def features_and_distance() -> list[Block]:
    """Nearest neighbors with more and more useless features."""
    x, y = make_moons(1400, noise=0.2, random_state=0)
    noise = np.random.default_rng(0).standard_normal((1400, 100))
    rows: list[list[object]] = []
    for count in (0, 5, 20, 100):
        wide = np.concatenate([x, noise[:, :count]], axis=1)
        model = KNeighborsClassifier(15).fit(wide[:400], y[:400])
        rows.append([count, 1 - float(model.score(wide[400:], y[400:]))])
    return [table("15 nearest neighbors, 400 examples", ["useless features", "error"], rows)]
