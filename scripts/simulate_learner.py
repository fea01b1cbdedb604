"""A learner whose memory is known practises for sixty days: is scheduling worth more than a fixed interval?

python scripts/simulate_learner.py [LEARNERS]

The learner's memory follows FSRS's equations, but not the scheduler's numbers: each learner has other parameters, and
each card another first stability, of which the scheduler is told nothing. Each day has so many minutes. Cards that are
due come first, the most overdue before all, then new ones while there is time; a card that failed is asked again at the
end, as in `regdemo quiz`.

What counts is how many cards are recalled, in expectation: on each morning of the second month, since nobody knows the
day of an interview, and thirty days after the last day, nothing having been practised since. That is held against the
minutes that were spent: in all, and in the second month alone, when most cards are known and are only kept up. Every
schedule meets the same learners, so differences are paired. What FSRS is held against is the best that fixed intervals
can do for the same minutes, chosen afterwards: one of them, or two, each for a part of the learners' time.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import fsrs
from fsrs.scheduler import LOWER_BOUNDS_PARAMETERS, UPPER_BOUNDS_PARAMETERS
from scipy import stats

from regdemo.quiz.history import Review
from regdemo.quiz.schedule import (
    AGAIN,
    DAY,
    DEFAULT_SETTINGS,
    EASY,
    GOOD,
    HARD,
    CardState,
    SchedulerSettings,
    after,
    microseconds,
    queue,
)
from regdemo.quiz.session import MOST_ASKED

CARDS, DAYS, LATER = 200, 60, 30
BUDGETS = (5, 10, 20)  # minutes a day
NEW, KNOWN, FAILED = 40, 12, 30  # seconds for a card that is new, one that is recalled, one that is not
RETENTIONS = (0.8, 0.85, 0.9)
FIXED = (1, 2, 3, 4, 5, 7, 10, 14, 21, 30)  # days
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
Schedule = Callable[[CardState | None, Review], CardState]


class Learner:
    """True memory: FSRS's equations with parameters of the learner's own, and a first stability of each card's."""

    def __init__(self, seed: int) -> None:
        rng = Random(f"learner {seed}")
        drawn = [value * rng.lognormvariate(0, 0.25) for value in DEFAULT_SETTINGS.parameters]
        bounds = zip(drawn, LOWER_BOUNDS_PARAMETERS, UPPER_BOUNDS_PARAMETERS, strict=True)
        self._truth = fsrs.Scheduler([min(max(v, low), high) for v, low, high in bounds], enable_fuzzing=False)
        self._ease = {f"Q{n:03}": rng.lognormvariate(0, 0.5) for n in range(CARDS)}
        self._cards: dict[str, fsrs.Card] = {}
        self._seed = seed
        self._asked: dict[str, int] = {}

    def recall(self, id: str, now: datetime) -> float:
        """The true probability to recall a card; 0 for one that was never met."""
        return self._truth.get_card_retrievability(self._cards[id], now) if id in self._cards else 0.0

    def answer(self, id: str, now: datetime) -> int:
        """Meet a card: a rating, drawn by its true recall, and a memory that is stronger for it."""
        # The n-th answer to a card depends on the seed, n and the card alone: schedules meet the same luck.
        count = self._asked[id] = self._asked.get(id, 0) + 1
        rng = Random(f"{self._seed} {id} {count}")
        recalled = rng.random() < (self.recall(id, now) if id in self._cards else 0.4 * self._ease[id])
        rating = rng.choices((HARD, GOOD, EASY), (15, 70, 15))[0] if recalled else AGAIN
        fresh = id not in self._cards
        card = self._cards.get(id) or fsrs.Card(card_id=0, due=now)
        card, _ = self._truth.review_card(card, fsrs.Rating(rating), now)
        if fresh:
            card.stability *= self._ease[id]
        self._cards[id] = card
        return rating


@dataclass(frozen=True)
class Result:
    """Cards recalled, as a mean over the second month, and a month later; the minutes of it all, and of the second."""

    recalled: float
    later: float
    minutes: float
    upkeep: float


def practise(seed: int, schedule: Schedule, minutes: int) -> Result:
    """Sixty days of one learner under one schedule."""
    learner, memories = Learner(seed), {}
    ids = [f"Q{n:03}" for n in range(CARDS)]
    recalled, spent = [], []
    for day in range(DAYS):
        now, left = START + day * DAY, minutes * 60.0
        recalled.append(sum(learner.recall(id, now) for id in ids))
        waiting = [*queue(ids, memories, now), *(id for id in ids if id not in memories)]
        times = dict.fromkeys(ids, 0)
        while waiting and left > 0:
            id = waiting.pop(0)
            rating = learner.answer(id, now)
            cost = NEW if id not in memories else FAILED if rating == AGAIN else KNOWN
            review = Review(id, microseconds(now), "recall", rating, 1.0, "", "", "", 0, 0, "")
            memories[id] = schedule(memories.get(id), review)
            times[id] += 1
            if rating == AGAIN and times[id] < MOST_ASKED:
                waiting.append(id)
            now, left = now + timedelta(seconds=cost), left - cost
        spent.append(minutes - left / 60)
    later = sum(learner.recall(id, START + (DAYS + LATER) * DAY) for id in ids)
    second = DAYS // 2
    return Result(statistics.mean(recalled[second:]), later, sum(spent), sum(spent[second:]))


