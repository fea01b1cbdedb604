"""The process that knows torch: takes jobs from standard input, answers with what they return.

A message is its length, four bytes, and a pickle. In: (job, arguments). Out: ("progress", done, total) while it goes
on, then ("done", value, seconds), ("refused", message) or ("failed", message). SIGUSR1 ends the job that runs, or the
next one if none does: it may overtake its job in the pipe. It ends no import, which would break those of later jobs.
A job that was stopped says ("stopped",), or ("done", ...) with what was finished.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO

import torch

from regdemo import catalog, diagnoses, lazy
from regdemo.errors import RegdemoError
from regdemo.lab.combine import combine
from regdemo.lab.compare import Stopped, compare
from regdemo.lab.training import OnProgress

MEMORY_LIMIT = int(
    os.environ.get("REGDEMO_ROOM", 4_000_000_000)
)  # bytes of address space beyond what torch itself takes
STOP = getattr(signal, "SIGUSR1", signal.SIGINT)


def demo(progress: OnProgress, stem: str, values: dict[str, Any]) -> Any:
    """A demo's report."""
    return catalog.demo(stem).run(**values)


def pitfall(progress: OnProgress, name: str, seed: int) -> Any:
    """A pitfall's report."""
    return catalog.run_pitfall(name, seed)


def diagnosis(progress: OnProgress, name: str) -> Any:
    """The report of a run to diagnose."""
    return diagnoses.report(name)


def train(run: Callable[..., Any], progress: OnProgress, arms: list[str], options: dict[str, Any]) -> tuple[Any, bool]:
    """A training's report, and whether it was stopped: what is finished is then shown."""
    try:
        return run(arms, progress=progress, **options), False
    except Stopped as stopped:
        return stopped.report, True


JOBS: dict[str, Callable[..., Any]] = {
    "demo": demo,
    "pitfall": pitfall,
    "diagnosis": diagnosis,
    "compare": partial(train, compare),
    "combine": partial(train, combine),
}


def read(stream: BinaryIO) -> Any:
    """The next message. Raises EOFError at the end."""
    head = stream.read(4)
    if len(head) < 4:
        raise EOFError
    (size,) = struct.unpack("<I", head)
    return pickle.loads(stream.read(size))


def write(stream: BinaryIO, message: object) -> None:
    """Send one message."""
    data = pickle.dumps(message)
    stream.write(struct.pack("<I", len(data)) + data)
    stream.flush()


def main() -> None:
    """Work until the pipe closes."""
    talk = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a job prints isn't a message
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which then closes the pipe
    told_to_stop = False

    def stop(number: int, frame: object) -> None:
        nonlocal told_to_stop
        told_to_stop = True

    if STOP != signal.SIGINT:
        signal.signal(STOP, stop)
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    _limit_memory()
    write(talk, ("ready",))
    with suppress(EOFError):
        while True:
            name, arguments = read(sys.stdin.buffer)
            last = 0.0

            def progress(done: int, total: int) -> None:
                nonlocal last
                if (now := time.monotonic()) > last + 0.1 or done == total:
                    last = now
                    write(talk, ("progress", done, total))

            answer: tuple[object, ...]
            start = time.perf_counter()
            try:
                with lazy.interruptible(STOP):
                    if told_to_stop:
                        raise KeyboardInterrupt
                    value = JOBS[name](progress, *arguments)
                answer = ("done", value, time.perf_counter() - start)
            except KeyboardInterrupt:
                answer = ("stopped",)
            except RegdemoError as error:
                answer = ("refused", str(error))
            except (MemoryError, RuntimeError) as error:
                full = isinstance(error, MemoryError) or "allocate" in str(error) or "memory" in str(error)
                answer = ("refused", "it needs more memory than a page is given") if full else _failed(error)
            except Exception as error:
                answer = _failed(error)
            told_to_stop = False
            write(talk, answer)


def _failed(error: Exception) -> tuple[str, str]:
    return "failed", f"{type(error).__name__}: {error}"


def _limit_memory() -> None:
    """No more address space than it has now and MEMORY_LIMIT, where the platform can say so."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY_LIMIT, now + MEMORY_LIMIT))
