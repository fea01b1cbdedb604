"""Which cards of a bank a session asks, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from itertools import groupby, zip_longest

from regdemo.errors import ArgumentError
from regdemo.quiz import kinds as card_kinds
from regdemo.quiz import schedule
from regdemo.quiz.cards import Card
from regdemo.quiz.decks import Bank
from regdemo.quiz.schedule import CardState
from regdemo.text import printable

LEVELS = ("screen", "onsite", "deep dive", "staff")
FREQUENCIES = ("common", "regular", "rare")  # how often interviewers ask a card; without such a tag it is regular
FIRST = 3  # cards of the very first session that are answered in seconds
QUICK_WORDS = 80  # words that are read in 20 seconds, at 240 words a minute
_QUICKEST = (min(card_kinds.USUAL_SECONDS.values()), False)
_MOST_NAMES = 12  # that a message lists whole; of more, it says the nearest

Groups = Mapping[str, Collection[str]]  # names for several topics, such as where techniques act


def narrow(
    bank: Bank,
    *,
    ids: Sequence[str] = (),
    topics: Sequence[str] = (),
    kinds: Sequence[str] = (),
    tags: Sequence[str] = (),
    groups: Groups | None = None,
) -> list[Card]:
    """The cards that match: with ids, those, in their order; then of any of the topics, the kinds, and the tags.

    An empty sequence asks for nothing in particular. Wherever a topic or a tag is named, the other, a level or a group
    may be named too. Names are compared without case, and with - and _ for a space. Raises ArgumentError for a name
    that no card has, with the names nearest to it.
    """
    cards = [bank.find(id) for id in dict.fromkeys(ids)] if ids else list(bank.cards)
    named = names(bank.cards, groups) if topics or tags else []
    for what, wanted in (("topic or tag", topics), ("tag or topic", tags)):
        if wanted:
            keys = _known(what, wanted, named)
            cards = [card for card in cards if not keys.isdisjoint(_keys(card, groups))]
    if kinds:
        keys = _known("kind", kinds, card_kinds.kind_names())
        cards = [card for card in cards if card.kind in keys]
    return cards


def names(cards: Iterable[Card], groups: Groups | None = None) -> list[str]:
    """Every name that narrows cards down: levels and frequencies, groups, then topics and all other tags."""
    there = {name: None for card in cards for name in (card.topic, *card.tags) if name}
    known = {_folded(name) for name in there}
    marks = [name for name in (*LEVELS, *FREQUENCIES) if _folded(name) in known]
    return list(dict.fromkeys([*marks, *(groups or {}), *there]))


def frequency(card: Card) -> str:
    """How often interviewers ask a card: one of FREQUENCIES."""
    return _mark(card, FREQUENCIES, "regular")


def level(card: Card) -> str:
    """The level of a card: one of LEVELS."""
    return _mark(card, LEVELS, "onsite")


def pick(
    cards: Iterable[Card],
    states: Mapping[str, CardState],
    now: datetime,
    *,
    new: int,
    limit: int | None = None,
    cram: bool = False,
) -> list[Card]:
    """The cards of a session: those due, then up to `new` not begun; `limit` in all. Topics take turns.

    Within a topic the most overdue is first; new cards come as `new_order` says. cram: begun cards are all taken,
    due or not, the most likely forgotten first.
    """
    by_id = {card.id: card for card in cards}
    if cram:
        ids = sorted((id for id in by_id if id in states), key=lambda id: states[id].recall(now))
    else:
        ids = schedule.queue(by_id, states, now)
    fresh = new_order((card for card in by_id.values() if card.id not in states), first=not states)
    return [*interleave(by_id[id] for id in ids), *fresh[:new]][:limit]


def new_order(cards: Iterable[Card], *, first: bool = False) -> list[Card]:
    """Cards that are not begun: the most asked first, then by level, then by how long an answer takes.

    A card that isn't read in 20 seconds comes after the others of its kind. Where all is equal, topics take turns.
    first: nothing was ever begun; then FIRST cards that are answered in seconds, each of another topic, come first.
    """
    cards = list(cards)
    effort = {card.id: _effort(card) for card in cards}
    ranks = {card.id: (*_importance(card), *effort[card.id]) for card in cards}
    ordered = sorted(cards, key=lambda card: ranks[card.id])
    ranked = [card for _, alike in groupby(ordered, key=lambda card: ranks[card.id]) for card in interleave(alike)]
    if first:
        # The best of each topic.
        quick = {card.topic: card for card in reversed(ranked) if effort[card.id] <= _QUICKEST}
        lead = {card.id: card for card in [card for card in ranked if quick.get(card.topic) is card][:FIRST]}
        ranked = [*lead.values(), *(card for card in ranked if card.id not in lead)]
    return ranked


def _importance(card: Card) -> tuple[int, int]:
    return FREQUENCIES.index(frequency(card)), LEVELS.index(level(card))


def _effort(card: Card) -> tuple[int, bool]:
    words = sum(len(text.split()) for text in (card.question, *(option.text for option in card.options)))
    return card_kinds.USUAL_SECONDS.get(card.kind, card_kinds.USUAL), words > QUICK_WORDS


def interleave(cards: Iterable[Card]) -> list[Card]:
    """The cards with their topics in turn, the topic of the first card first; within a topic the order stays."""
    topics: dict[str, list[Card]] = {}
    for card in cards:
        topics.setdefault(card.topic, []).append(card)
    return [card for turn in zip_longest(*topics.values()) for card in turn if card]


def nearest(name: str, allowed: Iterable[str]) -> str:
    """What to say instead of a name that is not known."""
    known = {_folded(each): each for each in allowed}
    if len(known) <= _MOST_NAMES:
        return f"choose from {', '.join(known.values())}"
    near = get_close_matches(_folded(name), known, n=5, cutoff=0)
    return f"the nearest are {', '.join(known[each] for each in near)}"


def _keys(card: Card, groups: Groups | None) -> set[str]:
    """The names of one card, folded."""
    topic = _folded(card.topic)
    of_groups = {group for group, topics in (groups or {}).items() if topic in map(_folded, topics)}
    return {topic, *map(_folded, card.tags), *map(_folded, of_groups)}


def _known(what: str, wanted: Sequence[str], allowed: Collection[str]) -> set[str]:
    """The wanted names folded. Raises ArgumentError for one that is not allowed."""
    known = set(map(_folded, allowed))
    for name in wanted:
        if _folded(name) not in known:
            raise ArgumentError(f"there is no {what} {printable(name)[:40]!r}: {nearest(name, allowed)}")
    return set(map(_folded, wanted))


def _mark(card: Card, marks: Sequence[str], default: str) -> str:
    tags = _all_folded(card.tags)
    return next((mark for mark in marks if _folded(mark) in tags), default)


def split_names(values: Iterable[str]) -> list[str]:
    """The names in an option or a field, which may be given several times and hold several names each, with commas."""
    return [name for each in values for word in each.split(",") if (name := word.strip())]


@cache
def _all_folded(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(_folded, names))


@cache
def _folded(name: str) -> str:
    return " ".join(name.casefold().replace("-", " ").replace("_", " ").split())
