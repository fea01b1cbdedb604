"""With and without a technique: paired training runs, and what they allow to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

from regdemo.bounds import EXACT
from regdemo.errors import ArgumentError
from regdemo.lab.choices import EPOCHS, SEEDS, TECHNIQUES, P
from regdemo.lab.data import Task, load, shared_examples
from regdemo.lab.statistics import mean_interval, p_value
from regdemo.parameters import SEED
from regdemo.report import Block, Cell, Claim, Curves, Report, Series, Table, Text

if TYPE_CHECKING:
    from regdemo.lab.training import Arm, Evaluation, Scores

TEST_ACCURACY, TRAINING_ACCURACY = "test accuracy, %", "training accuracy, %"


class Stopped(KeyboardInterrupt):
    """Ctrl-C after the first evaluation. report: what was finished by then."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.title)
        self.report = report


def compare(
    technique: str = "dropout",
    *,
    p: float = 0.2,
    task: str = "mnist1d",
    seeds: int = 8,
    epochs: int = 45,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Train `seeds` pairs of networks, without the technique and with it, and report the differences.

    The two networks of a pair have the same initial weights and the same batches; the arms advance in step.
    p, seeds, epochs: within P, SEEDS, EPOCHS.  task: a name in `data.TASKS`.
    progress: told after each epoch how many are done, of how many in all.
    Raises ArgumentError on a value that is not allowed; on Ctrl-C, Stopped with what the last evaluation shows, or
    KeyboardInterrupt if there was none yet.
    """
    if technique not in TECHNIQUES:
        raise ArgumentError(f"{technique!r} cannot be compared: choose {' or '.join(TECHNIQUES)}")
    for name, value, allowed in (
        ("p", p, P),
        ("seeds", seeds, SEEDS),
        ("epochs", epochs, EPOCHS),
        ("seed", seed, SEED),
    ):
        allowed.check(name, value)
    data = load(task)

    from regdemo.lab.training import Arm, PairedTraining, largest_difference

    arms = [Arm("without", None), Arm(f"dropout {p}", p)]
    training = PairedTraining(data, arms, range(seeds), seed=seed)
    apart = largest_difference(*training.learners)
    # The control draws masks that keep everything; the other arm draws none. Only unfair batches could part them.
    control = PairedTraining(data, [Arm("without", None), Arm("dropout 0", 0.0)], range(seeds), seed=seed)
    for _ in control.run(epochs=1):
        pass
    claims = [
        Claim("No test example was trained on", 0, "examples in both", shared_examples(data), *EXACT),
        Claim("The networks of a pair start from the same weights", 0, "largest difference", apart, *EXACT),
        Claim(
            "With the rate at 0, an epoch leaves them the same weights: they see the same batches",
            0,
            "largest difference",
            largest_difference(*control.learners),
            *EXACT,
        ),
    ]
    parameters = {"technique": technique, "p": p, "task": task, "seeds": seeds, "epochs": epochs, "seed": seed}

    evaluations: list[Evaluation] = []
    try:
        for evaluation in training.run(epochs, progress):
            evaluations.append(evaluation)  # noqa: PERF402 - what is there when Ctrl-C comes is kept
    except KeyboardInterrupt:
        if not evaluations:
            raise
        raise Stopped(conclude(data, arms, evaluations, claims, parameters)) from None
    return conclude(data, arms, evaluations, claims, parameters)


def conclude(
    task: Task,
    arms: Sequence[Arm],
    evaluations: Sequence[Evaluation],
    claims: list[Claim],
    parameters: dict[str, Any],
) -> Report:
    """What the evaluations so far show of the second arm against the first.

    Pairs of which one diverged (its test loss is no longer a finite number) are named and left out.
    """
    from regdemo.lab.training import BATCH, HIDDEN

    without, with_ = arms
    last = evaluations[-1]
    seeds, epochs = len(last.scores[0].test_loss), parameters["epochs"]
    diverged = [[k for k, loss in enumerate(scores.test_loss) if not isfinite(loss)] for scores in last.scores]
    kept = [k for k in range(seeds) if not any(k in some for some in diverged)]
    before, after = (_metrics(scores, kept) for scores in last.scores)
    differences = {name: [b - a for a, b in zip(before[name], after[name], strict=True)] for name in before}

    blocks: list[Block] = [Text(verdict(with_.name, differences[TEST_ACCURACY]))]
    blocks += [
        Text(
            f"{len(some)} of {seeds} runs of '{arm.name}' diverged, their test loss is not finite: seed "
            f"{', '.join(map(str, some))}. Their pairs are left out."
        )
        for arm, some in zip(arms, diverged, strict=True)
        if some
    ]
    if len(kept) > 1:
        table = Table(
            f"After epoch {last.epoch}, over {len(kept)} pairs, with 95% intervals",
            ["", without.name, with_.name, "difference", "p-value"],
            [
                [name, mean_interval(before[name]), mean_interval(after[name]), mean_interval(change), _p_cell(change)]
                for name, change in differences.items()
            ],
            note="Intervals and p-values by Student's t, differences paired by seed. They speak of training again on "
            "this data, not of other data. The gap is training minus test accuracy. The last epoch counts, not the "
            "best.",
        )
        blocks += [table, *(_curves(metric, arms, evaluations, kept) for metric in (TEST_ACCURACY, TRAINING_ACCURACY))]
    blocks.append(
        Text(
            f"The data: {task.origin} The network: {len(HIDDEN)} hidden layers of {HIDDEN[0]} units, trained by Adam "
            f"on batches of {BATCH}, judged in eval mode. What dropout costs: a random draw for each of its "
            f"{sum(HIDDEN)} hidden units, for each example, at each step; nothing in eval."
        )
    )
    stopped = last.epoch < epochs
    runs = ""
    if len(kept) > 1:
        runs = (
            f" Seeds alone move a run: without dropout, test accuracy here goes from "
            f"{min(before[TEST_ACCURACY]):.1f}% to {max(before[TEST_ACCURACY]):.1f}%."
        )
    return Report(
        title=f"{with_.name.capitalize()} against none on {task.title}, {seeds} paired seeds"
        + (f" (stopped at epoch {last.epoch} of {epochs})" if stopped else ""),
        parameters=parameters | ({"stopped_at_epoch": last.epoch} if stopped else {}),
        claims=claims,
        blocks=blocks,
        say=(
            "I train with and without, several times, in pairs: a seed gives both the same initial weights and the "
            "same batches, so only the masks differ. Then I report the mean difference in test accuracy with its 95% "
            "interval, and say no more than the interval does. Beside it stand the test loss and the gap: dropout "
            "gives up training accuracy, and the question is what the test gets for it."
        ),
        wrong_answer=f"'I ran it once each way, and dropout won.'{runs} Two runs cannot tell technique from seed.",
        cards=["Q18.90", "Q18.91", "Q18.92"],
    )


def verdict(name: str, differences: Sequence[float]) -> str:
    """What paired differences in test accuracy, in points, allow to say: a direction only if the interval has one."""
    n = len(differences)
    if n < 2:
        return f"No verdict: {n} pair{'' if n == 1 else 's'} left, and an interval needs 2."
    change, p = mean_interval(differences), p_value(differences)
    if isnan(p):
        size = f"differs by {change.value:+.2g} points" if change.value else "is the same"
        return f"No difference shown: test accuracy {size} in all {n} pairs, which leaves no spread to judge it by."
    basis = f"(95% interval, {n} paired seeds, p-value {p:.1g})"
    if change.low <= 0 <= change.high:
        size = f"{change.value:+z.1f} points [{_points(change.low)}, {_points(change.high)}]"
        return f"No difference shown: {name} changes test accuracy by {size} {basis}."
    verb = "raises" if change.value > 0 else "lowers"
    least, most = sorted((abs(change.low), abs(change.high)))
    size = f"{_points(abs(change.value))} points [{_points(least)}, {_points(most)}]"
    return f"{name.capitalize()} {verb} test accuracy by {size} {basis}."


def _points(value: float) -> str:
    """One decimal, or as many as it takes not to make a 0 of what is none."""
    return f"{value:.1f}" if abs(value) >= 0.05 else f"{value:.1g}"


def _p_cell(differences: Sequence[float]) -> Cell:
    p = p_value(differences)
    return "–" if isnan(p) else float(f"{p:.2g}")


def _metrics(scores: Scores, kept: Sequence[int]) -> dict[str, list[float]]:
    """Every metric, for the kept seeds."""
    train, test, loss = (
        [values[k] for k in kept] for values in (scores.train_accuracy, scores.test_accuracy, scores.test_loss)
    )
    gap = [a - b for a, b in zip(train, test, strict=True)]
    return {TEST_ACCURACY: test, TRAINING_ACCURACY: train, "gap, points": gap, "test loss, nats": loss}


def _curves(metric: str, arms: Sequence[Arm], evaluations: Sequence[Evaluation], kept: Sequence[int]) -> Curves:
    """The metric's mean over the kept seeds after each evaluated epoch, with its 95% interval as the band."""
    series = []
    for i, arm in enumerate(arms):
        points = [mean_interval(_metrics(evaluation.scores[i], kept)[metric]) for evaluation in evaluations]
        series.append(
            Series(
                arm.name,
                [float(evaluation.epoch) for evaluation in evaluations],
                [point.value for point in points],
                [point.low for point in points],
                [point.high for point in points],
            )
        )
    title, unit = metric.capitalize().split(", ")
    return Curves(
        f"{title}, epoch by epoch", "epoch", unit, series, note="Means over seeds; a band is the 95% interval."
    )
