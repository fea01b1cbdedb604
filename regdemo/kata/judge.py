"""The judge's process: runs a card's tests against functions that run elsewhere. It never loads the learner's code."""

from __future__ import annotations

import ast
import math
import socket
from collections.abc import Callable
from typing import Any

import torch

from regdemo.kata import laws
from regdemo.kata.remote import Learner, LearnerError
from regdemo.kata.verdict import State, Verdict
from regdemo.kata.wire import Gone, WireFault

_DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
_BOXED = "; the box opens no other file, process or connection"


def run(request: dict[str, Any], connection: socket.socket, tell: Callable[[dict[str, Any]], None]) -> Verdict:
    """Judge one file. Each test is told as it begins: should it never end, its supervisor knows which it was.

    request: the card's `judge` and `starter`, the learner's `source`, its `name`, a `seed`.
    """
    name, seed = request["name"], request["seed"]
    judge = ast.parse(request["judge"])
    functions = [node for node in judge.body if isinstance(node, ast.FunctionDef)]
    tests = [node for node in functions if node.name.startswith("test_")]
    probes = [node for node in functions if _is_probe(node)]
    learner = Learner(connection, f"{name}.py")
    wanted = [node.name for node in ast.parse(request["starter"]).body if isinstance(node, _DEFINITIONS)]
    try:
        _check(request["source"], f"{name}.py")
        sources = "\n\n".join(filter(None, (ast.get_source_segment(request["judge"], node) for node in probes)))
        found = learner.load(name, request["source"], sources, _forbidden(judge), seed)
        if missing := [word for word in wanted if word not in found and not word.startswith("_")]:
            raise _Unfit(f"{name}.py has no `{'`, no `'.join(missing)}`: keep the names of the starter")
    except _Unfit as error:
        return Verdict("broken", len(tests), message=f"{error}")
    except (LearnerError, WireFault, Gone) as error:
        state, detail = _ending(error)
        state = "broken" if state == "failed" else state
        return Verdict(state, len(tests), message=f"{name}.py could not be loaded.", detail=detail)

    torch.manual_seed(seed + 1)
    space: dict[str, Any] = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "math": math}
    space |= {key: getattr(laws, key) for key in laws.__all__}
    space |= {word: learner.function(word) for word in wanted}
    space["probe"] = lambda function: learner.function(function.__name__)
    laws.BUDGET.clear()
    exec(compile(judge, f"the judge of {name}", "exec", dont_inherit=True), space)
    for done, node in enumerate(tests):
        message = " ".join((ast.get_docstring(node) or node.name).split())
        tell({"test": node.name, "message": message, "done": done, "tests": len(tests)})
        try:
            space[node.name]()
        except Exception as error:
            state, detail = _ending(error)
            return Verdict(state, len(tests), done, node.name, message, detail)
    return Verdict("passed", len(tests), len(tests))


class _Unfit(Exception):
    """A file that there is no use in judging."""


def _ending(error: Exception) -> tuple[State, str]:
    """How a test ends by an exception, and what there is to say of it."""
    if isinstance(error, AssertionError):
        return "failed", f"{error}"
    if isinstance(error, Gone):
        return "died", ""
    if isinstance(error, WireFault):
        return "failed", f"It handed back {error}."
    if isinstance(error, LearnerError):
        boxed = "PermissionError" in error.kinds or "start new thread" in f"{error}"
        return "hungry" if error.out_of_memory else "failed", f"{error}{_BOXED if boxed else ''}"
    return "failed", f"What came back is of no use to the judge: {type(error).__name__}, {error}"


def _check(source: str, file: str) -> None:
    """Raise _Unfit for a file that doesn't parse, and for one that imports the answers."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        place = f", line {error.lineno}" if error.lineno else ""
        shown = f": {error.text.strip()}" if error.text else ""
        raise _Unfit(f"{file}{place}: {error.msg}{shown}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise _Unfit(f"{file} is no Python that can be read: {error}") from None
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.partition(".")[0] == "regdemo" for name in names):
            line = getattr(node, "lineno", 0)
            raise _Unfit(f"{file}, line {line}: regdemo holds the answers: write it yourself, torch is all you need")


def _is_probe(node: ast.FunctionDef) -> bool:
    return any(isinstance(mark, ast.Name) and mark.id == "probe" for mark in node.decorator_list)


def _forbidden(judge: ast.Module) -> list[str]:
    """The functions of torch that the learner is to do without: the judge's FORBIDDEN, a list of names."""
    for node in judge.body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["FORBIDDEN"]:
            return [str(item) for item in ast.literal_eval(node.value)]
    return []
