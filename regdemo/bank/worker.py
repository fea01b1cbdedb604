"""The child of `verify`: imports torch once, then runs each task it reads in a process of its own.

A task is one line of JSON on standard input, its faults are one line on standard output:

    {"role": "check", "file": "d.md", "line": 9, "text": "assert answer == 1/(1-p)",
     "draws": [{"names": {"answer": 2, "p": 0.8}, "values": {"p": 0.8}}]}
    [[10, "fails at p = 0.8: `assert answer == 1/(1-p)`, 2 against 5.0"]]
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import math
import os
import random
import sys
import traceback
from collections.abc import Callable, Mapping
from types import CodeType, TracebackType
from typing import Any, NamedTuple

import pytest
import torch

from regdemo.quiz.cards import at

MOST_FAULTS = 3  # faults of one task: more of the same do not help


class Finding(NamedTuple):
    """What a program did that it should not: in which line of its file (0: it never came to run), and what."""

    line: int
    message: str


def check(task: Mapping[str, Any]) -> list[Finding]:
    """Run a check for every draw of its card's parameters."""
    try:
        program = compiled(task["text"], task["file"], task["line"])
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        return [Finding(getattr(error, "lineno", 0) or task["line"], f"is not Python, {error}")]
    found: list[Finding] = []
    for draw in task["draws"]:
        seed()
        names = {"__name__": "check", "torch": torch, "math": math, "pytest": pytest, **draw["names"]}
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(program, names)
        except BaseException as error:
            line, why = _why(error, task, names)
            found.append(Finding(line, f"fails{at(draw['values'])}: {why}"))
        if len(found) == MOST_FAULTS:
            break
    return found


def predict(task: Mapping[str, Any]) -> list[Finding]:
    """Run a program for every draw; what it prints is what the card says, up to white space."""
    found: list[Finding] = []
    for draw in task["draws"]:
        seed()
        printed = io.StringIO()
        try:
            program = compiled(draw["text"], task["file"], task["line"])
            with contextlib.redirect_stdout(printed):
                exec(program, {"__name__": "__main__"})
        except BaseException as error:
            # A card may ask about the error: it is the last line that the program prints.
            printed.write(f"\n{type(error).__name__}{f': {error}' if str(error) else ''}")
        got, said = " ".join(printed.getvalue().split()), " ".join(draw["output"].split())
        if got != said:
            shown = f"{got[:200]} ..." if len(got) > 200 else got
            found.append(Finding(task["output"], f"prints {shown!r}{at(draw['values'])}, and the card says {said!r}"))
        if len(found) == MOST_FAULTS:
            break
    return found


RUN: dict[str, Callable[[Mapping[str, Any]], list[Finding]]] = {"check": check, "predict": predict}


def compiled(text: str, file: str, line: int) -> CodeType:
    """The program, its lines numbered as in the file, where its fence opens in this one."""
    return compile("\n" * line + text, file, "exec")


def seed() -> None:
    """The same random numbers for every draw and every run."""
    random.seed(0)
    torch.manual_seed(0)


def _why(error: BaseException, task: Mapping[str, Any], names: Mapping[str, Any]) -> tuple[int, str]:
    """The line in the deck at which a program failed, and how."""
    line = task["line"]
    for frame, number in traceback.walk_tb(_own(error.__traceback__)):
        if frame.f_code.co_filename == task["file"]:
            line = number
    lines = task["text"].split("\n")
    written = lines[line - task["line"] - 1].strip() if 0 < line - task["line"] <= len(lines) else ""
    said = " ".join(str(error).split())
    if isinstance(error, AssertionError) and not said:
        said = _sides(task["text"], line - task["line"], names) or "it is false"
        return line, f"`{written}`, {said}"
    return line, f"`{written}` raises {type(error).__name__}{f', {said[:300]}' if said else ''}"


def _own(trace: TracebackType | None) -> TracebackType | None:
    """Without the frame of this module."""
    return trace.tb_next if trace else None


def _sides(text: str, line: int, names: Mapping[str, Any]) -> str:
    """Both sides of the comparison that an `assert` at the top of a program states, as they are."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assert) and node.lineno <= line <= (node.end_lineno or 0):
            test = node.test
            if isinstance(test, ast.Compare) and len(test.ops) == 1:
                with contextlib.suppress(Exception):
                    sides = [
                        eval(compile(ast.Expression(side), "", "eval"), dict(names))
                        for side in (test.left, test.comparators[0])
                    ]
                    return " against ".join(" ".join(repr(side).split())[:100] for side in sides)
    return ""


def _run(task: Mapping[str, Any]) -> list[Finding]:
    """The findings of a task; where processes can be forked, also of one that kills its process."""
    if not hasattr(os, "fork"):
        return RUN[task["role"]](task)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        with os.fdopen(writer, "w", encoding="utf-8") as stream:
            json.dump(RUN[task["role"]](task), stream)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as stream:
        answer = stream.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return [Finding(task["line"], f"ends its process by signal {os.WTERMSIG(status)}")]
    try:
        return [Finding(*one) for one in json.loads(answer)]
    except ValueError:
        return [Finding(task["line"], f"ends its process with exit code {os.waitstatus_to_exitcode(status)}")]


def main() -> None:
    """Read tasks and write findings until the input ends. What a program itself prints goes nowhere."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    tasks = os.fdopen(os.dup(sys.stdin.fileno()), encoding="utf-8")
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    torch.set_num_threads(1)
    print("ready", file=answers, flush=True)
    for line in tasks:
        if "optim" in line or "vmap" in line:
            importlib.import_module("torch._dynamo")  # both import it late, for a second: once here, not in each child
        print(json.dumps(_run(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
