"""Many files parsed at once: in this process, or on every core where there is enough to do."""

from __future__ import annotations

import gc
import os
import signal
import threading
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from regdemo.quiz.cards import Deck, Fault

LONGEST = 100_000  # lines in a file: each costs memory while it is parsed

_ENOUGH = 1_000_000  # bytes that are worth the start of processes


class Job(NamedTuple):
    """A file to parse: what is in it, and what its cards are tagged with."""

    data: bytes
    file: Path
    tags: tuple[str, ...]


def parse_all(jobs: Sequence[Job]) -> list[Deck]:
    """The decks of all jobs, in their order."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # A fork copies no thread but its own: where others run, a lock of theirs might stay locked in the copy.
    alone = hasattr(os, "fork") and threading.active_count() == 1
    if not alone or cores == 1 or sum(len(job.data) for job in jobs) < _ENOUGH:
        return list(map(parse_one, jobs))
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(cores, get_context("fork"), _begin) as pool:
        return list(pool.map(parse_one, jobs, chunksize=max(1, len(jobs) // (8 * cores))))


def parse_one(job: Job) -> Deck:
    """The deck in a file's bytes. The parser takes time to import, so a deck read before does without."""
    from regdemo.quiz.parser import parse

    data, file, tags = job
    place = data.find(b"\0")
    if place >= 0 and not data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):  # UTF-16 is text, if not ours
        said = f"is a binary file, NUL at byte {place:,}: a deck is UTF-8 text"
    elif (lines := data.count(b"\n")) > LONGEST:
        place, said = 0, f"has {lines:,} lines: a deck has at most {LONGEST:,}, split it"
    else:
        try:
            return parse(data.decode("utf-8-sig"), file, tags)
        except UnicodeDecodeError as error:
            place = error.start
            said = f"is not UTF-8, 0x{data[place]:02x} at byte {place:,}: save it as UTF-8"
    return Deck(faults=(Fault(file, data.count(b"\n", 0, place) + 1, said),))


@contextmanager
def uncollected() -> Iterator[None]:
    """Without garbage collection, which would look through ten thousand cards again and again as they are made."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _begin() -> None:
    """In a child: an interrupt is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
