"""When a card comes again: FSRS, replayed over the raw reviews, so that only the history has to be stored.

FSRS models the memory of a card by its stability S, in days. The probability of recalling the card t days after a
review is

    R(t) = (1 + F t / S)^-w,    with F such that R(S) = 0.9

and the card is due when R has fallen to the wanted retention.
https://github.com/open-spaced-repetition/fsrs4anki/wiki/The-Algorithm
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import NamedTuple

import fsrs
from fsrs.scheduler import DEFAULT_PARAMETERS

from regdemo.errors import ArgumentError
from regdemo.quiz.history import Review


class Rating(IntEnum):
    """How well a card was recalled, as FSRS takes it."""

    AGAIN = 1
    HARD = 2
    GOOD = 3
    EASY = 4

    @property
    def right(self) -> bool:
        """Whether the card counts as recalled."""
        return self > Rating.AGAIN

    @property
    def title(self) -> str:
        """Its name on a screen: `Again`."""
        return self.name.capitalize()


AGAIN, HARD, GOOD, EASY = Rating


class Mode(StrEnum):
    """What the learner was doing when a review was made. What is crammed moves no schedule."""

    QUIZ = "quiz"
    MOCK = "mock"
    CRAM = "cram"
    KATA = "kata"


LEARNER = "learner"  # who graded a review, if not a model
NOBODY = "nobody"  # of an answer that waits for its grade
LEARNED = 21.0  # days of stability from which a card counts as learned
RETENTIONS = (0.7, 0.97)  # below, a card is nearly forgotten when it comes; above, it comes every few days

# One short step: a card that was failed is due again in ten minutes, one that was known goes straight to days.
STEP = (timedelta(minutes=10),)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
_DAY = 86_400_000_000  # microseconds


def microseconds(time: datetime) -> int:
    """A time as the history keeps it: whole microseconds since 1970, UTC."""
    return (time - EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """The time of so many microseconds since 1970."""
    return EPOCH + timedelta(microseconds=at)


@dataclass(frozen=True)
class SchedulerSettings:
    """What decides when a card comes again, in addition to its reviews.

    retention: how likely a card should still be recalled when it comes; in RETENTIONS.  interview: the moment at which
    all should be known: a card comes once more in the last day before it, if not earlier.  parameters: FSRS's, by
    default those fitted to many learners.  own_grades_only: what a model graded does not count.
    Raises ArgumentError for values outside what FSRS can schedule.
    """

    retention: float = 0.9
    interview: datetime | None = None
    parameters: tuple[float, ...] = DEFAULT_PARAMETERS
    own_grades_only: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be planned for."""
        least, most = RETENTIONS
        if not least <= self.retention <= most:
            raise ArgumentError(f"a retention of {self.retention} cannot be planned for: {least} to {most} can")
        try:
            _ = self.scheduler
        except ValueError as error:
            raise ArgumentError(f"FSRS's parameters are out of range: {' '.join(str(error).split())}") from error

    @cached_property
    def scheduler(self) -> fsrs.Scheduler:
        """FSRS's own. Its fuzz is off because it draws from the global `random`."""
        return fsrs.Scheduler(self.parameters, self.retention, STEP, STEP, enable_fuzzing=False)

    @cached_property
    def deadline(self) -> int | None:
        """A day before the interview, in microseconds; a card last answered before it is due then at the latest."""
        return microseconds(self.interview - DAY) if self.interview else None


DEFAULT_SETTINGS = SchedulerSettings()


