"""Where each card stands, without a replay of every review: what was replayed before is kept in a file.

The reviews stay the truth. The file says up to which row of the history it holds, and rows are only ever appended: the
cards that later rows speak of are replayed, all others stand. A file that is another history's, another plan's or
another program's, or that was damaged, is not used and made anew; losing it costs time, nothing else.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from regdemo.quiz.history import History, Tip
from regdemo.quiz.schedule import Memory, Plan, capped, uncapped

MANY = 200  # cards; to replay more than these one by one, or to leave them for next time again, is slow
_FORMAT = 2  # raised when the same reviews come to other memories: new steps, a newer FSRS


def standing(history: History, plan: Plan, folder: Path) -> dict[str, Memory]:
    """What `schedule.replay` says of the whole history. folder: where the file is kept; made if it is not there."""
    file = folder / f"standing-{_digest(json.dumps(_plan(plan)).encode()).decode()}.json"
    tip = history.tip()
    memories, since = _load(file, plan, history)
    touched = history.cards_since(since) if since else None
    if touched is None or len(touched) > MANY:
        memories = uncapped(history.reviews(), plan)
        _save(file, plan, tip, memories)
    else:
        for card in touched:
            memories.pop(card, None)
            memories.update(uncapped(history.reviews(card), plan))
        if len(touched) > MANY // 4:
            _save(file, plan, tip, memories)
    if plan.eve is None:
        return memories
    return {id: capped(memory, plan) for id, memory in memories.items()}


def _load(file: Path, plan: Plan, history: History) -> tuple[dict[str, Memory], Tip | None]:
    """What the file holds and up to which row; nothing where it cannot be used."""
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        digest, _, text = file.read_bytes().partition(b"\n")
        if digest == _digest(text):
            kept = json.loads(text)
            tip = Tip(*kept["tip"])
            if kept["plan"] == _plan(plan) and history.has(tip):
                rows = map(Memory._make, zip(*kept["columns"], strict=True))
                return dict(zip(kept["cards"], rows, strict=True)), tip
    return {}, None


def _save(file: Path, plan: Plan, tip: Tip, memories: dict[str, Memory]) -> None:
    # By columns, since ten thousand rows are then read in half the time.
    columns = [*zip(*memories.values(), strict=True)]
    kept = {"plan": _plan(plan), "tip": tip, "cards": [*memories], "columns": columns}
    text = json.dumps(kept, separators=(",", ":")).encode()
    part = file.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(_digest(text) + b"\n" + text)
        part.replace(file)


def _plan(plan: Plan) -> list[float]:
    """What a memory depends on, but for the interview, which only caps it."""
    return [_FORMAT, plan.retention, *plan.parameters]


def _digest(text: bytes) -> bytes:
    return b"%08x" % crc32(text)
