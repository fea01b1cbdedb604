"""Running, on request alone, what a bank's cards claim: their checks, and the programs whose output they ask about."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from regdemo.bank import katas
from regdemo.bank.pool import run_all
from regdemo.quiz.arithmetic import ArithmeticFault, evaluate
from regdemo.quiz.blocks import read
from regdemo.quiz.cards import Card, Fault, Value, draws, fill_parameters
from regdemo.text import printable

TIME_LIMIT = 20.0  # seconds for one task
MOST_DRAWS = 1_000  # of a card's parameters; more combinations are tried in even steps
_CHUNK = 64  # draws in one task


class CardRun(NamedTuple):
    """What one child process runs of one card. request: as `worker` reads it."""

    card: Card
    line: int
    name: str
    request: dict[str, Any]


@dataclass(frozen=True)
class Verified:
    """What was run, each program once for every draw, and what is wrong with it."""

    cards: int
    checks: int
    programs: int
    runs: int
    seconds: float
    faults: tuple[Fault, ...]
    passed_over: tuple[Fault, ...] = ()  # programs that are not Python
    katas: int = 0
    mutants: int = 0


def verify(
    cards: Sequence[Card],
    *,
    jobs: int | None = None,
    time_limit: float = TIME_LIMIT,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verified:
    """Run every check, program and judge that the cards hold, `jobs` at a time, and compare with what the cards say.

    Each task runs in a process of its own, forked from one that has torch, and is killed after time_limit seconds.
    progress is called with how many tasks are done, and of how many; katas come last. An interrupt ends every child.
    """
    start = time.monotonic()
    passed_over: list[Fault] = []
    tasks = [task for card in cards for task in _tasks(card, passed_over)]
    jobs = jobs or _cores()
    with tempfile.TemporaryDirectory(prefix="regdemo-") as folder:
        workers = [_Worker(folder, time_limit) for _ in range(min(jobs, len(tasks)))]
        found = run_all(tasks, workers, _Worker.run, _Worker.close, progress)
    judged = katas.judge(cards, jobs=jobs, time_limit=time_limit, progress=progress)
    faults = [*chain.from_iterable(found), *katas.faults(judged)]
    roles = {(task.card.id, task.line): task.request["role"] for task in tasks}
    return Verified(
        cards=len({task.card.id for task in tasks} | {one.run.kata.card.id for one in judged}),
        checks=sum(role == "check" for role in roles.values()),
        programs=sum(role == "predict" for role in roles.values()),
        runs=sum(len(task.request["draws"]) for task in tasks) + len(judged),
        seconds=time.monotonic() - start,
        faults=tuple(sorted(set(faults))),
        passed_over=tuple(passed_over),
        katas=len({one.run.kata.name for one in judged}),
        mutants=sum(one.run.what == "mutant" for one in judged),
    )


def _tasks(card: Card, passed_over: list[Fault]) -> Iterator[CardRun]:
    """What there is to run of a card."""
    drawn = list(draws(card.vary, MOST_DRAWS))
    for block in card.code:
        if block.role == "check":
            request = {"role": "check", "file": str(card.file), "line": block.line, "text": block.text}
            named = [{"names": {**_answer(card, values), **values}, "values": values} for values in drawn]
            for first in range(0, len(named), _CHUNK):
                yield CardRun(card, block.line, "check", {**request, "draws": named[first : first + _CHUNK]})
    if card.kind == "predict":
        yield from _programs(card, drawn, passed_over)


def _programs(card: Card, drawn: Sequence[dict[str, Value]], passed_over: list[Fault]) -> Iterator[CardRun]:
    """The program of a predict card: its blocks `python show`, one after the other."""
    shown = [block for block in read(card.question).blocks if block.info.split()[1:2] == ["show"]]
    line = _line(card, lambda written: written.lstrip("`~ ").split()[1:2] == ["show"])
    if languages := {block.info.split()[0] for block in shown} - {"python"}:
        passed_over.append(
            Fault(card.file, line, f"{card.id} shows a program in {languages.pop()}: only Python is run")
        )
        return
    text = "\n".join(block.text for block in shown)
    output = _line(card, lambda written: written.lstrip("`~ ").split()[1:2] == ["output"])
    named = [
        {"text": fill_parameters(text, values), "output": fill_parameters(card.output, values), "values": values}
        for values in drawn
    ]
    request = {"role": "predict", "file": str(card.file), "line": line, "output": output}
    for first in range(0, len(named), _CHUNK):
        yield CardRun(card, line, "program", {**request, "draws": named[first : first + _CHUNK]})


def _answer(card: Card, values: dict[str, Value]) -> dict[str, float | str]:
    """What a check sees as `answer`: a number, the middle of a range, the right option or first blank."""
    if card.numeric:
        with suppress(ArithmeticFault):
            if card.numeric.expression:
                return {"answer": evaluate(card.numeric.expression, values)}
            low, high = card.numeric.bounds(values)
            return {"answer": (low + high) / 2, "low": low, "high": high}
    right = [option.text for option in card.options if option.correct]
    texts = [*right, *(blank[0] for blank in card.blanks), card.output or card.answer]
    return {"answer": fill_parameters(texts[0], values)}


def _line(card: Card, matches: Callable[[str], bool]) -> int:
    """The first line of a card, counted from 1, that looks like this; else its heading."""
    with suppress(OSError):
        lines = card.file.read_text("utf-8-sig", errors="replace").splitlines()
        for number, line in enumerate(lines[card.line :], card.line + 1):
            if line.lstrip().startswith(("```", "~~~")) and matches(line):
                return number
    return card.line


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """A child process that runs one task after the other. One that hangs or dies is replaced."""

    def __init__(self, folder: str, time_limit: float) -> None:
        self._folder = folder
        self._time_limit = time_limit
        self._process: subprocess.Popen[str] | None = None

    def run(self, task: CardRun) -> list[Fault]:
        """The faults of a task. Neither what it prints nor silence counts as an answer."""
        process = self._process or self._begin()
        late = threading.Event()

        def end() -> None:
            late.set()
            self.close()

        timer = threading.Timer(self._time_limit, end)
        timer.start()
        answer = ""
        with suppress(OSError, ValueError):  # a process that has ended takes and gives nothing
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(task.request) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        timer.cancel()
        if answer:
            return [_fault(task, line, message) for line, message in json.loads(answer)]
        self.close()
        ran = f"runs longer than {self._time_limit:g} s" if late.is_set() else "ends the process that runs it"
        return [_fault(task, task.line, ran)]

    def close(self) -> None:
        """End the process and all that it started."""
        process, self._process = self._process, None
        if process:
            if hasattr(os, "killpg"):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):
                    stream.close() if stream else None

    def _begin(self) -> subprocess.Popen[str]:
        """Start a process and wait until it has imported what programs need: that is not in their time."""
        package = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "regdemo.bank.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        assert self._process.stdout
        self._process.stdout.readline()
        return self._process


def _fault(task: CardRun, line: int, message: str) -> Fault:
    return Fault(task.card.file, line, f"{task.card.id}'s {task.name} {printable(message)}")
