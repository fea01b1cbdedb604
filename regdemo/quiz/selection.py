"""Which cards of a bank a sitting asks, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest

from regdemo.errors import ArgumentError
from regdemo.quiz import kinds as card_kinds
from regdemo.quiz import schedule
from regdemo.quiz.cards import Card
from regdemo.quiz.decks import Bank
from regdemo.quiz.schedule import CardState
from regdemo.text import printable

_MOST_NAMES = 12  # that a message lists whole; of more, it tells the nearest


def narrow(
    bank: Bank,
    *,
    ids: Sequence[str] = (),
    topics: Sequence[str] = (),
    kinds: Sequence[str] = (),
    tags: Sequence[str] = (),
) -> list[Card]:
    """The cards that match: with ids, those, in their order; then of any of the topics, the kinds, and the tags.

    An empty sequence asks for nothing in particular. Names are compared without case, and with - for _.
    Raises ArgumentError for a name that no card has, with those that are nearest.
    """
    cards = [bank.find(id) for id in dict.fromkeys(ids)] if ids else list(bank.cards)
    if topics:
        wanted = _known("topic", topics, [card.topic for card in bank.cards])
        cards = [card for card in cards if _folded(card.topic) in wanted]
    if kinds:
        wanted = _known("kind", kinds, card_kinds.kind_names())
        cards = [card for card in cards if card.kind in wanted]
    if tags:
        wanted = _known("tag", tags, [tag for card in bank.cards for tag in card.tags])
        cards = [card for card in cards if not wanted.isdisjoint(map(_folded, card.tags))]
    return cards


def pick(
    cards: Iterable[Card],
    states: Mapping[str, CardState],
    now: datetime,
    *,
    new: int,
    limit: int | None = None,
    cram: bool = False,
) -> list[Card]:
    """The cards of a sitting: those due, then up to `new` never answered; `limit` in all. Topics take turns.

    Within a topic the most overdue is first, and new cards keep their order. cram: answered cards are all taken, due or
    not, the most likely forgotten first.
    """
    by_id = {card.id: card for card in cards}
    if cram:
        known = [id for id in by_id if id in states]
        ids = sorted(known, key=lambda id: states[id].recall(now)) + [id for id in by_id if id not in states]
    else:
        ids = schedule.queue(by_id, states, now, new=len(by_id))
    again = interleave(by_id[id] for id in ids if id in states)
    fresh = interleave(by_id[id] for id in ids if id not in states)
    return [*again, *fresh[:new]][:limit]


def interleave(cards: Iterable[Card]) -> list[Card]:
    """The cards with their topics in turn, the topic of the first card first; within a topic the order stays."""
    topics: dict[str, list[Card]] = {}
    for card in cards:
        topics.setdefault(card.topic, []).append(card)
    return [card for turn in zip_longest(*topics.values()) for card in turn if card]


def _known(what: str, names: Sequence[str], allowed: Collection[str]) -> set[str]:
    """The names folded. Raises ArgumentError for one that is not allowed."""
    known = {_folded(name): name for name in allowed}
    for name in names:
        if _folded(name) not in known:
            raise ArgumentError(f"there is no {what} {printable(name)[:40]!r}: {_choose(name, known)}")
    return set(map(_folded, names))


def _choose(name: str, known: Mapping[str, str]) -> str:
    if len(known) <= _MOST_NAMES:
        return f"choose from {', '.join(known.values())}"
    from difflib import get_close_matches

    near = get_close_matches(_folded(name), known, n=5, cutoff=0)
    return f"the nearest are {', '.join(known[each] for each in near)}"


def _folded(name: str) -> str:
    return name.strip().casefold().replace("-", "_")
