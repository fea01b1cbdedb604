"""Choosing how much to regularize: trees, forests, boosting, neighbors, penalties."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_diabetes, load_digits, make_moons
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import Lasso, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from regdemo.diagnoses import diagnosis, table
from regdemo.report import Block


def _moons() -> list[np.ndarray]:
    x, y = make_moons(2400, noise=0.35, random_state=0)
    return list(train_test_split(x, y, train_size=400, random_state=0))


@diagnosis("Q18.660")
def tree_depth() -> list[Block]:
    """A decision tree over its depth: from too much bias to too much variance."""
    train_x, val_x, train_y, val_y = _moons()
    rows: list[list[object]] = []
    for depth in (1, 2, 3, 5, 8, None):
        tree = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(train_x, train_y)
        rows.append(
            [
                depth or "no limit",
                tree.get_n_leaves(),
                1 - float(tree.score(train_x, train_y)),
                1 - float(tree.score(val_x, val_y)),
            ]
        )
    return [table("A decision tree, 400 examples", ["depth", "leaves", "training error", "validation error"], rows)]


@diagnosis("Q18.661")
def boosting_rounds() -> list[Block]:
    """Boosting over its rounds: too many overfit, and a smaller step overfits later."""
    train_x, val_x, train_y, val_y = _moons()
    marks = (10, 30, 100, 300)
    columns = ["rounds", "training loss", "validation loss", "validation error"]
    tables: list[Block] = []
    for rate in (0.3, 0.03):
        model = GradientBoostingClassifier(n_estimators=marks[-1], learning_rate=rate, max_depth=3, random_state=0)
        model.fit(train_x, train_y)
        stages = [list(model.staged_predict_proba(x)) for x in (train_x, val_x)]
        rows = [
            [
                mark,
                float(log_loss(train_y, stages[0][mark - 1])),
                float(log_loss(val_y, stages[1][mark - 1])),
                1 - float((stages[1][mark - 1].argmax(1) == val_y).mean()),
            ]
            for mark in marks
        ]
        tables.append(table(f"Gradient boosting, 400 examples, learning rate {rate:g}", columns, rows))
    return tables


@diagnosis("Q18.662")
def forest_size() -> list[Block]:
    """A forest over its number of trees: the error levels off, more trees do not overfit."""
    train_x, val_x, train_y, val_y = _moons()
    rows = []
    for trees in (1, 3, 10, 30, 100, 300):
        scores = []
        for seed in range(2 if trees > 100 else 10):
            forest = RandomForestClassifier(trees, max_features=1, random_state=seed).fit(train_x, train_y)
            scores.append([1 - float(forest.score(train_x, train_y)), 1 - float(forest.score(val_x, val_y))])
        rows.append([trees, *map(float, np.mean(scores, axis=0))])
    return [
        table(
            "A random forest of full trees, mean over 10 seeds (over 2 for 300 trees)",
            ["trees", "training error", "validation error"],
            rows,
        )
    ]


@diagnosis("Q18.663")
def edge_of_the_grid() -> list[Block]:
    """The best strength is the last one of the grid: the grid is too short."""
    x, y = load_diabetes(return_X_y=True)
    x = x[:60]
    y = y[:60]
    folds = KFold(5, shuffle=True, random_state=0)

    def errors(grid: list[float]) -> list[list[object]]:
        rows: list[list[object]] = []
        for alpha in grid:
            model = make_pipeline(StandardScaler(), Ridge(alpha))
            scores = -cross_val_score(model, x, y, cv=folds, scoring="neg_root_mean_squared_error")
            rows.append([f"{alpha:g}", f"{scores.mean():.1f}", f"{scores.std(ddof=1) / 5**0.5:.1f}"])
        return rows

    columns = ["alpha", "error", "standard error"]
    return [
        table("Ridge on 60 examples: root mean squared error, five-fold", columns, errors([0.001, 0.01, 0.1, 1.0])),
        table("The grid continued", columns, errors([1.0, 10.0, 30.0, 100.0, 300.0, 1000.0])),
    ]


@diagnosis("Q18.664")
def neighbors() -> list[Block]:
    """k nearest neighbors over k: a small k has more variance, a large k has more bias."""
    train_x, val_x, train_y, val_y = _moons()
    rows = []
    for k in (1, 5, 15, 50, 150, 399):
        model = KNeighborsClassifier(k).fit(train_x, train_y)
        rows.append([k, 1 - float(model.score(train_x, train_y)), 1 - float(model.score(val_x, val_y))])
    return [table("k nearest neighbors, 400 examples", ["k", "training error", "validation error"], rows)]


@diagnosis("Q18.665")
def double_descent() -> list[Block]:
    """Least squares over the number of features: the test error peaks where there are as many features as examples."""
    rng = np.random.default_rng(0)
    n, runs = 40, 50
    counts = (5, 20, 35, 40, 45, 80, 400)
    errors: dict[int, list[tuple[float, ...]]] = {count: [] for count in counts}
    for _ in range(runs):
        x, test = rng.standard_normal((n, 400)), rng.standard_normal((200, 400))
        w = rng.standard_normal(400) / 20
        y, targets = x @ w + 0.5 * rng.standard_normal(n), test @ w + 0.5 * rng.standard_normal(200)
        for count in counts:
            fitted = np.linalg.pinv(x[:, :count]) @ y
            train = float(np.mean((x[:, :count] @ fitted - y) ** 2))
            ridge = np.linalg.solve(x[:, :count].T @ x[:, :count] + 30 * np.eye(count), x[:, :count].T @ y)
            errors[count].append(
                (
                    train,
                    float(np.mean((test[:, :count] @ fitted - targets) ** 2)),
                    float(np.mean((test[:, :count] @ ridge - targets) ** 2)),
                )
            )
    rows = [[count, *map(float, np.median(errors[count], axis=0))] for count in counts]
    columns = ["features", "training error", "test error", "test error, ridge 30"]
    return [
        table("Least squares of least norm, 40 examples (medians of 50 draws)", columns[:3], [row[:3] for row in rows]),
        table("Without and with a ridge penalty", columns, rows),
    ]


@diagnosis("Q18.666")
def lasso_flips() -> list[Block]:
    """Two features that are nearly copies: the lasso's split of their weight changes with the sample."""
    rng = np.random.default_rng(0)
    rows: list[list[object]] = []
    for draw in range(1, 6):
        x = rng.standard_normal((100, 3))
        x[:, :2] = x[:, :1] + 0.05 * rng.standard_normal((100, 2))
        y = x.sum(1) + rng.standard_normal(100)
        cells: list[object] = [draw]
        for model in (Lasso(0.3), Ridge(30.0)):
            a, b, _ = model.fit(x, y).coef_
            cells += [float(a) + 0.0, float(b) + 0.0]
        rows.append(cells)
    return [
        table(
            "Weights of the two copies over samples of 100 examples",
            ["sample", "lasso, first", "lasso, second", "ridge, first", "ridge, second"],
            rows,
        )
    ]


