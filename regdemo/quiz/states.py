"""The state of each card, without a replay of every review: what was replayed before is kept in a file.

The reviews stay the truth. The file says up to which row of the history it holds, and rows are only ever appended: the
cards that later rows name are replayed, the states of all others stay. A file that belongs to another history, other
settings or another version of the program, or that was damaged, is not used and made again; losing it costs time only.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from regdemo import storage
from regdemo.quiz.history import History, Tip
from regdemo.quiz.schedule import CardState, SchedulerSettings, replay_without_deadline, with_deadline

MANY = 200  # cards; replaying more than these one by one, or leaving them for next time again, is slow
_FORMAT = 2  # raised when the same reviews lead to other states: new steps, a newer FSRS


def card_states(history: History, settings: SchedulerSettings, folder: Path) -> dict[str, CardState]:
    """What `schedule.replay` says of the whole history. folder: where the file is kept, once there is a state."""
    file = folder / f"states-{_digest(json.dumps(_key(settings)).encode()).decode()}.json"
    newest = history.tip()
    states, since = _load(file, settings, history)
    touched = history.cards_since(since) if since else None
    if touched is None or len(touched) > MANY:
        states = replay_without_deadline(history.reviews(), settings)
        if states:
            _save(file, settings, newest, states)
    else:
        for card in touched:
            states.pop(card, None)
            states.update(replay_without_deadline(history.reviews(card), settings))
        if len(touched) > MANY // 4:
            _save(file, settings, newest, states)
    if settings.deadline is None:
        return states
    return {id: with_deadline(state, settings) for id, state in states.items()}


def _load(file: Path, settings: SchedulerSettings, history: History) -> tuple[dict[str, CardState], Tip | None]:
    """What the file holds and up to which row; nothing where it cannot be used."""
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        digest, _, text = file.read_bytes().partition(b"\n")
        if digest == _digest(text):
            kept = json.loads(text)
            newest = Tip(*kept["tip"])
            if kept["settings"] == _key(settings) and history.has(newest):
                rows = map(CardState._make, zip(*kept["columns"], strict=True))
                return dict(zip(kept["cards"], rows, strict=True)), newest
    return {}, None


def _save(file: Path, settings: SchedulerSettings, newest: Tip, states: dict[str, CardState]) -> None:
    # By columns, since ten thousand rows are then read in half the time.
    columns = [*zip(*states.values(), strict=True)]
    kept = {"settings": _key(settings), "tip": newest, "cards": [*states], "columns": columns}
    text = json.dumps(kept, separators=(",", ":")).encode()
    storage.write_cache(file, _digest(text) + b"\n" + text)


def _key(settings: SchedulerSettings) -> list[float]:
    """What a state depends on; the interview only brings a due date forward."""
    return [_FORMAT, settings.own_grades_only, settings.retention, *settings.parameters]


def _digest(text: bytes) -> bytes:
    return b"%08x" % crc32(text)
