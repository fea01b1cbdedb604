"""When a card comes again: FSRS, replayed over the raw reviews, so that nothing but the history need ever be stored.

FSRS models the memory of a card by its stability S, in days: the probability to recall it t days after a review is

    R(t) = (1 + F t / S)^-w,    with F such that R(S) = 0.9

and the card is due when R has fallen to the retention that is wanted.
https://github.com/open-spaced-repetition/fsrs4anki/wiki/The-Algorithm
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

import fsrs
from fsrs.scheduler import DEFAULT_PARAMETERS

from regdemo.errors import ArgumentError
from regdemo.quiz.history import Review

RATINGS = ("again", "hard", "good", "easy")
AGAIN, HARD, GOOD, EASY = 1, 2, 3, 4
LEARNED = 21.0  # days of stability from which a card counts as learned
RETENTIONS = (0.7, 0.97)  # below, a card is as good as new when it comes; above, it comes every few days for ever

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
class Plan:
    """What decides when a card comes again, besides its reviews.

    retention: how likely a card should still be recalled when it comes; in RETENTIONS.  interview: the moment at which
    all should be known: a card comes once more in the last day before it, if not earlier.  parameters: FSRS's, by
    default those fitted to many learners.  Raises ArgumentError for values that FSRS would take, but make nonsense of.
    """

    retention: float = 0.9
    interview: datetime | None = None
    parameters: tuple[float, ...] = DEFAULT_PARAMETERS

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
    def eve(self) -> int | None:
        """A day before the interview, in microseconds; a card last answered before it is due then at the latest."""
        return microseconds(self.interview - DAY) if self.interview else None


PLAN = Plan()


class Memory(NamedTuple):
    """Where one card stands after its reviews, of which `failed` were Again. Times are in microseconds since 1970."""

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


def after(before: Memory | None, review: Review, plan: Plan = PLAN) -> Memory:
    """Where a card stands after one more review; before is None if it is the first."""
    return capped(_after(before, review.rating, review.at, plan), plan)


def _after(before: Memory | None, rating: int, at: int, plan: Plan) -> Memory:
    # An id is handed in because fsrs sleeps a millisecond to make one up; nothing reads it.
    card = fsrs.Card(card_id=0, due=EPOCH)
    reviews = failed = 0
    if before:
        reviews, failed = before.reviews, before.failed
        card.state, card.step = fsrs.State(before.state), before.step
        card.stability, card.difficulty = before.stability, before.difficulty
        card.last_review = moment(before.last)
    card, _ = plan.scheduler.review_card(card, fsrs.Rating(rating), moment(at))
    return Memory(
        state=card.state.value,
        step=card.step,
        stability=card.stability or 0.0,
        difficulty=card.difficulty or 0.0,
        last=at,
        next=microseconds(card.due),
        reviews=reviews + 1,
        failed=failed + (rating == AGAIN),
        decay=plan.parameters[20],
    )


def capped(memory: Memory, plan: Plan) -> Memory:
    """The memory with its card due on the eve of the interview at the latest, unless it was answered since."""
    if plan.eve is None or memory.last >= plan.eve or memory.next <= plan.eve:
        return memory
    return memory._replace(next=plan.eve)


def uncapped(reviews: Iterable[Review], plan: Plan) -> dict[str, Memory]:
    """As `replay`, but for no interview: what can be kept for another day."""
    memories: dict[str, Memory] = {}
    for review in reviews:
        if review.mode != "cram":
            memories[review.card] = _after(memories.get(review.card), review.rating, review.at, plan)
    return memories


def replay(reviews: Iterable[Review], plan: Plan = PLAN) -> dict[str, Memory]:
    """Where each card stands, by its id. reviews: in the order of time.

    What was crammed says little of the memory weeks later: a cram's answers count for nothing here.
    """
    return {id: capped(memory, plan) for id, memory in uncapped(reviews, plan).items()}


def kept_up(memory: Memory, now: datetime, plan: Plan) -> Memory:
    """Where a card will stand at the plan's interview if from now on each review comes when due and is Good."""
    assert plan.interview, "a plan with an interview"
    at, end = microseconds(now), microseconds(plan.interview)
    while (at := max(at, memory.next)) < end:
        memory = capped(_after(memory, GOOD, at, plan), plan)
    return memory


def queue(ids: Iterable[str], memories: Mapping[str, Memory], now: datetime, *, new: int) -> list[str]:
    """The ids to ask now: those due, the most overdue first, then up to `new` never answered, in the order given.

    Of cards that are due at the same time, as on the eve of an interview, the least stable comes first.
    """
    ids, at = list(ids), microseconds(now)
    due = [(memory.next, memory.stability, id) for id in ids if (memory := memories.get(id)) and memory.next <= at]
    return [id for _, _, id in sorted(due)] + [id for id in ids if id not in memories][:new]