@diagnosis("Q18.667")
def bagging() -> list[Block]:
    """The variance of an average of M trees, against rho s^2 + (1 - rho) s^2 / M."""
    rng = np.random.default_rng(0)
    runs, most, grid = 100, 30, np.linspace(0.05, 0.95, 19)[:, None]
    predictions = np.empty((runs, most, len(grid)))
    for i in range(runs):
        x = rng.random((60, 1))
        y = np.sin(6 * x[:, 0]) + 0.5 * rng.standard_normal(60)
        for m in range(most):
            rows = rng.integers(60, size=60)
            predictions[i, m] = DecisionTreeRegressor(random_state=m).fit(x[rows], y[rows]).predict(grid)
    variance = predictions.var(axis=0, ddof=1).mean()
    centred = predictions - predictions.mean(axis=0)
    between = (centred.sum(1) ** 2 - (centred**2).sum(1)).sum(0).mean() / (runs - 1) / (most * (most - 1))
    rho = float(between / variance)
    table_rows = []
    for size in (1, 3, 10, 30):
        mean = predictions[:, :size].mean(1)
        formula = variance * (rho + (1 - rho) / size)
        table_rows.append([size, f"{mean.var(axis=0, ddof=1).mean():.3f}", f"{formula:.3f}"])
    return [
        table(
            "Full regression trees on bootstrap samples, over 100 training sets",
            ["trees", "variance", "rho s^2 + (1 - rho) s^2 / M"],
            table_rows,
            f"Variance of one tree s^2 = {variance:.3f}, correlation of two trees rho = {rho:.3f}, "
            f"rho s^2 = {variance * rho:.3f}.",
        )
    ]


@diagnosis("Q18.668")
def feature_sampling() -> list[Block]:
    """A forest over the features tried at a split: fewer make the trees weaker and less alike."""
    x, y = load_digits(return_X_y=True)
    train_x, val_x, train_y, val_y = train_test_split(x, y, train_size=500, random_state=0)
    rows: list[list[object]] = []
    for tried in (64, 16, 8, 2):
        forest = RandomForestClassifier(200, max_features=tried, random_state=0).fit(train_x, train_y)
        guesses = np.array([tree.predict(val_x) for tree in forest.estimators_[:50]])
        right = guesses == val_y
        agree = np.mean([(guesses[i] == guesses[i + 1]).mean() for i in range(49)])
        rows.append([tried, 1 - float(right.mean()), float(agree), 1 - float(forest.score(val_x, val_y))])
    return [
        table(
            "A random forest of 200 trees on the digits, 500 examples",
            ["features tried", "error of one tree", "two trees agree", "error of the forest"],
            rows,
        )
    ]


@diagnosis("Q18.669")
def adding_features() -> list[Block]:
    """Training R² rises as features are added, useful or not."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((260, 100))
    y = x[:, 0] - x[:, 1] + 0.5 * x[:, 2] + rng.standard_normal(260)
    rows: list[list[object]] = []
    for count in (1, 3, 10, 30, 50):
        w, *_ = np.linalg.lstsq(x[:60, :count], y[:60], rcond=None)
        residual = y[:60] - x[:60, :count] @ w
        r2 = 1 - (residual**2).sum() / ((y[:60] - y[:60].mean()) ** 2).sum()
        test = 1 - ((y[60:] - x[60:, :count] @ w) ** 2).sum() / ((y[60:] - y[60:].mean()) ** 2).sum()
        rows.append([count, float(r2), float(test)])
    return [
        table(
            "Least squares on 60 examples",
            ["features", "R², training", "R², test"],
            rows,
            "Only the first three matter.",
        )
    ]