class CardState(NamedTuple):
    """What FSRS knows of one card after its reviews, of which `failed` were Again. Times: microseconds since 1970."""

    state: int  # fsrs.State
    step: int | None
    stability: float
    difficulty: float
    last: int
    next: int
    reviews: int
    failed: int
    decay: float  # w

    @property
    def due(self) -> datetime:
        """When to ask it again."""
        return moment(self.next)

    @property
    def learned(self) -> bool:
        """Whether its stability S, the days after which it is recalled with probability 0.9, has reached LEARNED."""
        return self.stability >= LEARNED

    def recall(self, now: datetime) -> float:
        """R: the probability to recall it now. FSRS counts whole days, so on the day of a review it is 1."""
        days = max(0, (microseconds(now) - self.last) // _DAY)
        return float((1 + (0.9 ** (-1 / self.decay) - 1) * days / self.stability) ** -self.decay)


def counts(review: Review, settings: SchedulerSettings = DEFAULT_SETTINGS) -> bool:
    """Whether a review moves the schedule. What was crammed says little of the memory weeks later."""
    return review.mode != Mode.CRAM and (review.graded_by == LEARNER or not settings.own_grades_only)


def after(before: CardState | None, review: Review, settings: SchedulerSettings = DEFAULT_SETTINGS) -> CardState:
    """The state of a card after one more review; before is None if it is the first."""
    return with_deadline(reviewed(before, review.rating, review.at, settings), settings)


def due_dates(
    state: CardState | None, now: datetime, settings: SchedulerSettings = DEFAULT_SETTINGS
) -> dict[Rating, datetime]:
    """When the card would be due after each rating given now; state is None for a card that is not begun."""
    at = max(microseconds(now), state.last if state else 0)
    return {rating: with_deadline(reviewed(state, rating, at, settings), settings).due for rating in Rating}


def reviewed(
    before: CardState | None, rating: int, at: int, settings: SchedulerSettings = DEFAULT_SETTINGS
) -> CardState:
    """The state after a rating at a time, whenever the interview is."""
    # An id is handed in because fsrs sleeps a millisecond to make one up; nothing reads it.
    card = fsrs.Card(card_id=0, due=EPOCH)
    reviews = failed = 0
    if before:
        reviews, failed = before.reviews, before.failed
        card.state, card.step = fsrs.State(before.state), before.step
        card.stability, card.difficulty = before.stability, before.difficulty
        card.last_review = moment(before.last)
    card, _ = settings.scheduler.review_card(card, fsrs.Rating(rating), moment(at))
    return CardState(
        state=card.state.value,
        step=card.step,
        stability=card.stability or 0.0,
        difficulty=card.difficulty or 0.0,
        last=at,
        next=microseconds(card.due),
        reviews=reviews + 1,
        failed=failed + (rating == AGAIN),
        decay=settings.parameters[20],
    )


def with_deadline(state: CardState, settings: SchedulerSettings) -> CardState:
    """The state with its card due a day before the interview at the latest, unless it was answered since."""
    if settings.deadline is None or state.last >= settings.deadline or state.next <= settings.deadline:
        return state
    return state._replace(next=settings.deadline)


def replay_without_deadline(
    reviews: Iterable[Review], settings: SchedulerSettings = DEFAULT_SETTINGS
) -> dict[str, CardState]:
    """As `replay`, whenever the interview is: what can be kept for another day."""
    states: dict[str, CardState] = {}
    for review in reviews:
        if not counts(review, settings):
            continue
        states[review.card] = reviewed(states.get(review.card), review.rating, review.at, settings)
    return states


def replay(reviews: Iterable[Review], settings: SchedulerSettings = DEFAULT_SETTINGS) -> dict[str, CardState]:
    """The state of each card, by its id. reviews: in the order of time."""
    return {id: with_deadline(state, settings) for id, state in replay_without_deadline(reviews, settings).items()}


def simulate_practice(state: CardState, now: datetime, settings: SchedulerSettings) -> CardState:
    """The state at the interview if from now on each review comes when due and is Good."""
    assert settings.interview, "settings with an interview"
    at, end = microseconds(now), microseconds(settings.interview)
    while (at := max(at, state.next)) < end:
        state = with_deadline(reviewed(state, GOOD, at, settings), settings)
    return state


def queue(ids: Iterable[str], states: Mapping[str, CardState], now: datetime) -> list[str]:
    """The ids that are due, the most overdue first.

    Of cards that are due at the same time, as a day before an interview, the least stable comes first.
    """
    at = microseconds(now)
    due = [(state.next, state.stability, id) for id in ids if (state := states.get(id)) and state.next <= at]
    return [id for _, _, id in sorted(due)]
