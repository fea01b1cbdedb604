"""Validation that says more than it knows: leaks, shift, chance."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score, recall_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
    train_test_split,
)
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from regdemo.diagnoses import diagnosis, table
from regdemo.report import Block, Code


@diagnosis("Q18.640")
def selection_leak() -> list[Block]:
    """Features were selected on all the data, before cross-validation: a leak."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 2000)), np.repeat([0, 1], 30)
    diff = """\
-chosen = SelectKBest(f_classif, k=20).fit_transform(x, y)
-scores = cross_val_score(LogisticRegression(), chosen, y, cv=folds)
+model = make_pipeline(SelectKBest(f_classif, k=20), LogisticRegression())
+scores = cross_val_score(model, x, y, cv=folds)"""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    chosen = SelectKBest(f_classif, k=20).fit_transform(x, y)
    outside = cross_val_score(LogisticRegression(), chosen, y, cv=folds)
    inside = cross_val_score(make_pipeline(SelectKBest(f_classif, k=20), LogisticRegression()), x, y, cv=folds)
    columns = ["selected", "mean accuracy", "worst fold", "best fold"]
    rows = [
        [name, float(scores.mean()), float(scores.min()), float(scores.max())]
        for name, scores in (("on all examples", outside), ("inside each fold", inside))
    ]
    return [
        table("60 examples, 2,000 features, labels that do not depend on them", columns, rows[:1]),
        Code("The fix", diff, "diff"),
        table("Both ways", columns, rows),
    ]


