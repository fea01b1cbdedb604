"""How a judged kata is graded in the history, on the same scale and schedule as a question.

Writing code takes several tries, so not every try is an answer. A pass counts as Good; as Hard if hints were shown or
the kata had been failed. A failure counts as Again, once until the kata passes. A file that cannot be loaded is not a
try, nor is the starter as it was: in a bug hunt, judging that shows the symptom. A pass is not recorded before the kata
is due, nor if the code is the same that passed last time: it shows nothing new.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from regdemo import storage
from regdemo.errors import FileError
from regdemo.kata import files
from regdemo.kata.katas import Kata
from regdemo.kata.verdict import State, Verdict
from regdemo.quiz.history import History, Review
from regdemo.quiz.schedule import AGAIN, GOOD, HARD, Mode, Rating, microseconds, replay
from regdemo.quiz.session import fingerprint

LONGEST_CODE = 20_000  # characters of code that the history keeps
_HINTS = "hints.json"  # next to the history: how many hints of each kata were shown since it last passed
_SANDBOX = "sandbox.json"  # the protections whose absence the learner has accepted
_GAVE_UP = {"gave_up": True}


class Progress(StrEnum):
    """How far a learner is with a kata."""

    NEW = "new"
    BEGUN = "begun"
    FAILED = "failed"
    PASSED = "passed"


class Saved(NamedTuple):
    """What a judged file was recorded as, and when the kata comes again."""

    rating: Rating
    due: datetime


def progress(kata: Kata, reviews: Sequence[Review], folder: Path) -> Progress:
    """How far it is by the last of its reviews or, without one, by whether the file was begun."""
    if reviews:
        return Progress.PASSED if Rating(reviews[-1].rating).right else Progress.FAILED
    return Progress.BEGUN if files.saved_at(folder / f"{kata.name}.py") else Progress.NEW


def is_open(reviews: Sequence[Review]) -> bool:
    """Whether the solution may be seen: the kata has passed, or was given up last."""
    return any(Rating(review.rating).right for review in reviews) or gave_up(reviews)


def save(home: Path, history: History, kata: Kata, verdict: Verdict, text: str, now: datetime) -> Saved | None:
    """Record a judged file as it is graded; a pass forgets which hints were shown. None if it counts for nothing."""
    reviews, hints = history.reviews(kata.card.id), hints_shown(home, kata)
    rating = grade(kata, reviews, verdict, text, hints, now)
    saved = None
    if rating:
        added = review(kata, rating, verdict, text, hints, now)
        history.add(added)
        saved = Saved(Rating(rating), replay([*reviews, added])[kata.card.id].due)
    if verdict.passed:
        note_hints(home, kata, 0)
    return saved


def give_up(home: Path, history: History, kata: Kata, now: datetime) -> None:
    """Record that the solution was looked up, unless it was already."""
    if not gave_up(history.reviews(kata.card.id)):
        history.add(review(kata, AGAIN, None, "", hints_shown(home, kata), now))


def next_hint(home: Path, kata: Kata) -> int:
    """Note one more hint as shown. Returns how many there are to show, the last one again if it is asked for."""
    count = min(hints_shown(home, kata) + 1, len(kata.card.hints))
    note_hints(home, kata, count)
    return count


def grade(kata: Kata, reviews: Sequence[Review], verdict: Verdict, text: str, hints: int, now: datetime) -> int:
    """The rating to record, or 0 for none. reviews: the kata's, oldest first."""
    failing = bool(reviews) and reviews[-1].rating == AGAIN
    if not verdict.passed:
        no_try = verdict.state in (State.INTERNAL_ERROR, State.UNLOADABLE) or kata.is_untouched(text)
        return 0 if failing or no_try else AGAIN
    if failing:
        return HARD
    if reviews and (replay(reviews)[kata.card.id].due > now or reviews[-1].response == text[:LONGEST_CODE]):
        return 0
    return HARD if hints else GOOD


def review(kata: Kata, rating: int, verdict: Verdict | None, text: str, hints: int, now: datetime) -> Review:
    """The review of a judged file; without a verdict, of a solution that was looked up."""
    share = verdict.done / max(1, verdict.tests) if verdict else 0.0
    return Review(
        card=kata.card.id,
        at=microseconds(now),
        kind="code",
        rating=rating,
        share=share,
        response=text[:LONGEST_CODE],
        asked=json.dumps({"seed": verdict.seed, "test": verdict.test} if verdict else _GAVE_UP),
        answer=fingerprint(kata.card),
        hints=hints,
        took=round(1_000 * verdict.seconds) if verdict else 0,
        session=uuid4().hex,
        mode=Mode.KATA,
    )


def gave_up(reviews: Sequence[Review]) -> bool:
    """Whether the last of a kata's reviews is a solution that was looked up."""
    with suppress(ValueError):
        return bool(reviews) and json.loads(reviews[-1].asked) == _GAVE_UP
    return False


def hints_shown(home: Path, kata: Kata) -> int:
    """How many hints of a kata were shown since it last passed."""
    count = _read(home / _HINTS, {}).get(kata.card.id, 0)
    return count if isinstance(count, int) else 0


def note_hints(home: Path, kata: Kata, count: int) -> None:
    """Note how many were shown. If the note cannot be written, the next pass may be graded better; nothing else."""
    with suppress(OSError, FileError):
        home.mkdir(parents=True, exist_ok=True)
        with storage.file_lock(home / f"{_HINTS}.lock"):
            storage.atomic_write(home / _HINTS, json.dumps({**_read(home / _HINTS, {}), kata.card.id: count}))


def accepted(home: Path, missing: Sequence[str]) -> bool:
    """Whether the learner has agreed to judge code without these protections."""
    return set(missing) <= set(map(str, _read(home / _SANDBOX, [])))


def accept(home: Path, missing: Sequence[str]) -> None:
    """Remember that agreement. If it cannot be written, the learner is asked again."""
    with suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        storage.atomic_write(home / _SANDBOX, json.dumps(list(missing)))


def _read(file: Path, default: Any) -> Any:
    with suppress(FileError, ValueError):
        found = json.loads(storage.read_file(file, LONGEST_CODE * 10))
        return found if isinstance(found, type(default)) else default
    return default
