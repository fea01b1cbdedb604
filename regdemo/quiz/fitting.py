"""FSRS's parameters fitted to one learner, and how much better they predict what is recalled.

A fit is judged on answers that it has not seen: it learns from those before a moment, and is scored on those after.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import fsrs

from regdemo.errors import ArgumentError, FileError
from regdemo.quiz.history import Review
from regdemo.quiz.schedule import DEFAULT_SETTINGS, CardState, Rating, SchedulerSettings, after, counts, moment
from regdemo.storage import write_file

PARAMETERS_FILE = "fsrs.json"
NEEDED = 512  # reviews on a later day than the one before; with fewer, FSRS's optimizer returns its defaults unasked
TRAINED = 0.8  # of the reviews in time, the fraction that a trial fit sees
RESAMPLES = 2000


class Prediction(NamedTuple):
    """Before a review on a later day than the one before it: the probability to recall its card, and what came."""

    card: str
    at: int
    recall: float
    recalled: bool

    @property
    def loss(self) -> float:
        """The log loss: -log of the probability of what came."""
        return -math.log(self.recall if self.recalled else max(1e-12, 1 - self.recall))


def follow(
    reviews: Iterable[Review], settings: SchedulerSettings = DEFAULT_SETTINGS
) -> tuple[list[Prediction], dict[str, CardState]]:
    """What the scheduler said before each review, and each card's state after all, as `schedule.replay`.

    Of a card's first day nothing is predicted. reviews: in the order of time.
    """
    states: dict[str, CardState] = {}
    found = []
    for review in reviews:
        if not counts(review, settings):
            continue
        before = states.get(review.card)
        if before and (moment(review.at) - moment(before.last)).days > 0:
            recall = before.recall(moment(review.at))
            found.append(Prediction(review.card, review.at, recall, Rating(review.rating).right))
        states[review.card] = after(before, review, settings)
    return found, states


class FsrsFit(NamedTuple):
    """Parameters, and what a trial of them on `scored` later answers was worth: log loss before and after.

    gain: by how much the loss fell, with its 95% interval, by resampling whole cards.
    """

    parameters: tuple[float, ...]
    scored: int
    before: float
    after: float
    gain: tuple[float, float, float]

    @property
    def better(self) -> bool:
        """Whether the interval of the gain lies above zero."""
        return self.gain[1] > 0


def fit(reviews: Sequence[Review], now: SchedulerSettings = DEFAULT_SETTINGS) -> FsrsFit:
    """Fit FSRS's parameters to reviews in the order of time; compare with the settings of now. Takes minutes for many.

    Raises ArgumentError where the reviews are too few to say anything.
    """
    kept = [review for review in reviews if counts(review, now)]
    trial = kept[: int(TRAINED * len(kept))]
    seen = len(follow(trial)[0])
    if seen < NEEDED:
        have = len(follow(kept)[0])
        raise ArgumentError(
            f"{have:,} of your answers came on a later day than the one before to the same card: "
            f"a fit needs about {math.ceil(NEEDED / TRAINED):,}, so keep FSRS's defaults until then"
        )
    start = trial[-1].at
    fitted = replace(now, parameters=_optimal(trial))
    before, later = ([p for p in follow(kept, settings)[0] if p.at > start] for settings in (now, fitted))
    gains: dict[str, list[float]] = {}
    for old, new in zip(before, later, strict=True):
        gains.setdefault(old.card, []).append(old.loss - new.loss)
    mean_before, mean_after = (sum(p.loss for p in each) / len(each) for each in (before, later))
    return FsrsFit(_optimal(kept), len(later), mean_before, mean_after, _interval(list(gains.values())))


def _optimal(reviews: Sequence[Review]) -> tuple[float, ...]:
    numbers = {card: number for number, card in enumerate(dict.fromkeys(review.card for review in reviews))}
    logs = [
        fsrs.ReviewLog(numbers[review.card], fsrs.Rating(review.rating), moment(review.at), None) for review in reviews
    ]
    state = random.getstate()  # its scheduler draws from the global `random`, for times that a fit does not use
    try:
        return tuple(fsrs.Optimizer(logs).compute_optimal_parameters())
    except ImportError as error:
        raise ArgumentError("a fit needs pandas and tqdm: pip install 'regdemo[fit]'") from error
    finally:
        random.setstate(state)


def _interval(gains: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """The mean with its 95% interval. Whole groups are drawn again, since answers to one card go together."""
    rng = random.Random(0)
    sums = [(sum(group), len(group)) for group in gains]
    means = []
    for _ in range(RESAMPLES):
        drawn = rng.choices(sums, k=len(sums))
        means.append(sum(total for total, _ in drawn) / sum(count for _, count in drawn))
    means.sort()
    mean = sum(total for total, _ in sums) / sum(count for _, count in sums)
    return mean, means[round(0.025 * RESAMPLES)], means[round(0.975 * RESAMPLES)]


def parameters(home: Path) -> tuple[float, ...]:
    """Those that were adopted for this learner, or FSRS's defaults.

    Raises FileError if the file that keeps them cannot be understood.
    """
    file = home / PARAMETERS_FILE
    try:
        kept = tuple(map(float, json.loads(file.read_text("utf-8"))["parameters"]))
        return SchedulerSettings(parameters=kept).parameters
    except (FileNotFoundError, NotADirectoryError):
        return DEFAULT_SETTINGS.parameters
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise FileError(
            f"{file} holds no parameters of FSRS ({' '.join(str(error).split())}): "
            "delete it to go back to FSRS's defaults"
        ) from error


def forget(home: Path) -> bool:
    """Go back to FSRS's defaults; whether other parameters held."""
    try:
        (home / PARAMETERS_FILE).unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise FileError(
            f"{home / PARAMETERS_FILE} could not be removed ({error.strerror}): check the permissions"
        ) from error
    return True


def adopt(home: Path, fitted: FsrsFit) -> Path:
    """Keep fitted parameters for this learner's schedule. Returns the file; without it, the defaults hold again."""
    file = home / PARAMETERS_FILE
    text = json.dumps({"parameters": fitted.parameters, "gain": fitted.gain}, indent=2) + "\n"
    write_file(file, text, remedy="check the permissions of its folder")
    return file