@diagnosis("Q18.641")
def group_leak() -> list[Block]:
    """The same patients are in training and validation: the model recognizes them."""
    rng = np.random.default_rng(0)
    patients, visits = 40, 10
    sick = rng.permutation(np.repeat([0, 1], patients // 2))
    person = rng.standard_normal((patients, 20))
    group = np.repeat(np.arange(patients), visits)
    x = person[group] + 0.3 * rng.standard_normal((patients * visits, 20))
    x[:, 0] += 0.8 * sick[group]
    y = sick[group]
    model = KNeighborsClassifier(1)
    split = {"n_splits": 5, "shuffle": True, "random_state": 0}
    by_visit = cross_val_score(model, x, y, cv=KFold(**split))
    by_patient = cross_val_score(model, x, y, groups=group, cv=GroupKFold(**split))
    rows = [
        ["KFold(5, shuffle=True)", float(by_visit.mean())],
        ["GroupKFold(5, shuffle=True), by patient", float(by_patient.mean())],
    ]
    return [table("40 patients, 10 visits each", ["split", "accuracy"], rows)]


@diagnosis("Q18.642")
def time_leak() -> list[Block]:
    """A shuffled split of a time series: the model has seen both neighbors of most days."""
    rng = np.random.default_rng(0)
    days = np.arange(600)
    level = np.cumsum(rng.standard_normal(600))
    x = days[:, None].astype(float)
    model = KNeighborsRegressor(2)
    error = "neg_mean_absolute_error"
    shuffled = -cross_val_score(model, x, level, cv=KFold(5, shuffle=True, random_state=0), scoring=error)
    forward = -cross_val_score(model, x, level, cv=TimeSeriesSplit(5, gap=7), scoring=error)
    last = [float(np.abs(level[fold[1]] - level[fold[0][-1]]).mean()) for fold in TimeSeriesSplit(5, gap=7).split(x)]
    rows = [
        ["KFold(5, shuffle=True)", float(shuffled.mean())],
        ["TimeSeriesSplit(5, gap=7)", float(forward.mean())],
        ["TimeSeriesSplit(5, gap=7), repeating the last known value", float(np.mean(last))],
    ]
    return [table("Mean absolute error on a random walk of 600 days", ["split", "error"], rows)]


def _rare() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = (np.arange(2000) % 20 == 0).astype(int)
    x = rng.standard_normal((2000, 10))
    x[:, 0] += 0.7 * y
    return x, y


@diagnosis("Q18.643")
def oversampling_leak() -> list[Block]:
    """Rare examples were copied before the split: validation holds copies of training examples."""
    x, y = _rare()
    model = RandomForestClassifier(50, random_state=0)

    def oversampled(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rare = np.flatnonzero(y)
        more = np.random.default_rng(0).choice(rare, (y == 0).sum() - len(rare))
        return np.concatenate([x, x[more]]), np.concatenate([y, y[more]])

    big_x, big_y = oversampled(x, y)
    train_x, val_x, train_y, val_y = train_test_split(big_x, big_y, stratify=big_y, random_state=0)
    wrong = model.fit(train_x, train_y).predict(val_x)
    first = [balanced_accuracy_score(val_y, wrong), recall_score(val_y, wrong)]
    train_x, val_x, train_y, val_y = train_test_split(x, y, stratify=y, random_state=0)
    right = model.fit(*oversampled(train_x, train_y)).predict(val_x)
    second = [balanced_accuracy_score(val_y, right), recall_score(val_y, right)]
    columns = ["order", "balanced accuracy", "recall of the rare class"]
    rows = [["oversample, then split", *map(float, first)], ["split, then oversample", *map(float, second)]]
    return [
        table("A random forest, 5% of the examples in the rare class", columns, rows[:1]),
        table("Both orders", columns, rows),
    ]


@diagnosis("Q18.644")
def target_leak() -> list[Block]:
    """A feature is written after the label is known: it is missing when the model is used."""
    x, benign = load_breast_cancer(return_X_y=True)
    y = 1 - benign  # a follow-up is booked for a malignant tumor
    rng = np.random.default_rng(0)
    x = x[:, :4]
    follow_up = np.where(rng.random(len(y)) < 0.98, y, 1 - y).astype(float)
    leaky = np.column_stack([x, follow_up])
    model = RandomForestClassifier(100, random_state=0)
    train_x, val_x, train_y, val_y = train_test_split(leaky, y, random_state=0)
    model.fit(train_x, train_y)
    names = ["mean radius", "mean texture", "mean perimeter", "mean area", "follow_up_booked"]
    order = np.argsort(-model.feature_importances_)
    deployed = val_x.copy()
    deployed[:, 4] = 0.0
    without = RandomForestClassifier(100, random_state=0).fit(train_x[:, :4], train_y)
    return [
        table(
            f"A random forest: validation accuracy {model.score(val_x, val_y):.2f}",
            ["feature", "importance"],
            [[names[i], float(model.feature_importances_[i])] for i in order],
        ),
        table(
            "The same examples, as they are on the day of the prediction",
            ["model", "accuracy"],
            [
                ["with follow_up_booked, which is still 0 for everybody", float(model.score(deployed, val_y))],
                ["trained without it", float(without.score(val_x[:, :4], val_y))],
            ],
        ),
    ]


@diagnosis("Q18.645")
def imbalance() -> list[Block]:
    """Accuracy on imbalanced classes: the model predicts the frequent class."""
    x, y = _rare()
    train_x, val_x, train_y, val_y = train_test_split(x, y, stratify=y, random_state=0)
    rows = []
    for name, model in (
        ("logistic regression", LogisticRegression()),
        ("always the frequent class", DummyClassifier()),
        ("logistic regression, classes weighted", LogisticRegression(class_weight="balanced")),
    ):
        guess = model.fit(train_x, train_y).predict(val_x)
        rows.append(
            [
                name,
                float((guess == val_y).mean()),
                float(recall_score(val_y, guess)),
                float(average_precision_score(val_y, model.predict_proba(val_x)[:, 1])),
            ]
        )
    columns = ["model", "accuracy", "recall", "average precision"]
    return [
        table("Validation, 5% positives", columns[:2], [row[:2] for row in rows[:1]]),
        table("Validation of three models by three measures, 5% positives", columns, rows),
    ]


@diagnosis("Q18.646")
def within_noise() -> list[Block]:
    """Two settings differ less, on average, than two seeds of the same setting."""
    x, y = load_digits(return_X_y=True)
    rows, differences = [], []
    for seed in range(8):
        train_x, val_x, train_y, val_y = train_test_split(x, y, train_size=300, test_size=300, random_state=seed)
        scores = [
            RandomForestClassifier(100, max_features=width, random_state=seed).fit(train_x, train_y).score(val_x, val_y)
            for width in (8, 10)
        ]
        differences.append(100 * (scores[1] - scores[0]))
        rows.append([seed, *(f"{100 * s:.1f}" for s in scores)])
    mean, spread = float(np.mean(differences)), float(np.std(differences, ddof=1))
    half = 2.365 * spread / 8**0.5
    columns = ["seed", "max_features 8", "max_features 10"]
    return [
        table("Validation accuracy in %, one run each", columns, rows[:1]),
        table(
            "Validation accuracy in %, eight seeds",
            columns,
            rows,
            f"Mean difference, 10 minus 8: {mean:+.1f} points, 95% interval [{mean - half:.1f}, {mean + half:.1f}].",
        ),
    ]


@diagnosis("Q18.647")
def best_of_many() -> list[Block]:
    """The best of many submissions is chosen on the test set, so its score there is biased upwards."""
    rng = np.random.default_rng(0)
    labels, fresh = rng.integers(2, size=200), rng.integers(2, size=200)
    rows, best = [], (0.0, 0.0)
    for tries in range(1, 1001):
        guess = rng.integers(2, size=(2, 200))
        score, later = float((guess[0] == labels).mean()), float((guess[1] == fresh).mean())
        if score > best[0]:  # of equals the first: the fresh examples choose nothing
            best = score, later
        if tries in (1, 10, 100, 1000):
            rows.append([tries, *best])
    columns = ["submissions", "best on the test set", "the same model on 200 new examples"]
    return [
        table("Accuracy of models that guess, two classes, 200 test examples", columns[:2], [row[:2] for row in rows]),
        table("The same, with the best model's accuracy on new data", columns, rows),
    ]


@diagnosis("Q18.648")
def shift() -> list[Block]:
    """Validation looks like training, deployment does not: a shift, not overfitting."""
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    train_x, rest_x, train_y, rest_y = train_test_split(x, y, test_size=800, random_state=0)
    held_x, val_x, held_y, val_y = train_test_split(rest_x, rest_y, test_size=400, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, C=0.05)).fit(train_x, train_y)

    def camera(images: np.ndarray) -> np.ndarray:
        moved = np.roll(images.reshape(-1, 8, 8), 1, axis=2).reshape(-1, 64)
        return np.clip(moved + 2 * rng.standard_normal(moved.shape), 0, 16)

    seen = camera(val_x)

    def error(x: np.ndarray, y: np.ndarray) -> float:
        return 1 - float(model.score(x, y))

    rows = [
        ["training set (scans)", error(train_x, train_y)],
        ["held-out scans", error(held_x, held_y)],
        ["photos from the new camera", error(seen, val_y)],
    ]
    both = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, C=0.05)).fit(
        np.concatenate([train_x, camera(train_x)]), np.concatenate([train_y, train_y])
    )
    return [
        table("Error of a model trained on scans", ["set", "error"], rows),
        table(
            "Error of a model trained on scans and on photos",
            ["set", "error"],
            [
                ["held-out scans", 1 - float(both.score(held_x, held_y))],
                ["photos from the new camera", 1 - float(both.score(seen, val_y))],
            ],
        ),
    ]


@diagnosis("Q18.649")
def scaling_forgotten() -> list[Block]:
    """Distances over features in different units: the feature with the largest spread dominates."""
    x, y = load_breast_cancer(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    rows = []
    for name, unit in (("as measured", 1.0), ("areas in another unit (divided by 1000)", 1e-3)):
        changed = x.copy()
        changed[:, [3, 13, 23]] *= unit
        plain = cross_val_score(KNeighborsClassifier(5), changed, y, cv=folds).mean()
        scaled = cross_val_score(make_pipeline(StandardScaler(), KNeighborsClassifier(5)), changed, y, cv=folds).mean()
        rows.append([name, float(plain), float(scaled)])
    return [table("Accuracy of five nearest neighbors", ["features", "as they are", "standardized in the fold"], rows)]