def fixed(days: int) -> Schedule:
    """Each card comes again so many days after it was last asked, whatever the answer was."""
    wait = (days * DAY - timedelta(hours=1)) // timedelta(microseconds=1)  # answers are given minutes later each time
    return lambda before, review: after(before, review)._replace(next=review.at + wait)


def planned(retention: float) -> Schedule:
    """FSRS, as `regdemo quiz --retention` has it."""
    settings = SchedulerSettings(retention)
    return lambda before, review: after(before, review, settings)


def interval(differences: list[float]) -> tuple[float, float, float]:
    """The mean of paired differences with its 95% interval, by Student's t."""
    mean, count = statistics.mean(differences), len(differences)
    half = stats.t.ppf(0.975, count - 1) * statistics.stdev(differences) / count**0.5
    return mean, mean - half, mean + half


def mean_of(runs: list[Result], field: str) -> float:
    """One figure, as a mean over the learners."""
    return statistics.mean(getattr(run, field) for run in runs)


def same_minutes(
    found: dict[str, list[Result]], field: str, unit: str, minutes: float
) -> tuple[str, list[float]] | None:
    """The most that fixed intervals recall for so many minutes, learner by learner; None if each costs more."""
    best: tuple[float, str, list[float]] | None = None
    rivals = [name for name in found if name.startswith("every")]
    for cheap in rivals:
        for dear in rivals:
            low, high = mean_of(found[cheap], unit), mean_of(found[dear], unit)
            if low > minutes or (high < minutes and cheap != dear):
                continue
            part = (minutes - low) / (high - low) if high > minutes else 0.0
            mixed = [
                (1 - part) * getattr(a, field) + part * getattr(b, field)
                for a, b in zip(found[cheap], found[dear], strict=True)
            ]
            if best is None or statistics.mean(mixed) > best[0]:
                best = statistics.mean(mixed), " or ".join(dict.fromkeys([cheap, dear] if part else [cheap])), mixed
    return best and best[1:]


def compare(found: dict[str, list[Result]], name: str, field: str, unit: str) -> str:
    """What the interval of a paired difference allows to be said."""
    runs = found[name]
    rival = same_minutes(found, field, unit, mean_of(runs, unit))
    if rival is None:
        return "no fixed interval takes so few minutes"
    label, values = rival
    mean, low, high = interval([getattr(run, field) - value for run, value in zip(runs, values, strict=True)])
    verdict = "more" if low > 0 else "fewer" if high < 0 else "no difference can be told"
    return f"{mean:+5.1f} [{low:+.1f}, {high:+.1f}] {verdict}, against {label}"


def main() -> None:
    """Print a table for each number of minutes a day, and what its intervals allow to be said."""
    learners = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    schedules = {f"FSRS {retention:.2f}": planned(retention) for retention in RETENTIONS}
    schedules |= {f"every {days} day{'' if days == 1 else 's'}": fixed(days) for days in FIXED}
    print(f"{CARDS} cards, {DAYS} days, {learners} learners; means over the learners.")
    for budget in BUDGETS:
        found = {name: [practise(seed, each, budget) for seed in range(learners)] for name, each in schedules.items()}
        print(f"\nAt most {budget} minutes a day")
        print(f"  {'':14}  {'cards recalled':^22}  {'minutes spent':^21}")
        print(f"  {'':14}  {'second month':>12} {'a month on':>10}  {'in all':>8} {'second month':>12}")
        for name, runs in found.items():
            recalled, later, minutes, upkeep = (
                mean_of(runs, field) for field in ("recalled", "later", "minutes", "upkeep")
            )
            print(f"  {name:14}  {recalled:12.1f} {later:10.1f}  {minutes:8.0f} {upkeep:12.0f}")
        for field, when in (("recalled", "in the second month"), ("later", "a month later")):
            for unit, which in (("minutes", "in all"), ("upkeep", "in the second month")):
                print(f"\n  Cards recalled {when}, for the same minutes {which}")
                for name in found:
                    if name.startswith("FSRS"):
                        print(f"    {name}: {compare(found, name, field, unit)}")


if __name__ == "__main__":
    main()
